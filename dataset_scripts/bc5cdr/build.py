"""Build BC5CDR as Parquet with a card, so that `load_dataset` loads it.

Commands, where the folder holds train.tsv, devel.tsv and test.tsv:

    python dataset_scripts/bc5cdr/build.py --source <folder> --output data/bc5cdr
    python dataset_scripts/bc5cdr/build.py --source <folder> --output data/bc5cdr --push ORG/BC5CDR
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from hf_bionerkd.data.conll_corpus import build_conll_corpus, main

CARD = Path(__file__).with_name("card.yaml")


def build(
    output_dir: str | os.PathLike[str], source: str | os.PathLike[str] | None = None
) -> Literal["built", "unchanged"]:
    """Build the corpus into `output_dir`; see :func:`hf_bionerkd.data.conll_corpus.build_conll_corpus`."""
    return build_conll_corpus(CARD, output_dir, source)


if __name__ == "__main__":
    main(CARD, __doc__)

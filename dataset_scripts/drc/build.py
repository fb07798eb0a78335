"""Build DRC, CDWC's diseases with re-corrected labels, from a finished run of `recipes/recorrect.py`.

Commands; the first makes the run, the second takes its labels (``--push ORG/drc`` pushes them):

    accelerate launch recipes/recorrect.py --config recipes/zhou2021/recorrect_drc.yaml
    python dataset_scripts/drc/build.py --config recipes/zhou2021/recorrect_drc.yaml --output data/drc
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Literal

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from recorrected_corpus import build_recorrected_corpus, main  # noqa: E402

CARD = Path(__file__).with_name("card.yaml")


def build(
    output_dir: str | os.PathLike[str], config: str | os.PathLike[str], **options: Any
) -> Literal["built", "unchanged"]:
    """Build the corpus into `output_dir`; `options` are those of `build_recorrected_corpus`."""
    return build_recorrected_corpus(CARD, output_dir, config, **options)


if __name__ == "__main__":
    main(CARD, __doc__)

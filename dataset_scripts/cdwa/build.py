"""Build CDWA, the weak corpus for accuracy, as Parquet with a card, so that `load_dataset` loads it.

Commands; the second pushes what it builds, the third takes the first 3,000 abstracts:

    python dataset_scripts/cdwa/build.py --config recipes/zhou2021/weak.yaml --output data/cdwa
    python dataset_scripts/cdwa/build.py --config recipes/zhou2021/weak.yaml --output data/cdwa --push ORG/cdwa
    python dataset_scripts/cdwa/build.py --config recipes/zhou2021/weak.yaml --output data/cdwa_3000 limit=3000
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Literal

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from weak_corpus import build_weak_corpus, main  # noqa: E402

CARD = Path(__file__).with_name("card.yaml")


def build(
    output_dir: str | os.PathLike[str], config: str | os.PathLike[str], **options: Any
) -> Literal["built", "unchanged"]:
    """Build the corpus into `output_dir`; `options` are those of `build_weak_corpus`."""
    return build_weak_corpus("accuracy", CARD, output_dir, config, **options)


if __name__ == "__main__":
    main("accuracy", CARD, __doc__)

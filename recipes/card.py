r"""Render a model's card again, offline: under another name, or with what people say of it now.

    python recipes/card.py runs/demo/distill/student --name ORG/STUDENT
    python recipes/card.py runs/demo/distill/student --card model_cards/demo-student/card.yaml \
        --output model_cards/demo-student --name demo-student

Everything measured comes from the model's own provenance.json and metrics.json. With --output the card and copies of
those two are written there, and the model's folder stays as it is: that is how the examples in model_cards/ are made.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from hf_bionerkd.exits import errors_on_one_line
from hf_bionerkd.hub.human_card import load_human_card
from hf_bionerkd.hub.provenance import METRICS_FILE, PROVENANCE_FILE, read_folder, refresh_card


def main(words: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of a finished model")
    parser.add_argument("--name", help="what the card calls the model, such as its Hub id (default: as before)")
    parser.add_argument("--card", help="card.yaml with what people say (default: what they said before)")
    parser.add_argument("--output", type=Path, help="write there instead of into the model's folder")
    arguments = parser.parse_args(words)
    with errors_on_one_line():
        human = load_human_card(arguments.card) if arguments.card else None
        folder = arguments.folder
        if arguments.output is not None:
            read_folder(folder)  # a folder that is no model is named before anything is copied
            folder = arguments.output
            folder.mkdir(parents=True, exist_ok=True)
            for file in (METRICS_FILE, PROVENANCE_FILE):
                shutil.copyfile(arguments.folder / file, folder / file)
        refresh_card(folder, arguments.name, human)
        print(folder / "README.md")


if __name__ == "__main__":
    main()

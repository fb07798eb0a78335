r"""Render a model's card again, offline: under another name, or with what people say of it now.

    bionerkd card runs/demo/distill/student --name ORG/STUDENT
    bionerkd card runs/demo/distill/student --card model_cards/demo-student/card.yaml \
        --output model_cards/demo-student --name demo-student

Everything measured comes from the model's own provenance.json and metrics.json. With --output the card and copies of
those two are written there, and the model's folder stays as it is: that is how the examples in model_cards/ are made.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hf_bionerkd.hub import provenance
from hf_bionerkd.hub.human_card import load_human_card
from hf_bionerkd.hub.provenance import METRICS_FILE, PROVENANCE_FILE, read_folder
from hf_bionerkd.runs.command import make_parser, run_command


@dataclass(frozen=True)
class CardConfig:
    """The options of rendering a card.

    Args:
        folder (`Path`): Folder of a finished model.
        name (`str`, *optional*): What the card calls the model, such as its Hub id; as before by default.
        card (`str` or `Path`, *optional*): ``card.yaml`` with what people say; what they said before by default.
        output (`Path`, *optional*): Where to write, instead of into the model's folder.
    """

    folder: Path
    name: str | None = None
    card: str | Path | None = None
    output: Path | None = None


@dataclass(frozen=True)
class RenderedCard:
    """A card that was rendered.

    Args:
        path (`Path`): The README.md.
    """

    path: Path

    def report(self) -> str:
        """Return the path."""
        return str(self.path)


def refresh_card(config: CardConfig) -> RenderedCard:
    """Render the card of a finished model again.

    Raises:
        FileNotFoundError: The folder is no finished model of this package.
        ValueError: One of its files, or the ``card.yaml``, does not fit.
    """
    human = load_human_card(config.card) if config.card else None
    folder = config.folder
    if config.output is not None:
        read_folder(folder)  # a folder that is no model is named before anything is copied
        folder = config.output
        folder.mkdir(parents=True, exist_ok=True)
        for file in (METRICS_FILE, PROVENANCE_FILE):
            shutil.copyfile(config.folder / file, folder / file)
    provenance.refresh_card(folder, config.name, human)
    return RenderedCard(folder / "README.md")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of :class:`CardConfig` to a command line."""
    parser.add_argument("folder", type=Path, help="folder of a finished model")
    parser.add_argument("--name", help="what the card calls the model, such as its Hub id (default: as before)")
    parser.add_argument("--card", help="card.yaml with what people say (default: what they said before)")
    parser.add_argument("--output", type=Path, help="write there instead of into the model's folder")


def main(words: Sequence[str] | None = None, *, program: str = "bionerkd card") -> None:
    """Run the command line."""
    parser = make_parser(__doc__, "card", program)
    add_options(parser)
    run_command(parser, parser.parse_args(words), CardConfig, refresh_card)

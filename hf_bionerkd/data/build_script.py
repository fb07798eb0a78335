"""What the programs that build corpora have in common: a ``build`` for configurations, a command line for people."""

from __future__ import annotations

import argparse
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from hf_bionerkd.data.corpus_card import name_corpus
from hf_bionerkd.exits import errors_on_one_line
from hf_bionerkd.hub.command_line import (
    add_push_options,
    push_built,
    pushes_asked_for,
    this_command,
)

Built = Literal["built", "unchanged"]


def script_parser(file: str | os.PathLike[str], description: str | None) -> argparse.ArgumentParser:
    """Make the parser of a ``dataset_scripts/<corpus>/build.py``, whose help shows the commands of what was called.

    Args:
        file (`str` or `PathLike`): The script, its ``__file__``.
        description (`str`): Its docstring, with commands that begin with ``python dataset_scripts/<corpus>/build.py``.
    """
    text = description or ""
    if sys.argv[0].startswith("bionerkd "):
        text = text.replace(f"python dataset_scripts/{Path(file).parent.name}/build.py", sys.argv[0])
    return argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)


class BuildScript(ABC):
    """A ``dataset_scripts/<corpus>/build.py`` that makes one corpus; its ``card.yaml`` lies beside it.

    Args:
        file (`str` or `PathLike`): The script, its ``__file__``.
        description (`str`): Its docstring, for the help.
    """

    def __init__(self, file: str | os.PathLike[str], description: str | None) -> None:
        self.card = Path(file).with_name("card.yaml")
        self._file = file
        self._description = description

    @property
    def default_output(self) -> str:
        """The folder to make where none is named."""
        return f"data/{self.card.parent.name}"

    @abstractmethod
    def build(self, output_dir: str | os.PathLike[str], *arguments: Any, **options: Any) -> Built:
        """Build the corpus into `output_dir`; a configuration's ``build`` section calls this."""

    @abstractmethod
    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add the options of the command line, `--output` among them, without those of pushing."""

    @abstractmethod
    def build_from(self, options: argparse.Namespace) -> Built:
        """Build the corpus as the command line says."""

    def main(self, words: Sequence[str] | None = None) -> None:
        """Run the command line: build, print what was done, push if asked to."""
        parser = script_parser(self._file, self._description)
        self.add_options(parser)
        add_push_options(parser, "ORG/CORPUS", "the corpus")
        options = parser.parse_args(words)
        with errors_on_one_line():
            pushes = pushes_asked_for(options, [options.push])  # the Hub is asked before anything is made
            print(f"{options.output}: {self.build_from(options)}")
            retry = this_command(without=("--overwrite",))
            for push in pushes:
                if not options.dry_run:
                    name_corpus(options.output, push.repo_id)
                print(push_built(options.output, push, dry_run=options.dry_run, retry=retry))

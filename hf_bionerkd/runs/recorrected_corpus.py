"""Build a re-corrected corpus from a finished run of `recipes/recorrect.py`: CDRC, CDRA, DRC and DRA."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hf_bionerkd.data.build_script import BuildScript, Built
from hf_bionerkd.data.corpus import load_corpus
from hf_bionerkd.runs.config_loading import load_config
from hf_bionerkd.runs.config_sections import ConfigError
from hf_bionerkd.runs.folder import DONE_FILE
from hf_bionerkd.runs.loading import label_space
from hf_bionerkd.runs.records import differences, read_run
from hf_bionerkd.runs.recorrect_config import RecorrectConfig
from hf_bionerkd.runs.revisions import CORPUS, Revisions, open_corpora
from hf_bionerkd.runs.sources import pin_sources
from hf_bionerkd.weak.rounds import read_outcome


def build_recorrected_corpus(
    card_path: str | os.PathLike[str],
    output_dir: str | os.PathLike[str],
    config: str | os.PathLike[str],
    *,
    overrides: Sequence[str] = (),
    overwrite: bool = False,
) -> Built:
    """Build the corpus of the best round of a finished run.

    Args:
        card_path (`str` or `PathLike`): The ``card.yaml``.
        output_dir (`str` or `PathLike`): The folder to make; see :func:`~hf_bionerkd.data.builders.build_corpus`.
        config (`str` or `PathLike`): The run's configuration; see
            :class:`~hf_bionerkd.runs.recorrect_config.RecorrectConfig`.
        overrides (`Sequence[str]`, *optional*): The ``key=value`` that the run was started with.
        overwrite (`bool`, *optional*, defaults to `False`): Replace whatever `output_dir` holds.

    Returns:
        `"built"` or `"unchanged"`.

    Raises:
        ConfigError: The configuration is wrong, or its run is not finished; the message says what to run.
    """
    settings = load_config(RecorrectConfig, config, overrides)
    run = Path(settings.output_dir)
    command = ["accelerate", "launch", "recipes/recorrect.py", "--config", os.fspath(config), *overrides]
    record, outcome = read_run(run), read_outcome(run)
    if record is not None and (other := differences(record, settings)):
        raise ConfigError(
            f"{run} holds a run with other values than {os.fspath(config)} has, which differs in {other}; give the "
            "key=value words that it was started with, such as limit=…"
        )
    if record is None or outcome is None or not (run / DONE_FILE).exists():
        resume = [] if record is None else ["resume=true"]
        raise ConfigError(
            f"{run} holds no finished run, whose labels could be taken. Make it with: "
            f"{shlex.join([*command, *resume])}"
        )
    settings, _ = pin_sources(replace(settings, card=os.fspath(card_path)), run)
    weak, human = open_corpora(settings)
    revisions = Revisions(settings, weak, human, label_space(settings.types, [weak, human]))
    best = load_corpus(str(run / CORPUS), weak.name)
    return revisions.write_best(Path(output_dir), outcome, best, overwrite=overwrite)


class RecorrectedScript(BuildScript):
    """The build script of a re-corrected corpus; all that is its own stands in its ``card.yaml``."""

    def build(self, output_dir: str | os.PathLike[str], config: str | os.PathLike[str], **options: Any) -> Built:
        """Build the corpus; `options` are those of :func:`build_recorrected_corpus`."""
        return build_recorrected_corpus(self.card, output_dir, config, **options)

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add `--config`, `--output`, `--overwrite` and overrides."""
        folder = self.default_output
        parser.add_argument("--config", required=True, help="YAML file of the run that made the labels")
        parser.add_argument("--output", default=folder, help=f"folder to make; {folder} by default")
        parser.add_argument("--overwrite", action="store_true", help="replace whatever the output folder holds")
        parser.add_argument("overrides", nargs="*", metavar="key=value", help="what the run was started with")

    def build_from(self, options: argparse.Namespace) -> Built:
        """Build the corpus as the command line says."""
        return self.build(options.output, options.config, overrides=options.overrides, overwrite=options.overwrite)

"""Build one view of a weak corpus (:mod:`hf_bionerkd.weak.building`): CDWC and CDWA are views of the same one."""

from __future__ import annotations

import argparse
import os
from typing import Any

from hf_bionerkd.data.build_script import BuildScript, Built
from hf_bionerkd.data.builders import build_corpus
from hf_bionerkd.data.corpus_card import load_card
from hf_bionerkd.runs.shipped import shipped
from hf_bionerkd.weak.building import WeakCorpus
from hf_bionerkd.weak.labelling import View
from hf_bionerkd.weak.settings import WeakConfigError, load_weak_config
from hf_bionerkd.yaml_files import YamlError, parse_yaml


def build_weak_corpus(
    view: View,
    card_path: str | os.PathLike[str],
    output_dir: str | os.PathLike[str],
    config: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    **overrides: Any,
) -> Built:
    """Build one view of a weak corpus.

    Args:
        view (`str`): `"coverage"` (CDWC) or `"accuracy"` (CDWA).
        card_path (`str` or `PathLike`): The ``card.yaml``.
        output_dir (`str` or `PathLike`): The folder to make; see
            :func:`~hf_bionerkd.data.builders.build_corpus`.
        config (`str` or `PathLike`): Sources and rules; see :class:`~hf_bionerkd.weak.settings.WeakConfig`.
        overwrite (`bool`, *optional*, defaults to `False`): Replace whatever `output_dir` holds.
        overrides: Top-level keys of the configuration with other values.

    Returns:
        `"built"` or `"unchanged"`.

    Raises:
        WeakConfigError: The configuration is wrong, or a file of it is missing.
    """
    settings = load_weak_config(shipped(config), **overrides)
    if view == "accuracy" and not settings.require_association:
        raise WeakConfigError(
            f"{config}: 'require_association: false' is of use for coverage alone: without an association no mention "
            "of an abstract is confirmed"
        )
    card, _ = load_card(card_path)
    with WeakCorpus(settings) as corpus:
        return build_corpus(
            output_dir,
            {"train": corpus.sentences(view)},
            settings.types,
            card,
            corpus.sources,
            settings={"view": view, **corpus.settings},
            set_aside=corpus.set_aside,
            counts=corpus.counts,
            overwrite=overwrite,
        )


class WeakScript(BuildScript):
    """The build script of one view of a weak corpus.

    Args:
        file (`str` or `PathLike`): The script, its ``__file__``.
        description (`str`): Its docstring, for the help.
        view (`str`): `"coverage"` or `"accuracy"`.
    """

    def __init__(self, file: str | os.PathLike[str], description: str | None, view: View) -> None:
        super().__init__(file, description)
        self.view: View = view

    def build(self, output_dir: str | os.PathLike[str], config: str | os.PathLike[str], **options: Any) -> Built:
        """Build the corpus; `options` are those of :func:`build_weak_corpus`."""
        return build_weak_corpus(self.view, self.card, output_dir, config, **options)

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add `--config`, `--output`, `--overwrite` and overrides."""
        folder = self.default_output
        parser.add_argument("--config", required=True, help="YAML file with sources and rules")
        parser.add_argument("--output", default=folder, help=f"folder to make; {folder} by default")
        parser.add_argument("--overwrite", action="store_true", help="replace whatever the output folder holds")
        parser.add_argument(
            "overrides", nargs="*", metavar="KEY=VALUE", help="other values of the configuration's keys"
        )

    def build_from(self, options: argparse.Namespace) -> Built:
        """Build the corpus as the command line says."""
        overrides = dict(map(_override, options.overrides))
        return self.build(options.output, options.config, overwrite=options.overwrite, **overrides)


def _override(argument: str) -> tuple[str, Any]:
    key, equals, value = argument.partition("=")
    if not equals or not key:
        raise WeakConfigError(f"{argument!r} is not KEY=VALUE, as in limit=3000")
    try:
        return key, parse_yaml(value)
    except YamlError as error:
        raise WeakConfigError(f"{key}: {error.problem}") from None

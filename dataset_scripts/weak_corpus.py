"""What cdwc/build.py and cdwa/build.py share: both are views of one weak corpus (:mod:`hf_bionerkd.weak.building`)."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any, Literal

from hf_bionerkd.data.builders import build_corpus
from hf_bionerkd.data.corpus_card import load_card, name_corpus
from hf_bionerkd.exits import errors_on_one_line
from hf_bionerkd.hub.command_line import add_push_options, push_built, pushes_asked_for, this_command
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
) -> Literal["built", "unchanged"]:
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
    settings = load_weak_config(config, **overrides)
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


def main(view: View, card_path: Path, description: str | None) -> None:
    """Command line of the two scripts."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="YAML file with sources and rules")
    folder = f"data/{card_path.parent.name}"
    parser.add_argument("--output", default=folder, help=f"folder to make; {folder} by default")
    parser.add_argument("--overwrite", action="store_true", help="replace whatever the output folder holds")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="other values of the configuration's keys")
    add_push_options(parser, "ORG/CORPUS", "the corpus")
    options = parser.parse_args()
    with errors_on_one_line():
        pushes = pushes_asked_for(options, [options.push])
        overrides = dict(map(_override, options.overrides))
        result = build_weak_corpus(
            view, card_path, options.output, options.config, overwrite=options.overwrite, **overrides
        )
        print(f"{options.output}: {result}")
        for push in pushes:
            if not options.dry_run:
                name_corpus(options.output, push.repo_id)
            push_built(options.output, push, dry_run=options.dry_run, retry=this_command(without=("--overwrite",)))


def _override(argument: str) -> tuple[str, Any]:
    key, equals, value = argument.partition("=")
    if not equals or not key:
        raise WeakConfigError(f"{argument!r} is not KEY=VALUE, as in limit=3000")
    try:
        return key, parse_yaml(value)
    except YamlError as error:
        raise WeakConfigError(f"{key}: {error.problem}") from None

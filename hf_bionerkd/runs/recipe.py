"""The command line that all recipes share: ``--config FILE`` and ``key=value`` overrides."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, TypeVar

from hf_bionerkd.exits import errors_on_one_line
from hf_bionerkd.io import explaining_full_disk
from hf_bionerkd.runs.config_loading import load_config

T = TypeVar("T")


def run_recipe(main: Callable[[T], None], cls: type[T], default: str | None, description: str | None) -> None:
    """Parse the command line, run, and turn a user's mistake into one clear line instead of a traceback.

    See :func:`~hf_bionerkd.exits.errors_on_one_line` for what counts as one. ``BIONERKD_DEBUG=1`` shows the
    traceback.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default=default, required=default is None, help="YAML file of the run")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="e.g. loss.lam=0.5 teachers.0.path=org/name")
    arguments = parser.parse_intermixed_args()
    with errors_on_one_line():
        config: Any = load_config(cls, arguments.config, arguments.overrides)
        with explaining_full_disk(config.output_dir):
            main(config)

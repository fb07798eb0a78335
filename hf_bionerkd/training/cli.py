"""The command line that all recipes share: ``--config FILE`` and ``key=value`` overrides."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import TypeVar

from hf_bionerkd.training.config import load_config

T = TypeVar("T")


def run_recipe(main: Callable[[T], None], cls: type[T], default: str | None, description: str | None) -> None:
    """Parse the command line, run, and turn a user's mistake into one clear line instead of a traceback.

    Mistakes are what this package and the libraries raise for bad input: `ValueError` (configuration, labels, spans,
    encoding), `OSError` (missing files and models) and `CacheError`. Set ``BIONERKD_DEBUG=1`` for the traceback.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default=default, required=default is None, help="YAML file of the run")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="e.g. loss.lam=0.5 teachers.0.path=org/name")
    arguments = parser.parse_args()
    try:
        main(load_config(cls, arguments.config, arguments.overrides))
    except (ValueError, OSError, RuntimeError) as error:
        if os.environ.get("BIONERKD_DEBUG") or not is_users_mistake(error):
            raise
        sys.exit(f"error: {error}")


def is_users_mistake(error: BaseException) -> bool:
    """Whether an exception was raised for bad input, so that its message alone is what the user needs."""
    if type(error).__module__.startswith("hf_bionerkd") or isinstance(error, OSError):
        return True
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    origin = traceback.tb_frame.f_globals.get("__name__", "") if traceback is not None else ""
    return isinstance(error, ValueError) and origin.startswith("hf_bionerkd")

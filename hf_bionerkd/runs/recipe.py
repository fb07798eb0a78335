"""The command line that all recipes share: ``--config FILE``, ``key=value`` overrides, ``--print-config``, help."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hf_bionerkd.exits import errors_on_one_line
from hf_bionerkd.io import explaining_full_disk
from hf_bionerkd.runs.config_help import config_yaml, help_text
from hf_bionerkd.runs.config_loading import load_config
from hf_bionerkd.runs.terminal import quiet_libraries

T = TypeVar("T")


def run_recipe(
    function: Callable[[T], Any],
    cls: type[T],
    default: str | None,
    description: str | None,
    arguments: Sequence[str] | None = None,
    prog: str | None = None,
) -> None:
    """Parse the command line, run, and turn a user's mistake into one clear line instead of a traceback.

    A wrong key or value, and a local path that does not exist, are found before anything heavy is imported. See
    :func:`~hf_bionerkd.hub.command_line.errors_on_one_line` for what counts as a mistake; ``BIONERKD_DEBUG=1`` shows
    the traceback.

    Args:
        function (`Callable`): What is run with the configuration; where its result has a `report()`, the main process
            prints that.
        cls (`type`): The dataclass of the configuration; a `check_paths()` of it is called before `function`.
        default (`str`, *optional*): The YAML file that is read without ``--config``; None asks for one.
        description (`str`, *optional*): What the help says of the program.
        arguments (`Sequence[str]`, *optional*): The command line; by default the program's own.
        prog (`str`, *optional*): The name of the program in its help.
    """
    parser = _Parser(cls, prog, description)
    parser.add_argument(
        "--config",
        default=default,
        required=default is None,
        metavar="FILE",
        help=f"YAML file of the run{f'; {default} by default' if default else ''}",
    )
    parser.add_argument(
        "--print-config", action="store_true", help="print the configuration, defaults and all, as YAML, and stop"
    )
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="e.g. loss.lam=0.5 teachers.0.path=org/name")
    arguments = sys.argv[1:] if arguments is None else arguments
    # A file without its option, as many programs take it, is no override.
    file = next((text for text in arguments if text.endswith((".yaml", ".yml")) and "=" not in text), None)
    if file and not any(text.startswith("--config") for text in arguments):
        parser.error(f"{file} is not a key=value; did you mean --config {file}?")
    options = parser.parse_intermixed_args(arguments)
    with errors_on_one_line():
        quiet_libraries()
        config: Any = load_config(cls, options.config, options.overrides)
        if options.print_config:
            print(config_yaml(config), end="")
            return
        if check_paths := getattr(config, "check_paths", None):
            check_paths()
        with explaining_full_disk(config.output_dir):
            result = function(config)
        report = getattr(result, "report", None)
        if report is not None and os.environ.get("RANK") in (None, "0"):
            print(report())


class _Parser(argparse.ArgumentParser):
    """A parser whose help ends with the keys of a configuration, collected when they are asked for."""

    def __init__(self, cls: type, prog: str | None, description: str | None) -> None:
        super().__init__(prog, description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
        self._configuration = cls

    def format_help(self) -> str:
        return f"{super().format_help()}\n{help_text(self._configuration)}\n"

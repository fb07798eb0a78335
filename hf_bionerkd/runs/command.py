"""The command line of a job that takes options: parse them into a configuration, run, print the report.

The jobs that take a YAML file instead are in :mod:`hf_bionerkd.runs.recipe`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Protocol, TypeVar

from hf_bionerkd.exits import errors_on_one_line


class Reporting(Protocol):
    """The result of a job."""

    def report(self) -> str:
        """Return the text that a terminal shows."""


Config = TypeVar("Config")
Result = TypeVar("Result", bound=Reporting)


def make_parser(description: str | None, job: str, program: str) -> argparse.ArgumentParser:
    """Make the parser of a job, whose help shows the commands of the program that was called.

    Args:
        description (`str`): The module's docstring, with commands that begin with ``bionerkd <job>``.
        job (`str`): The job's name, such as ``"compare"``.
        program (`str`): What stands before the options, such as ``"python recipes/compare.py"``.
    """
    text = (description or "").replace(f"bionerkd {job}", program)
    return argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)


def run_command(
    parser: argparse.ArgumentParser,
    arguments: argparse.Namespace,
    config_class: Callable[..., Config],
    function: Callable[[Config], Result],
) -> Result:
    """Run a job as its command line says, and print its report.

    Args:
        parser (`argparse.ArgumentParser`): The parser, which shows the usage where the options do not go together.
        arguments (`argparse.Namespace`): What it has parsed: one value per field of the configuration.
        config_class (`type`): The configuration; its own checks raise `ValueError`.
        function (`Callable`): The job.

    Returns:
        What the job returned.
    """
    try:
        config = config_class(**vars(arguments))
    except ValueError as error:
        parser.error(str(error))
    with errors_on_one_line():
        result = function(config)
        print(result.report())
    return result

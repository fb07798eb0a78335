r"""Say what a re-correction made of planted, known noise: misses restored, labels damaged, spurious ones removed.

    data=data/demo_zhou runs=runs/demo_zhou
    bionerkd noise-report --output $runs/noise.json \
        --corpus coverage $data/truth/coverage.jsonl $data/coverage $runs/recorrect_c/corpus \
        --corpus accuracy $data/truth/accuracy.jsonl $data/accuracy $runs/recorrect_a/corpus

The corpora are folders that `dataset_scripts/` and `recipes/recorrect.py` made; the truth is what
`dataset_scripts/demo_weak/build.py` wrote beside the weak ones. With `--require` the exit status is 1 unless every
corpus has at least half of its planted misses restored and at most 5 % of its true labels damaged.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_bionerkd.io import write_json
from hf_bionerkd.runs.command import make_parser, run_command
from hf_bionerkd.weak.noise import read_truth
from hf_bionerkd.weak.restoration import Restoration, TypedSpan, compare, noise_table, total_of


@dataclass(frozen=True)
class NoiseConfig:
    """The options of a report.

    Args:
        corpora (`Sequence[Sequence[str]]`): Per corpus its name, its truth, the weak corpus and the corrected one.
        output (`str` or `Path`, *optional*): JSON file for all the numbers.
        require (`bool`, *optional*, defaults to `False`): Whether the program fails where an aim is missed.
    """

    corpora: Sequence[Sequence[str]]
    output: str | Path | None = None
    require: bool = False


@dataclass(frozen=True)
class NoiseReport:
    """What became of planted noise.

    Args:
        by_corpus (`dict`): Counts by type, by name of the corpus.
    """

    by_corpus: dict[str, dict[str, Restoration]]

    @property
    def aims_met(self) -> bool:
        """Whether every corpus had enough misses restored, and few true labels damaged."""
        totals = map(total_of, self.by_corpus.values())
        return all(total.enough_restored and total.little_damaged for total in totals)

    def as_dict(self) -> dict[str, Any]:
        """Return all the numbers, by corpus and type."""
        return {
            name: {
                **{kind: counts.as_dict() for kind, counts in by_type.items()},
                "all": total_of(by_type).as_dict(),
            }
            for name, by_type in self.by_corpus.items()
        }

    def report(self) -> str:
        """Return the table, and which aims are met."""
        return noise_table(self.by_corpus)


def noise_report(config: NoiseConfig) -> NoiseReport:
    """Compare weak and corrected labels with the truth, and write the numbers where that is asked for.

    Raises:
        ValueError: A corpus does not have the sentences of its truth.
    """
    result = NoiseReport(
        {
            name: compare(read_truth(truth), mentions_by_row(before), mentions_by_row(after))
            for name, truth, before, after in config.corpora
        }
    )
    if config.output:
        write_json(config.output, result.as_dict())
    return result


def mentions_by_row(folder: str) -> dict[str, list[TypedSpan]]:
    """Read the mentions of each row of a corpus's train split, by the row's id."""
    from datasets import load_dataset

    rows = load_dataset(folder, split="train").select_columns(["id", "mentions"])
    return {row["id"]: [(m["start"], m["end"], m["type"]) for m in row["mentions"]] for row in rows}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of :class:`NoiseConfig` to a command line."""
    parser.add_argument(
        "--corpus",
        action="append",
        nargs=4,
        required=True,
        dest="corpora",
        metavar=("NAME", "TRUTH", "BEFORE", "AFTER"),
        help="what to call it, its truth, the weak corpus and the corrected one; may be given several times",
    )
    parser.add_argument("--output", help="JSON file for all the numbers")
    parser.add_argument("--require", action="store_true", help="exit with status 1 where an aim is missed")


def main(words: Sequence[str] | None = None, *, program: str = "bionerkd noise-report") -> None:
    """Run the command line."""
    parser = make_parser(__doc__, "noise-report", program)
    add_options(parser)
    arguments = parser.parse_args(words)
    result = run_command(parser, arguments, NoiseConfig, noise_report)
    if arguments.require and not result.aims_met:
        sys.exit(1)

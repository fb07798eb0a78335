r"""Say what a re-correction made of planted, known noise: misses restored, labels damaged, spurious ones removed.

    data=data/demo_zhou runs=runs/demo_zhou
    python recipes/noise_report.py --output $runs/noise.json \
        --corpus coverage $data/truth/coverage.jsonl $data/coverage $runs/recorrect_c/corpus \
        --corpus accuracy $data/truth/accuracy.jsonl $data/accuracy $runs/recorrect_a/corpus

The corpora are folders that `dataset_scripts/` and `recipes/recorrect.py` made; the truth is what
`dataset_scripts/demo_weak/build.py` wrote beside the weak ones. With `--require` the exit status is 1 unless every
corpus has at least half of its planted misses restored and at most 5 % of its true labels damaged.
"""

from __future__ import annotations

import argparse
import json
import sys

from datasets import load_dataset

from hf_bionerkd.exits import errors_on_one_line
from hf_bionerkd.io import atomic_text
from hf_bionerkd.weak.noise import read_truth
from hf_bionerkd.weak.restoration import TypedSpan, compare, noise_table, total_of


def mentions_by_row(folder: str) -> dict[str, list[TypedSpan]]:
    """The mentions of each row of a corpus' train split, by the row's id."""
    rows = load_dataset(folder, split="train").select_columns(["id", "mentions"])
    return {row["id"]: [(m["start"], m["end"], m["type"]) for m in row["mentions"]] for row in rows}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--corpus",
        action="append",
        nargs=4,
        required=True,
        metavar=("NAME", "TRUTH", "BEFORE", "AFTER"),
        help="what to call it, its truth, the weak corpus and the corrected one; may be given several times",
    )
    parser.add_argument("--output", help="JSON file for all the numbers")
    parser.add_argument("--require", action="store_true", help="exit with status 1 where an aim is missed")
    options = parser.parse_args()
    with errors_on_one_line():
        reports = {
            name: compare(read_truth(truth), mentions_by_row(before), mentions_by_row(after))
            for name, truth, before, after in options.corpus
        }
        print(noise_table(reports))
        totals = {name: total_of(by_type) for name, by_type in reports.items()}
        if options.output:
            everything = {
                name: {**{kind: found.as_dict() for kind, found in by_type.items()}, "all": totals[name].as_dict()}
                for name, by_type in reports.items()
            }
            with atomic_text(options.output) as handle:
                handle.write(json.dumps(everything, indent=2, ensure_ascii=False) + "\n")
    if options.require and not all(found.enough_restored and found.little_damaged for found in totals.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()

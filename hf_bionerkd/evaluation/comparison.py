"""The comparison of models on one corpus with the first of them, type by type and with all types pooled.

The table has one block per type and one line per model: its scores with the bootstrap interval of its F1, and for
every model but the first its difference from the first with both tests of :mod:`.paired`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hf_bionerkd.evaluation.entities import Counts
from hf_bionerkd.evaluation.paired import (
    F1Difference,
    TTest,
    document_f1,
    marks,
    paired_bootstrap,
    paired_t_test,
    rounded,
)
from hf_bionerkd.evaluation.significance import Bootstrap, Integers, f1_interval

ALL_TYPES = "all types"

_FEWEST_PAIRS = 2  # documents that both tests need
_NARROWEST = 12  # the least number of characters of the first column
_COLUMNS = ("P", "R", "F1")


@dataclass(frozen=True, slots=True)
class Compared:
    """The scores of one model on one type, beside the first model's.

    Args:
        model (`str`): The model's name.
        type (`str`): The type; ``all types`` where their counts are pooled.
        counts (`Counts`): The right, spurious and missed mentions.
        interval (`tuple[float, float]`, *optional*): The bootstrap interval of F1; None where there is no mention.
        difference (`F1Difference`, *optional*): Its F1 minus the first model's; None for the first itself, and where
            fewer than two documents have a mention.
        t_test (`TTest`, *optional*): The test over the documents' F1; None where `difference` is None.
    """

    model: str
    type: str
    counts: Counts
    interval: tuple[float, float] | None
    difference: F1Difference | None = None
    t_test: TTest | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON values, an infinite `t` as a word."""
        values: dict[str, Any] = {"model": self.model, "type": self.type, **self.counts.as_dict()}
        values["f1_interval"] = list(self.interval) if self.interval else None
        if self.difference and self.t_test:
            values["f1_difference"] = {**asdict(self.difference), "interval": list(self.difference.interval)}
            t = self.t_test.t  # JSON has no infinity
            values["t_test"] = {**asdict(self.t_test), "t": t if np.isfinite(t) else str(t)}
        return values


def compare_models(counts: Mapping[str, Integers], types: Sequence[str], bootstrap: Bootstrap) -> list[Compared]:
    """Score every model and compare it with the first.

    Args:
        counts (`Mapping[str, np.ndarray]`): Model to (documents, types, 3) integers: right, spurious and missed
            mentions of every document, the same documents in the same order for all.
        types (`Sequence[str]`): The names of the types, in order.
        bootstrap (`Bootstrap`): How to resample documents.

    Returns:
        The results type by type, then with all types pooled (if there is more than one), in the order of the models.

    Raises:
        ValueError: There is no model, or the counts are not of the same documents.
    """
    if not counts:
        raise ValueError("there is no model to score: give at least one")
    blocks = {kind: {name: rows[:, column] for name, rows in counts.items()} for column, kind in enumerate(types)}
    if len(types) > 1:
        blocks[ALL_TYPES] = {name: rows.sum(axis=1) for name, rows in counts.items()}
    return [compared for kind, block in blocks.items() for compared in _compare_block(kind, block, bootstrap)]


def _compare_block(kind: str, block: Mapping[str, Integers], bootstrap: Bootstrap) -> Iterator[Compared]:
    first, *_ = block.values()
    for index, (name, rows) in enumerate(block.items()):
        scored = Compared(name, kind, Counts(*map(int, rows.sum(axis=0))), f1_interval(rows, bootstrap))
        # The first model has nobody to be compared with, and one document is no sample.
        pairs = document_f1(first, rows) if index else ()
        if len(pairs) < _FEWEST_PAIRS:
            yield scored
            continue
        difference, test = paired_bootstrap(first, rows, bootstrap), paired_t_test(np.diff(pairs, axis=1)[:, 0])
        yield Compared(name, kind, scored.counts, scored.interval, difference, test)


def comparison_table(results: Sequence[Compared], bootstrap: Bootstrap) -> str:
    """Lay a comparison out for a terminal: percent with two decimals, ``*`` for p < 0.05 and ``**`` for p < 0.01.

    Each test has its own marks: the mean of the documents' F1 and the pooled F1 can differ in opposite directions.

    Args:
        results (`Sequence[Compared]`): The results of :func:`compare_models`.
        bootstrap (`Bootstrap`): How documents were resampled, for the heading.
    """
    width = max(_NARROWEST, *(len(row.model) + 2 for row in results), *(len(row.type) for row in results))
    level = f"{100 * bootstrap.level:.4g} %"
    # Two lines of heading where models are compared: the tests, and what each of their columns is.
    head = "".join(f"{name:>8}" for name in _COLUMNS) + f"{level + ' interval':>17}"
    tests = f"{'ΔF1':>8}{level + ' of ΔF1':>18}{'p':>10}{'t':>11}{'p':>10}"
    compared = any(row.difference for row in results)
    over = " " * (width + len(head) + 26) + f"{'bootstrap':>10}{'t-test':>21}"
    lines = [over, " " * width + head + tests] if compared else [" " * width + head]
    # A blank line and a heading before each type.
    for position, row in enumerate(results):
        if not position or results[position - 1].type != row.type:
            lines += ["", row.type] if position else [row.type]
        lines.append(f"  {row.model}".ljust(width) + _scores(row) + _tests(row))
    return "\n".join(lines)


def _scores(row: Compared) -> str:
    ratios = "".join(f"{100 * value:8.2f}" for value in (row.counts.precision, row.counts.recall, row.counts.f1))
    return ratios + f"{_range(row.interval):>17}"


def _tests(row: Compared) -> str:
    if row.difference is None or row.t_test is None:
        return ""
    difference, test = row.difference, row.t_test
    return (
        f"{100 * difference.difference:+8.2f}{_range(difference.interval, '+'):>18}{rounded(difference.p):>10}"
        f"{marks(difference.p):2}{test.t:9.3f}{rounded(test.p):>10}{marks(test.p)}"
    )


def _range(ends: tuple[float, float] | None, sign: str = "") -> str:
    return "–" if ends is None else " … ".join(f"{100 * end:{sign}.2f}" for end in ends)

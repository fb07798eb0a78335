"""The comparison of models with the first of them: per corpus type by type and with all types pooled, and on average.

The table has one block per type and one line per model: its scores with the bootstrap interval of its F1, and for
every model but the first its difference from the first with both tests of :mod:`.paired`. The macro average, over all
corpora and types that have gold mentions, is compared by the bootstrap alone: a document has no macro average.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hf_bionerkd.evaluation.entities import Average, Counts, average
from hf_bionerkd.evaluation.paired import (
    F1Difference,
    TTest,
    document_f1,
    marks,
    paired_bootstrap,
    paired_macro_bootstrap,
    paired_t_test,
    rounded,
)
from hf_bionerkd.evaluation.significance import Bootstrap, Integers, Interval, f1_interval, macro_interval
from hf_bionerkd.evaluation.tables import percent
from hf_bionerkd.markdown import one_line

ALL_TYPES = "all types"
MACRO_AVERAGE = "macro average"

_FEWEST_PAIRS = 2  # documents that both tests need
_NARROWEST = 12  # the least number of characters of the first column
_COLUMNS = ("P", "R", "F1")


@dataclass(frozen=True, slots=True)
class Compared:
    """The scores of one model on one type, beside the first model's.

    Args:
        model (`str`): The model's name.
        type (`str`): The type; ``all types`` where their counts are pooled, ``macro average`` for the mean of all.
        counts (`Counts` or `Average`): The right, spurious and missed mentions; of an average, the means.
        interval (`tuple[float, float]`, *optional*): The bootstrap interval of F1; None where there is no mention.
        difference (`F1Difference`, *optional*): Its F1 minus the first model's; None for the first itself, and where
            fewer than two documents have a mention.
        t_test (`TTest`, *optional*): The test over the documents' F1; None where `difference` is None, and of an
            average.
        corpus (`str`, *optional*): The corpus; empty for the average.
    """

    model: str
    type: str
    counts: Counts | Average
    interval: Interval | None
    difference: F1Difference | None = None
    t_test: TTest | None = None
    corpus: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON values, an infinite `t` as a word."""
        values: dict[str, Any] = {"corpus": self.corpus, "model": self.model, "type": self.type}
        values |= self.counts.as_dict()
        values["f1_interval"] = list(self.interval) if self.interval else None
        if self.difference:
            values["f1_difference"] = {**asdict(self.difference), "interval": list(self.difference.interval)}
        if self.t_test:
            t = self.t_test.t  # JSON has no infinity
            values["t_test"] = {**asdict(self.t_test), "t": t if np.isfinite(t) else str(t)}
        return values


def compare_models(
    counts: Mapping[str, Integers], types: Sequence[str], bootstrap: Bootstrap, corpus: str = ""
) -> list[Compared]:
    """Score every model on one corpus and compare it with the first.

    Args:
        counts (`Mapping[str, np.ndarray]`): Model to (documents, types, 3) integers: right, spurious and missed
            mentions of every document, the same documents in the same order for all.
        types (`Sequence[str]`): The names of the types, in order.
        bootstrap (`Bootstrap`): How to resample documents.
        corpus (`str`, *optional*): The corpus's name, for the results.

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
    return [one for kind, block in blocks.items() for one in _compare_block(corpus, kind, block, bootstrap)]


def compare_averages(corpora: Sequence[Mapping[str, Integers]], bootstrap: Bootstrap) -> list[Compared]:
    """Compare the models' macro averages over all types of all corpora with that of the first model.

    Args:
        corpora (`Sequence[Mapping[str, np.ndarray]]`): For each corpus the counts that :func:`compare_models` takes,
            of the same models.
        bootstrap (`Bootstrap`): How to resample documents.

    Returns:
        One result per model; none where fewer than two types have gold mentions, for the average is that one type.
    """
    results: list[Compared] = []
    for name in corpora[0] if corpora else ():
        own = [counts[name] for counts in corpora]
        first = [next(iter(counts.values())) for counts in corpora]
        sums = (Counts(*map(int, row)) for rows in own for row in rows.sum(axis=0))
        mean = average(sums, macro_interval(own, bootstrap))
        if mean.rows < 2:
            return []
        difference = paired_macro_bootstrap(zip(first, own, strict=True), bootstrap) if results else None
        results.append(Compared(name, MACRO_AVERAGE, mean, mean.interval, difference))
    return results


def _compare_block(corpus: str, kind: str, block: Mapping[str, Integers], bootstrap: Bootstrap) -> Iterator[Compared]:
    first, *_ = block.values()
    for index, (name, rows) in enumerate(block.items()):
        counts = Counts(*map(int, rows.sum(axis=0)))
        interval = f1_interval(rows, bootstrap) if counts.support else None
        # The first model has nobody to be compared with, and one document is no sample.
        pairs = document_f1(first, rows) if index else ()
        if len(pairs) < _FEWEST_PAIRS:
            yield Compared(name, kind, counts, interval, corpus=corpus)
            continue
        difference, test = paired_bootstrap(first, rows, bootstrap), paired_t_test(np.diff(pairs, axis=1)[:, 0])
        yield Compared(name, kind, counts, interval, difference, test, corpus)


def comparison_table(results: Sequence[Compared], bootstrap: Bootstrap) -> str:
    """Lay a comparison out for a terminal: percent with two decimals, ``*`` for p < 0.05 and ``**`` for p < 0.01.

    Each test has its own marks: the mean of the documents' F1 and the pooled F1 can differ in opposite directions.

    Args:
        results (`Sequence[Compared]`): The results of :func:`compare_models`.
        bootstrap (`Bootstrap`): How documents were resampled, for the heading.
    """
    # Corpora are named where there are several.
    several = len({row.corpus for row in results if row.corpus}) > 1
    headings = [one_line(f"{row.corpus} / {row.type}" if several and row.corpus else row.type) for row in results]
    names = [f"  {one_line(row.model)}" for row in results]
    width = max(_NARROWEST, *map(len, names), *map(len, headings))
    level = f"{100 * bootstrap.level:.4g} %"
    # Two lines of heading where models are compared: the tests, and what each of their columns is.
    head = "".join(f"{name:>8}" for name in _COLUMNS) + f"{level + ' interval':>17}"
    tests = f"{'ΔF1':>8}{level + ' of ΔF1':>18}{'p':>10}{'t':>11}{'p':>10}"
    compared = any(row.difference for row in results)
    over = " " * (width + len(head) + 26) + f"{'bootstrap':>10}{'t-test':>21}"
    lines = [over, " " * width + head + tests] if compared else [" " * width + head]
    # A blank line and a heading before each type.
    for position, (row, heading, name) in enumerate(zip(results, headings, names, strict=True)):
        if not position or headings[position - 1] != heading:
            lines += ["", heading] if position else [heading]
        lines.append((name.ljust(width) + _scores(row) + _tests(row)).rstrip())
    return "\n".join(lines)


def _scores(row: Compared) -> str:
    return "".join(f"{cell:>8}" for cell in percent(row.counts, 2)) + f"{_range(row.interval):>17}"


def _tests(row: Compared) -> str:
    if row.difference is None:
        return ""
    difference, test = row.difference, row.t_test
    cells = (
        f"{100 * difference.difference:+8.2f}{_range(difference.interval, '+'):>18}{rounded(difference.p):>10}"
        f"{marks(difference.p):2}"
    )
    return cells if test is None else f"{cells}{test.t:9.3f}{rounded(test.p):>10}{marks(test.p)}"


def _range(ends: tuple[float, float] | None, sign: str = "") -> str:
    return "–" if ends is None else " … ".join(f"{100 * end:{sign}.2f}" for end in ends)

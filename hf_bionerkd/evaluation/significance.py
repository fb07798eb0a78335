"""How sure a score is: bootstrap intervals over the rows that were scored.

A row (a sentence or a document, whatever the corpus has one a row) is the unit: its mentions are drawn together. All
that a row contributes to these scores is a few counts, so everything here works on an integer array of them, a line a
row. Sentences of one abstract resemble each other, which a bootstrap over sentences does not see: intervals of corpora
that come as sentences are somewhat too narrow.

Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13 (percentile intervals).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.integer[Any]]

_FEWEST_SAMPLES = 100
_DRAWN_AT_ONCE = 1 << 20  # counts drawn at a time: 8 MB, however many different rows there are


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How intervals are computed, as `metrics.json` and cards record it.

    Args:
        level (`float`, *optional*, defaults to 0.95): Share of the resamples that the interval holds.
        samples (`int`, *optional*, defaults to 1000): Number of resamples, at least 100.
        seed (`int`, *optional*, defaults to 13): Seed of the draws. Every interval starts from it anew, so that it
            does not depend on what else is scored.
        unit (`str`, *optional*, defaults to `"row"`): What is drawn.

    Raises:
        ValueError: A level outside (0, 1), or too few samples to read percentiles from.
    """

    level: float = 0.95
    samples: int = 1000
    seed: int = 13
    unit: str = "row"

    def __post_init__(self) -> None:
        if not 0.0 < self.level < 1.0:
            raise ValueError(f"the level of an interval is a share between 0 and 1, such as 0.95; got {self.level}")
        if self.samples < _FEWEST_SAMPLES:
            raise ValueError(
                f"{self.samples} resamples are too few to read percentiles from; use {_FEWEST_SAMPLES} up"
            )

    def as_dict(self) -> dict[str, Any]:
        """The settings as plain JSON values."""
        return {"level": self.level, "samples": self.samples, "seed": self.seed, "unit": self.unit}


def f1_interval(rows: Integers, bootstrap: Bootstrap | None = None) -> tuple[float, float] | None:
    """Percentile bootstrap interval of entity F1, all rows pooled.

    A resample in which no row has a mention, right, spurious or missed, has no F1 (0/0) and is left out.

    Args:
        rows (`np.ndarray`): (rows, 3) integers: right, spurious and missed mentions of every row, rows without any
            included.
        bootstrap (`Bootstrap`, *optional*): How; 95 %, 1000 resamples by default.

    Returns:
        Lower and upper end as fractions in [0, 1]; None where there is nothing to draw from: no row, or no mention in
        any of them.

    Raises:
        ValueError: `rows` is no such array.

    Example:
        >>> f1_interval(np.array([[1, 0, 0], [1, 0, 0], [0, 0, 0]]))
        (1.0, 1.0)
    """
    bootstrap = bootstrap or Bootstrap()
    if rows.ndim != 2 or rows.shape[1] != 3:
        raise ValueError(f"expected an array of (rows, 3) with tp, fp and fn of every row; got shape {rows.shape}")
    if not rows.any():
        return None
    tp, fp, fn = resampled_totals(rows, bootstrap).T
    mentions = 2 * tp + fp + fn
    known = mentions > 0
    if not known.any():
        return None
    tail = (1.0 - bootstrap.level) / 2.0
    low, high = np.quantile(2 * tp[known] / mentions[known], [tail, 1.0 - tail])
    return float(low), float(high)


def resampled_totals(rows: Integers, bootstrap: Bootstrap) -> npt.NDArray[np.int64]:
    """Column sums of resamples: as many rows as there are, drawn with replacement.

    Rows are never drawn one by one. How often each of n rows is drawn is multinomial with probabilities 1/n; equal
    rows are interchangeable in a sum, and the counts of a multinomial, added up over groups, are again multinomial,
    with the groups' shares as probabilities. So drawing how often each *distinct* row occurs, with its share of the
    rows as probability, gives the same distribution of sums, exactly. Thousands of sentences have some dozens of
    distinct rows.

    Columns stay together, so that two models are compared on the same draws when their counts stand side by side.

    Args:
        rows (`np.ndarray`): (rows, columns) integers, not negative; at least one row.
        bootstrap (`Bootstrap`): Number of resamples and seed.

    Returns:
        (samples, columns). The order of the rows has no influence.

    Raises:
        ValueError: No rows, or what is in them is not a count.
    """
    if rows.ndim != 2 or not len(rows) or not np.issubdtype(rows.dtype, np.integer) or rows.min(initial=0) < 0:
        raise ValueError(
            f"expected (rows, columns) of counts, integers not below 0, and at least one row; got shape {rows.shape} "
            f"of {rows.dtype}"
        )
    distinct, times = np.unique(rows, axis=0, return_counts=True)
    generator = np.random.default_rng(bootstrap.seed)
    totals = np.empty((bootstrap.samples, rows.shape[1]), dtype=np.int64)
    at_once = max(1, _DRAWN_AT_ONCE // len(distinct))
    for start in range(0, len(totals), at_once):
        part = totals[start : start + at_once]
        part[:] = generator.multinomial(len(rows), times / len(rows), size=len(part)) @ distinct.astype(np.int64)
    return totals

"""The bootstrap intervals of scores, over the rows that were scored.

The unit is a row, a sentence or a document as the corpus has it: its mentions are drawn together. A row contributes
only a few counts to these scores, so that everything here works on an array of integers, one line per row. Sentences
of one abstract resemble each other, which a bootstrap over sentences does not see: intervals of corpora that come as
sentences are somewhat too narrow.

Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13 (percentile intervals).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.integer[Any]]
Interval = tuple[float, float]

_FEWEST_SAMPLES = 100
_DRAWN_AT_ONCE = 1 << 20  # counts drawn at a time: 8 MB, however many different rows there are


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """The settings of a bootstrap, as `metrics.json` and cards record them.

    Args:
        level (`float`, *optional*, defaults to 0.95): The share of the resamples that lie in the interval.
        samples (`int`, *optional*, defaults to 1000): The number of resamples, at least 100.
        seed (`int`, *optional*, defaults to 13): The seed of the draws. Every interval starts from it anew, so that
            it does not depend on what else is scored.
        unit (`str`, *optional*, defaults to `"row"`): What is drawn.

    Raises:
        ValueError: The level is not in (0, 1), or there are too few samples to read percentiles from.
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
                f"{self.samples} resamples are too few to read percentiles from; use at least {_FEWEST_SAMPLES}"
            )

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as plain JSON values."""
        return {"level": self.level, "samples": self.samples, "seed": self.seed, "unit": self.unit}


def f1_interval(rows: Integers, bootstrap: Bootstrap | None = None) -> Interval | None:
    """Compute the percentile bootstrap interval of entity F1 with all rows pooled.

    A resample in which no row has a mention, right, spurious or missed, has no F1 (0/0) and is left out.

    Args:
        rows (`np.ndarray`): Integers, (rows, 3): right, spurious and missed mentions of every row, rows without any
            included.
        bootstrap (`Bootstrap`, *optional*): The settings; by default 95 % and 1000 resamples.

    Returns:
        The lower and upper end as fractions in [0, 1]; None where no row has a mention.

    Raises:
        ValueError: `rows` is not such an array.

    Example:
        >>> f1_interval(np.array([[1, 0, 0], [1, 0, 0], [0, 0, 0]]))
        (1.0, 1.0)
    """
    bootstrap = bootstrap or Bootstrap()
    if rows.ndim != 2 or rows.shape[1] != 3:
        raise ValueError(f"expected an array of (rows, 3) with tp, fp and fn of every row; got shape {rows.shape}")
    if not rows.any():
        return None
    return percentiles(resampled_f1(rows[:, None], bootstrap)[:, 0], bootstrap)


def macro_interval(blocks: Iterable[Integers], bootstrap: Bootstrap) -> Interval | None:
    """Compute the percentile bootstrap interval of a macro average, the mean of several F1.

    The rows of a corpus are drawn once for all that is scored on them, those of different corpora independently. As in
    the average itself, what has no gold mention is left out; a resample in which one F1 is 0/0 has the mean of the
    others.

    Args:
        blocks (`Iterable[np.ndarray]`): One array per corpus, (rows, scores, 3): right, spurious and missed mentions
            of every row for each F1 that is averaged, one per type and model.
        bootstrap (`Bootstrap`): The settings.

    Returns:
        The lower and upper end as fractions in [0, 1]; None where nothing has a gold mention.

    Example:
        >>> right, wrong = np.array([[[1, 0, 0]]] * 9), np.array([[[0, 1, 1]]] * 9)
        >>> macro_interval([right, wrong], Bootstrap())
        (0.5, 0.5)
    """
    generator = np.random.default_rng(bootstrap.seed)
    drawn = [resampled_f1(part, bootstrap, generator) for part in map(with_gold, blocks) if part.size]
    return percentiles(mean_of_known(np.hstack(drawn)), bootstrap) if drawn else None


def with_gold(block: Integers) -> Integers:
    """Select, of (rows, scores, 3) counts, the scores that have a gold mention, right or missed."""
    return block[:, block[:, :, [0, 2]].any(axis=(0, 2))]


def resampled_f1(
    block: Integers, bootstrap: Bootstrap, generator: np.random.Generator | None = None
) -> npt.NDArray[np.float64]:
    """Compute every F1 of (rows, scores, 3) counts on resamples of the rows: (samples, scores), NaN for 0/0."""
    totals = resampled_totals(block.reshape(len(block), -1), bootstrap, generator).reshape(-1, block.shape[1], 3)
    tp, fp, fn = np.moveaxis(totals, 2, 0)
    mentions = (2 * tp + fp + fn).astype(np.float64)
    f1 = np.full(mentions.shape, np.nan)
    np.divide(2 * tp, mentions, out=f1, where=mentions > 0)
    return f1


def mean_of_known(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Compute the mean of every line without its NaN; NaN where a line has nothing else."""
    known = np.isfinite(values)
    number = known.sum(axis=1)
    sums = np.where(known, values, 0.0).sum(axis=1)
    means = np.full(len(values), np.nan)
    np.divide(sums, number, out=means, where=number > 0)
    return means


def percentiles(values: npt.NDArray[np.float64], bootstrap: Bootstrap) -> Interval | None:
    """Return the ends between which the middle share of the values lies, NaN left out; None without a value."""
    known = values[np.isfinite(values)]
    if not known.size:
        return None
    # The interval leaves out equal shares of the resamples at both ends.
    tail = (1.0 - bootstrap.level) / 2.0
    low, high = np.quantile(known, [tail, 1.0 - tail])
    return float(low), float(high)


def resampled_totals(
    rows: Integers, bootstrap: Bootstrap, generator: np.random.Generator | None = None
) -> npt.NDArray[np.int64]:
    """Compute the column sums of resamples, each of as many rows as there are, drawn with replacement.

    Rows are never drawn one by one. How often each of n rows is drawn is multinomial with probabilities 1/n; equal
    rows are interchangeable in a sum, and the counts of a multinomial, added up over groups, are again multinomial,
    with the groups' shares as probabilities. Thus drawing how often each *distinct* row occurs, with its share of the
    rows as probability, gives the same distribution of sums, exactly. Thousands of sentences have some dozens of
    distinct rows.

    Columns stay together, so that two models are compared on the same draws when their counts stand side by side.

    Args:
        rows (`np.ndarray`): Integers, (rows, columns), none negative; at least one row.
        bootstrap (`Bootstrap`): The number of resamples and the seed.
        generator (`np.random.Generator`, *optional*): Where the draws come from, for arrays that are to be drawn
            independently; by default one that starts from the seed.

    Returns:
        The sums, (samples, columns). The order of the rows has no influence.

    Raises:
        ValueError: There are no rows, or they hold something other than counts.
    """
    if rows.ndim != 2 or not len(rows) or not np.issubdtype(rows.dtype, np.integer) or rows.min(initial=0) < 0:
        raise ValueError(
            f"expected (rows, columns) of counts, integers not below 0, and at least one row; got shape {rows.shape} "
            f"of {rows.dtype}"
        )
    # `unique` also sorts, so that the order of the rows has no influence on the draws.
    distinct, times = np.unique(rows, axis=0, return_counts=True)
    generator = generator or np.random.default_rng(bootstrap.seed)
    totals = np.empty((bootstrap.samples, rows.shape[1]), dtype=np.int64)
    # Many resamples in one call, within a bound on memory.
    at_once = max(1, _DRAWN_AT_ONCE // len(distinct))
    for start in range(0, len(totals), at_once):
        part = totals[start : start + at_once]
        part[:] = generator.multinomial(len(rows), times / len(rows), size=len(part)) @ distinct.astype(np.int64)
    return totals

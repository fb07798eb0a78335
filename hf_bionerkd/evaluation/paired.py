"""The paired tests of whether one model is better than another on the same documents.

Each document gives one pair. The t-test asks whether the mean difference of the documents' own F1 is zero; the
bootstrap asks the same of the F1 that tables show, with all documents pooled. Both are two-tailed, and differences
are those of the second model from the first.

Source: Zhou et al. 2021, footnote of table 5 (paired t-test); Efron and Tibshirani 1993, An Introduction to the
Bootstrap, chapters 13 and 15 (percentile intervals, and tests that invert them).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hf_bionerkd.evaluation.entities import Counts
from hf_bionerkd.evaluation.significance import (
    Bootstrap,
    Integers,
    mean_of_known,
    percentiles,
    resampled_f1,
    with_gold,
)

Floats = npt.NDArray[np.float64]

_NEGLIGIBLE = 1e-15  # how near to 1 the last factor of a product must be
_TINY = 1e-300  # stands for zero where it would divide
_MOST_STEPS = 10_000


@dataclass(frozen=True, slots=True)
class TTest:
    """The result of a paired two-tailed t-test.

    Args:
        t (`float`): The statistic; infinite where all differences are the same and not zero.
        p (`float`): The probability of a statistic at least as far from zero if there were no difference.
        pairs (`int`): The number of pairs, one more than the degrees of freedom.
    """

    t: float
    p: float
    pairs: int


@dataclass(frozen=True, slots=True)
class F1Difference:
    """The difference of two F1, with all documents pooled, and the result of a paired bootstrap.

    Args:
        difference (`float`): The second model's F1 minus the first's.
        interval (`tuple[float, float]`): The percentile interval of the difference.
        p (`float`): The two-tailed probability: twice the share of resamples in which the difference is zero or has
            the other sign.
    """

    difference: float
    interval: tuple[float, float]
    p: float


def paired_t_test(differences: Sequence[float] | Floats) -> TTest:
    """Test whether paired differences have mean zero.

    `t = Σd / √((n Σd² − (Σd)²) / (n − 1))` with `n − 1` degrees of freedom, computed in the equivalent form from
    the deviations of `d` from their mean, which loses no digits.

    Args:
        differences (`Sequence[float]`): One number per pair.

    Returns:
        The statistic and its two-tailed probability. Where every difference is zero, `t` is 0 and `p` is 1.

    Raises:
        ValueError: There are fewer than two pairs, or a difference is not a finite number.

    Example:
        >>> test = paired_t_test([1.0, 2.0, 3.0])
        >>> round(test.t, 4), round(test.p, 4)
        (3.4641, 0.0742)

    Source: Zhou et al. 2021, footnote of table 5.
    """
    d = np.asarray(differences, dtype=np.float64)
    if d.ndim != 1 or len(d) < 2:
        raise ValueError(f"a paired t-test needs at least two pairs, got {d.size}: score more documents")
    if not np.isfinite(d).all():
        raise ValueError(f"pair {int(np.flatnonzero(~np.isfinite(d))[0])} has no finite difference: leave it out")
    # Equal differences have no variance: the limit is infinite, or 0 where all of them are zero.
    if (d == d[0]).all():
        return TTest(math.copysign(math.inf, d[0]), 0.0, len(d)) if d[0] else TTest(0.0, 1.0, len(d))
    t = float(d.mean() / math.sqrt(d.var(ddof=1) / len(d)))
    return TTest(t, two_tailed_probability(t, len(d) - 1), len(d))


def two_tailed_probability(t: float, freedom: int) -> float:
    """Return P(|T| ≥ |t|) of Student's t-distribution, the incomplete beta I_x(ν/2, 1/2) with x = ν / (ν + t²).

    Args:
        t (`float`): The statistic.
        freedom (`int`): The degrees of freedom ν, at least 1.

    Example:
        >>> round(two_tailed_probability(2.228, 10), 3)  # the 5 % value of printed tables
        0.05
    """
    square = t * t
    if math.isinf(square):
        return 0.0
    return _incomplete_beta(freedom / 2, 0.5, freedom / (freedom + square), square / (freedom + square))


def pooled_by(documents: Sequence[Hashable], rows: Integers) -> Integers:
    """Sum the counts of rows that belong to one document.

    Args:
        documents (`Sequence[Hashable]`): The document of every row.
        rows (`np.ndarray`): Integers, (rows, …).

    Returns:
        The sums, (documents, …), in order of first appearance.

    Raises:
        ValueError: The documents are not one per row.
    """
    if len(documents) != len(rows):
        raise ValueError(f"{len(documents)} names of documents for {len(rows)} rows: give one per row")
    number: dict[Hashable, int] = {}
    numbers = [number.setdefault(document, len(number)) for document in documents]
    pooled = np.zeros((len(number), *rows.shape[1:]), dtype=np.int64)
    np.add.at(pooled, numbers, rows)  # unlike `pooled[numbers] += rows`, it adds every row of a document
    return pooled


def document_f1(first: Integers, second: Integers) -> Floats:
    """Compute the F1 of both models on every document that has a mention, gold or predicted.

    A document without gold mentions on which neither model predicts one is left out: there is nothing to score. If
    only one of them predicts mentions there, the other is right to be silent, and its F1 is 1.

    Args:
        first (`np.ndarray`): (documents, 3) integers: right, spurious and missed mentions of the first model.
        second (`np.ndarray`): The same of the second.

    Returns:
        Fractions in [0, 1], (documents with a mention, 2).

    Raises:
        ValueError: The arrays have other shapes, or gold mentions differ between them.
    """
    both = _side_by_side(first, second).reshape(-1, 2, 3)
    # F1 is 2 tp / (2 tp + fp + fn); the denominator is zero where a model has no mention to score.
    mentions = 2 * both[..., 0] + both[..., 1] + both[..., 2]
    kept = mentions.any(axis=1)
    with np.errstate(invalid="ignore"):
        f1 = 2 * both[..., 0] / mentions
    return np.where(mentions == 0, 1.0, f1)[kept]


def paired_bootstrap(first: Integers, second: Integers, bootstrap: Bootstrap) -> F1Difference:
    """Resample documents, the same ones for both models, and compare their pooled F1.

    The share of resamples that contradict the difference is doubled because the test is two-tailed. Its numerator and
    denominator are raised by one, so that no finite number of resamples gives a probability of zero. Resamples in
    which a model has no F1 (0/0) are left out.

    Args:
        first (`np.ndarray`): (documents, 3) integers: right, spurious and missed mentions of the first model.
        second (`np.ndarray`): The same of the second.
        bootstrap (`Bootstrap`): The number of resamples, the seed, and the level of the interval.

    Raises:
        ValueError: The arrays have other shapes, gold mentions differ between them, or no document has a mention.

    Example:
        >>> better, worse = np.array([[3, 0, 0]] * 20), np.array([[2, 0, 1]] * 20)
        >>> paired_bootstrap(worse, better, Bootstrap()).interval == (1 - 0.8, 1 - 0.8)
        True
    """
    if not _side_by_side(first, second).any():
        raise ValueError("no document has a mention, gold or predicted: there is no F1 to compare")
    return _resampled_difference([(first[:, None], second[:, None])], bootstrap)


def paired_macro_bootstrap(pairs: Iterable[tuple[Integers, Integers]], bootstrap: Bootstrap) -> F1Difference | None:
    """Resample documents, the same ones for both models, and compare the means of several F1.

    The documents of a corpus are drawn once for all types, those of different corpora independently. Types without
    gold mentions are left out, as they are of the averages.

    Args:
        pairs (`Iterable[tuple[np.ndarray, np.ndarray]]`): For each corpus the counts of the first and of the second
            model, (documents, types, 3) integers: right, spurious and missed mentions.
        bootstrap (`Bootstrap`): The number of resamples, the seed, and the level of the interval.

    Returns:
        The difference of the second model's mean from the first's; None where nothing has a gold mention.

    Raises:
        ValueError: The arrays have other shapes, or gold mentions differ between them.

    Example:
        >>> same, more, fewer = (np.array([[counts]] * 20) for counts in ([1, 0, 0], [3, 0, 0], [2, 0, 1]))
        >>> round(paired_macro_bootstrap([(same, same), (fewer, more)], Bootstrap()).difference, 9)
        0.1
    """
    # What is gold for one model is gold for the other: both leave out the same types.
    kept = [(with_gold(first), with_gold(second)) for first, second in pairs]
    kept = [(first, second) for first, second in kept if first.size or second.size]
    return _resampled_difference(kept, bootstrap) if kept else None


def _resampled_difference(pairs: Sequence[tuple[Integers, Integers]], bootstrap: Bootstrap) -> F1Difference:
    """Compare the means of F1 over all (documents, scores, 3) counts of the first and of the second model."""
    generator = np.random.default_rng(bootstrap.seed)
    differences, drawn = [], []
    for first, second in pairs:
        if first.shape != second.shape:
            raise ValueError(f"both models need the same documents and types; got {first.shape} and {second.shape}")
        scores = first.shape[1]
        for score in range(scores):
            both = _side_by_side(first[:, score], second[:, score])
            before, after = (Counts(*map(int, counts)).f1 for counts in both.sum(axis=0).reshape(2, 3))
            differences.append(after - before)
        # The counts of both models stand side by side, so that both are resampled with the same documents.
        f1 = resampled_f1(np.concatenate([first, second], axis=1), bootstrap, generator)
        drawn.append(f1[:, scores:] - f1[:, :scores])  # NaN where one of the two has no F1
    difference = sum(differences) / len(differences)
    means = mean_of_known(np.hstack(drawn))
    known = means[np.isfinite(means)]
    # Hardly ever: all resamples miss the few documents that have mentions.
    ends = percentiles(known, bootstrap)
    if ends is None:
        return F1Difference(difference, (difference, difference), 1.0)
    against = min(int((known <= 0).sum()), int((known >= 0).sum()))
    return F1Difference(difference, ends, min(1.0, 2 * (against + 1) / (len(known) + 1)))


def marks(p: float) -> str:
    """Return ``**`` for p < 0.01, ``*`` for p < 0.05, otherwise nothing, as in Zhou et al. 2021, table 5."""
    return "**" if p < 0.01 else "*" if p < 0.05 else ""


def rounded(p: float) -> str:
    """Write a probability for a table: with four decimals, or as ``<0.0001``."""
    return "<0.0001" if p < 1e-4 else f"{p:.4f}"


def _side_by_side(first: Integers, second: Integers) -> Integers:
    if first.ndim != 2 or first.shape[1] != 3 or first.shape != second.shape:
        raise ValueError(
            "expected two arrays of (documents, 3) with tp, fp and fn of the same documents; got shapes "
            f"{first.shape} and {second.shape}"
        )
    # Right and missed mentions together are the gold ones, which both models must share.
    gold = (first.astype(np.int64) - second)[:, [0, 2]].sum(axis=1)
    if gold.any():
        raise ValueError(
            f"document {int(np.flatnonzero(gold)[0])}: the two models were scored against different numbers of gold "
            "mentions; give both the same documents in the same order"
        )
    return np.hstack([first, second])


def _incomplete_beta(a: float, b: float, x: float, rest: float) -> float:
    """Compute I_x(a, b) by its continued fraction; `rest` is 1 − x, given apart because it is exact where x is near 1.

    The fraction is that of NIST DLMF 8.17.22, evaluated by Lentz's method. It converges fast for
    x < (a + 1) / (a + b + 2); beyond that, I_x(a, b) = 1 − I_{1−x}(b, a).
    """
    if x <= 0.0 or rest <= 0.0:
        return float(x > 0.0)
    if x > (a + 1) / (a + b + 2):
        return 1.0 - _incomplete_beta(b, a, rest, x)
    # Lentz: `ratio` and `fraction` are the ratios of successive denominators and numerators of the convergents.
    value = fraction = _TINY
    ratio = 0.0
    for step in range(_MOST_STEPS):
        m = step // 2
        if step == 0:
            numerator = 1.0
        elif step % 2:
            numerator = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            numerator = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        ratio = 1.0 / (_off_zero(1.0 + numerator * ratio))
        fraction = _off_zero(1.0 + numerator / fraction)
        value *= fraction * ratio
        # A factor of one changes the value no more.
        if step and abs(fraction * ratio - 1.0) < _NEGLIGIBLE:
            break
    # x^a (1 − x)^b / (a B(a, b)) in logarithms, since the factors leave the range of floats.
    scale = a * math.log(x) + b * math.log(rest) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    return math.exp(scale) * value / a


def _off_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY

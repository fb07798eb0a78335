"""Logarithms of distributions over labels, `(labels, words)`: checked, combined, reduced to one type."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from hf_bionerkd.labels import LabelSpace

Combine = Literal["mean", "geometric", "weights"]

LOG_NO_MASS = math.log(1e-12)
# Rounding log probabilities to float16 moves their sum by at most entropy · 2^-11: 0.0024 for 128 labels.
SUM_TOLERANCE = 5e-3


def check_distributions(name: str, logs: np.ndarray) -> None:
    """Make sure that what a teacher says is a distribution at every word.

    Raises:
        ValueError: Its probabilities do not sum to one at some word, which is named with the teacher.
    """
    with np.errstate(over="ignore"):  # logits passed by mistake may overflow; the message below says what is wrong
        totals = np.exp(logs).sum(axis=0)
    wrong = np.flatnonzero(~(np.abs(totals - 1.0) <= SUM_TOLERANCE))  # written so that nan is wrong too
    if wrong.size:
        word = int(wrong[0])
        raise ValueError(
            f"teacher {name!r}, word {word} of this chunk: the probabilities sum to {totals[word]:.6g}, not 1 "
            f"(log probabilities {logs[:, word].tolist()}; {wrong.size} such words in all): pass the logarithms of "
            "probabilities, i.e. a log softmax or log marginals"
        )


def combined(logs: np.ndarray, weights: np.ndarray, combine: Combine) -> np.ndarray:
    """Combine into one `(labels, words)` the `(teachers, labels, words)` of teachers with the same labels."""
    if len(logs) == 1:
        return logs[0]
    if combine == "geometric":
        mean = logs.mean(axis=0)  # of logarithms, and so to be normalised
        total = np.logaddexp.reduce(mean, axis=0)
        empty = total < LOG_NO_MASS
        # To the mass that the teachers have, which rounding keeps from being 1: equal teachers stay as they are.
        mass = np.logaddexp.reduce(logs, axis=1).mean(axis=0)
        return np.where(empty, -np.inf, mean + np.where(empty, 0.0, mass - total))
    return np.logaddexp.reduce(logs + np.log(weights / weights.sum())[:, None, None], axis=0)


def reduced(logs: np.ndarray, types: Sequence[str], name: str) -> np.ndarray:
    """Reduce the distributions of a teacher of these types to (B, I, rest) of one of them."""
    ids = LabelSpace(tuple(types)).ids_of(name)
    begin, inside = ids["B"], ids["I"]
    return np.stack([logs[begin], logs[inside], np.logaddexp.reduce(np.delete(logs, [begin, inside], axis=0), axis=0)])


def sum_of_others(rows: np.ndarray) -> np.ndarray:
    """Compute for each row *i* the sum of all rows but *i*."""
    # From both ends: the total minus row i would be -inf - -inf where a row has no probability.
    others = np.zeros_like(rows)
    others[1:] += np.cumsum(rows[:-1], axis=0)
    others[:-1] += np.cumsum(rows[:0:-1], axis=0)[::-1]
    return others

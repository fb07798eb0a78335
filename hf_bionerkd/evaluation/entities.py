"""The entity-level precision, recall and F1, by which a mention counts only with its exact span and type.

Rows (sentences or documents) are compared as sets of word spans ``(start, end, type)``, half-open: ``[0, 5)`` and
``[5, 9)`` only touch and never match. Every ratio is a fraction in [0, 1], and **a ratio whose denominator is zero
is 0.0** (no predictions: precision 0; no gold mentions: recall 0).

Source: the scores that Moscato et al. 2023, section IV, and the corpora's own papers report (strict entity F1).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Literal, TypeVar

import numpy as np

from hf_bionerkd.evaluation.significance import Interval
from hf_bionerkd.labels import LabelSpace, Orphans, Scheme, WordSpan, tags_to_spans

Mode = Literal["strict", "lenient"]

# How each mode reads a tag that nothing opens.
_ORPHANS: dict[str, Orphans] = {"strict": "drop", "lenient": "start"}
_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts of right, spurious and missed mentions, and the ratios that follow from them.

    Args:
        tp (`int`, *optional*, defaults to 0): Predicted mentions that are in the gold standard.
        fp (`int`, *optional*, defaults to 0): Predicted mentions that are not.
        fn (`int`, *optional*, defaults to 0): Gold mentions that were not predicted.

    Example:
        >>> Counts(tp=3, fp=1, fn=2).precision
        0.75
    """

    tp: int = 0
    fp: int = 0
    fn: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    @property
    def support(self) -> int:
        """The number of gold mentions."""
        return self.tp + self.fn

    @property
    def precision(self) -> float:
        """The precision ``tp / (tp + fp)``; 0.0 when nothing was predicted."""
        return self.tp / (self.tp + self.fp) if self.tp else 0.0

    @property
    def recall(self) -> float:
        """The recall ``tp / (tp + fn)``; 0.0 when there is no gold mention."""
        return self.tp / self.support if self.tp else 0.0

    @property
    def f1(self) -> float:
        """The F1 ``2 P R / (P + R)``; 0.0 when both are zero."""
        precision, recall = self.precision, self.recall
        return 2 * precision * recall / (precision + recall) if self.tp else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return counts and ratios as plain JSON numbers."""
        return {
            "tp": self.tp,
            "fp": self.fp,
            "fn": self.fn,
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
            "support": self.support,
        }


@dataclass(frozen=True, slots=True)
class Average:
    """A macro average: the means over `rows` counts, as fractions in [0, 1].

    Args:
        precision (`float`): The mean precision.
        recall (`float`): The mean recall.
        f1 (`float`): The mean F1.
        rows (`int`): How many counts were averaged. Where there is none, the means are 0.0 and tell nothing.
        left_out (`int`, *optional*, defaults to 0): How many were left out, for they hold no gold mention.
        interval (`tuple[float, float]`, *optional*): The bootstrap interval of the mean F1.
    """

    precision: float
    recall: float
    f1: float
    rows: int
    left_out: int = 0
    interval: Interval | None = None

    @property
    def described(self) -> str:
        """How many counts were averaged, of how many where some were left out: ``"3"``, ``"2 of 3"``."""
        return f"{self.rows} of {self.rows + self.left_out}" if self.left_out else str(self.rows)

    def as_dict(self) -> dict[str, Any]:
        """Return everything but an interval that is not known as plain JSON numbers."""
        values: dict[str, Any] = {
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
            "rows": self.rows,
            "left_out": self.left_out,
        }
        return values if self.interval is None else {**values, "f1_interval": list(self.interval)}


def average(counts: Iterable[Counts], interval: Interval | None = None) -> Average:
    """Compute a macro average over the counts that hold a gold mention.

    Where there is nothing to find there is no recall and no F1. Counted as zero, such a type would lower every model
    alike, and a model that rightly finds nothing there as much as one that is wrong.

    Args:
        counts (`Iterable[Counts]`): One per type, or per corpus and type.
        interval (`tuple[float, float]`, *optional*): The bootstrap interval of the mean F1; see
            :func:`~hf_bionerkd.evaluation.significance.macro_interval`.

    Example:
        >>> mean = average([Counts(tp=1, fn=1), Counts(tp=2), Counts(fp=1)])
        >>> mean.recall, mean.described
        (0.75, '2 of 3')
    """
    every = list(counts)
    kept = [one for one in every if one.support]
    number = max(len(kept), 1)
    precision, recall, f1 = (
        sum(values) / number
        for values in ((one.precision for one in kept), (one.recall for one in kept), (one.f1 for one in kept))
    )
    return Average(precision, recall, f1, len(kept), len(every) - len(kept), interval)


@dataclass(frozen=True, slots=True)
class EntityScores:
    """The scores of one model on one corpus.

    Args:
        per_type (`dict[str, Counts]`): The counts of every type to score, in that order, also where they are zero.
        other_types (`int`, *optional*, defaults to 0): Predicted mentions of types that are not scored. They are
            neither right nor wrong: a corpus says nothing about types it does not annotate.
    """

    per_type: dict[str, Counts]
    other_types: int = 0

    @property
    def micro(self) -> Counts:
        """The counts of all types pooled."""
        return sum(self.per_type.values(), Counts())

    @property
    def macro_f1(self) -> float:
        """The unweighted mean F1 over the scored types that have a gold mention; see :func:`average`."""
        return average(self.per_type.values()).f1

    @property
    def without_gold(self) -> tuple[str, ...]:
        """The scored types that have no gold mention, which the macro average leaves out."""
        return tuple(name for name, counts in self.per_type.items() if not counts.support)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON: ``per_type``, ``micro``, ``macro_f1``, ``without_gold``, ``other_types``."""
        return {
            "per_type": {name: counts.as_dict() for name, counts in self.per_type.items()},
            "micro": self.micro.as_dict(),
            "macro_f1": self.macro_f1,
            "without_gold": list(self.without_gold),
            "other_types": self.other_types,
        }


def count_spans(gold: Iterable[WordSpan], predicted: Iterable[WordSpan], types: Sequence[str]) -> np.ndarray:
    """Count one row's right, spurious and missed mentions of each type; those of other types are neither.

    Args:
        gold (`Iterable[WordSpan]`): Gold spans; they may be nested.
        predicted (`Iterable[WordSpan]`): Predicted spans.
        types (`Sequence[str]`): The types to count.

    Returns:
        (types, 3): true positives, false positives, false negatives.

    Example:
        >>> count_spans([(0, 2, "Gene")], [(0, 2, "Gene"), (0, 1, "Gene")], ["Gene"]).tolist()
        [[1, 1, 0]]
    """
    gold, predicted = set(gold), set(predicted)
    column = {kind: index for index, kind in enumerate(types)}
    counts = np.zeros((len(types), 3), dtype=np.int32)
    for place, spans in enumerate((gold & predicted, predicted - gold, gold - predicted)):
        for _, _, kind in spans:
            if kind in column:
                counts[column[kind], place] += 1
    return counts


class EntityScorer:
    """A scorer that counts mentions row by row, so that a corpus never has to be in memory.

    Args:
        types (`Sequence[str]`): The types that the corpus annotates; nothing else is scored.

    Raises:
        ValueError: There is no type, one comes twice, or `types` is a string instead of a list.

    Example:
        >>> scorer = EntityScorer(["Disease"])
        >>> scorer.add(gold=[(0, 2, "Disease")], predicted=[(0, 2, "Disease"), (4, 5, "Gene")])
        >>> scorer.scores().micro.f1, scorer.scores().other_types
        (1.0, 1)
    """

    def __init__(self, types: Sequence[str]) -> None:
        # A string is a sequence of types of one letter each.
        if isinstance(types, str) or not types or len(set(types)) != len(types):
            raise ValueError(
                f"scoring needs a list of distinct entity types, got {types!r}: pass those that the corpus annotates"
            )
        self._types = tuple(types)
        self._right: Counter[str] = Counter()
        self._gold: Counter[str] = Counter()
        self._predicted: Counter[str] = Counter()

    def add(self, gold: Iterable[WordSpan], predicted: Iterable[WordSpan]) -> None:
        """Count one row; a span given twice counts once."""
        gold, predicted = set(gold), set(predicted)
        # Spurious and missed mentions follow: what is predicted, or gold, and not right.
        self._right.update(name for _, _, name in gold & predicted)
        self._gold.update(name for _, _, name in gold)
        self._predicted.update(name for _, _, name in predicted)

    def scores(self) -> EntityScores:
        """Return the scores of all rows so far."""
        per_type = {
            name: Counts(
                self._right[name], self._predicted[name] - self._right[name], self._gold[name] - self._right[name]
            )
            for name in self._types
        }
        # What is predicted of types that the corpus does not annotate can be neither right nor wrong.
        return EntityScores(per_type, sum(n for name, n in self._predicted.items() if name not in per_type))


def score_spans(
    gold: Iterable[Iterable[WordSpan]], predicted: Iterable[Iterable[WordSpan]], types: Sequence[str]
) -> EntityScores:
    """Score word spans, row by row, on the types that a corpus annotates.

    Args:
        gold (`Iterable[Iterable[WordSpan]]`): Gold spans of every row; those of other types are left out.
        predicted (`Iterable[Iterable[WordSpan]]`): Predicted spans of the same rows; those of other types are only
            counted, as `other_types`.
        types (`Sequence[str]`): The types that the corpus annotates.

    Returns:
        Counts per type, from which the micro and macro averages follow.

    Raises:
        ValueError: The two hold different numbers of rows, or `types` is no list of distinct types.

    Example:
        >>> score_spans([[(0, 5, "Gene")]], [[(5, 9, "Gene")]], ["Gene"]).micro
        Counts(tp=0, fp=1, fn=1)
    """
    scorer = EntityScorer(types)
    for _, gold_row, predicted_row in _rows(gold, predicted):
        scorer.add(gold_row, predicted_row)
    return scorer.scores()


def score_tags(
    gold_tags: Iterable[Sequence[str]],
    predicted_tags: Iterable[Sequence[str]],
    types: Sequence[str],
    mode: Mode = "strict",
    scheme: Scheme = "BIO",
) -> EntityScores:
    """Score tag sequences, row by row, on the types that a corpus annotates.

    Args:
        gold_tags (`Iterable[Sequence[str]]`): Gold tags of every row, one per word.
        predicted_tags (`Iterable[Sequence[str]]`): Predicted tags of the same rows.
        types (`Sequence[str]`): The types that the corpus annotates.
        mode (`str`, *optional*, defaults to `"strict"`): How illegal transitions are read, on both sides. `"strict"`
            drops an ``I-`` that no ``B-`` of its type opens (in IOBES also a mention that never closes), as seqeval
            does with `mode="strict"`; `"lenient"` lets it open a mention, as conlleval and seqeval's default do.
            IO has no illegal transitions, so that the two agree.
        scheme (`str`, *optional*, defaults to `"BIO"`): Scheme of both sides: `"BIO"` (IOB2), `"IO"` or `"IOBES"`.

    Returns:
        Counts per type, from which the micro and macro averages follow.

    Raises:
        ValueError: Rows or tags differ in number, a tag does not belong to the scheme, or the mode is unknown.

    Example:
        >>> score_tags([["B-Gene", "O"]], [["I-Gene", "O"]], ["Gene"]).micro.tp
        0
        >>> score_tags([["B-Gene", "O"]], [["I-Gene", "O"]], ["Gene"], mode="lenient").micro.tp
        1
    """
    if mode not in _ORPHANS:
        raise ValueError(f"unknown scoring mode {mode!r}: use one of {', '.join(_ORPHANS)}")
    orphans = _ORPHANS[mode]
    # The prefixes of the scheme, from the labels that it makes of any one type.
    prefixes = {label[0] for label in LabelSpace(("any",), scheme).labels} - {"O"}
    scorer = EntityScorer(types)
    for row, gold_row, predicted_row in _rows(gold_tags, predicted_tags):
        if len(gold_row) != len(predicted_row):
            raise ValueError(
                f"row {row}: {len(gold_row)} gold tags but {len(predicted_row)} predicted tags; give one tag for "
                "every word on both sides, without special tokens and continuation pieces"
            )
        # A tag of another scheme must not be read as no mention.
        for side, tags in (("gold", gold_row), ("predicted", predicted_row)):
            _check_tags(tags, prefixes, f"row {row}, {side}", scheme)
        scorer.add(tags_to_spans(gold_row, scheme, orphans), tags_to_spans(predicted_row, scheme, orphans))
    return scorer.scores()


def _check_tags(tags: Sequence[str], prefixes: set[str], where: str, scheme: Scheme) -> None:
    for word, tag in enumerate(tags):
        prefix, dash, name = tag.partition("-")
        if tag != "O" and not (prefix in prefixes and dash and name):
            expected = ", ".join(f"{known}-<type>" for known in sorted(prefixes))
            raise ValueError(f"{where}, word {word}: {tag!r} is not a tag of scheme {scheme}; expected O, {expected}")


def _rows(gold: Iterable[_Row], predicted: Iterable[_Row]) -> Iterator[tuple[int, _Row, _Row]]:
    # Both may be streams of unknown length: only at the end of one does it show that the other goes on.
    for row, (gold_row, predicted_row) in enumerate(zip_longest(gold, predicted)):
        if gold_row is None or predicted_row is None:
            missing = "gold" if gold_row is None else "predicted"
            raise ValueError(f"row {row} has no {missing} side: gold and predictions must hold the same rows in order")
        yield row, gold_row, predicted_row

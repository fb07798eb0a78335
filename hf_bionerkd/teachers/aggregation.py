"""From several teachers' distributions at a word to one target over the student's labels (Moscato et al. 2023).

Each teacher knows its own types only. Taken as independent, teachers say something about every label of the student:
a word is ``B-e`` when the teacher of *e* says so and no other teacher says the like. The aggregated events overlap and
leave some combinations out, so their probabilities need not sum to one; see `method` and `normalise`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from hf_bionerkd.labels import LabelError, LabelSpace

Method = Literal["events", "exclusive"]
Normalise = Literal["sum", "none", "softmax"]
Combine = Literal["mean", "geometric", "weights"]

LOG_NO_MASS = math.log(1e-12)
# Rounding log probabilities to float16 moves their sum by at most entropy · 2^-11: 0.0024 for 128 labels.
SUM_TOLERANCE = 5e-3


@dataclass(frozen=True)
class TeacherTypes:
    """A teacher and the types it covers.

    Its distributions have the labels of `LabelSpace(types)`, in that order: ``B-e1, I-e1, …, O``.

    Args:
        name (`str`): What errors and cards call the teacher.
        types (`tuple[str, ...]`): The student's types it covers, in the order of its own labels.
        weight (`float`, *optional*, defaults to `1.0`): Its share where teachers of one type are combined by
            `"weights"`, e.g. its F1 on a development set.

    Raises:
        LabelError: No type, a type twice, or an empty type name.
        ValueError: A weight that is not a positive number.

    Example:
        >>> TeacherTypes("biobert-ncbi", ("Disease",), weight=0.88).types
        ('Disease',)
    """

    name: str
    types: tuple[str, ...]
    weight: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "types", tuple(self.types))
        try:
            LabelSpace(self.types)
        except LabelError as error:
            raise LabelError(f"teacher {self.name!r}: {error}") from None
        if not (math.isfinite(self.weight) and self.weight > 0):
            raise ValueError(f"teacher {self.name!r}: weight must be a positive number, got {self.weight!r}")


class Aggregator:
    """Aggregates word-level distributions of teachers into targets over the student's labels.

    Teacher *i* covers the types `E_i`; `p_i` is its distribution. With `method="events"`

        A(B-e) = p_i(B-e) · ∏_{j≠i} (1 - Σ_{f∈E_j} p_j(B-f)),  likewise I-e,  A(O) = ∏_i p_i(O)

    and with `method="exclusive"` every other teacher has to say O: `A(B-e) = p_i(B-e) · ∏_{j≠i} p_j(O)`.

    Teachers whose types overlap, directly or through a third, do not count as independent: they are reduced type by
    type to (B, I, rest), combined, and each type then acts as a teacher of that one type. Two teachers that are
    certain of different mentions leave no mass (below 1e-12): there the target is the mean of the teachers'
    distributions lifted into the student's labels.

    Args:
        space (`LabelSpace`): The student's labels, scheme BIO.
        teachers (`Sequence[TeacherTypes]`): The teachers; results do not depend on their order.
        method (`str`, *optional*, defaults to `"events"`): `"events"` (the paper's equations) or `"exclusive"`.
        normalise (`str`, *optional*, defaults to `"sum"`): `"sum"` divides by the sum; `"none"` leaves the equations
            as printed; `"softmax"` takes a softmax over the probabilities, as the paper's public code does. With 7
            labels that caps every target at e/(e+6) = 0.31, so it serves only to reproduce that code.
        combine (`str`, *optional*, defaults to `"mean"`): How several teachers of one type are combined: `"mean"`,
            `"geometric"` (renormalised) or `"weights"` (mean weighted by `TeacherTypes.weight`).

    Raises:
        LabelError: `space` is not BIO, a type of the student has no teacher, or a teacher's type is not the student's.
        ValueError: An unknown option, no teacher, or two teachers of one name.

    Example:
        >>> space = LabelSpace(("Disease", "Gene"))
        >>> aggregate = Aggregator(space, [TeacherTypes("d", ("Disease",)), TeacherTypes("g", ("Gene",))])
        >>> targets, no_mass = aggregate([np.log([[0.8, 0.1, 0.1]]), np.log([[0.25, 0.25, 0.5]])])
        >>> print(targets.round(3), no_mass)
        [[0.6   0.075 0.05  0.225 0.05 ]] 0

    Source: Moscato et al. 2023 (TaughtNet), eqs. 6-11; the paper has one type per teacher and one teacher per type.
    """

    def __init__(
        self,
        space: LabelSpace,
        teachers: Sequence[TeacherTypes],
        method: Method = "events",
        normalise: Normalise = "sum",
        combine: Combine = "mean",
    ) -> None:
        _check_choice("method", method, get_args(Method))
        _check_choice("normalise", normalise, get_args(Normalise))
        _check_choice("combine", combine, get_args(Combine))
        _check_teachers(space, teachers)
        self.space = space
        self.teachers = tuple(teachers)
        self.method = method
        self.normalise = normalise
        self.combine = combine
        self._groups = _overlapping(self.teachers)

    def settings(self) -> dict[str, object]:
        """Return everything the targets depend on besides the distributions, in plain values."""
        return {
            "types": list(self.space.types),
            "teachers": [{"name": t.name, "types": list(t.types), "weight": t.weight} for t in self.teachers],
            "method": self.method,
            "normalise": self.normalise,
            "combine": self.combine,
        }

    def __call__(self, log_probs: Sequence[np.ndarray]) -> tuple[np.ndarray, int]:
        """Compute the targets of a chunk of words.

        Args:
            log_probs (`Sequence[np.ndarray]`): One array per teacher, in the order of `teachers`, each
                `(words, 2 * types + 1)`: natural logarithms of its probabilities, float16, float32 or float64. `-inf`
                is a probability of zero.

        Returns:
            Targets `(words, labels)`, float32, and the number of words on which the teachers left no mass.

        Raises:
            ValueError: An array too many or too few, a wrong shape, or a row that is no distribution.
        """
        # In logarithms, where the product of many small probabilities stays in range.
        logs = self._checked(log_probs)
        events = self._log_events(logs)
        mass = np.logaddexp.reduce(events, axis=0)
        empty = np.flatnonzero(mass < LOG_NO_MASS)
        if self.normalise == "sum":
            mass[empty] = 0.0  # -inf - -inf is not a number; these words are overwritten below
            events -= mass
        targets = np.exp(events, out=events)  # in place: chunks are large
        if self.normalise == "softmax":
            np.exp(targets, out=targets)
            targets /= targets.sum(axis=0)
        if empty.size:
            targets[:, empty] = self._lifted_mean([rows[:, empty] for rows in logs])
        return np.ascontiguousarray(targets.T, dtype=np.float32), int(empty.size)

    def log_events(self, log_probs: Sequence[np.ndarray]) -> np.ndarray:
        """Compute logarithms of the aggregated probabilities before any normalisation: `(words, labels)`, float64.

        Takes and raises what calling the aggregator does.
        """
        return self._log_events(self._checked(log_probs)).T

    def _checked(self, log_probs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Check the input and return it as float64 `(labels, words)`, so that each label's values lie together."""
        if len(log_probs) != len(self.teachers):
            raise ValueError(f"{len(log_probs)} arrays for {len(self.teachers)} teachers: pass one array per teacher")
        words = len(log_probs[0])
        logs = []
        for teacher, array in zip(self.teachers, log_probs, strict=True):
            expected = (words, len(LabelSpace(teacher.types)))
            if np.shape(array) != expected:
                raise ValueError(
                    f"teacher {teacher.name!r}: log probabilities of shape {np.shape(array)}, expected {expected}: "
                    f"as many words as the first teacher and the labels {list(LabelSpace(teacher.types).labels)}"
                )
            rows = np.ascontiguousarray(np.asarray(array).T, dtype=np.float64)
            _check_distributions(teacher.name, rows)
            logs.append(rows)
        return logs

    def _log_events(self, logs: list[np.ndarray]) -> np.ndarray:
        """Compute the equations, `(labels, words)`."""
        # What each teacher says against every mention (O), and against those that begin or go on at this word.
        acting = [(types, LabelSpace(types).layout, rows) for types, rows in self._acting_teachers(logs)]
        outside = np.stack([rows[layout.outside] for _, layout, rows in acting])
        not_begin = not_inside = outside
        if self.method == "events":
            # 1 - Σ p(B) as the sum of everything else: the difference would lose all digits where p(B) is near 1.
            not_begin = np.stack(
                [np.logaddexp.reduce(np.delete(rows, layout.begin, axis=0), axis=0) for _, layout, rows in acting]
            )
            not_inside = np.stack(
                [np.logaddexp.reduce(np.delete(rows, layout.inside, axis=0), axis=0) for _, layout, rows in acting]
            )
        others_not_begin, others_not_inside = _sum_of_others(not_begin), _sum_of_others(not_inside)
        # A label's event: its own teacher says so, and no other teacher says the like.
        events = np.empty((len(self.space), outside.shape[1]))
        for index, (types, layout, rows) in enumerate(acting):
            for name, begin, inside in zip(types, layout.begin, layout.inside, strict=True):
                ids = self.space.ids_of(name)
                events[ids["B"]] = rows[begin] + others_not_begin[index]
                events[ids["I"]] = rows[inside] + others_not_inside[index]
        events[self.space.outside] = outside.sum(axis=0)
        return events

    def _acting_teachers(self, logs: list[np.ndarray]) -> list[tuple[tuple[str, ...], np.ndarray]]:
        """Return types and log probabilities of independent teachers, overlapping ones combined by type."""
        acting = []
        for group in self._groups:
            if len(group) == 1:
                acting.append((self.teachers[group[0]].types, logs[group[0]]))
                continue
            # Teachers of one type are not independent: together they act as one teacher of that type.
            for name in dict.fromkeys(name for index in group for name in self.teachers[index].types):
                members = [index for index in group if name in self.teachers[index].types]
                reduced = [_reduce(logs[index], self.teachers[index].types, name) for index in members]
                acting.append(((name,), self._combined(np.stack(reduced), members)))
        return acting

    def _combined(self, reduced: np.ndarray, members: list[int]) -> np.ndarray:
        """Combine into one `(3, words)` the `(teachers, 3, words)` of the teachers of one type."""
        if self.combine == "geometric":
            mean = reduced.mean(axis=0)  # of logarithms, and so to be normalised
            total = np.logaddexp.reduce(mean, axis=0)
            empty = total < LOG_NO_MASS
            return np.where(empty, -np.inf, mean - np.where(empty, 0.0, total))
        weights = np.array([self.teachers[index].weight if self.combine == "weights" else 1.0 for index in members])
        return np.logaddexp.reduce(reduced + np.log(weights / weights.sum())[:, None, None], axis=0)

    def _lifted_mean(self, logs: list[np.ndarray]) -> np.ndarray:
        """Compute the mean of the teachers' distributions over the student's labels, `(labels, words)`."""
        mean = np.zeros((len(self.space), logs[0].shape[1]))
        label2id = self.space.label2id
        for teacher, rows in zip(self.teachers, logs, strict=True):
            mean[[label2id[label] for label in LabelSpace(teacher.types).labels]] += np.exp(rows)
        return mean / mean.sum(axis=0)


def _check_choice(option: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{option}={value!r} is not one of {', '.join(map(repr, choices))}")


def _check_teachers(space: LabelSpace, teachers: Sequence[TeacherTypes]) -> None:
    if space.scheme != "BIO":
        raise LabelError(f"aggregation is defined for the scheme BIO, the student's labels follow {space.scheme}")
    if not teachers:
        raise ValueError("aggregation needs at least one teacher")
    # Errors and cards name teachers, so that two must not share a name.
    names = [teacher.name for teacher in teachers]
    if len(set(names)) != len(names):
        raise ValueError(f"teachers need distinct names, got {names}")
    coverage = "; ".join(f"{teacher.name} covers {list(teacher.types)}" for teacher in teachers)
    for teacher in teachers:
        unknown = [name for name in teacher.types if name not in space.types]
        if unknown:
            raise LabelError(
                f"teacher {teacher.name!r} covers {unknown}, not among the student's types {list(space.types)}: "
                "rename the teacher's types, or add them to the student"
            )
    missing = [name for name in space.types if not any(name in teacher.types for teacher in teachers)]
    if missing:
        raise LabelError(
            f"no teacher covers the student's type(s) {missing} ({coverage}): add a teacher or drop the type"
        )


def _check_distributions(name: str, logs: np.ndarray) -> None:
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


def _overlapping(teachers: Sequence[TeacherTypes]) -> list[list[int]]:
    """Return the indices of teachers in groups connected by shared types."""
    groups: list[list[int]] = []
    for index, teacher in enumerate(teachers):
        # A teacher that shares types with several groups makes one of them.
        touching = [group for group in groups if any(set(teachers[i].types) & set(teacher.types) for i in group)]
        merged = sorted([index, *(i for group in touching for i in group)])
        groups = [*(group for group in groups if group not in touching), merged]
    return groups


def _reduce(logs: np.ndarray, types: Sequence[str], name: str) -> np.ndarray:
    """Reduce the distributions of a teacher of these types to (B, I, rest) of one of them."""
    ids = LabelSpace(tuple(types)).ids_of(name)
    begin, inside = ids["B"], ids["I"]
    return np.stack([logs[begin], logs[inside], np.logaddexp.reduce(np.delete(logs, [begin, inside], axis=0), axis=0)])


def _sum_of_others(rows: np.ndarray) -> np.ndarray:
    """Compute for each row *i* the sum of all rows but *i*."""
    # From both ends: the total minus row i would be -inf - -inf where a row has no probability.
    others = np.zeros_like(rows)
    others[1:] += np.cumsum(rows[:-1], axis=0)
    others[:-1] += np.cumsum(rows[:0:-1], axis=0)[::-1]
    return others

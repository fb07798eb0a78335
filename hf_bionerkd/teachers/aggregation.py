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
from hf_bionerkd.teachers.distributions import (
    LOG_NO_MASS,
    Combine,
    check_distributions,
    combined,
    reduced,
    sum_of_others,
)

Method = Literal["events", "exclusive"]
Normalise = Literal["sum", "none", "softmax"]

VERSION = 2  # of the rules below: targets of another one are computed again


@dataclass(frozen=True)
class TeacherTypes:
    """A teacher and the types it covers.

    Its distributions have the labels of `LabelSpace(types)`, in that order: ``B-e1, I-e1, …, O``.

    Args:
        name (`str`): What errors and cards call the teacher.
        types (`tuple[str, ...]`): The student's types it covers, in the order of its own labels.
        weight (`float`, *optional*, defaults to `1.0`): Its share where teachers of one type are combined by
            `"weights"`, e.g. its F1 on a development set.
        source (`str`, *optional*, defaults to `""`): What its distributions come from. Teachers of one source and the
            same types are the same teacher under two names, and count once; an empty one is like no other.

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
    source: str = ""

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

    Teachers of equal sets of types are first combined whole, into one teacher of these types; so a teacher given twice
    changes nothing. Teachers whose types then overlap in part, directly or through a third, do not count as
    independent: they are reduced type by type to (B, I, rest), combined, and each type then acts as a teacher of that
    one type. Two teachers that are certain of different mentions leave no mass (below 1e-12): there the target is the
    mean of the teachers' distributions lifted into the student's labels, those of equal types counting as one.

    Args:
        space (`LabelSpace`): The student's labels, scheme BIO.
        teachers (`Sequence[TeacherTypes]`): The teachers; results do not depend on their order.
        method (`str`, *optional*, defaults to `"events"`): `"events"` (the paper's equations) or `"exclusive"`.
        normalise (`str`, *optional*, defaults to `"sum"`): `"sum"` divides by the sum; `"none"` leaves the equations
            as printed; `"softmax"` takes a softmax over the probabilities, as the paper's public code does. With 7
            labels that caps every target at e/(e+6) = 0.31, so it serves only to reproduce that code.
        combine (`str`, *optional*, defaults to `"mean"`): How several teachers of the same types, or of one type, are
            combined: `"mean"`, `"geometric"` (renormalised) or `"weights"` (mean weighted by `TeacherTypes.weight`).

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
        self._whole = _of_equal_types(self.teachers)
        self._weight = [_weight(teacher, self.teachers) if combine == "weights" else 1.0 for teacher in self.teachers]
        self._groups = _overlapping([types for types, _ in self._whole])

    def settings(self) -> dict[str, object]:
        """Return everything the targets depend on besides the distributions, in plain values."""
        return {
            "version": VERSION,
            "types": list(self.space.types),
            "teachers": [{"name": t.name, "types": list(t.types), "weight": t.weight} for t in self.teachers],
            "counted": [[self.teachers[index].name for index in members] for _, members in self._whole],
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
            check_distributions(teacher.name, rows)
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
        others_not_begin, others_not_inside = sum_of_others(not_begin), sum_of_others(not_inside)
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
        """Return types and log probabilities of independent teachers."""
        # Teachers of equal types act as one teacher of these types.
        weights = [self._weights(members) for _, members in self._whole]
        whole = [
            combined(self._of_types(logs, types, members), each, self.combine)
            for (types, members), each in zip(self._whole, weights, strict=True)
        ]
        acting = []
        for group in self._groups:
            if len(group) == 1:
                acting.append((self._whole[group[0]][0], whole[group[0]]))
                continue
            # Those that share some types are not independent: together they act as one teacher of each type.
            for name in dict.fromkeys(name for index in group for name in self._whole[index][0]):
                sharing = [index for index in group if name in self._whole[index][0]]
                of_type = np.stack([reduced(whole[index], self._whole[index][0], name) for index in sharing])
                # A teacher given twice has its own weight, not twice that.
                each = np.array([weights[index].mean() for index in sharing])
                acting.append(((name,), combined(of_type, each, self.combine)))
        return acting

    def _weights(self, members: Sequence[int]) -> np.ndarray:
        return np.array([self._weight[index] for index in members])

    def _of_types(self, logs: list[np.ndarray], types: tuple[str, ...], members: Sequence[int]) -> np.ndarray:
        """Return the distributions of teachers that cover these types, in this order: `(teachers, labels, words)`."""
        if len(members) == 1:  # their own order; large arrays are not copied
            return logs[members[0]][None]
        labels = LabelSpace(types).labels
        orders = [LabelSpace(self.teachers[index].types).label2id for index in members]
        return np.stack([logs[i][[ids[label] for label in labels]] for i, ids in zip(members, orders, strict=True)])

    def _lifted_mean(self, logs: list[np.ndarray]) -> np.ndarray:
        """Compute the mean of the teachers' distributions over the student's labels, `(labels, words)`."""
        mean = np.zeros((len(self.space), logs[0].shape[1]))
        label2id = self.space.label2id
        for types, members in self._whole:
            own = np.average(np.exp(self._of_types(logs, types, members)), axis=0, weights=self._weights(members))
            mean[[label2id[label] for label in LabelSpace(types).labels]] += own
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


def _of_equal_types(teachers: Sequence[TeacherTypes]) -> list[tuple[tuple[str, ...], list[int]]]:
    """Return every set of types that teachers cover with the indices of these teachers, each source once."""
    members: dict[frozenset[str], list[int]] = {}
    seen: set[tuple[frozenset[str], str]] = set()
    for index, teacher in enumerate(teachers):
        types = frozenset(teacher.types)
        if teacher.source and (types, teacher.source) in seen:
            continue
        seen.add((types, teacher.source))
        members.setdefault(types, []).append(index)
    return [(teachers[indices[0]].types, indices) for indices in members.values()]


def _weight(teacher: TeacherTypes, teachers: Sequence[TeacherTypes]) -> float:
    """Return the weight of a teacher: where it is given twice, the mean of both."""
    same = [other.weight for other in teachers if other.source and other.source == teacher.source]
    return sum(same) / len(same) if same else teacher.weight


def _overlapping(sets: Sequence[tuple[str, ...]]) -> list[list[int]]:
    """Return the indices of sets of types in groups connected by shared types."""
    groups: list[list[int]] = []
    for index, types in enumerate(sets):
        # One that shares types with several groups makes one of them.
        touching = [group for group in groups if any(set(sets[i]) & set(types) for i in group)]
        merged = sorted([index, *(i for group in touching for i in group)])
        groups = [*(group for group in groups if group not in touching), merged]
    return groups

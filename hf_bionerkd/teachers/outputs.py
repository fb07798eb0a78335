"""What each teacher by itself says, in the student's label space: for terms that take the teachers one by one.

TaughtNet puts single-type teachers together into one target (:mod:`hf_bionerkd.teachers.aggregation`). Zhou et al.
(2021) teach the student by two teachers that each know all of its types and disagree; Han et al. (2023) by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from hf_bionerkd.labels import LabelError, LabelSpace
from hf_bionerkd.teachers.aggregation import TeacherTypes
from hf_bionerkd.teachers.cache import WordArrays
from hf_bionerkd.teachers.teacher import Teacher

PER_TEACHER = ("hard", "l1", "l2", "tempered", "adversarial")  # terms that take each teacher by itself


class TargetSource(Protocol):
    """Whatever gives the student's soft targets for rows of the joined corpus."""

    def rows(self, indices: Sequence[int]) -> list[np.ndarray]:
        """Targets of these rows, each of shape (words, labels) in the student's label space."""
        ...


@dataclass(frozen=True)
class TeachersSaid:
    """What each teacher by itself says of one sentence, in the student's label space.

    Args:
        probs (`np.ndarray`): (words, teachers, labels): softmax of its scores, of a CRF those before it.
        tags (`np.ndarray`): (words, teachers): label ids of its own decoding, such as the tag scheme allows.
    """

    probs: np.ndarray
    tags: np.ndarray


class TeacherSource(Protocol):
    """Whatever tells what each teacher says of rows of the joined corpus."""

    def said(self, indices: Sequence[int]) -> list[TeachersSaid]:
        """One a row."""
        ...


def check_same_types(space: LabelSpace, teachers: Sequence[TeacherTypes]) -> None:
    """Make sure that every teacher knows all of the student's types, and no other.

    Raises:
        LabelError: One does not; it is named with what it knows.
    """
    for teacher in teachers:
        if set(teacher.types) != set(space.types):
            raise LabelError(
                f"teacher {teacher.name!r} covers {list(teacher.types)}, the student's types are {list(space.types)}: "
                "loss terms that take each teacher by itself (hard, l1, l2, tempered, adversarial) need teachers of "
                "all of the student's types; the term `kd` puts teachers of single types together"
            )


class CachedOutputs:
    """What the teachers say, read from their caches.

    Args:
        caches (`Sequence[WordArrays]`): One a teacher, over the student's types in any order.
        space (`LabelSpace`): The student's label space.
    """

    def __init__(self, caches: Sequence[WordArrays], space: LabelSpace) -> None:
        self.caches = caches
        self.readers = [_Reader(cache.labels, space) for cache in caches]

    def said(self, indices: Sequence[int]) -> list[TeachersSaid]:
        """What all teachers say of these sentences."""
        pairs = list(zip(self.readers, self.caches, strict=True))
        return [_stack([read(cache.emissions(row), cache.tags(row)) for read, cache in pairs]) for row in indices]


class OnlineOutputs:
    """The same computed when a batch asks for it; use it with `dataloader_num_workers: 0`.

    Args:
        teachers (`Sequence[Teacher]`): Over the student's types.
        rows (`Dataset`): The sentences, with a column `tokens`.
        space (`LabelSpace`): The student's label space.
    """

    def __init__(self, teachers: Sequence[Teacher], rows: Any, space: LabelSpace) -> None:
        self.teachers = teachers
        self.sentences = rows
        self.readers = [_Reader(teacher.space.labels, space) for teacher in teachers]

    def said(self, indices: Sequence[int]) -> list[TeachersSaid]:
        """What all teachers say of these sentences."""
        tokens = self.sentences[list(indices)]["tokens"]
        outputs = [teacher.outputs(tokens) for teacher in self.teachers]
        return [
            _stack([read(own.emissions, own.tags) for read, own in zip(self.readers, of_row, strict=True)])
            for of_row in zip(*outputs, strict=True)
        ]


class _Reader:
    """One teacher's labels to the student's, which are the same in another order."""

    def __init__(self, labels: Sequence[str], space: LabelSpace) -> None:
        self.columns = [labels.index(label) for label in space.labels]
        self.ids = np.array([space.label2id[label] for label in labels])
        begins = np.array([space.ids_of(kind)["B"] for kind in space.types])
        self.begin_of = np.full(len(space), -1)  # of an I, its B
        self.begin_of[[space.ids_of(kind)["I"] for kind in space.types]] = begins

    def __call__(self, emissions: np.ndarray, tags: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        scores = emissions[:, self.columns].astype(np.float32)
        scores -= scores.max(axis=1, keepdims=True, initial=-np.inf)
        probs = np.exp(scores)
        return probs / probs.sum(axis=1, keepdims=True), self.legal(self.ids[tags])

    def legal(self, tags: np.ndarray) -> np.ndarray:
        """An I that continues nothing becomes B, as a lenient reading has it: a CRF has no path through others."""
        begin = self.begin_of[tags]
        before = np.concatenate([[-1], tags[:-1]])[: len(tags)]
        return np.where((begin >= 0) & (before != begin) & (before != tags), begin, tags)


def _stack(teachers: Sequence[tuple[np.ndarray, np.ndarray]]) -> TeachersSaid:
    return TeachersSaid(
        np.stack([probs for probs, _ in teachers], axis=1), np.stack([tags for _, tags in teachers], axis=1)
    )

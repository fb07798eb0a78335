"""The columns that teachers add to a batch, and how they are read in the student's label space.

TaughtNet puts single-type teachers together into one target per word (`joint_targets`,
:mod:`hf_bionerkd.teachers.aggregation`). Zhou et al. (2021) teach the student by two teachers that each know all of
its types and disagree, Han et al. (2023) by one: their terms read each teacher by itself (`teacher_probs`,
`teacher_tags`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import numpy as np

from hf_bionerkd.inference.outputs import WordOutputs
from hf_bionerkd.labels import LabelError, LabelSpace
from hf_bionerkd.teachers.aggregation import TeacherTypes

# What a column's values are decides how later pieces of a word take them over from the word.
ColumnKind = Literal["distribution", "labels"]

JOINT_TARGETS = "joint_targets"
TEACHER_PROBS = "teacher_probs"
TEACHER_TAGS = "teacher_tags"
JOINT_COLUMNS: dict[str, ColumnKind] = {JOINT_TARGETS: "distribution"}
TEACHER_COLUMNS: dict[str, ColumnKind] = {TEACHER_PROBS: "distribution", TEACHER_TAGS: "labels"}


class ColumnSource(Protocol):
    """Whatever gives columns of teachers for rows of the joined corpus, word by word.

    Attributes:
        columns (`Mapping[str, ColumnKind]`): Name of each column to what its values are.
    """

    columns: Mapping[str, ColumnKind]

    def rows(self, indices: Sequence[int]) -> list[dict[str, np.ndarray]]:
        """Return the columns of these rows: one dictionary per row, arrays of shape (words, …).

        `joint_targets`: (words, labels), a distribution over the student's labels. `teacher_probs`: (words, teachers,
        labels), softmax of each teacher's scores, of a CRF those before it. `teacher_tags`: (words, teachers), label
        ids of each teacher's own decoding, such as the tag scheme allows.
        """


class StudentReading:
    """One teacher's labels read as the student's, which are the same in another order.

    Args:
        labels (`Sequence[str]`): The teacher's labels.
        space (`LabelSpace`): The student's label space.
    """

    def __init__(self, labels: Sequence[str], space: LabelSpace) -> None:
        self.columns = [labels.index(label) for label in space.labels]
        self.ids = np.array([space.label2id[label] for label in labels])
        self.opened = np.array(space.layout.opened)

    def __call__(self, emissions: np.ndarray, tags: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return probabilities (words, labels) and legal label ids (words,) of one sentence."""
        scores = emissions[:, self.columns].astype(np.float32)
        # Subtracting the maximum keeps the exponentials finite; a sentence without words has none.
        scores -= scores.max(axis=1, keepdims=True, initial=-np.inf)
        probs = np.exp(scores)
        return probs / probs.sum(axis=1, keepdims=True), self.legal(self.ids[tags])

    def legal(self, tags: np.ndarray) -> np.ndarray:
        """Make an I that continues nothing a B, as a lenient reading has it: a CRF has no path through others."""
        # An I is legal after B or I of its type; `opened` turns both tags of a type into its B.
        begin = self.opened[tags]
        before = np.concatenate([[-1], tags[:-1]])[: len(tags)]
        return np.where((before != begin) & (before != tags), begin, tags)


def teacher_columns(readings: Sequence[tuple[np.ndarray, np.ndarray]]) -> dict[str, np.ndarray]:
    """Lay what the teachers say of one sentence side by side: `teacher_probs` and `teacher_tags`."""
    return {
        TEACHER_PROBS: np.stack([probs for probs, _ in readings], axis=1),
        TEACHER_TAGS: np.stack([tags for _, tags in readings], axis=1),
    }


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


def check_coverage(space: LabelSpace, teachers: Sequence[TeacherTypes], reads: set[str]) -> None:
    """Make sure that the teachers can teach what a loss reads of them.

    Args:
        space (`LabelSpace`): The student's label space.
        teachers (`Sequence[TeacherTypes]`): What each teacher covers.
        reads (`set[str]`): Columns that the loss reads.

    Raises:
        LabelError: A type of the student has no teacher, a teacher's type is none of the student's, or the loss takes
            each teacher by itself and one does not know all types.
    """
    listing = "; ".join(f"{teacher.name}: {list(teacher.types)}" for teacher in teachers) or "there are none"
    missing = [kind for kind in space.types if not any(kind in teacher.types for teacher in teachers)]
    foreign = sorted({kind for teacher in teachers for kind in teacher.types if kind not in space.types})
    if missing:
        raise LabelError(f"no teacher covers the student's types {missing}. What the teachers cover: {listing}")
    if foreign:
        raise LabelError(f"teachers cover {foreign}, which the student {list(space.types)} does not know: {listing}")
    if reads & set(TEACHER_COLUMNS):
        check_same_types(space, teachers)


class OutputsSource(Protocol):
    """A teacher, as far as its outputs and their cache are concerned."""

    name: str
    path: str
    commit: str | None

    @property
    def kind(self) -> str:
        """What its log probabilities are, ``softmax`` or ``marginal``."""

    @property
    def space(self) -> LabelSpace:
        """The labels of its outputs."""

    def settings(self) -> Mapping[str, object]:
        """Return everything its outputs depend on beside the text."""

    def outputs(self, sentences: Sequence[Sequence[str]]) -> list[WordOutputs]:
        """Compute its outputs for every word."""

"""Teachers asked when a batch needs them, for teachers that must see changed text.

Use these with a data loader that runs in the training process (`dataloader_num_workers: 0`).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.teachers.aggregation import Aggregator
from hf_bionerkd.teachers.cached import NO_MASS, aggregate_sentences
from hf_bionerkd.teachers.columns import (
    JOINT_COLUMNS,
    JOINT_TARGETS,
    TEACHER_COLUMNS,
    OutputsSource,
    StudentReading,
    teacher_columns,
)

if TYPE_CHECKING:
    from datasets import Dataset

logger = logging.getLogger(__name__)


class OnlineJointTargets:
    """The teachers' joint distribution, computed when a batch asks for it.

    Args:
        teachers (`Sequence[OutputsSource]`): In the aggregator's order.
        aggregator (`Aggregator`): How they are put together.
        rows (`Dataset`): The sentences, with a column `tokens`.
    """

    columns = JOINT_COLUMNS

    def __init__(self, teachers: Sequence[OutputsSource], aggregator: Aggregator, rows: Dataset) -> None:
        self.teachers = teachers
        self.aggregator = aggregator
        self.sentences = rows
        self.words_without_mass = 0

    def rows(self, indices: Sequence[int]) -> list[dict[str, np.ndarray]]:
        """Return `joint_targets` of these sentences."""
        tokens = self.sentences[list(indices)]["tokens"]
        outputs = [[own.log_probs for own in teacher.outputs(tokens)] for teacher in self.teachers]
        targets, no_mass = aggregate_sentences(self.aggregator, outputs)
        if no_mass and not self.words_without_mass:
            logger.warning(NO_MASS, no_mass)
        self.words_without_mass += no_mass
        return [{JOINT_TARGETS: values} for values in targets]


class OnlineTeacherOutputs:
    """What each teacher by itself says, computed when a batch asks for it.

    Args:
        teachers (`Sequence[OutputsSource]`): Over the student's types.
        rows (`Dataset`): The sentences, with a column `tokens`.
        space (`LabelSpace`): The student's label space.
    """

    columns = TEACHER_COLUMNS

    def __init__(self, teachers: Sequence[OutputsSource], rows: Dataset, space: LabelSpace) -> None:
        self.teachers = teachers
        self.sentences = rows
        self.readings = [StudentReading(teacher.space.labels, space) for teacher in teachers]

    def rows(self, indices: Sequence[int]) -> list[dict[str, np.ndarray]]:
        """Return `teacher_probs` and `teacher_tags` of these sentences."""
        tokens = self.sentences[list(indices)]["tokens"]
        outputs = [teacher.outputs(tokens) for teacher in self.teachers]
        return [
            teacher_columns([read(own.emissions, own.tags) for read, own in zip(self.readings, of_row, strict=True)])
            for of_row in zip(*outputs, strict=True)
        ]

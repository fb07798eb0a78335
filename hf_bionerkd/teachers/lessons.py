"""What a loss reads of the teachers, from their caches or on-line."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.processes import ALONE, Processes
from hf_bionerkd.teachers.aggregation import Aggregator
from hf_bionerkd.teachers.cached import ROWS_PER_PART, CachedJointTargets, CachedTeacherOutputs, cache_teacher
from hf_bionerkd.teachers.columns import JOINT_COLUMNS, TEACHER_COLUMNS, ColumnSource, check_coverage
from hf_bionerkd.teachers.online import OnlineJointTargets, OnlineTeacherOutputs
from hf_bionerkd.teachers.teacher import Teacher

if TYPE_CHECKING:
    from datasets import Dataset


def open_columns(
    reads: set[str],
    teachers: Sequence[Teacher],
    rows: Dataset,
    space: LabelSpace,
    *,
    cache_dir: str | os.PathLike[str],
    mode: Literal["cached", "online"] = "cached",
    aggregation: Mapping[str, str] | None = None,
    rows_per_part: int = ROWS_PER_PART,
    processes: Processes = ALONE,
) -> list[ColumnSource]:
    """Open the columns of teachers that a loss reads; what is missing in the cache is computed first.

    Args:
        reads (`set[str]`): What the loss reads, see :class:`hf_bionerkd.losses.terms.LossTerm`.
        teachers (`Sequence[Teacher]`): In the order of aggregation.
        rows (`Dataset`): The training rows, with a column `tokens`.
        space (`LabelSpace`): The student's label space.
        cache_dir (`str`): Folder of all caches.
        mode (`str`, *optional*, defaults to `"cached"`): `"online"` asks the teachers for each batch.
        aggregation (`Mapping`, *optional*): Options of :class:`~hf_bionerkd.teachers.aggregation.Aggregator`.
        rows_per_part (`int`, *optional*): Sentences per part file of a cache.
        processes (`Processes`, *optional*): Who shares the work.

    Returns:
        One source for `joint_targets`, one for what each teacher says by itself, as far as they are read.

    Raises:
        LabelError: The teachers do not fit the student or what the loss reads.
    """
    covers = [teacher.covers for teacher in teachers]
    check_coverage(space, covers, reads)
    # On-line teachers have no caches; each source asks them by itself.
    online = mode == "online"
    caches = (
        []
        if online
        else [
            cache_teacher(teacher, rows, cache_dir, rows_per_part=rows_per_part, processes=processes)
            for teacher in teachers
        ]
    )
    # One source for all teachers together, one for each by itself; computed only where a loss term reads them.
    sources: list[ColumnSource] = []
    if reads & set(JOINT_COLUMNS):
        aggregator = Aggregator(space, covers, **(aggregation or {}))
        sources.append(
            OnlineJointTargets(teachers, aggregator, rows)
            if online
            else CachedJointTargets(caches, aggregator, rows, cache_dir, processes=processes)
        )
    if reads & set(TEACHER_COLUMNS):
        sources.append(OnlineTeacherOutputs(teachers, rows, space) if online else CachedTeacherOutputs(caches, space))
    return sources

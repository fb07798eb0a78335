"""Teachers, their outputs (cached or on-line), and the aggregation of these into one target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hf_bionerkd.lazy import attach

if TYPE_CHECKING:
    from .aggregation import Aggregator as Aggregator
    from .aggregation import TeacherTypes as TeacherTypes
    from .cached import CachedJointTargets as CachedJointTargets
    from .cached import CachedTeacherOutputs as CachedTeacherOutputs
    from .cached import CacheError as CacheError
    from .cached import WordArrays as WordArrays
    from .cached import cache_teacher as cache_teacher
    from .columns import JOINT_COLUMNS as JOINT_COLUMNS
    from .columns import TEACHER_COLUMNS as TEACHER_COLUMNS
    from .columns import ColumnSource as ColumnSource
    from .columns import check_coverage as check_coverage
    from .columns import check_same_types as check_same_types
    from .lessons import open_columns as open_columns
    from .online import OnlineJointTargets as OnlineJointTargets
    from .online import OnlineTeacherOutputs as OnlineTeacherOutputs
    from .teacher import Teacher as Teacher

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Aggregator": "aggregation",
        "CacheError": "cached",
        "CachedJointTargets": "cached",
        "CachedTeacherOutputs": "cached",
        "ColumnSource": "columns",
        "JOINT_COLUMNS": "columns",
        "OnlineJointTargets": "online",
        "OnlineTeacherOutputs": "online",
        "TEACHER_COLUMNS": "columns",
        "Teacher": "teacher",
        "TeacherTypes": "aggregation",
        "WordArrays": "cached",
        "cache_teacher": "cached",
        "check_coverage": "columns",
        "check_same_types": "columns",
        "open_columns": "lessons",
    },
)

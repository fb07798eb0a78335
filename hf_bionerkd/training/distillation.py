"""Teachers and targets of a distillation run: what `recipes/distill.py` and `recipes/cache_teachers.py` share."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hf_bionerkd.data.collators import TargetSource
from hf_bionerkd.data.corpus import Corpus, join_corpora
from hf_bionerkd.labels import LabelError, LabelSpace
from hf_bionerkd.teachers.aggregation import Aggregator, TeacherTypes
from hf_bionerkd.teachers.cache import CachedTargets, OnlineTargets, WordArrays, cache_teacher
from hf_bionerkd.teachers.teacher import Teacher, TeacherSpec
from hf_bionerkd.training.config import ConfigError, DistillConfig, FinetuneConfig, TeacherConfig, load_config
from hf_bionerkd.training.finetuning import finetune
from hf_bionerkd.training.runs import OUTPUTS_FOLDER


def make_aggregator(config: DistillConfig, space: LabelSpace, teachers: Sequence[TeacherTypes]) -> Aggregator:
    """The aggregation of a run; fails at once when a type of the student has no teacher."""
    settings = config.aggregation
    return Aggregator(space, teachers, settings.method, settings.normalise, settings.combine)


def prepare_teachers(config: DistillConfig, space: LabelSpace) -> list[Teacher]:
    """Train the teachers that are to be trained first, and open all of them, in the configuration's order.

    What every teacher covers is checked before the first is trained.

    Raises:
        ConfigError: No teachers, or two of one name.
        LabelError: A type of the student has no teacher, or a teacher's labels do not fit.
    """
    names = [teacher.name for teacher in config.teachers]
    if not names or len(set(names)) != len(names):
        raise ConfigError(f"distillation needs teachers with distinct names; got {names}")
    recipes = {t.name: load_config(FinetuneConfig, t.finetune) for t in config.teachers if t.finetune}
    ready = {t.name: Teacher(_spec(t, t.path), space.types) for t in config.teachers if t.path}
    planned = [
        ready[t.name].covers if t.name in ready else _planned(t, recipes[t.name], space) for t in config.teachers
    ]
    make_aggregator(config, space, planned)
    for teacher in config.teachers:
        if teacher.name in recipes:
            recipe = dataclasses.replace(recipes[teacher.name], resume=True)
            finetune(recipe)
            ready[teacher.name] = Teacher(_spec(teacher, recipe.output_dir), space.types)
    return [ready[name] for name in names]


def cache_outputs(config: DistillConfig, teachers: Sequence[Teacher], rows: Any) -> list[WordArrays]:
    """Every teacher's outputs on the training rows, computed where they are missing; processes share the work."""
    return [
        cache_teacher(teacher, rows, cache_dir(config), rows_per_part=config.teacher_outputs.rows_per_part, **_share())
        for teacher in teachers
    ]


def make_targets(
    config: DistillConfig, teachers: Sequence[Teacher], corpora: Sequence[Corpus], space: LabelSpace
) -> TargetSource:
    """The student's targets on the training rows: from the cache, or on-line."""
    rows = join_corpora(corpora, "train", space)
    aggregator = make_aggregator(config, space, [teacher.covers for teacher in teachers])
    if config.teacher_outputs.mode == "online":
        return OnlineTargets(teachers, aggregator, rows)
    return CachedTargets(cache_outputs(config, teachers, rows), aggregator, rows, cache_dir(config), **_share())


def cache_dir(config: DistillConfig) -> Path:
    """Folder of the run's caches."""
    return Path(config.teacher_outputs.cache_dir or Path(config.output_dir) / OUTPUTS_FOLDER)


def _spec(config: TeacherConfig, path: str | None) -> TeacherSpec:
    assert path is not None  # the configuration has `path` or `finetune`
    return TeacherSpec(
        config.name,
        path,
        config.revision,
        config.types,
        config.weight,
        config.max_length,
        config.overlap,
        config.batch_size,
        config.trust_remote_code,
    )


def _planned(config: TeacherConfig, recipe: FinetuneConfig, space: LabelSpace) -> TeacherTypes:
    """What a teacher will cover, from the corpora that it is to be trained on."""
    from hf_bionerkd.training.setup import label_space, load_corpora

    own = label_space(recipe.types, load_corpora(recipe.corpora)).types
    mapping = config.types or {kind: kind for kind in own}
    unknown = sorted(set(mapping) - set(own))
    if unknown:
        raise LabelError(
            f"teacher {config.name!r} of {config.finetune}: `types` names {unknown}, but its corpora annotate "
            f"{list(own)}"
        )
    return TeacherTypes(config.name, tuple(mapping[kind] for kind in own if kind in mapping), config.weight)


def _share() -> dict[str, Any]:
    from accelerate import PartialState

    state = PartialState()
    return {
        "process_index": state.process_index,
        "num_processes": state.num_processes,
        "wait": state.wait_for_everyone,
    }

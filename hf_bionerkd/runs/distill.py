"""Teachers and targets of a distillation run: what `recipes/distill.py` and `recipes/cache_teachers.py` share."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_bionerkd.data.corpus import Corpus, join_corpora
from hf_bionerkd.labels import LabelError, LabelSpace
from hf_bionerkd.runs.config import ConfigError, DistillConfig, FinetuneConfig, TeacherConfig
from hf_bionerkd.runs.config_loading import load_config
from hf_bionerkd.runs.finetune import finetune
from hf_bionerkd.runs.folder import OUTPUTS_FOLDER
from hf_bionerkd.teachers.aggregation import Aggregator, TeacherTypes
from hf_bionerkd.teachers.cache import CachedTargets, OnlineTargets, WordArrays, cache_teacher
from hf_bionerkd.teachers.outputs import (
    PER_TEACHER,
    CachedOutputs,
    OnlineOutputs,
    TargetSource,
    TeacherSource,
    check_same_types,
)
from hf_bionerkd.teachers.teacher import Teacher, TeacherSpec


def make_aggregator(config: DistillConfig, space: LabelSpace, teachers: Sequence[TeacherTypes]) -> Aggregator:
    """The aggregation of a run; fails at once when a type of the student has no teacher."""
    settings = config.aggregation
    return Aggregator(space, teachers, settings.method, settings.normalise, settings.combine)


@dataclass
class TeacherPlan:
    """Teachers of a run before any is trained.

    Args:
        order (`list[str]`): Names, in the configuration's order.
        ready (`dict[str, Teacher]`): Those that are published models.
        recipes (`dict[str, FinetuneConfig]`): How the others are trained.
        specs (`dict[str, TeacherSpec]`): How each is read.
    """

    order: list[str]
    ready: dict[str, Teacher]
    recipes: dict[str, FinetuneConfig]
    specs: dict[str, TeacherSpec]


def plan_teachers(config: DistillConfig, space: LabelSpace) -> TeacherPlan:
    """Check what the teachers cover, or will cover, before anything is trained or written.

    Raises:
        ConfigError: No teachers, or two of one name.
        LabelError: A type of the student has no teacher, a teacher's labels do not fit, or the loss takes each
            teacher by itself and one does not know all of the student's types.
    """
    names = [teacher.name for teacher in config.teachers]
    if not names or len(set(names)) != len(names):
        raise ConfigError(f"distillation needs teachers with distinct names; got {names}")
    recipes = {t.name: load_config(FinetuneConfig, t.finetune) for t in config.teachers if t.finetune}
    specs = {t.name: _spec(t, t.path or recipes[t.name].output_dir) for t in config.teachers}
    ready = {t.name: Teacher(specs[t.name], space.types) for t in config.teachers if t.path}
    covers = [ready[t.name].covers if t.name in ready else _planned(t, recipes[t.name]) for t in config.teachers]
    make_aggregator(config, space, covers)
    if any(config.loss.terms.get(name, 0.0) > 0 for name in PER_TEACHER):
        check_same_types(space, covers)
    return TeacherPlan(names, ready, recipes, specs)


def prepare_teachers(plan: TeacherPlan, space: LabelSpace) -> list[Teacher]:
    """Train the teachers that are to be trained (finished ones are not repeated) and open all, in order.

    They are not pushed, whatever their own files say: a distillation publishes its student.
    """
    for name, recipe in plan.recipes.items():
        finetune(dataclasses.replace(recipe, resume=True, push_to_hub=None))
        plan.ready[name] = Teacher(plan.specs[name], space.types)
    return [plan.ready[name] for name in plan.order]


def cache_outputs(config: DistillConfig, teachers: Sequence[Teacher], rows: Any) -> list[WordArrays]:
    """Every teacher's outputs on the training rows, computed where they are missing; processes share the work."""
    return [
        cache_teacher(teacher, rows, cache_dir(config), rows_per_part=config.teacher_outputs.rows_per_part, **_share())
        for teacher in teachers
    ]


@dataclass
class Lessons:
    """What the student learns from its teachers on the training rows.

    Args:
        targets (`TargetSource`, *optional*): Their joint distribution, where the loss has the term `kd`.
        said (`TeacherSource`, *optional*): What each says, where the loss has terms that take them one by one.
    """

    targets: TargetSource | None = None
    said: TeacherSource | None = None


def make_lessons(
    config: DistillConfig, teachers: Sequence[Teacher], corpora: Sequence[Corpus], space: LabelSpace
) -> Lessons:
    """What the loss's terms need of the teachers: from the cache, or on-line."""
    weighted = {name for name, weight in config.loss.terms.items() if weight > 0}
    rows = join_corpora(corpora, "train", space)
    online = config.teacher_outputs.mode == "online"
    caches = [] if online else cache_outputs(config, teachers, rows)
    lessons = Lessons()
    if "kd" in weighted:
        aggregator = make_aggregator(config, space, [teacher.covers for teacher in teachers])
        lessons.targets = (
            OnlineTargets(teachers, aggregator, rows)
            if online
            else CachedTargets(caches, aggregator, rows, cache_dir(config), **_share())
        )
    if weighted & set(PER_TEACHER):
        lessons.said = OnlineOutputs(teachers, rows, space) if online else CachedOutputs(caches, space)
    return lessons


def cache_dir(config: DistillConfig) -> Path:
    """Folder of the run's caches."""
    return Path(config.teacher_outputs.cache_dir or Path(config.output_dir) / OUTPUTS_FOLDER)


def _spec(config: TeacherConfig, path: str) -> TeacherSpec:
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


def _planned(config: TeacherConfig, recipe: FinetuneConfig) -> TeacherTypes:
    """What a teacher will cover, from the corpora that it is to be trained on."""
    from hf_bionerkd.runs.loading import label_space, load_corpora
    from hf_bionerkd.runs.sources import pin_sources

    pinned, _ = pin_sources(recipe, recipe.output_dir, where=config.finetune or "")
    own = label_space(pinned.types, load_corpora(pinned.corpora)).types
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

"""The teachers of a distillation run: checked before anything is written, trained where they do not exist yet."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_bionerkd.encoding import TagPairs
from hf_bionerkd.evaluation import Metrics
from hf_bionerkd.hub import TeacherInfo
from hf_bionerkd.labels import LabelError, LabelSpace
from hf_bionerkd.losses import make_term
from hf_bionerkd.runs import ConfigError, DistillConfig, FinetuneConfig, Stages, TeacherConfig, load_config
from hf_bionerkd.runs.finetune import finetune
from hf_bionerkd.runs.folder import DONE_FILE, OUTPUTS_FOLDER
from hf_bionerkd.runs.training_run import BOOTSTRAP, Job
from hf_bionerkd.teachers import Aggregator, ColumnSource, Teacher, TeacherTypes, check_same_types, open_columns
from hf_bionerkd.training import MentionEvaluator

if TYPE_CHECKING:
    from hf_bionerkd.losses import Mixture
    from hf_bionerkd.runs import Run

OUTPUTS = "outputs of the teachers"  # the stage in which they answer


@dataclass
class Teaching:
    """The teachers of a run's student.

    Args:
        run (`Run`): The run.
        space (`LabelSpace`): The student's label space.
        tags (`TagPairs`): Its tag pairs.
        recipes (`dict[str, FinetuneConfig]`): The fine-tunings of the teachers that are to be trained.
        teachers (`dict[str, Teacher]`): The published teachers; after :meth:`prepare`, all of them.
    """

    run: Run[DistillConfig]
    space: LabelSpace
    tags: TagPairs
    recipes: dict[str, FinetuneConfig]
    teachers: dict[str, Teacher]

    @classmethod
    def plan(cls, run: Run[DistillConfig]) -> Teaching:
        """Check what the teachers cover, or will cover, before anything is trained or written.

        Raises:
            ConfigError: There are no teachers, or two have one name; or the corpora cannot be trained on.
            LabelError: A type of the student has no teacher, a teacher's labels do not fit, or the loss takes each
                teacher by itself and one does not know all of the student's types.
        """
        config = run.config
        space = run.space(config.types)
        tags = run.tags(neutral=True, mode=config.encoding.tag_pair, end_tag=config.encoding.end_tag)
        names = [teacher.name for teacher in config.teachers]
        if not names or len(set(names)) != len(names):
            raise ConfigError(f"distillation needs teachers with distinct names; got {names}")
        # What each teacher covers: published ones state it, the others will learn the types of their corpora.
        recipes = {t.name: load_config(FinetuneConfig, t.finetune) for t in config.teachers if t.finetune}
        teachers = {t.name: _open(t, t.path, space) for t in config.teachers if t.path}
        covers = [
            teachers[t.name].covers if t.name in teachers else _planned(t, recipes[t.name]) for t in config.teachers
        ]
        # The aggregator checks that all types are covered; terms that read each teacher alone need all types of each.
        Aggregator(space, covers, **dataclasses.asdict(config.aggregation))
        weighted = [name for name, weight in config.loss.terms.items() if weight > 0]
        if any("teacher_probs" in reads or "teacher_tags" in reads for reads in _reads(weighted)):
            check_same_types(space, covers)
        return cls(run, space, tags, recipes, teachers)

    @property
    def in_order(self) -> list[Teacher]:
        """The teachers in the configuration's order."""
        return [self.teachers[teacher.name] for teacher in self.run.config.teachers]

    def stages(self, models: Sequence[str]) -> dict[str, float]:
        """Return the stages of the run with their weights, passes over training sentences.

        A pass in which a teacher only answers counts a third of one that trains.

        Args:
            models (`Sequence[str]`): Names of the baselines and the student.
        """
        rows = sum(len(corpus.splits.get("train", ())) for corpus in self.run.corpora)
        own = {corpus.path: len(corpus.splits.get("train", ())) for corpus in self.run.corpora}
        trained = {
            f"teacher {name}": sum(own.get(corpus.path, rows) for corpus in recipe.corpora) * _epochs(recipe.training)
            for name, recipe in self.recipes.items()
        }
        weights = dict.fromkeys(models, rows * _epochs(self.run.config.training))
        return {**trained, OUTPUTS: rows * len(self.run.config.teachers) / 3, **weights}

    def prepare(self, stages: Stages) -> None:
        """Train the teachers that are to be trained, unless they are finished, and open all.

        They are not pushed, whatever their own files say: a distillation publishes its student.

        Args:
            stages (`Stages`): The stages of the run, see :meth:`stages`.
        """
        by_name = {teacher.name: teacher for teacher in self.run.config.teachers}
        for name, recipe in self.recipes.items():
            recipe = dataclasses.replace(recipe, resume=True, push_to_hub=None)
            if (Path(recipe.output_dir) / DONE_FILE).exists():
                stages.skip(f"teacher {name}")
                finetune(recipe)
            else:
                with stages(f"teacher {name}"):
                    finetune(recipe)
            self.teachers[name] = _open(by_name[name], recipe.output_dir, self.space)

    def job(self, loss: Mixture, sources: Sequence[ColumnSource] = ()) -> Job:
        """Return the training of a model of the run."""
        config = self.run.config
        return Job(
            self.run.corpora,
            self.space,
            self.tags,
            config.encoding,
            config.training,
            config.seed,
            loss,
            sources,
            [teacher.covers for teacher in self.in_order],
        )

    def open_columns(self, reads: set[str]) -> list[ColumnSource]:
        """Open the teachers' columns that the loss reads; those that the cache lacks are computed first."""
        from hf_bionerkd.data import join_corpora

        outputs = self.run.config.teacher_outputs
        return open_columns(
            reads,
            self.in_order,
            join_corpora(self.run.corpora, "train", self.space),
            self.space,
            cache_dir=cache_dir(self.run.config),
            mode=outputs.mode,
            aggregation=dataclasses.asdict(self.run.config.aggregation),
            rows_per_part=outputs.rows_per_part,
            processes=self.run.processes,
        )

    def measure_teachers(self) -> Metrics:
        """Score each teacher on the test split of every corpus that annotates one of its types."""
        evaluator = MentionEvaluator.of(self.run.corpora, "test", self.space)
        taggers = {f"teacher {teacher.name}": teacher for teacher in self.in_order}
        return evaluator.together(taggers, processes=self.run.processes, bootstrap=BOOTSTRAP)

    def infos(self) -> list[TeacherInfo]:
        """Return the entries of the teachers in the student's card."""
        return [
            TeacherInfo(teacher.name, teacher.path, teacher.types, teacher.commit or teacher.revision)
            for teacher in self.in_order
        ]


def _epochs(training: Mapping[str, Any]) -> float:
    return float(training.get("num_train_epochs", 3.0))


def cache_dir(config: DistillConfig) -> Path:
    """Return the folder of the run's caches."""
    return Path(config.teacher_outputs.cache_dir or Path(config.output_dir) / OUTPUTS_FOLDER)


def _reads(terms: Sequence[str]) -> list[tuple[str, ...]]:
    return [make_term(name).reads for name in terms]


def _open(config: TeacherConfig, path: str, space: LabelSpace) -> Teacher:
    return Teacher(
        path,
        name=config.name,
        types=config.types,
        weight=config.weight,
        revision=config.revision,
        max_length=config.max_length,
        overlap=config.overlap,
        batch_size=config.batch_size,
        trust_remote_code=config.trust_remote_code,
        student_types=space.types,
    )


def _planned(config: TeacherConfig, recipe: FinetuneConfig) -> TeacherTypes:
    """Return the types that a teacher will cover, those of the corpora that it is to be trained on."""
    from hf_bionerkd.runs import label_space, load_corpora, pin_sources

    pinned, _ = pin_sources(recipe, recipe.output_dir, where=config.finetune or "")
    own = label_space(pinned.types, load_corpora(pinned.corpora)).types
    mapping = config.types or {kind: kind for kind in own}
    unknown = sorted(set(mapping) - set(own))
    if unknown:
        raise LabelError(
            f"teacher {config.name!r} of {config.finetune}: `types` names {unknown}, but its corpora annotate "
            f"{list(own)}"
        )
    covered = dict.fromkeys(mapping[kind] for kind in own if kind in mapping)  # two may share a name
    return TeacherTypes(config.name, tuple(covered), config.weight)

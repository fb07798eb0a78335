"""One YAML file is one run: what it may hold. :mod:`~hf_bionerkd.runs.config_loading` reads it.

Values only: no class paths, no expressions. Relative paths count from the working directory. The `Args` of each class
are what ``--help`` and the reference of keys show (:mod:`~hf_bionerkd.runs.config_help`). Nothing here loads torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal

from hf_bionerkd.runs.config_sections import (
    AggregationConfig,
    ConfigError,
    CorpusConfig,
    EncodingConfig,
    HubConfig,
    LoraConfig,
    LossConfig,
    ModelConfig,
    TeacherConfig,
    TeacherEncodingConfig,
    TeacherOutputsConfig,
    refuse_idle,
)

MAX_SEED = 2**32 - 1  # numpy accepts no larger one


@dataclass(kw_only=True)
class RunConfig:
    """What every run has.

    Args:
        output_dir (`str`): The folder of the run; everything that it makes goes there.
        seed (`int`, *optional*, defaults to 13): Seed of everything random.
        training (`dict`, *optional*): Values of `transformers.TrainingArguments`; and `early_stopping_patience`:
            evaluations in a row without a better score after which the training ends.
        resume (`bool`, *optional*, defaults to `False`): Continue a killed run from its last checkpoint.
        overwrite (`bool`, *optional*, defaults to `False`): Delete what `output_dir` holds and start again.
        push_to_hub (`str`, *optional*): Hub id (``org/name``) that the result is published as.
        hub (`HubConfig`, *optional*): How it is published.
        card (`str`, *optional*): A `model_cards/<model>/card.yaml`: what people say of the model on its card.
    """

    output_dir: str
    seed: int = 13
    training: dict[str, Any] = field(default_factory=dict)
    resume: bool = False
    overwrite: bool = False
    push_to_hub: str | None = None
    hub: HubConfig = field(default_factory=HubConfig)
    card: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.seed <= MAX_SEED:
            raise ConfigError(f"seed is a whole number from 0 to {MAX_SEED}, not {self.seed}")

    def training_sections(self) -> list[dict[str, Any]]:
        """Return every section of values of `transformers.TrainingArguments`."""
        return [self.training]

    def sections(self) -> Iterator[tuple[str, Any]]:
        """Go through the sections of the configuration, at any depth.

        Returns:
            The dotted key of each section and the section itself, such as ``("corpora.0", CorpusConfig(…))``.
        """
        yield from _sections(self, "")

    def check_paths(self) -> None:
        """Check that the files and folders that the configuration names exist, before anything heavy is imported.

        Names on the Hub are not asked for.

        Raises:
            ConfigError: A path and its revision contradict each other, or a configuration is missing.
            FileNotFoundError: A folder or file is missing.
        """
        if self.card and not Path(self.card).exists():
            raise FileNotFoundError(f"card: there is no file {self.card}")
        for key, section in self.sections():
            section.check_paths(key)


@dataclass(kw_only=True)
class FinetuneConfig(RunConfig):
    """A run of `recipes/finetune.py`: one supervised token classifier.

    Args:
        output_dir (`str`): Where the model, its card, metrics and configuration go.
        corpora (`list[CorpusConfig]`): One corpus, or several laid end to end.
        model (`ModelConfig`): What to train.
        types (`list[str]`, *optional*): Label order; by default the corpora's types in order of appearance.
        encoding (`TeacherEncodingConfig`, *optional*): How words become model input.
        gold_outside (`str`, *optional*, defaults to `"all"`): What gold ``O`` means; see :class:`LossConfig`.
        lora (`LoraConfig`, *optional*): Train adapters instead of all weights.
        push_to_hub (`str`, *optional*): Hub id (``org/name``) that the model is published as.
    """

    corpora: list[CorpusConfig]
    model: ModelConfig
    types: list[str] = field(default_factory=list)
    encoding: TeacherEncodingConfig = field(default_factory=TeacherEncodingConfig)
    gold_outside: Literal["all", "entities", "partial"] = "all"
    lora: LoraConfig | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.lora and self.hub.strategy != "end":
            raise ConfigError(
                f"hub.strategy is {self.hub.strategy}, but checkpoints of a run with `lora` hold adapters, no whole "
                "model; use hub.strategy: end, which publishes the merged weights"
            )


@dataclass(kw_only=True)
class DistillConfig(RunConfig):
    """A run of `recipes/distill.py`: many single-type teachers into one multi-type student.

    Args:
        output_dir (`str`): Where the student, the baselines, the report and the configuration go.
        corpora (`list[CorpusConfig]`): The single-type corpora, laid end to end in this order.
        student (`ModelConfig`): What to train.
        teachers (`list[TeacherConfig]`): Who teaches, in the order of aggregation.
        types (`list[str]`, *optional*): Label order; by default the corpora's types in order of appearance.
        encoding (`EncodingConfig`, *optional*): How words become model input.
        aggregation (`AggregationConfig`, *optional*): How teachers are put together.
        loss (`LossConfig`, *optional*): The student's loss.
        teacher_outputs (`TeacherOutputsConfig`, *optional*): Where the teachers' outputs come from.
        baselines (`list[str]`, *optional*): Models trained beside the student for the table: `"merged"` (lam 0, gold
            ``O`` = all; the paper's baseline), `"partial"` (lam 0, gold ``O`` = partial). With tag pairs they see each
            sentence under its corpus's tag or ``<all>``, as the student does.
        training (`dict`, *optional*): Values of `transformers.TrainingArguments` for student and baselines; and
            `early_stopping_patience`: evaluations in a row without a better score after which a training ends.
        resume (`bool`, *optional*, defaults to `False`): Continue a killed run.
        push_to_hub (`str`, *optional*): Hub id (``org/name``) that the student is published as.
    """

    corpora: list[CorpusConfig]
    student: ModelConfig
    teachers: list[TeacherConfig]
    types: list[str] = field(default_factory=list)
    encoding: EncodingConfig = field(default_factory=EncodingConfig)
    aggregation: AggregationConfig = field(default_factory=AggregationConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    teacher_outputs: TeacherOutputsConfig = field(default_factory=TeacherOutputsConfig)
    baselines: list[Literal["merged", "partial"]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        if "kd" not in self.loss.terms:
            idle = {
                f"aggregation.{key}": value != getattr(AggregationConfig(), key)
                for key, value in vars(self.aggregation).items()
            }
            refuse_idle(
                idle, f"only the term kd puts teachers together; the loss's terms are {', '.join(self.loss.terms)}"
            )
        workers = self.training.get("dataloader_num_workers")
        if self.teacher_outputs.mode == "online" and workers:
            raise ConfigError(
                f"teacher_outputs.mode is online, where teachers answer in the training process; that needs "
                f"training.dataloader_num_workers: 0, not {workers}"
            )


def _sections(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    if is_dataclass(value):
        if key:
            yield key, value
        items: Any = ((entry.name, getattr(value, entry.name)) for entry in fields(value))
    else:
        items = enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        yield from _sections(item, f"{key}.{name}" if key else str(name))

"""The training and measuring of one model: what teachers, students and baselines have in common."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers.integrations import TensorBoardCallback

from hf_bionerkd.data import Corpus
from hf_bionerkd.encoding import TagPairs
from hf_bionerkd.evaluation import Bootstrap, Metrics, averaged_as, write_metrics
from hf_bionerkd.inference import WordTagger
from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.losses import Mixture, mixture_of
from hf_bionerkd.runs.arguments import check_patience, training_arguments
from hf_bionerkd.runs.config_sections import EncodingConfig
from hf_bionerkd.runs.folder import VALIDATION_FILE
from hf_bionerkd.teachers import JOINT_COLUMNS, TEACHER_COLUMNS, ColumnSource, TeacherTypes
from hf_bionerkd.training import (
    MentionEvaluator,
    MultiTeacherTrainer,
    TokenClassificationTrainer,
    WindowSettings,
    asked_by_corpus,
    launched_processes,
)
from hf_bionerkd.training.checkpoints import drop_unusable, find_resumption

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast, TrainerCallback

BOOTSTRAP = Bootstrap()


@dataclass
class Job:
    """The data, labels, settings and loss of one training: all that it needs but a model.

    Args:
        corpora (`Sequence[Corpus]`): The corpora, which are read one after the other.
        space (`LabelSpace`): The label space of the model.
        tags (`TagPairs`): The tag pairs of the corpora.
        encoding (`EncodingConfig`): How words become input.
        training (`dict`): Values of `TrainingArguments`.
        seed (`int`): The seed of everything random.
        loss (`Mixture`, *optional*): The weighted terms; gold labels, taken literally, by default.
        sources (`Sequence[ColumnSource]`, *optional*): The columns of teachers that the loss reads.
        teachers (`Sequence[TeacherTypes]`, *optional*): The types that each teacher covers.
    """

    corpora: Sequence[Corpus]
    space: LabelSpace
    tags: TagPairs
    encoding: EncodingConfig
    training: dict[str, Any]
    seed: int
    loss: Mixture = field(default_factory=lambda: mixture_of({"gold": 1.0}, {"gold": {"outside": "all"}}))
    sources: Sequence[ColumnSource] = ()
    teachers: Sequence[TeacherTypes] = ()

    @property
    def distils(self) -> bool:
        """Whether a term with weight reads what teachers say."""
        return bool(self.loss.reads & {*JOINT_COLUMNS, *TEACHER_COLUMNS})

    @property
    def windows(self) -> WindowSettings:
        """How words become input, as the Trainer takes it."""
        encoding = self.encoding
        return WindowSettings(encoding.max_length, encoding.overlap, encoding.subwords, encoding.neutral_tag_rate)


def make_trainer(
    job: Job,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    checkpoints: str | Path,
    callbacks: Sequence[TrainerCallback] = (),
    logs: str | Path | None = None,
) -> TokenClassificationTrainer:
    """Make the Trainer of a job, which evaluates on the validation split; TensorBoard's events go into `logs`.

    Raises:
        ConfigError: A training argument is wrong.
        ValueError: The model reads fewer pieces than `encoding.max_length`.
    """
    args = training_arguments(job.training, output_dir=str(checkpoints), seed=job.seed)
    shared: dict[str, Any] = {
        "train_dataset": job.corpora,
        "eval_dataset": None if args.eval_strategy != "no" else [],
        "processing_class": tokenizer,
        "space": job.space,
        "tags": job.tags,
        "windows": job.windows,
        "loss": job.loss,
        "sources": job.sources,
        "callbacks": list(callbacks),
        "early_stopping_patience": check_patience(job.training),
    }
    # Only a job that reads what teachers say needs the Trainer of several teachers.
    if job.distils:
        trainer: TokenClassificationTrainer = MultiTeacherTrainer(model, args, teachers=job.teachers, **shared)
    else:
        trainer = TokenClassificationTrainer(model, args, **shared)
    # By itself TensorBoard writes beside the checkpoints, which are deleted at the end.
    for callback in trainer.callback_handler.callbacks:
        if isinstance(callback, TensorBoardCallback) and callback.logging_dir is None and logs is not None:
            callback.logging_dir = str(logs)
    return trainer


def train(
    job: Job,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    checkpoints: str | Path,
    *,
    resume: bool,
    callbacks: Sequence[TrainerCallback] = (),
    logs: str | Path | None = None,
) -> TokenClassificationTrainer:
    """Train, with `resume` from the last whole checkpoint if there is one, and keep the best epoch on validation.

    Checkpoints that are damaged or were cut off are named, and made again.
    """
    trainer = make_trainer(job, model, tokenizer, checkpoints, callbacks, logs)
    start = None
    if resume:
        start = launched_processes().broadcast(_resumption(checkpoints, bool(trainer.args.load_best_model_at_end)))
    trainer.train(resume_from_checkpoint=start)
    return trainer


def _resumption(checkpoints: str | Path, needs_best: bool) -> str | None:
    """Choose the checkpoint to go on from, in the main process; newer ones that are damaged are named and deleted."""
    if not launched_processes().is_main:
        return None
    resumption = find_resumption(checkpoints, needs_best=needs_best)
    if resumption.problems:
        start = f"going on from {resumption.checkpoint}" if resumption.checkpoint else "training begins anew"
        print("; ".join([*resumption.problems, start]), flush=True)
        drop_unusable(checkpoints, resumption)
    return resumption.checkpoint


def taggers_of(
    job: Job, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, batch_size: int = 32
) -> dict[str, WordTagger]:
    """Return one tagger per tag of a model, by the tag's name; under ``""`` for a model without tags."""
    encoding = job.encoding
    return WordTagger.by_tag(
        model,
        tokenizer,
        job.tags,
        max_length=encoding.max_length,
        overlap=encoding.overlap,
        batch_size=batch_size,
    )


def measure(
    job: Job, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, name: str, split: str = "test"
) -> Metrics:
    """Score a trained model on a split under ``<all>`` and, where it has that tag, under each corpus's own as well.

    The latter scores bear the name that :func:`corpus_tags` returns. A model without ``<all>`` is asked about each
    corpus under that corpus's tag alone. Processes share the sentences.
    """
    evaluator = MentionEvaluator.of(job.corpora, split, job.space)
    taggers = taggers_of(job, model, tokenizer)
    processes = launched_processes()
    asked = asked_by_corpus(taggers, job.tags, evaluator.corpora)
    metrics = evaluator(name, asked, processes=processes, bootstrap=BOOTSTRAP)
    if job.tags.neutral:
        own = [taggers[corpus.name] for corpus in job.corpora]
        metrics += evaluator(corpus_tags(name), own, processes=processes, bootstrap=BOOTSTRAP)
    return metrics


def record_validation(
    job: Job, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, name: str, folder: str | Path
) -> None:
    """Write what a trained model scores on validation; use these scores to choose between runs, never those on test.

    Nothing is written where no corpus has a validation split.
    """
    if any("validation" in corpus.splits for corpus in job.corpora):
        metrics = measure(job, model, tokenizer, name, "validation")
        if launched_processes().is_main:
            Path(folder).mkdir(parents=True, exist_ok=True)
            write_metrics(Path(folder) / VALIDATION_FILE, metrics)
            if not any(row.counts.tp + row.counts.fp for row in metrics.lenient):
                print(
                    f"{name} marks no mention on validation: it has learned nothing yet. Train longer (training."
                    "num_train_epochs), or raise training.learning_rate",
                    flush=True,
                )


def corpus_tags(name: str) -> str:
    """Return the name, in tables, of a model that was asked under each corpus's own tag pair."""
    return f"{name}, corpus tags"


def drop_checkpoints(checkpoints: str | Path) -> None:
    """Remove the checkpoints of a training whose model has been published."""
    shutil.rmtree(checkpoints, ignore_errors=True)


def renamed(metrics: Metrics, model: str) -> Metrics:
    """Return the same metrics under another name of the model."""
    strict, lenient = (tuple(replace(row, model=model) for row in rows) for rows in (metrics.strict, metrics.lenient))
    # One model has one average.
    of_strict, of_lenient = (
        {averaged_as(model): ends for ends in intervals.values()}
        for intervals in (metrics.strict_intervals, metrics.lenient_intervals)
    )
    return replace(metrics, strict=strict, lenient=lenient, strict_intervals=of_strict, lenient_intervals=of_lenient)

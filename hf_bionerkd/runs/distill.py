"""Distil teachers into one student: many single-type ones (TaughtNet), two complementary ones (Zhou et al.), or one.

A run's folder::

    run.yaml                  the configuration
    teacher_outputs/          the teachers' answers for every training sentence
    merged/ partial/          baselines, where the configuration asks for them
    student/                  the model that is published
    logs/                     what a tracker such as TensorBoard writes, a folder per model
    metrics.json              scores of all of them on test; written last
"""

from __future__ import annotations

import os
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hf_bionerkd.runs import ConfigError, DistillConfig
from hf_bionerkd.runs.finetune import CHECKPOINTS, LOGS

if TYPE_CHECKING:
    from hf_bionerkd.evaluation import Metrics
    from hf_bionerkd.hub import HumanCard
    from hf_bionerkd.losses import Mixture
    from hf_bionerkd.runs import Job, Run, Teaching

STUDENT = "student"
_EXAMPLE = "In patients with aspirin-induced asthma, expression of TP53 was reduced."


@dataclass(frozen=True)
class DistillResult:
    """The result of a distillation.

    Args:
        folder (`Path`): The run's folder; the student lies in its folder ``student``.
        metrics (`Metrics`): Scores of teachers, baselines and student on test.
        was_finished (`bool`, *optional*, defaults to `False`): Whether the folder held this run already, complete.
        pushed (`str`, *optional*): Where the student was pushed to; empty for a run that is not to be published.
    """

    folder: Path
    metrics: Metrics
    was_finished: bool = False
    pushed: str = ""

    @property
    def student(self) -> Path:
        """The folder of the student."""
        return self.folder / STUDENT

    def report(self) -> str:
        """Return the table, where the student lies, and a line to paste."""
        from hf_bionerkd.evaluation import text_table
        from hf_bionerkd.inference.plain_pipeline import strategy_of

        # The line to paste: this Python, and the student's own code where it has some.
        python = os.path.relpath(sys.executable) if sys.executable.startswith(os.getcwd()) else sys.executable
        own_code = any(self.student.glob("*.py"))  # this package's, which the run has written there
        options = f"aggregation_strategy='{strategy_of(self.student)}'" + (
            f", trust_remote_code={own_code}" if own_code else ""
        )
        command = (
            f"{python} -c \"from transformers import pipeline; print(*pipeline('token-classification', "
            f"'{self.student}', {options})('{_EXAMPLE}'), sep='\\n')\""
        )
        # What is shown, from the table to where the student was pushed to.
        before = f"{self.folder} holds this run already, finished; overwrite=true runs it again.\n"
        table = text_table(self.metrics.strict, "strict F1 on test, percent", self.metrics.strict_intervals)
        parts = [
            before if self.was_finished else "",
            f"{table}\n",
            f"student: {self.student}\ntry it:\n\n{command}",
            f"\n{self.pushed}" if self.pushed else "",
        ]
        return "\n".join(filter(None, parts))


def distill(config: DistillConfig) -> DistillResult:
    """Run a distillation: teachers, their outputs, the student, its baselines, one table.

    Args:
        config (`DistillConfig`): The run. A finished run is not repeated; a killed one goes on with `resume`.

    Returns:
        The folder of the student, and all scores on test.

    Raises:
        ConfigError: The output folder holds something else, or the configuration does not fit the corpora.
        LabelError: The teachers do not cover the student's types, or cover others.
        HubError: The run is to be published, and the Hub refuses; known before training.

    Example:
        ```python
        from hf_bionerkd.runs.config_loading import load_config

        result = distill(load_config(DistillConfig, "recipes/demo/distill.yaml", ["output_dir=runs/mine"]))
        print(result.report())
        ```

    Source: Moscato et al. 2023 (TaughtNet); Zhou et al. 2021; Han et al. 2023.
    """
    from hf_bionerkd.evaluation import Metrics
    from hf_bionerkd.runs import Run, Stages
    from hf_bionerkd.runs.folder import DONE_FILE
    from hf_bionerkd.runs.teaching import OUTPUTS

    # Everything is checked before anything is written.
    with Run.open(config, before=_loss_and_hub, prepare=_plan) as run:
        if run.finished:
            return _pushed(run, DistillResult(run.folder, run.metrics(), was_finished=True))
        teaching: Teaching = run.plan
        stages = Stages(teaching.stages((*run.config.baselines, STUDENT)), main=run.processes.is_main)
        # The teachers, and what they say of every training sentence.
        teaching.prepare(stages)
        losses = losses_of(run.config)
        with stages(OUTPUTS):
            sources = teaching.open_columns(losses[STUDENT].reads)
            metrics = teaching.measure_teachers()
        # The baselines learn from gold labels alone, the student from what the teachers say, too.
        for name in (*run.config.baselines, STUDENT):
            job = teaching.job(losses[name], sources if name == STUDENT else ())
            before = metrics if name == STUDENT else Metrics(())
            if (run.folder / name / DONE_FILE).exists():
                stages.skip(name)
                metrics += train_model(run, job, name, teaching, before)
            else:
                with stages(name):
                    metrics += train_model(run, job, name, teaching, before)
        if run.processes.is_main:
            run.finish(metrics)
        return _pushed(run, DistillResult(run.folder, metrics))


def losses_of(config: DistillConfig) -> dict[str, Mixture]:
    """Return the loss of the student and of each baseline: gold labels alone, ``O`` read as its name says.

    Args:
        config (`DistillConfig`): The run; an argument in `loss.options` goes before its short form, such as
            `loss.temperature`.

    Raises:
        ConfigError: A term does not take what `loss.options` gives it.
    """
    from hf_bionerkd.losses import mixture_of

    loss = config.loss
    short = {"gold": {"outside": loss.gold_outside}, "tempered": {"temperature": loss.temperature}}
    options = {name: {**short.get(name, {}), **loss.options.get(name, {})} for name in {**short, **loss.options}}
    try:
        student = mixture_of(loss.terms, options)
    except ValueError as error:
        raise ConfigError(f"loss.options: {error}") from None
    return {
        "merged": mixture_of({"gold": 1.0}, {"gold": {"outside": "all"}}),
        "partial": mixture_of({"gold": 1.0}, {"gold": {"outside": "partial"}}),
        STUDENT: student,
    }


def train_model(run: Run[DistillConfig], job: Job, name: str, teaching: Teaching, before: Metrics) -> Metrics:
    """Train, measure and publish the student or a baseline; read it back where it is finished.

    Args:
        run (`Run`): The run.
        job (`Job`): The training of the model.
        name (`str`): ``student``, or the baseline's name.
        teaching (`Teaching`): The run's teachers.
        before (`Metrics`): The scores of other models that its card shows.
    """
    from transformers import set_seed

    from hf_bionerkd.evaluation import read_metrics
    from hf_bionerkd.hub import HumanCard
    from hf_bionerkd.runs.card_info import card_info
    from hf_bionerkd.runs.folder import DONE_FILE, versions
    from hf_bionerkd.runs.loading import make_model, make_tokenizer
    from hf_bionerkd.runs.publishing import checkpoint_callbacks
    from hf_bionerkd.runs.training_run import corpus_tags, drop_checkpoints, measure, record_validation, train

    # A finished model is not trained again.
    config, folder, is_student = run.config, run.folder / name, name == STUDENT
    checkpoints = folder / CHECKPOINTS
    if (folder / DONE_FILE).exists():
        if run.processes.is_main:
            drop_checkpoints(checkpoints)  # a run that was killed at its end may have left them
        return read_metrics(folder / DONE_FILE).of(name, corpus_tags(name))
    # The seed is set anew for each model, so that none depends on which others are trained.
    set_seed(config.seed)
    length = int(config.student.architecture.get("max_position_embeddings", 512))
    tokenizer = make_tokenizer(config.student, job.corpora, length)
    model, tokenizer = make_model(config.student, tokenizer, job.tags, job.space, job.encoding.max_length)
    callbacks = checkpoint_callbacks(run.asked) if is_student else []
    logs = run.folder / LOGS / name
    trainer = train(job, model, tokenizer, checkpoints, resume=True, callbacks=callbacks, logs=logs)
    model = trainer.student
    # Its scores, and its folder with the card.
    record_validation(job, model, tokenizer, name, folder)
    metrics = measure(job, model, tokenizer, name)
    if run.processes.is_main:
        human: HumanCard = run.human if is_student else HumanCard()
        info = card_info(
            job,
            model,
            (config.push_to_hub if is_student else None) or name,
            before + metrics,
            results_model=name,
            tokenizer=tokenizer,
            base_model=config.student.path,
            base_commit=config.student.revision,
            teachers=teaching.infos() if is_student else [],
            aggregation=asdict(config.aggregation),
            versions=versions(),
            human=human,
        )
        run.publish(folder, model, tokenizer, job.tags, info)
        drop_checkpoints(checkpoints)
    run.processes.wait()
    return metrics


def _plan(run: Run[DistillConfig]) -> Teaching:
    """Check the teachers, and try the student: it is made only after the teachers have been trained."""
    from hf_bionerkd.runs import Teaching, try_model

    teaching, config = Teaching.plan(run), run.config
    try_model(config, "student", config.student, teaching.space, teaching.tags, config.encoding)
    return teaching


def _loss_and_hub(config: DistillConfig) -> HumanCard:
    """Check the loss and, for a run that is to be published, the Hub; fetch what the run has pushed there before."""
    from hf_bionerkd.runs import fetch_run
    from hf_bionerkd.runs.publishing import check_publication

    losses_of(config)
    human = check_publication(config)
    fetch_run(config, Path(config.output_dir) / STUDENT / CHECKPOINTS)
    return human


def _pushed(run: Run[DistillConfig], result: DistillResult) -> DistillResult:
    """Push the student, if it is to be published; the table is shown even if that fails."""
    from hf_bionerkd.runs.publishing import push_finished

    if not run.processes.is_main:
        return result
    return replace(result, pushed=push_finished(result.student, run.asked, result.report))

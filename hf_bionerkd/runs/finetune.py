"""The training of one supervised token classifier, such as a teacher, up to its published folder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hf_bionerkd.runs import FinetuneConfig

if TYPE_CHECKING:
    from hf_bionerkd.encoding import TagPairs
    from hf_bionerkd.evaluation import Metrics
    from hf_bionerkd.hub import HumanCard
    from hf_bionerkd.labels import LabelSpace
    from hf_bionerkd.runs import Run

CHECKPOINTS = "checkpoints"
LOGS = "logs"


@dataclass(frozen=True)
class FinetuneResult:
    """The result of a fine-tuning.

    Args:
        folder (`Path`): The folder of the model.
        metrics (`Metrics`): Its scores on test.
        pushed (`str`, *optional*): Where it was pushed to; empty for a run that is not to be published.
    """

    folder: Path
    metrics: Metrics
    pushed: str = ""

    def report(self) -> str:
        """Return the table and where the model lies."""
        from hf_bionerkd.evaluation import text_table

        table = text_table(self.metrics.strict, intervals=self.metrics.strict_intervals)
        return "\n".join(filter(None, [f"{table}\n\nmodel: {self.folder}", self.pushed]))


def finetune(config: FinetuneConfig) -> FinetuneResult:
    """Run a fine-tuning from its configuration to the published folder, and push it where it is to be.

    Args:
        config (`FinetuneConfig`): The run. A finished run is not repeated; a killed one goes on with `resume`.

    Returns:
        The folder of the model, and its scores on the test split.

    Raises:
        ConfigError: The output folder holds something else, or the configuration does not fit the corpora.
        HubError: The run is to be published, and the Hub refuses; known before training.
    """
    from transformers import set_seed

    from hf_bionerkd.losses import mixture_of
    from hf_bionerkd.runs import Run
    from hf_bionerkd.runs.card_info import card_info
    from hf_bionerkd.runs.folder import versions
    from hf_bionerkd.runs.loading import make_model, make_tokenizer
    from hf_bionerkd.runs.publishing import checkpoint_callbacks
    from hf_bionerkd.runs.training_run import Job, drop_checkpoints, measure, record_validation, train
    from hf_bionerkd.training import add_adapters

    # Everything is checked before anything is written.
    with Run.open(config, before=_may_be_published, prepare=_labels_and_tags) as run:
        checkpoints = run.folder / CHECKPOINTS
        if run.finished:
            if run.processes.is_main:
                drop_checkpoints(checkpoints)  # a run that was killed at its end may have left them
            return _pushed(run, run.metrics())
        # What the model learns from: gold labels.
        space, tags = run.plan
        loss = mixture_of({"gold": 1.0}, {"gold": {"outside": run.config.gold_outside}})
        job = Job(run.corpora, space, tags, run.config.encoding, run.config.training, run.config.seed, loss)
        # The model, with adapters where they are asked for.
        set_seed(run.config.seed)
        length = int(run.config.model.architecture.get("max_position_embeddings", 512))
        vocabulary = make_tokenizer(run.config.model, run.corpora, length)
        model, tokenizer = make_model(run.config.model, vocabulary, tags, space, job.encoding.max_length)
        if lora := run.config.lora:
            model = add_adapters(
                model,
                r=lora.r,
                alpha=lora.alpha,
                dropout=lora.dropout,
                target_modules=lora.target_modules,
                tag_ids=tokenizer.convert_tokens_to_ids(tags.tokens),
            )
        # The training, after which adapters become part of the weights.
        resume = run.state == "resumed"
        trainer = train(
            job,
            model,
            tokenizer,
            checkpoints,
            resume=resume,
            callbacks=checkpoint_callbacks(run.asked),
            logs=run.folder / LOGS,
        )
        model = trainer.student
        if run.config.lora:
            model = model.merge_and_unload()
        # Its scores, and its folder with the card.
        name = run.folder.name
        record_validation(job, model, tokenizer, name, run.folder)
        metrics = measure(job, model, tokenizer, name)
        if run.processes.is_main:
            info = card_info(
                job,
                model,
                run.config.push_to_hub or name,
                metrics,
                results_model=name,
                tokenizer=tokenizer,
                base_model=run.config.model.path,
                base_commit=run.config.model.revision,
                versions=versions(),
                human=run.human,
            )
            run.publish(run.folder, model, tokenizer, tags, info)
            drop_checkpoints(checkpoints)
        run.processes.wait()
        return _pushed(run, metrics)


def _may_be_published(config: FinetuneConfig) -> HumanCard:
    """Check the Hub, for a run that is to be published, and fetch what the run has pushed there before."""
    from hf_bionerkd.runs import fetch_run
    from hf_bionerkd.runs.publishing import check_publication

    human = check_publication(config)
    fetch_run(config, Path(config.output_dir) / CHECKPOINTS)
    return human


def _labels_and_tags(run: Run[FinetuneConfig]) -> tuple[LabelSpace, TagPairs]:
    from hf_bionerkd.runs import try_model

    config, encoding = run.config, run.config.encoding
    space = run.space(config.types)
    tags = run.tags(neutral=False, mode=encoding.tag_pair, end_tag=encoding.end_tag)
    try_model(config, "model", config.model, space, tags, encoding, config.lora)
    return space, tags


def _pushed(run: Run[FinetuneConfig], metrics: Metrics) -> FinetuneResult:
    """Push the finished model, if it is to be published; the scores are shown even if that fails."""
    from hf_bionerkd.runs.publishing import push_finished

    result = FinetuneResult(run.folder, metrics)
    if not run.processes.is_main:
        return result
    return replace(result, pushed=push_finished(run.folder, run.asked, result.report))

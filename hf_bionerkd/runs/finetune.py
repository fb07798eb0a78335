"""Train one supervised token classifier and publish it into its folder: how teachers are made."""

from __future__ import annotations

from pathlib import Path

from hf_bionerkd.evaluation.report import Metrics, read_metrics
from hf_bionerkd.runs.arguments import training_arguments
from hf_bionerkd.runs.config import FinetuneConfig
from hf_bionerkd.runs.folder import DONE_FILE, claim_run, publish, read_run, versions
from hf_bionerkd.runs.loading import (
    add_adapters,
    check_splits,
    label_space,
    load_corpora,
    make_model,
    make_tags,
    make_tokenizer,
)
from hf_bionerkd.runs.publishing import check_publication, checkpoint_callbacks, fetch_run
from hf_bionerkd.runs.sources import pin_sources
from hf_bionerkd.runs.training_run import Job, card_info, drop_checkpoints, measure, record_validation, train


def finetune(config: FinetuneConfig) -> Metrics:
    """Run a fine-tuning from its configuration to the published folder; pushing that is the caller's.

    Args:
        config (`FinetuneConfig`): The run. A finished run is not repeated.

    Returns:
        Scores on the test split.

    Raises:
        ConfigError: The output folder holds something else, or the configuration does not fit the corpora.
        HubError: The run is to be published, and the Hub refuses; known before training.
    """
    from accelerate import PartialState
    from transformers import set_seed

    state = PartialState()
    folder = Path(config.output_dir)
    training_arguments(config.training, output_dir=str(folder), seed=config.seed)  # a mistake there shows at once
    human = check_publication(config)
    checkpoints = folder / "checkpoints"
    fetch_run(config, checkpoints)
    asked = config
    config, resolved = pin_sources(asked, folder)
    corpora = load_corpora(config.corpora)
    check_splits(corpora, config.training)
    space = label_space(config.types, corpora)
    opened = claim_run(folder, asked, resume=config.resume, overwrite=config.overwrite, resolved=resolved)
    if opened == "finished":
        if state.is_main_process:
            drop_checkpoints(checkpoints)  # of a run that was killed just before it did so
        return read_metrics(folder / DONE_FILE)
    tags = make_tags(config.encoding.tag_pair, corpora, neutral=False, end_tag=config.encoding.end_tag)
    job = Job(corpora, space, tags, config.encoding, config.training, config.seed, config.gold_outside)
    set_seed(config.seed)
    length = int(config.model.architecture.get("max_position_embeddings", 512))
    model, tokenizer = make_model(config.model, make_tokenizer(config.model, corpora, length), tags, space)
    if config.lora:
        model = add_adapters(model, config.lora, tokenizer.convert_tokens_to_ids(tags.tokens))
    callbacks = checkpoint_callbacks(config, tokenizer, tags)
    trainer = train(job, model, tokenizer, checkpoints, resume=opened == "resumed", callbacks=callbacks)
    model = trainer.student
    if config.lora:
        model = model.merge_and_unload()
    record_validation(job, model, tokenizer, folder.name, folder)
    metrics = measure(job, model, tokenizer, folder.name)
    if state.is_main_process:
        info = card_info(
            job,
            model,
            config.push_to_hub or folder.name,
            metrics,
            mixture=trainer.mixture,
            results_model=folder.name,
            tokenizer=tokenizer,
            base_model=config.model.path,
            base_commit=config.model.revision,
            versions=versions(),
            human=human,
        )
        publish(folder, model, tokenizer, tags, info, read_run(folder) or {})
        drop_checkpoints(checkpoints)
    state.wait_for_everyone()
    return metrics

"""Train one model: the part that teachers, students and baselines have in common."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_bionerkd.data.collators import TargetSource, TrainingWindows, WindowCollator
from hf_bionerkd.data.corpus import Corpus, join_corpora
from hf_bionerkd.data.encoding import WordEncoder
from hf_bionerkd.data.prediction import longest_input
from hf_bionerkd.data.tag_pairs import TagPairs
from hf_bionerkd.evaluation.report import Metrics
from hf_bionerkd.hub.cards import CorpusInfo, LossInfo, ModelCardInfo, TeacherInfo
from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.losses.hard import Outside, TokenNLL
from hf_bionerkd.losses.mixture import Mixture
from hf_bionerkd.teachers.aggregation import TeacherTypes
from hf_bionerkd.training.arguments import training_arguments
from hf_bionerkd.training.config import ConfigError, EncodingConfig
from hf_bionerkd.training.distillation_trainer import MultiTeacherTrainer
from hf_bionerkd.training.metrics import MentionEvaluator, model_tagging
from hf_bionerkd.training.runs import last_checkpoint
from hf_bionerkd.training.setup import named_types
from hf_bionerkd.training.trainer import TokenClassificationTrainer


@dataclass
class Job:
    """What one training needs beside its model.

    Args:
        corpora (`Sequence[Corpus]`): Laid end to end.
        space (`LabelSpace`): Labels.
        tags (`TagPairs`): Tag pairs.
        encoding (`EncodingConfig`): How words become input.
        training (`dict`): Values of `TrainingArguments`.
        seed (`int`): Seed of everything random.
        gold_outside (`str`): Treatment of gold ``O``.
        lam (`float`, *optional*, defaults to 0): Share of the teachers.
        targets (`TargetSource`, *optional*): The teachers' targets.
        teachers (`Sequence[TeacherTypes]`, *optional*): What the teachers cover.
    """

    corpora: Sequence[Corpus]
    space: LabelSpace
    tags: TagPairs
    encoding: EncodingConfig
    training: dict[str, Any]
    seed: int
    gold_outside: Outside
    lam: float = 0.0
    targets: TargetSource | None = None
    teachers: Sequence[TeacherTypes] = ()


def make_trainer(job: Job, model: Any, tokenizer: Any, checkpoints: str | Path) -> TokenClassificationTrainer:
    """Put data, losses, evaluation on the validation split and the Trainer together."""
    encoding, names = job.encoding, named_types(job.corpora)
    longest = longest_input(model, tokenizer, encoding.max_length)
    if encoding.max_length > longest:
        raise ConfigError(
            f"encoding.max_length is {encoding.max_length}, but the model reads at most {longest} pieces"
        )
    train = TrainingWindows(
        join_corpora(job.corpora, "train", job.space),
        WordEncoder(tokenizer, encoding.max_length, encoding.overlap, job.tags.room),
        job.space,
        names,
        job.tags,
        subwords=encoding.subwords,
        targets=job.targets if job.lam > 0 else None,
        neutral_tag_rate=encoding.neutral_tag_rate,
        seed=job.seed,
    )
    args = training_arguments(job.training, output_dir=str(checkpoints), seed=job.seed)
    shared: dict[str, Any] = {
        "model": model,
        "args": args,
        "train_dataset": train,
        "data_collator": WindowCollator(tokenizer.pad_token_id or 0),
        "gold": TokenNLL(job.gold_outside),
    }
    if args.eval_strategy != "no":
        shared["evaluator"] = MentionEvaluator(join_corpora(job.corpora, "validation", job.space), job.space, names)
        shared["tagging"] = taggings(job, model, tokenizer, args.per_device_eval_batch_size)[job.tags.default or ""]
    if job.lam > 0:
        return MultiTeacherTrainer(space=job.space, teachers=job.teachers, lam=job.lam, **shared)
    return TokenClassificationTrainer(**shared)


def train(
    job: Job, model: Any, tokenizer: Any, checkpoints: str | Path, *, resume: bool
) -> TokenClassificationTrainer:
    """Train, from the last checkpoint when `resume` is set and there is one; the best epoch on validation is kept."""
    trainer = make_trainer(job, model, tokenizer, checkpoints)
    trainer.train(resume_from_checkpoint=last_checkpoint(checkpoints) if resume else None)
    return trainer


def taggings(job: Job, model: Any, tokenizer: Any, batch_size: int) -> dict[str, Any]:
    """How to ask a model: under each of its tags, by name; under ``""`` when it has none."""
    names = job.tags.names or ("",)
    return {
        name: model_tagging(
            model, tokenizer, job.space, job.encoding, job.tags.around(name) if name else ((), ()), batch_size
        )
        for name in names
    }


def measure(job: Job, model: Any, tokenizer: Any, name: str, split: str = "test") -> Metrics:
    """Score a trained model on a split under its default tag and, where it has tags, under each corpus's own.

    The latter rows carry the name :func:`corpus_tags`. Processes share the rows.
    """
    evaluator = MentionEvaluator(join_corpora(job.corpora, split, job.space), job.space, named_types(job.corpora))
    ways = taggings(job, model, tokenizer, 32)
    found = score(evaluator, name, ways[job.tags.default or ""])
    if job.tags.neutral:
        found += score(evaluator, corpus_tags(name), [ways[corpus.name] for corpus in job.corpora])
    return found


def corpus_tags(name: str) -> str:
    """What the tables call a model that was asked under each corpus's own tag pair."""
    return f"{name}, corpus tags"


def score(evaluator: MentionEvaluator, name: str, tagging: Any, space: LabelSpace | None = None) -> Metrics:
    """Score whatever turns sentences into word distributions; all processes share the rows and get the sums."""
    import torch
    from accelerate import PartialState
    from accelerate.utils import reduce

    state = PartialState()
    found = evaluator(
        name,
        tagging,
        space,
        process_index=state.process_index,
        num_processes=state.num_processes,
        reduce=lambda counts: reduce(torch.from_numpy(counts).to(state.device), reduction="sum").cpu().numpy(),
    )
    return Metrics(tuple(found["strict"]), tuple(found["lenient"]))


def card_info(
    job: Job,
    model: Any,
    name: str,
    metrics: Metrics,
    *,
    mixture: Mixture,
    results_model: str,
    base_model: str | None,
    teachers: Sequence[TeacherInfo] = (),
    versions: dict[str, str],
) -> ModelCardInfo:
    """Gather what the model card says from what the run did."""
    parameters = sum(p.numel() for p in model.parameters())
    size = sum(p.numel() * p.element_size() for p in model.parameters()) / 1e6
    answers = {
        tag: "every type" if tag not in dict(named_types(job.corpora)) else f"as {tag} annotates"
        for tag in job.tags.names
    }
    return ModelCardInfo(
        name=name,
        types=job.space.types,
        labels=job.space.labels,
        base_model=base_model,
        tag_pairs=answers,
        default_tag=job.tags.default or "",
        teachers=teachers,
        corpora=[
            CorpusInfo(
                corpus.name,
                corpus.types,
                {split: len(rows) for split, rows in corpus.splits.items()},
                corpus.fingerprints.get("train", ""),
            )
            for corpus in job.corpora
        ],
        losses=_loss_infos(job, mixture),
        training_arguments=job.training,
        parameters=parameters,
        megabytes=size,
        seeds={"run": job.seed},
        versions=versions,
        metrics=metrics,
        results_model=results_model,
    )


def drop_checkpoints(checkpoints: str | Path) -> None:
    """Remove the checkpoints of a training whose model has been published."""
    shutil.rmtree(checkpoints, ignore_errors=True)


def _loss_infos(job: Job, mixture: Mixture) -> list[LossInfo]:
    from hf_bionerkd.losses.soft import SoftCrossEntropy

    described = {"kd": SoftCrossEntropy().describe(), "gold": TokenNLL(job.gold_outside).describe()}
    return [
        LossInfo(term.name, term.weight, described[term.name]["equation"], described[term.name]["citation"])
        for term in mixture.terms
        if term.weight > 0
    ]

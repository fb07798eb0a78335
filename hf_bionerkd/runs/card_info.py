"""The content of a model's card, gathered from a run; nothing in it is a local path."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from hf_bionerkd.data.corpus import Corpus
from hf_bionerkd.encoding.tag_pairs import TagPairs
from hf_bionerkd.encoding.word_reading import special_ids
from hf_bionerkd.evaluation.report import Metrics
from hf_bionerkd.hub.cards import CorpusInfo, LossInfo, ModelCardInfo, TeacherInfo
from hf_bionerkd.hub.human_card import HumanCard
from hf_bionerkd.hub.public_sources import public_source, without_paths
from hf_bionerkd.inference.plain_pipeline import plain_strategy
from hf_bionerkd.inference.speed import measure_throughput, some_sentences
from hf_bionerkd.models.auto import carry_code
from hf_bionerkd.runs.training_run import Job, taggers_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

_BATCH_SIZE = 32  # for the measurement of speed


def card_info(
    job: Job,
    model: PreTrainedModel,
    name: str,
    metrics: Metrics,
    *,
    tokenizer: PreTrainedTokenizerFast,
    results_model: str,
    base_model: str | None,
    base_commit: str | None = None,
    teachers: Sequence[TeacherInfo] = (),
    aggregation: Mapping[str, str] | None = None,
    versions: dict[str, str],
    human: HumanCard | None = None,
) -> ModelCardInfo:
    """Gather what the model card says from what the run did, and time the model.

    Args:
        job (`Job`): The training of the model.
        model (`PreTrainedModel`): The trained model.
        name (`str`): The model's name on the card: its Hub id, or its folder's name.
        metrics (`Metrics`): The scores on test.
        tokenizer (`PreTrainedTokenizerFast`): The model's tokenizer, which knows the tags.
        results_model (`str`): The name under which `metrics` has this model's scores.
        base_model (`str`, *optional*): The model that it was initialised from, a Hub id or path.
        base_commit (`str`, *optional*): The commit of that model on the Hub.
        teachers (`Sequence[TeacherInfo]`, *optional*): The teachers; their `source` may still be a path.
        aggregation (`Mapping[str, str]`, *optional*): How they are put together, which the card says where the loss
            reads their joint distribution.
        versions (`dict[str, str]`): The versions of the software.
        human (`HumanCard`, *optional*): The part of the card that people write.
    """
    return ModelCardInfo(
        name=name,
        types=job.space.types,
        labels=job.space.labels,
        human=human or HumanCard(),
        base_model=public_source(base_model, base_commit) if base_model else None,
        base_commit=base_commit or "",
        tag_pairs=_tag_answers(job),
        tag_templates=_tag_templates(job.tags, tokenizer),
        default_tag=job.tags.default or "",
        needs_remote_code=bool(carry_code(model)),
        strategy=plain_strategy(model, tokenizer),
        teachers=[_without_path(teacher) for teacher in teachers],
        corpora=[_corpus_info(corpus) for corpus in job.corpora],
        losses=loss_infos(job),
        aggregation=dict(aggregation or {}) if "joint_targets" in job.loss.reads else {},
        training_arguments=without_paths(job.training),
        parameters=sum(p.numel() for p in model.parameters()),
        megabytes=sum(p.numel() * p.element_size() for p in model.parameters()) / 1e6,
        throughput=measure_throughput(
            taggers_of(job, model, tokenizer, _BATCH_SIZE)[job.tags.default or ""].tags,
            some_sentences(job.corpora, 2000),
            model,
            _BATCH_SIZE,
        ),
        seeds={"run": job.seed},
        versions=versions,
        metrics=metrics,
        results_model=results_model,
        citations=["Zhang & Chen 2022"] if job.tags.names else [],
    )


def loss_infos(job: Job) -> list[LossInfo]:
    """Return equation, weight and source of each term that has weight, in the mixture's order."""
    return [
        LossInfo(each.name, each.weight, each.term.equation, each.term.citation)
        for each in job.loss.terms
        if each.weight > 0
    ]


def _without_path(teacher: TeacherInfo) -> TeacherInfo:
    commit = teacher.revision if re.fullmatch("[0-9a-f]{40}", teacher.revision) else None
    return replace(teacher, source=public_source(teacher.source, commit))


def _tag_answers(job: Job) -> dict[str, str]:
    """Return what a model answers under each of its tags, for its card."""
    # The targets of teachers cover every type under all tags.
    answers = dict.fromkeys(job.tags.names, "every type")
    for corpus in job.corpora:
        if corpus.name in answers:
            own = f"{', '.join(corpus.types)} as {corpus.name} annotates"
            answers[corpus.name] = f"every type; {own}" if job.distils else own
    return answers


def _tag_templates(tags: TagPairs, tokenizer: PreTrainedTokenizerFast) -> dict[str, list[str]]:
    """Return the pieces that the published tokenizer puts around a text ``$A``, by tag."""
    before, after = (tokenizer.convert_ids_to_tokens(list(side)) for side in special_ids(tokenizer))
    around = {name: tags.around(name) for name in tags.names}
    return {name: [*before, *opening, "$A", *closing, *after] for name, (opening, closing) in around.items()}


def _corpus_info(corpus: Corpus) -> CorpusInfo:
    return CorpusInfo(
        corpus.name,
        corpus.types,
        {split: len(rows) for split, rows in corpus.splits.items()},
        fingerprints=corpus.fingerprints,
        source=public_source(corpus.path, corpus.commit),
        commit=corpus.commit or "",
        license=corpus.license,
    )

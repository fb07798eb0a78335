"""Train one model: the part that teachers, students and baselines have in common."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hf_bionerkd.data.corpus import Corpus, join_corpora
from hf_bionerkd.encoding.encoding import WordEncoder, special_ids
from hf_bionerkd.encoding.tag_pairs import TagPairs
from hf_bionerkd.evaluation.report import Metrics, write_metrics
from hf_bionerkd.evaluation.significance import Bootstrap
from hf_bionerkd.hub.cards import CorpusInfo, ModelCardInfo, TeacherInfo, Throughput
from hf_bionerkd.hub.human_card import HumanCard
from hf_bionerkd.hub.public_sources import public_source, without_paths
from hf_bionerkd.inference.speed import measure_throughput, some_sentences
from hf_bionerkd.inference.word_tagger import longest_input
from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.losses.hard import Outside, TokenNLL
from hf_bionerkd.losses.mixture import Mixture, weighted
from hf_bionerkd.models.auto import carry_code
from hf_bionerkd.runs.arguments import training_arguments
from hf_bionerkd.runs.config import ConfigError, EncodingConfig
from hf_bionerkd.runs.folder import VALIDATION_FILE, last_checkpoint
from hf_bionerkd.runs.loading import named_types
from hf_bionerkd.runs.loss_infos import loss_infos
from hf_bionerkd.teachers.aggregation import TeacherTypes
from hf_bionerkd.teachers.outputs import TargetSource, TeacherSource
from hf_bionerkd.training.distillation_trainer import MultiTeacherTrainer
from hf_bionerkd.training.evaluator import MentionEvaluator, model_tagging
from hf_bionerkd.training.trainer import TokenClassificationTrainer, labels_words
from hf_bionerkd.training.training_windows import TrainingWindows, WindowCollator

_BOOTSTRAP = Bootstrap()


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
        terms (`Mapping[str, float]`, *optional*): Weights of the loss's terms; the gold term alone by default.
        temperature (`float`, *optional*, defaults to 2.0): Of the term `tempered`.
        targets (`TargetSource`, *optional*): The teachers' joint targets, for the term `kd`.
        said (`TeacherSource`, *optional*): What each teacher says, for terms that take them one by one.
        teachers (`Sequence[TeacherTypes]`, *optional*): What the teachers cover.
    """

    corpora: Sequence[Corpus]
    space: LabelSpace
    tags: TagPairs
    encoding: EncodingConfig
    training: dict[str, Any]
    seed: int
    gold_outside: Outside
    terms: Mapping[str, float] = field(default_factory=lambda: {"gold": 1.0})
    temperature: float = 2.0
    targets: TargetSource | None = None
    said: TeacherSource | None = None
    teachers: Sequence[TeacherTypes] = ()

    @property
    def distils(self) -> bool:
        """Whether any term but that of the gold labels has weight."""
        return any(weight > 0 for name, weight in self.terms.items() if name != "gold")


def make_trainer(
    job: Job, model: Any, tokenizer: Any, checkpoints: str | Path, callbacks: Sequence[Any] = ()
) -> TokenClassificationTrainer:
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
        subwords="first" if labels_words(model) else encoding.subwords,
        targets=job.targets if job.distils else None,
        teachers=job.said if job.distils else None,
        neutral_tag_rate=encoding.neutral_tag_rate,
        seed=job.seed,
    )
    args = training_arguments(job.training, output_dir=str(checkpoints), seed=job.seed)
    shared: dict[str, Any] = {
        "model": model,
        "args": args,
        "train_dataset": train,
        "data_collator": WindowCollator(tokenizer.pad_token_id or 0),
        "callbacks": list(callbacks),
        "gold": TokenNLL(job.gold_outside),
    }
    if args.eval_strategy != "no":
        shared["evaluator"] = MentionEvaluator(join_corpora(job.corpora, "validation", job.space), job.space, names)
        shared["tagging"] = taggings(job, model, tokenizer, args.per_device_eval_batch_size)[job.tags.default or ""]
    if job.distils:
        return MultiTeacherTrainer(
            space=job.space,
            teachers=job.teachers,
            mixture=weighted(job.terms),
            temperature=job.temperature,
            **shared,
        )
    return TokenClassificationTrainer(**shared)


def train(
    job: Job, model: Any, tokenizer: Any, checkpoints: str | Path, *, resume: bool, callbacks: Sequence[Any] = ()
) -> TokenClassificationTrainer:
    """Train, from the last checkpoint when `resume` is set and there is one; the best epoch on validation is kept."""
    trainer = make_trainer(job, model, tokenizer, checkpoints, callbacks)
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


def record_validation(job: Job, model: Any, tokenizer: Any, name: str, folder: str | Path) -> None:
    """Write down what a trained model scores on validation, for whoever chooses between runs; test sets choose none.

    Nothing is written where no corpus has a validation split.
    """
    from accelerate import PartialState

    if any("validation" in corpus.splits for corpus in job.corpora):
        metrics = measure(job, model, tokenizer, name, "validation")
        if PartialState().is_main_process:
            Path(folder).mkdir(parents=True, exist_ok=True)
            write_metrics(Path(folder) / VALIDATION_FILE, metrics)


def corpus_tags(name: str) -> str:
    """What the tables call a model that was asked under each corpus's own tag pair."""
    return f"{name}, corpus tags"


def score(
    evaluator: MentionEvaluator,
    name: str,
    tagging: Any,
    space: LabelSpace | None = None,
    bootstrap: Bootstrap | None = _BOOTSTRAP,
) -> Metrics:
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
        bootstrap=bootstrap,
    )
    return Metrics(tuple(found["strict"]), tuple(found["lenient"]), bootstrap=bootstrap)


def card_info(
    job: Job,
    model: Any,
    name: str,
    metrics: Metrics,
    *,
    tokenizer: Any,
    mixture: Mixture,
    results_model: str,
    base_model: str | None,
    base_commit: str | None = None,
    teachers: Sequence[TeacherInfo] = (),
    versions: dict[str, str],
    human: HumanCard | None = None,
) -> ModelCardInfo:
    """Gather what the model card says from what the run did, and time the model; nothing in it is a local path.

    Args:
        job (`Job`): What the model was trained on and how.
        model (`PreTrainedModel`): The trained model.
        name (`str`): What the card calls it: its Hub id, or its folder's name.
        metrics (`Metrics`): What was measured.
        tokenizer (`PreTrainedTokenizerFast`): The model's tokenizer, which knows the tags.
        mixture (`Mixture`): The loss.
        results_model (`str`): The rows of `metrics` that are this model's.
        base_model (`str`, *optional*): What it was initialised from, Hub id or path.
        base_commit (`str`, *optional*): Commit of that on the Hub.
        teachers (`Sequence[TeacherInfo]`, *optional*): Their `source` may be a path still.
        versions (`dict[str, str]`): Of the software.
        human (`HumanCard`, *optional*): What people say.
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
        teachers=[_without_path(teacher) for teacher in teachers],
        corpora=[_corpus_info(corpus) for corpus in job.corpora],
        losses=loss_infos(
            mixture,
            gold_outside=job.gold_outside,
            temperature=job.temperature,
            crf=labels_words(model) and getattr(model, "crf", None) is not None,
        ),
        training_arguments=without_paths(job.training),
        parameters=sum(p.numel() for p in model.parameters()),
        megabytes=sum(p.numel() * p.element_size() for p in model.parameters()) / 1e6,
        throughput=_throughput(job, model, tokenizer),
        seeds={"run": job.seed},
        versions=versions,
        metrics=metrics,
        results_model=results_model,
        citations=["Zhang & Chen 2022"] if job.tags.names else [],
    )


def drop_checkpoints(checkpoints: str | Path) -> None:
    """Remove the checkpoints of a training whose model has been published."""
    shutil.rmtree(checkpoints, ignore_errors=True)


def _without_path(teacher: TeacherInfo) -> TeacherInfo:
    commit = teacher.revision if re.fullmatch("[0-9a-f]{40}", teacher.revision) else None
    return replace(teacher, source=public_source(teacher.source, commit))


def _tag_answers(job: Job) -> dict[str, str]:
    """What a model answers under each of its tags; the teachers' targets cover every type under all of them."""
    answers = dict.fromkeys(job.tags.names, "every type")
    for corpus in job.corpora:
        if corpus.name in answers:
            own = f"{', '.join(corpus.types)} as {corpus.name} annotates"
            answers[corpus.name] = f"every type; {own}" if job.distils else own
    return answers


def _tag_templates(tags: TagPairs, tokenizer: Any) -> dict[str, list[str]]:
    """What the published tokenizer makes of a text ``$A``, by tag."""
    before, after = (tokenizer.convert_ids_to_tokens(list(side)) for side in special_ids(tokenizer))
    around = {name: tags.around(name) for name in tags.names}
    return {name: [*before, *opening, "$A", *closing, *after] for name, (opening, closing) in around.items()}


def _throughput(job: Job, model: Any, tokenizer: Any, batch_size: int = 32) -> Throughput:
    tagging = taggings(job, model, tokenizer, batch_size)[job.tags.default or ""]
    return measure_throughput(tagging, some_sentences(job.corpora, 2000), model, batch_size)


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

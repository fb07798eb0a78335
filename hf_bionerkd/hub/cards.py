"""Model cards: a README.md that says what a model does, how it was made and what was measured. Rendered offline.

The front matter is written by `huggingface_hub`, so that the Hub reads it as intended; the body comes from
``templates/model_card.md``, where a section without content leaves no trace.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hf_bionerkd.evaluation.report import Metrics, Result, markdown_row, markdown_table
from hf_bionerkd.hub.human_card import HumanCard
from hf_bionerkd.hub.papers import bibtex
from hf_bionerkd.hub.public_sources import is_hub_id, is_public_source
from hf_bionerkd.hub.secrets import SecretError, holds_token
from hf_bionerkd.io import write_text

CARD_FILE = "README.md"
_TEMPLATES = Path(__file__).parent / "templates"
_TASK = "token-classification"


@dataclass(frozen=True)
class TeacherInfo:
    """A teacher, as the card names it.

    Args:
        name (`str`): Short name, the one in the results table.
        source (`str`): Hub id, or ``local: name``; see :func:`hf_bionerkd.hub.public_sources.public_source`.
        types (`Sequence[str]`): Types it teaches.
        revision (`str`, *optional*): Commit, or fingerprint of its files.
    """

    name: str
    source: str
    types: Sequence[str]
    revision: str = ""


@dataclass(frozen=True)
class CorpusInfo:
    """A corpus, as the card names it.

    Args:
        name (`str`): Its name, the one in the results table and in the tag pair.
        types (`Sequence[str]`): Types it annotates.
        splits (`Mapping[str, int]`): Rows (sentences or documents) of every split used.
        fingerprints (`Mapping[str, str]`, *optional*): Split to a hash of its content, so that a result can be tied to
            it.
        source (`str`, *optional*): Hub id, or ``local: name``.
        commit (`str`, *optional*): Commit on the Hub.
        license (`str`, *optional*): Its licence.
    """

    name: str
    types: Sequence[str]
    splits: Mapping[str, int]
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    commit: str = ""
    license: str = ""


@dataclass(frozen=True)
class LossInfo:
    """A loss term: its name, its weight in the sum, its equation and the paper it comes from."""

    name: str
    weight: float
    equation: str
    citation: str = ""


@dataclass(frozen=True)
class Throughput:
    """How fast a model tagged, once, on one machine, from words to labels.

    Args:
        sentences_per_second (`float`): Sentences a second.
        words_per_second (`float`): Their words.
        sentences (`int`): How many were timed.
        batch_size (`int`): Windows a forward pass.
        device (`str`): What it ran on, in words: ``"NVIDIA H200"``, ``"2 threads of AMD EPYC 7763"``.
        precision (`str`, *optional*, defaults to `"float32"`): Type of the weights.
    """

    sentences_per_second: float
    words_per_second: float
    sentences: int
    batch_size: int
    device: str
    precision: str = "float32"


@dataclass(frozen=True)
class ModelCardInfo:
    """What a card says. Everything but the name, types and labels may be left out; its section then vanishes.

    Args:
        name (`str`): Name of the model: its Hub id (``"org/model"``), or its folder's name while it has none.
        types (`Sequence[str]`): Entity types it finds.
        labels (`Sequence[str]`): Its labels in id order.
        human (`HumanCard`, *optional*): What people say: purpose, limits, licence, authors.
        base_model (`str`, *optional*): What it was initialised from: Hub id, or ``local: name``.
        base_commit (`str`, *optional*): Commit of that model on the Hub.
        tags (`Sequence[str]`, *optional*): Hub tags, before those of `human`.
        tag_pairs (`Mapping[str, str]`, *optional*): Name of a tag pair, as `set_default_tag` takes it, to what it
            answers, in words: ``{"all": "every type", "BC2GM": "genes, as BC2GM annotates them"}``.
        tag_templates (`Mapping[str, Sequence[str]]`, *optional*): Name of a tag pair to what the tokenizer makes of a
            text ``$A`` under it: ``["[CLS]", "<all>", "$A", "</all>", "[SEP]"]``.
        default_tag (`str`, *optional*): The pair that the published tokenizer adds.
        needs_remote_code (`bool`, *optional*, defaults to `False`): Whether it runs code of its own repository.
        teachers (`Sequence[TeacherInfo]`, *optional*): In the configuration's order.
        corpora (`Sequence[CorpusInfo]`, *optional*): In the configuration's order.
        losses (`Sequence[LossInfo]`, *optional*): Terms of the training loss.
        training_arguments (`Mapping[str, object]`, *optional*): Those that differ from their defaults.
        parameters (`int`, *optional*): Number of weights.
        megabytes (`float`, *optional*): Size of the weights on disk.
        throughput (`Throughput`, *optional*): How fast it tags.
        seeds (`Mapping[str, int]`, *optional*): What was seeded, with what.
        versions (`Mapping[str, str]`, *optional*): python, torch, transformers, datasets, ….
        metrics (`Metrics`, *optional*): What was measured, other models' rows for comparison included.
        results_model (`str`, *optional*, defaults to `"student"`): The rows of `metrics` that are this model's.
        citations (`Sequence[str]`, *optional*): Papers, in short (``"Zhang & Chen 2022"``) or as BibTeX; those of the
            losses are added.
    """

    name: str
    types: Sequence[str]
    labels: Sequence[str]
    human: HumanCard = HumanCard()
    base_model: str | None = None
    base_commit: str = ""
    tags: Sequence[str] = ("biomedical", "named-entity-recognition", "knowledge-distillation")
    tag_pairs: Mapping[str, str] = field(default_factory=dict)
    tag_templates: Mapping[str, Sequence[str]] = field(default_factory=dict)
    default_tag: str = ""
    needs_remote_code: bool = False
    teachers: Sequence[TeacherInfo] = ()
    corpora: Sequence[CorpusInfo] = ()
    losses: Sequence[LossInfo] = ()
    training_arguments: Mapping[str, object] = field(default_factory=dict)
    parameters: int | None = None
    megabytes: float | None = None
    throughput: Throughput | None = None
    seeds: Mapping[str, int] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    metrics: Metrics | None = None
    results_model: str = "student"
    citations: Sequence[str] = ()


def render_model_card(info: ModelCardInfo) -> str:
    """Render a model card: front matter that the Hub reads, and a body that people read.

    Args:
        info (`ModelCardInfo`): What the card says.

    Returns:
        The README.md.

    Raises:
        SecretError: A value looks like a Hub token; the message names the field and not the value.
        ValueError: A source is a path of this machine, `default_tag` is no tag of `tag_pairs`, or `metrics` holds no
            strict row of `results_model`.

    Example:
        >>> card = render_model_card(ModelCardInfo("org/genes", ["Gene"], ["B-Gene", "I-Gene", "O"]))
        >>> card.splitlines()[1]
        'language: en'
    """
    refuse_secrets(info)
    _refuse_paths(info)
    if info.default_tag and info.default_tag not in info.tag_pairs:
        raise ValueError(
            f"default_tag {info.default_tag!r} is not one of tag_pairs {list(info.tag_pairs)}: add it there with what "
            "it answers"
        )
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # markdown, not HTML
    )
    environment.filters["row"] = markdown_row
    environment.filters["table"] = markdown_table
    environment.filters["quoted"] = json.dumps
    body = environment.get_template("model_card.md").render(
        info=info, human=info.human, citations=_citations(info), other_tag=_other_tag(info)
    )
    body = re.sub(r"\n{3,}", "\n\n", body).strip()  # sections that vanished leave their blank lines behind
    return f"---\n{_front_matter(info).to_yaml()}\n---\n\n{body}\n"


def save_model_card(folder: str | Path, info: ModelCardInfo) -> Path:
    """Render a card and put it into a model's folder as README.md, whole or not at all.

    Returns:
        The path of the README.md.
    """
    path = Path(folder) / CARD_FILE
    text = render_model_card(info)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)
    return path


def refuse_secrets(info: ModelCardInfo) -> None:
    """Make sure that nothing a card says, measured or written by people, holds a token.

    Raises:
        SecretError: Something does; the message names the field and not the value.
    """
    for place, text in _texts(info, "ModelCardInfo"):
        if holds_token(text):
            raise SecretError(
                f"{place} holds what looks like a Hub token (hf_ and 20 or more letters or digits): take it out, "
                "and revoke it if it was ever published"
            )


def _front_matter(info: ModelCardInfo) -> ModelCardData:
    return ModelCardData(
        language=info.human.language,
        license=info.human.license or None,
        library_name="transformers",
        pipeline_tag=_TASK,
        base_model=info.base_model if info.base_model and is_hub_id(info.base_model) else None,
        datasets=list(dict.fromkeys(c.source for c in info.corpora if is_hub_id(c.source))) or None,
        metrics=["f1", "precision", "recall"] if info.metrics else None,
        tags=[*info.tags, *info.human.tags] or None,
        model_name=info.name.rpartition("/")[2] if info.metrics else None,
        eval_results=_eval_results(info, info.metrics) if info.metrics else None,
    )


def _eval_results(info: ModelCardInfo, metrics: Metrics) -> list[EvalResult]:
    """Strict F1 (with its interval), precision and recall of the model's own rows, as fractions."""
    own = [result for result in metrics.strict if result.model == info.results_model]
    if not own:
        raise ValueError(
            f"no strict result of model {info.results_model!r}; there are rows of "
            f"{sorted({result.model for result in metrics.strict})}. Name this card's model in results_model."
        )
    corpora = {corpus.name: corpus for corpus in info.corpora if is_hub_id(corpus.source)}
    # The Hub takes results on one dataset and commit for results on one corpus, of which it keeps the first name.
    shared = {source for source, times in Counter(c.source for c in corpora.values()).items() if times > 1}
    corpora = {name: corpus for name, corpus in corpora.items() if corpus.source not in shared}
    return [
        EvalResult(
            task_type=_TASK,
            task_name="Named entity recognition",
            dataset_type=corpora[result.corpus].source if result.corpus in corpora else result.corpus,
            dataset_name=result.corpus,
            dataset_split="test",
            dataset_revision=(corpora[result.corpus].commit or None) if result.corpus in corpora else None,
            metric_type=kind,
            metric_name=f"{result.type} {kind} (strict, {metrics.scheme})",
            metric_value=round(getattr(result.counts, kind), 4),
            metric_args=_bootstrap(result, metrics) if kind == "f1" else None,
        )
        for result in own
        for kind in ("f1", "precision", "recall")
    ]


def _bootstrap(result: Result, metrics: Metrics) -> dict[str, Any] | None:
    """How the Hub is told of an interval: an argument of the metric, as its format has no place for one."""
    if result.interval is None or metrics.bootstrap is None:
        return None
    return {"bootstrap": {"interval": [round(end, 4) for end in result.interval], **metrics.bootstrap.as_dict()}}


def _citations(info: ModelCardInfo) -> list[str]:
    """The model's own citation and every paper once, in order of first use."""
    cited = (info.human.citation, *info.citations, *(loss.citation for loss in info.losses))
    parts = (part for text in cited for part in ([text] if text.lstrip().startswith("@") else text.split(";")))
    papers = (part.strip() for part in parts)
    return list(dict.fromkeys(bibtex(paper) for paper in papers if paper))


def _other_tag(info: ModelCardInfo) -> str:
    """The tag that the card's example switches to."""
    return next((tag for tag in info.tag_pairs if tag != info.default_tag), "")


def _refuse_paths(info: ModelCardInfo) -> None:
    sources = {f"teachers[{i}].source": teacher.source for i, teacher in enumerate(info.teachers)}
    sources |= {f"corpora[{i}].source": corpus.source for i, corpus in enumerate(info.corpora)}
    for place, source in {**sources, "base_model": info.base_model or ""}.items():
        if source and not is_public_source(source):
            raise ValueError(
                f"ModelCardInfo.{place} is {source!r}, which would publish a path of this machine; pass it through "
                "hf_bionerkd.hub.public_sources.public_source"
            )


def _texts(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Every text in a card's information, with the place it stands at."""
    if dataclasses.is_dataclass(value):
        for entry in dataclasses.fields(value):
            yield from _texts(getattr(value, entry.name), f"{place}.{entry.name}")
    elif isinstance(value, Mapping):
        for index, (key, item) in enumerate(value.items()):
            yield f"key {index} of {place}", str(key)
            yield from _texts(item, f"{place}[{key!r}]")
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index, item in enumerate(value):
            yield from _texts(item, f"{place}[{index}]")
    else:
        yield place, str(value)

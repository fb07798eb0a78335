"""Model cards: a README.md that says what a model does, how it was made and what was measured, rendered offline.

The front matter is written by `huggingface_hub`, so that the Hub reads it as intended; the body comes from
``templates/model_card.md``, from which sections without content vanish. Names and texts of others are shown as they
are and cannot break out of their place (:mod:`hf_bionerkd.markdown`).
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hf_bionerkd.evaluation.report import Metrics, Result
from hf_bionerkd.evaluation.tables import markdown_table
from hf_bionerkd.hub.human_card import HumanCard
from hf_bionerkd.hub.papers import bibtex
from hf_bionerkd.hub.public_sources import is_hub_id, is_public_source
from hf_bionerkd.hub.secrets import SecretError, holds_token
from hf_bionerkd.io import write_text
from hf_bionerkd.markdown import Markdown, code, fenced, markdown_row, one_line, plain, prose, quoted

CARD_FILE = "README.md"
_TEMPLATES = Path(__file__).parent / "templates"
_TASK = "token-classification"


@dataclass(frozen=True)
class TeacherInfo:
    """A teacher, as the card names it.

    Args:
        name (`str`): Short name, as in the results table.
        source (`str`): Hub id, or ``local: name``; see :func:`hf_bionerkd.hub.public_sources.public_source`.
        types (`Sequence[str]`): Types that the teacher teaches.
        revision (`str`, *optional*): Commit, or fingerprint of the teacher's files.
    """

    name: str
    source: str
    types: Sequence[str]
    revision: str = ""


@dataclass(frozen=True)
class CorpusInfo:
    """A corpus, as the card names it.

    Args:
        name (`str`): Name, as in the results table and in the tag pair.
        types (`Sequence[str]`): Annotated types.
        splits (`Mapping[str, int]`): Number of rows (sentences or documents) of every split used.
        fingerprints (`Mapping[str, str]`, *optional*): Split to a hash of its content, so that a result can be tied to
            it.
        source (`str`, *optional*): Hub id, or ``local: name``.
        commit (`str`, *optional*): Commit on the Hub.
        license (`str`, *optional*): Licence of the corpus.
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
    """A loss term: its name, its weight in the sum, its equation and the paper that it comes from."""

    name: str
    weight: float
    equation: str
    citation: str = ""


@dataclass(frozen=True)
class Throughput:
    """The speed of a model from words to labels, measured once on one machine.

    Args:
        sentences_per_second (`float`): Sentences per second.
        words_per_second (`float`): Words per second.
        sentences (`int`): Number of sentences that were timed.
        batch_size (`int`): Windows per forward pass.
        device (`str`): Device in words, such as ``"NVIDIA H200"`` or ``"2 threads of AMD EPYC 7763"``.
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
    """The content of a card. All but the name, types and labels may be left out; its section then vanishes.

    Args:
        name (`str`): Name of the model: its Hub id (``"org/model"``), or its folder's name while it has none.
        types (`Sequence[str]`): Entity types that the model finds.
        labels (`Sequence[str]`): Labels in id order.
        human (`HumanCard`, *optional*): The part that people write: purpose, limits, licence, authors.
        base_model (`str`, *optional*): Model that this one was initialised from: Hub id, or ``local: name``.
        base_commit (`str`, *optional*): Commit of that model on the Hub.
        tags (`Sequence[str]`, *optional*): Hub tags, before those of `human`.
        tag_pairs (`Mapping[str, str]`, *optional*): Name of a tag pair, as `set_default_tag` takes it, to what the
            model finds under it, in words: ``{"all": "every type", "BC2GM": "genes, as BC2GM annotates them"}``.
        tag_templates (`Mapping[str, Sequence[str]]`, *optional*): Name of a tag pair to the tokenizer's template of a
            text ``$A`` under it: ``["[CLS]", "<all>", "$A", "</all>", "[SEP]"]``.
        default_tag (`str`, *optional*): Tag pair that the published tokenizer adds.
        needs_remote_code (`bool`, *optional*, defaults to `False`): Whether the model runs code of its own repository.
        strategy (`str`, *optional*, defaults to `"first"`): Aggregation strategy under which the plain pipeline reads
            mentions as the scores were read.
        teachers (`Sequence[TeacherInfo]`, *optional*): Teachers in the configuration's order.
        corpora (`Sequence[CorpusInfo]`, *optional*): Corpora in the configuration's order.
        losses (`Sequence[LossInfo]`, *optional*): Terms of the training loss.
        aggregation (`Mapping[str, str]`, *optional*): Settings by which several teachers became one target.
        training_arguments (`Mapping[str, object]`, *optional*): Arguments that differ from their defaults.
        parameters (`int`, *optional*): Number of weights.
        megabytes (`float`, *optional*): Size of the weights on disk.
        throughput (`Throughput`, *optional*): Speed of the model.
        seeds (`Mapping[str, int]`, *optional*): Name of what was seeded to its seed.
        versions (`Mapping[str, str]`, *optional*): Versions of python, torch, transformers, datasets, ….
        metrics (`Metrics`, *optional*): Measured results, other models' rows for comparison included.
        results_model (`str`, *optional*, defaults to `"student"`): Name of this model in the rows of `metrics`.
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
    strategy: str = "first"
    teachers: Sequence[TeacherInfo] = ()
    corpora: Sequence[CorpusInfo] = ()
    losses: Sequence[LossInfo] = ()
    aggregation: Mapping[str, str] = field(default_factory=dict)
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
        info (`ModelCardInfo`): Content of the card.

    Returns:
        The text of README.md.

    Raises:
        SecretError: A value looks like a Hub token; the message names the field and not the value.
        ValueError: A source is a path of this machine, `default_tag` is not in `tag_pairs`, or `metrics` holds no
            strict row of `results_model`.

    Example:
        >>> card = render_model_card(ModelCardInfo("org/genes", ["Gene"], ["B-Gene", "I-Gene", "O"]))
        >>> card.splitlines()[1]
        'language: en'
    """
    # A card is public: check all that goes into it before anything is rendered.
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
        autoescape=False,  # Markdown, not HTML: the template passes every value through one of these filters
    )
    filters = {"row": markdown_row, "table": markdown_table, "markdown": Markdown}
    environment.filters |= {
        **filters,
        "plain": plain,
        "code": code,
        "prose": prose,
        "fenced": fenced,
        "quoted": quoted,
    }
    # The card's example switches to another tag than the default one, where there is one.
    other_tag = next((tag for tag in info.tag_pairs if tag != info.default_tag), "")
    body = environment.get_template("model_card.md").render(
        info=info, human=info.human, citations=_citations(info), other_tag=other_tag
    )
    body = re.sub(r"\n{3,}", "\n\n", body).strip()  # sections that vanished leave their blank lines behind
    return f"---\n{_front_matter(info).to_yaml()}\n---\n\n{body}\n"


def save_model_card(folder: str | Path, info: ModelCardInfo) -> Path:
    """Render a card and write it into a model's folder as README.md, whole or not at all.

    Returns:
        The path of the README.md.
    """
    path = Path(folder) / CARD_FILE
    text = render_model_card(info)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)
    return path


def refuse_secrets(info: ModelCardInfo) -> None:
    """Refuse a card of which any part, measured or written by people, holds a token.

    Raises:
        SecretError: A value holds a token; the message names the field and not the value.
    """
    for field_name, text in _texts(info, "ModelCardInfo"):
        if holds_token(text):
            raise SecretError(
                f"{field_name} holds what looks like a Hub token (hf_ and 20 or more letters or digits): take it out, "
                "and revoke it if it was ever published"
            )


def _front_matter(info: ModelCardInfo) -> ModelCardData:
    """Return the metadata of the card, every text on one line; None leaves a key out."""
    return ModelCardData(
        language=info.human.language,
        license=one_line(info.human.license) or None,
        library_name="transformers",
        pipeline_tag=_TASK,
        base_model=info.base_model if info.base_model and is_hub_id(info.base_model) else None,
        datasets=list(dict.fromkeys(c.source for c in info.corpora if is_hub_id(c.source))) or None,
        metrics=["f1", "precision", "recall"] if info.metrics else None,
        tags=[one_line(tag) for tag in (*info.tags, *info.human.tags)] or None,
        model_name=one_line(info.name.rpartition("/")[2]) if info.metrics else None,
        eval_results=_eval_results(info, info.metrics) if info.metrics else None,
    )


def _eval_results(info: ModelCardInfo, metrics: Metrics) -> list[EvalResult]:
    """Return strict F1 (with its interval), precision and recall of the model's own rows, as fractions."""
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
            dataset_type=corpora[result.corpus].source if result.corpus in corpora else one_line(result.corpus),
            dataset_name=one_line(result.corpus),
            dataset_split="test",
            dataset_revision=(corpora[result.corpus].commit or None) if result.corpus in corpora else None,
            metric_type=kind,
            metric_name=f"{one_line(result.type)} {kind} (strict, {metrics.scheme})",
            metric_value=round(getattr(result.counts, kind), 4),
            metric_args=_bootstrap(result, metrics) if kind == "f1" else None,
        )
        for result in own
        for kind in ("f1", "precision", "recall")
    ]


def _bootstrap(result: Result, metrics: Metrics) -> dict[str, Any] | None:
    """Return an interval as an argument of the metric, since the Hub's format has no field for intervals."""
    if result.interval is None or metrics.bootstrap is None:
        return None
    return {"bootstrap": {"interval": [round(end, 4) for end in result.interval], **metrics.bootstrap.as_dict()}}


def _citations(info: ModelCardInfo) -> list[str]:
    """Return the model's own citation and every paper once, in order of first use."""
    # Losses cite several papers with semicolons between them, which BibTeX may hold as well.
    cited = (info.human.citation, *info.citations, *(loss.citation for loss in info.losses))
    parts = (part for text in cited for part in ([text] if text.lstrip().startswith("@") else text.split(";")))
    papers = (part.strip() for part in parts)
    return list(dict.fromkeys(bibtex(paper) for paper in papers if paper))


def _refuse_paths(info: ModelCardInfo) -> None:
    """Refuse sources that would publish a path of this machine."""
    sources = {f"teachers[{i}].source": teacher.source for i, teacher in enumerate(info.teachers)}
    sources |= {f"corpora[{i}].source": corpus.source for i, corpus in enumerate(info.corpora)}
    for key, source in {**sources, "base_model": info.base_model or ""}.items():
        if source and not is_public_source(source):
            raise ValueError(
                f"ModelCardInfo.{key} is {source!r}, which would publish a path of this machine; pass it through "
                "hf_bionerkd.hub.public_sources.public_source"
            )


def _texts(value: object, name: str) -> Iterator[tuple[str, str]]:
    """Yield every text in a card's information, with the name of its field."""
    if dataclasses.is_dataclass(value):
        for entry in dataclasses.fields(value):
            yield from _texts(getattr(value, entry.name), f"{name}.{entry.name}")
    elif isinstance(value, Mapping):
        for index, (key, item) in enumerate(value.items()):
            yield f"key {index} of {name}", str(key)  # not the key itself, which may be the token
            yield from _texts(item, f"{name}[{key!r}]")
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index, item in enumerate(value):
            yield from _texts(item, f"{name}[{index}]")
    else:
        yield name, str(value)

"""Model cards: a README.md that says what a model does, how it was made and what was measured. Rendered offline.

The front matter is written by `huggingface_hub`, so that the Hub reads it as intended; the body comes from
``templates/model_card.md``, where a section without content leaves no trace.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hf_bionerkd.evaluation.report import Metrics, markdown_row, markdown_table, write_text
from hf_bionerkd.hub.secrets import SecretError, holds_token

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class TeacherInfo:
    """A teacher, as the card names it.

    Args:
        name (`str`): Short name, the one in the results table.
        source (`str`): Hub id, or what it was trained from.
        types (`Sequence[str]`): Types it teaches.
        revision (`str`, *optional*): Commit or fingerprint of its weights.
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
        fingerprint (`str`, *optional*): Hash of its content, so that a result can be tied to it.
        license (`str`, *optional*): Its licence.
    """

    name: str
    types: Sequence[str]
    splits: Mapping[str, int]
    fingerprint: str = ""
    license: str = ""


@dataclass(frozen=True)
class LossInfo:
    """A loss term: its name, its weight in the sum, its equation and the paper it comes from."""

    name: str
    weight: float
    equation: str
    citation: str = ""


@dataclass(frozen=True)
class ModelCardInfo:
    """What a card says. Everything but the name, types and labels may be left out; its section then vanishes.

    Args:
        name (`str`): Name of the model: its Hub id (``"org/model"``), or its folder's name while it has none.
        types (`Sequence[str]`): Entity types it finds.
        labels (`Sequence[str]`): Its labels in id order.
        description (`str`, *optional*): What people should know: purpose, intended use, limits (markdown).
        license (`str`, *optional*): Hub identifier of the licence, e.g. ``"apache-2.0"``.
        base_model (`str`, *optional*): Hub id of the model it was initialised from.
        language (`str`, *optional*, defaults to `"en"`): ISO 639 code.
        tags (`Sequence[str]`, *optional*): Hub tags.
        tag_pairs (`Mapping[str, str]`, *optional*): Name of a tag pair, as `set_default_tag` takes it, to what it
            answers, in words: ``{"all": "every type", "BC2GM": "genes, as BC2GM annotates them"}``.
        default_tag (`str`, *optional*): The pair that the published tokenizer adds.
        teachers (`Sequence[TeacherInfo]`, *optional*): In the configuration's order.
        corpora (`Sequence[CorpusInfo]`, *optional*): In the configuration's order.
        losses (`Sequence[LossInfo]`, *optional*): Terms of the training loss.
        training_arguments (`Mapping[str, object]`, *optional*): Those that differ from their defaults.
        parameters (`int`, *optional*): Number of weights.
        megabytes (`float`, *optional*): Size of the weights on disk.
        seeds (`Mapping[str, int]`, *optional*): What was seeded, with what.
        versions (`Mapping[str, str]`, *optional*): python, torch, transformers, datasets, ….
        metrics (`Metrics`, *optional*): What was measured, other models' rows for comparison included.
        results_model (`str`, *optional*, defaults to `"student"`): The rows of `metrics` that are this model's.
        citations (`Sequence[str]`, *optional*): Papers and BibTeX entries; those of the losses are added.
    """

    name: str
    types: Sequence[str]
    labels: Sequence[str]
    description: str = ""
    license: str | None = None
    base_model: str | None = None
    language: str = "en"
    tags: Sequence[str] = ("biomedical", "named-entity-recognition", "knowledge-distillation")
    tag_pairs: Mapping[str, str] = field(default_factory=dict)
    default_tag: str = ""
    teachers: Sequence[TeacherInfo] = ()
    corpora: Sequence[CorpusInfo] = ()
    losses: Sequence[LossInfo] = ()
    training_arguments: Mapping[str, object] = field(default_factory=dict)
    parameters: int | None = None
    megabytes: float | None = None
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
        ValueError: `default_tag` is no tag of `tag_pairs`, or `metrics` holds no strict row of `results_model`.

    Example:
        >>> card = render_model_card(ModelCardInfo("org/genes", ["Gene"], ["B-Gene", "I-Gene", "O"]))
        >>> card.splitlines()[1]
        'language: en'
    """
    _refuse_secrets(info)
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
        info=info, citations=_citations(info), other_tag=_other_tag(info)
    )
    body = re.sub(r"\n{3,}", "\n\n", body).strip()  # sections that vanished leave their blank lines behind
    return f"---\n{_front_matter(info).to_yaml()}\n---\n\n{body}\n"


def save_model_card(folder: str | Path, info: ModelCardInfo) -> Path:
    """Render a card and put it into a model's folder as README.md, whole or not at all.

    Returns:
        The path of the README.md.
    """
    path = Path(folder) / "README.md"
    text = render_model_card(info)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)
    return path


def _front_matter(info: ModelCardInfo) -> ModelCardData:
    return ModelCardData(
        language=info.language,
        license=info.license,
        library_name="transformers",
        pipeline_tag="token-classification",
        base_model=info.base_model,
        tags=list(info.tags) or None,
        model_name=info.name.rpartition("/")[2] if info.metrics else None,
        eval_results=_eval_results(info.metrics, info.results_model) if info.metrics else None,
    )


def _eval_results(metrics: Metrics, model: str) -> list[EvalResult]:
    """Strict F1, precision and recall of the model's own rows, as fractions."""
    own = [result for result in metrics.strict if result.model == model]
    if not own:
        raise ValueError(
            f"no strict result of model {model!r}; there are rows of "
            f"{sorted({result.model for result in metrics.strict})}. Name this card's model in results_model."
        )
    return [
        EvalResult(
            task_type="token-classification",
            task_name="Named entity recognition",
            dataset_type=result.corpus,
            dataset_name=result.corpus,
            dataset_split="test",
            metric_type=kind,
            metric_name=f"{result.type} {kind} (strict, {metrics.scheme})",
            metric_value=round(getattr(result.counts, kind), 4),
        )
        for result in own
        for kind in ("f1", "precision", "recall")
    ]


def _citations(info: ModelCardInfo) -> list[str]:
    """Every citation once, in order of first use."""
    return list(dict.fromkeys(c.strip() for c in (*(loss.citation for loss in info.losses), *info.citations) if c))


def _other_tag(info: ModelCardInfo) -> str:
    """The tag that the card's example switches to."""
    return next((tag for tag in info.tag_pairs if tag != info.default_tag), "")


def _refuse_secrets(info: ModelCardInfo) -> None:
    for place, text in _texts(info, "ModelCardInfo"):
        if holds_token(text):
            raise SecretError(
                f"{place} holds what looks like a Hub token (hf_ and 20 or more letters or digits): take it out, "
                "and revoke it if it was ever published"
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

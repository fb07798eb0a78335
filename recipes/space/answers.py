"""What models found in a text, in the form in which a visitor's browser keeps it and a program receives it.

The server keeps no texts. The browser holds the answer and sends it back when the visitor changes what is shown, so
that no model has to read the text again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from annotation import Annotation

from hf_bionerkd.documents import Document, Mention, SpanError

Outcome = Annotation | str  # a string is the reason why there is no annotation


def pack(text: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return a text and what one or two models found in it as values of JSON, without repeating the text."""
    return {"text": text, "found": [_values(one) if isinstance(one, Annotation) else one for one in outcomes]}


def _values(annotation: Annotation) -> dict[str, Any]:
    mentions = [[one.start, one.end, one.type, round(score, 4)] for one, score in annotation.scored]
    return {
        "model": annotation.model,
        "revision": annotation.revision,
        "commit": annotation.commit,
        "tag": annotation.tag,
        "types": list(annotation.types),
        "mentions": mentions,
    }


def unpack(held: Any) -> list[Outcome]:
    """Return the outcomes that :func:`pack` was given, from a browser that may send anything.

    Raises:
        ValueError: These are no such values.
    """
    try:
        text, outcomes = held["text"], held["found"]
        if not isinstance(text, str) or not isinstance(outcomes, list) or not 1 <= len(outcomes) <= 2:
            raise ValueError("a text and what one or two models found in it are missing")
        return [one if isinstance(one, str) else _annotation(text, one) for one in outcomes]
    except (TypeError, KeyError, AttributeError, ValueError, OverflowError, SpanError) as error:
        raise ValueError(f"this is no answer of this page: {error}") from error


def _annotation(text: str, values: Any) -> Annotation:
    """Return an annotation from its values.

    Raises:
        TypeError: A value has another type.
        SpanError: A mention does not lie in the text.
    """
    types = tuple(values["types"])
    # Mentions: flat and in order, as models find them.
    mentions, scores, position = [], [], 0
    for start, end, kind, score in values["mentions"]:
        if type(start) is not int or type(end) is not int or kind not in types or not position <= start < end:
            raise TypeError(f"{[start, end, kind]} is no mention")
        mentions.append(Mention(start, end, kind, text[start:end]))
        scores.append(float(score))
        position = end
    names = [values[name] for name in ("model", "revision", "commit", "tag")]
    if not all(isinstance(name, str) for name in (values["model"], *types, *filter(None, names))):
        raise TypeError("a name is no string")
    model, revision, commit, tag = names
    return Annotation(Document("1", text, tuple(mentions)), tuple(scores), model, types, revision, commit, tag)


def chosen(annotation: Annotation, minimum: float, types: Collection[str] | None = None) -> Annotation:
    """Return an annotation with only the mentions that somebody wants to see.

    Args:
        annotation (`Annotation`): What a model found.
        minimum (`float`): Lowest score, compared with scores as they are printed in JSON (four decimals).
        types (`Collection[str]`, *optional*): Types to keep; all by default.
    """
    kept = tuple(kind for kind in annotation.types if types is None or kind in types)
    scored = [one for one in annotation.scored if one[0].type in kept and round(one[1], 4) >= minimum]
    source = annotation.document
    document = Document(source.id, source.text, tuple(mention for mention, _ in scored), source.words)
    return replace(
        annotation,
        document=document,
        scores=tuple(score for _, score in scored),
        types=kept,
        minimum_score=minimum,
        left_out=len(annotation.scores) - len(scored),
    )

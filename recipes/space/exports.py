"""The files that an annotation can be downloaded as: PubTator text, or JSON."""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotation import Annotation

from hf_bionerkd.corpora.pubtator import write_pubtator
from hf_bionerkd.documents import Document, Mention, Passage

_NOT_IN_PUBTATOR = re.compile(r"[\t\r\n\0]")


@dataclass(frozen=True)
class Export:
    """A file to download: its name, its media type and its content."""

    name: str
    media_type: str
    content: str


def pubtator(annotation: Annotation) -> Export:
    """Return an annotation as PubTator text with the document ID 1.

    A text of several lines becomes a title (its first line) and an abstract. Line breaks and tabs, which the format
    cannot hold, become blanks, so that every offset stays. A mention is written without blanks at its ends; a mention
    of blanks only, which no reader would keep, is left out. The format has no field for scores.

    Raises:
        CorpusError: A type's name has a character that PubTator cannot hold.
    """
    source = annotation.document
    text = _NOT_IN_PUBTATOR.sub(" ", source.text)
    first_line = source.text.find("\n")
    # PubTator needs a title and an abstract; a text with only one of them is written as it is.
    passages: tuple[Passage, ...] = ()
    if source.text[:first_line].strip() and source.text[first_line + 1 :].strip() and first_line > 0:
        passages = (Passage(0, first_line, "title"), Passage(first_line + 1, len(text), "abstract"))
    mentions = tuple(trimmed for mention in source.mentions if (trimmed := _trimmed(mention, text)) is not None)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "annotation.txt"
        write_pubtator(path, [Document(source.id, text, mentions, source.words, passages)])
        return Export(f"{_stem(annotation)}.pubtator.txt", "text/plain", path.read_text(encoding="utf-8"))


def _trimmed(mention: Mention, text: str) -> Mention | None:
    """Return a mention without blanks at its ends; None where nothing is left."""
    words = text[mention.start : mention.end]
    start = mention.start + len(words) - len(words.lstrip())
    words = words.strip()
    return Mention(start, start + len(words), mention.type, words) if words else None


def as_json(annotation: Annotation) -> Export:
    """Return JSON with the text, the model and its commit, what was left out, and every mention with its score."""
    values = values_of(annotation)
    mentions = values.pop("mentions")
    # Put together by hand, so that each mention is one line, which `indent` would spread over seven.
    head = json.dumps(values, ensure_ascii=False, indent=2).removesuffix("\n}")
    rows = ",\n".join(f"    {json.dumps(mention, ensure_ascii=False)}" for mention in mentions)
    content = f'{head},\n  "mentions": [\n{rows}\n  ]\n}}\n'
    return Export(f"{_stem(annotation)}.json", "application/json", content)


def values_of(annotation: Annotation) -> dict[str, Any]:
    """Return an annotation as the values that a download holds and a program receives."""
    return {
        "text": annotation.document.text,
        "model": {"id": annotation.model, "revision": annotation.revision, "commit": annotation.commit},
        "guidelines": annotation.tag,
        "types": list(annotation.types),
        "minimum_score": annotation.minimum_score,
        "offsets": "code points, from 0, end exclusive",
        "score": "mean over the mention's words of the probability of the word's tag",
        "mentions": [
            {
                "start": mention.start,
                "end": mention.end,
                "type": mention.type,
                "text": mention.text,
                "score": round(score, 4),
            }
            for mention, score in annotation.scored
        ],
    }


def _stem(annotation: Annotation) -> str:
    """Return a file name that says who found the mentions, such as ``org-student.all``."""
    parts = [annotation.model.strip("./"), *([annotation.tag] if annotation.tag else [])]
    return ".".join(re.sub(r"[^\w.-]+", "-", part) for part in parts)

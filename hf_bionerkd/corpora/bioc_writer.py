"""The writers of BioC collections, XML or JSON; :mod:`hf_bionerkd.corpora.bioc` reads them back."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from lxml import etree

from hf_bionerkd.corpora.bioc_documents import LARGEST_GAP, PMID_KEYS
from hf_bionerkd.corpora.concepts import parse_concepts
from hf_bionerkd.corpora.files import CorpusError
from hf_bionerkd.documents import Document, Mention, Passage
from hf_bionerkd.io import atomic_text


def write_bioc_xml(path: str | os.PathLike[str], documents: Iterable[Document], *, source: str = "") -> Counter[str]:
    """Write documents as BioC XML, atomically: `path` appears when all of it is written.

    Passages are kept where blanks alone stand between them and every mention lies in one of them; a document
    of others is written as one passage. Parts of discontinuous mentions are written as locations, concept IDs with
    their vocabulary, separated by ``|``, as `identifier`; words and the mentions' sources have no place in the format.

    Args:
        path (`str` or `PathLike`): The file; gzipped where the name ends in ``.gz``.
        documents (`Iterable[Document]`): The documents; one is in memory at a time.
        source (`str`, *optional*): Where the collection says that it comes from.

    Returns:
        The counts ``documents`` and ``mentions``.

    Raises:
        CorpusError: There is no document, or one has a control character that XML cannot hold, a mention without
            type, or concept IDs that would be read back as others.
    """
    counts: Counter[str] = Counter()
    with atomic_text(path) as handle:
        handle.write('<?xml version="1.0" encoding="UTF-8"?>\n<collection>')
        # The DTD asks for these three before the first document, empty or not.
        for tag in ("source", "date", "key"):
            handle.write(etree.tostring(_element(tag, source if tag == "source" else ""), encoding="unicode"))
        for document in documents:
            try:
                element = _xml("document", _row(document, str(path)))
            except ValueError as error:
                # A CorpusError is a ValueError, too; what lxml raises for a control character is a bare one.
                if isinstance(error, CorpusError):
                    raise
                raise CorpusError(
                    f"{path}: document {document.id!r} holds a control character, which XML cannot; replace it by a "
                    "blank (offsets stay), or write JSON"
                ) from None
            handle.write("\n" + etree.tostring(element, encoding="unicode"))
            _count(counts, document)
        handle.write("\n</collection>\n")
        _check_written(counts, path)
    return counts


def write_bioc_json(path: str | os.PathLike[str], documents: Iterable[Document], *, source: str = "") -> Counter[str]:
    """Write documents as a BioC JSON collection, one document per line; otherwise as :func:`write_bioc_xml`."""
    counts: Counter[str] = Counter()
    with atomic_text(path) as handle:
        # The collection is written around its documents, so that only one of them is in memory.
        beginning = json.dumps({"source": source, "date": "", "key": "", "infons": {}, "documents": []})
        handle.write(beginning.removesuffix("]}"))
        for document in documents:
            handle.write(",\n" if counts["documents"] else "\n")
            handle.write(json.dumps(_row(document, str(path)), ensure_ascii=False))
            _count(counts, document)
        handle.write("\n]}\n")
        _check_written(counts, path)
    return counts


def _count(counts: Counter[str], document: Document) -> None:
    counts["documents"] += 1
    counts["mentions"] += len(document.mentions)


def _check_written(counts: Counter[str], path: str | os.PathLike[str]) -> None:
    if not counts["documents"]:
        raise CorpusError(f"{path}: there is no document to write, and a file without a document cannot be read")


def _row(document: Document, path: str) -> dict[str, Any]:
    # The PMID is an infon of its own unless the id already says it.
    infons = {key: value for key, value in document.metadata.items() if key != "document_id"}
    pmid = document.metadata.get("document_id", "")
    if pmid and pmid != document.id:
        infons[PMID_KEYS[0]] = pmid
    passages = _separate_passages(document)
    rows: list[dict[str, Any]] = [
        {
            "offset": passage.start,
            "infons": {"type": passage.kind},
            "text": document.text[passage.start : passage.end],
            "sentences": [],
            "annotations": [],
            "relations": [],
        }
        for passage in passages
    ]
    for number, mention in enumerate(document.mentions):
        # The first passage that holds the mention; `_separate_passages` has seen to it that there is one.
        index = next(i for i, p in enumerate(passages) if p.start <= mention.start and mention.end <= p.end)
        rows[index]["annotations"].append(_annotation_row(number, mention, document, path))
    return {"id": document.id, "infons": infons, "passages": rows, "annotations": [], "relations": []}


def _separate_passages(document: Document) -> list[Passage]:
    """Return the document's passages where the format can express them, else one passage of all its text."""
    whole = [Passage(0, len(document.text), "text")]
    passages = sorted(document.passages, key=lambda passage: (passage.start, passage.end))
    end = 0
    # A reader fills the gaps between passages with blanks: anything else there would be lost.
    for passage in passages:
        if not 0 <= passage.start - end <= LARGEST_GAP or document.text[end : passage.start].strip(" "):
            return whole
        end = passage.end
    if end != len(document.text) or not passages:
        return whole
    inside = all(any(p.start <= m.start and m.end <= p.end for p in passages) for m in document.mentions)
    return passages if inside else whole


def _annotation_row(number: int, mention: Mention, document: Document, path: str) -> dict[str, Any]:
    identifier = "|".join(map(str, mention.concepts))
    # Readers trim texts and split IDs; what would not survive that is refused rather than changed.
    pieces = [document.text[start:end] for start, end in mention.parts]
    padded = any(not text or text != text.strip() for text in (mention.text, mention.type, *pieces))
    if padded or parse_concepts(identifier, "") != mention.concepts:
        raise CorpusError(
            f"{path}: document {document.id!r}: {mention} cannot be written: its text or type is empty or padded, or "
            "its concept IDs would be read back as others"
        )
    infons = {"type": mention.type} | ({"identifier": identifier} if identifier else {})
    spans = mention.parts or ((mention.start, mention.end),)
    locations = [{"offset": start, "length": end - start} for start, end in spans]
    printed = " ".join(document.text[start:end] for start, end in spans)
    return {"id": str(number), "infons": infons, "text": printed, "locations": locations}


def _xml(tag: str, row: Mapping[str, Any]) -> etree._Element:
    """Return a row of BioC JSON as an element, its children in the order of BioC's DTD."""
    element = etree.Element(tag)
    if tag == "annotation":
        element.set("id", row["id"])
    if tag == "location":
        element.set("offset", str(row["offset"]))
        element.set("length", str(row["length"]))
        return element
    if tag == "document":
        element.append(_element("id", row["id"]))
    for key, value in row["infons"].items():
        element.append(_element("infon", value, key=key))
    if tag == "passage":
        element.append(_element("offset", str(row["offset"])))
        element.append(_element("text", row["text"]))
    for child in ("location", "annotation", "passage"):
        for item in row.get(f"{child}s", ()):
            element.append(_xml(child, item))
    if tag == "annotation":
        element.append(_element("text", row["text"]))
    return element


def _element(tag: str, text: str, **attributes: str) -> etree._Element:
    element = etree.Element(tag, attributes)
    element.text = text
    return element

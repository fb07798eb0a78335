"""The reader of BioC collections, XML or JSON: documents of passages with annotations.

:mod:`hf_bionerkd.corpora.bioc_writer` writes them. What the reader does with real files:

============================================  =========================================================================
XML or JSON                                   recognised by the first character. JSON may be a collection, a list,
                                              one document, one document per line, or PubTator 3's own wrapping
offsets                                       passages keep their offsets: blanks fill the gaps between them. A passage
                                              that begins before the end of the one before it, or more than 1,000
                                              characters after, is moved to one blank after it, with its mentions;
                                              counted
offsets in bytes or UTF-16 units              recognised by what most mentions of the document fit; counted
a mention that stands at its offsets but for  kept as it stands, counted; the rules are those of
case, blanks, accents, Greek, dashes          :mod:`hf_bionerkd.corpora.spelling`
a mention that is not at its offsets          repaired within `window` code points, else set aside; counted either way
white space at the ends of a mention          not part of it: trimmed, and counted as repaired; a mention that is
                                              blank throughout is set aside
a mention of several locations                kept as the stretch from the first to the last (BC5CDR's "visual or
(discontinuous)                               auditory hallucinations" for "visual hallucinations") with its parts,
                                              whatever their order and whatever the text prints between them; counted
nested and overlapping mentions               kept as they are
an annotation without type or location        set aside and counted
annotations of passages, sentences, the       read alike
document
a passage without text, or with an empty one  its sentences are its text; without these it is passed over and counted
concept IDs                                   `identifier`, `cui`, or a key that names a vocabulary (``MESH``, ``NCBI
                                              Gene``); read as :mod:`hf_bionerkd.corpora.concepts` says
relations                                     skipped and counted
PMID                                          what `article-id_pmid` or `pmid` says, else the document's id
an empty id                                   the PMID, or the number in PubMed Central, stands for it; without these:
                                              as a document that cannot be read
an id that comes again with another text      gets a number (``17697375-2``), counted; `metadata` keeps the PMID
a document that cannot be read (an offset     set aside and counted where the caller takes it, else an error that names
that is no number, a list that is none, …)    the file and the line
entities in XML, NUL, half a file, half a     error that names the file (:mod:`hf_bionerkd.corpora.xml_elements`,
surrogate pair, an offset that is no number   :mod:`hf_bionerkd.corpora.json_objects`)
============================================  =========================================================================

Source: BioC (Comeau et al. 2013); PubTator Central's dialect (Wei et al. 2019).
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, cast

from lxml import etree

from hf_bionerkd.corpora.bioc_documents import ID_KEYS, BioCAnnotation, BioCDocument, BioCPassage, to_document
from hf_bionerkd.corpora.concepts import PUBTATOR_SCHEMES
from hf_bionerkd.corpora.document_ids import UniqueIds
from hf_bionerkd.corpora.files import NO_TEXT, CorpusError, open_binary
from hf_bionerkd.corpora.json_objects import read_objects
from hf_bionerkd.corpora.mentions import ReaderOptions, SetAside
from hf_bionerkd.corpora.xml_elements import read_elements
from hf_bionerkd.documents import Document

# The keys of a document in BioC JSON; `pmid` stands there in PubTator 3's dialect.
_JSON_FIELDS = ("id", "pmid", "infons", "passages", "annotations", "relations")
_NUMBER = re.compile(r"-?[0-9]{1,9}")


class BioCError(ValueError):
    """A document that is not one of BioC, without where it stands."""


def read_bioc(
    path: str | os.PathLike[str],
    *,
    default_scheme: str | Mapping[str, str] = PUBTATOR_SCHEMES,
    window: int = 3,
    source: str = "gold",
    counts: Counter[str] | None = None,
    on_set_aside: SetAside | None = None,
) -> Iterator[Document]:
    """Stream the documents of a BioC file; the policies are those of :mod:`hf_bionerkd.corpora.bioc`.

    Args:
        path (`str` or `PathLike`): The file, XML or JSON, plain or ``.gz``.
        default_scheme (`str` or `Mapping[str, str]`, *optional*): Vocabulary of concept IDs that name none, for all
            types or by type; by default PubTator's own.
        window (`int`, *optional*, defaults to 3): How far, in code points, a mention may be moved to its text.
        source (`str`, *optional*, defaults to `"gold"`): Recorded as the origin of every mention.
        counts (`Counter`, *optional*): Receives ``mentions_repaired``, ``mentions_set_aside``,
            ``mentions_discontinuous``, ``mentions_spelled_differently``, ``relations_skipped``, ``passages_moved``,
            ``passages_without_text``, ``documents_in_bytes``, ``documents_in_utf16``, ``ids_made_unique``,
            ``rows_set_aside`` and ``empty_documents`` while the file is read.
        on_set_aside (`Callable`, *optional*): Called with each annotation that cannot be kept, as a dictionary of
            ``file, document_id, annotation, start, end, text, type, concept_ids, reason``, and with each document
            that cannot be read, as one of ``file, line, row, reason``. Without it either is an error, so that none is
            lost unseen.

    Returns:
        One :class:`Document` per BioC document; passages are named by their `type` (or `section_type`), and
        ``metadata["document_id"]`` is the PMID.

    Raises:
        CorpusError: The file is malformed or empty, or an annotation needs setting aside and nobody takes it.

    Example:
        >>> aside = []
        >>> for document in read_bioc("CDR_TestSet.BioC.xml.gz", on_set_aside=aside.append):  # doctest: +SKIP
        ...     print(document.id, document.mentions)
    """
    counts = Counter() if counts is None else counts
    options = ReaderOptions(path, window, default_scheme, source, counts, on_set_aside)
    # Rows of BioC JSON; XML is read as such, each with the line that its document begins in.
    rows: Iterator[tuple[int, dict[str, Any]]]
    if _is_xml(path):
        elements = read_elements(path, "collection", ["document"])
        rows = ((int(cast(int, element.sourceline)), _xml_row(element)) for element in elements)
    else:
        rows = read_objects(path, "passages", _JSON_FIELDS)
    ids = UniqueIds(counts)
    empty = True
    for line, row in rows:
        empty = False
        try:
            bioc = _bioc_document(row)
        except BioCError as error:
            options.set_aside_row(line, str(row.get("id"))[:80], str(error))
            continue
        yield to_document(bioc, ids, options)
    if empty:
        raise CorpusError(f"{path}: the file holds no BioC document; expected documents with passages")


def _is_xml(path: str | os.PathLike[str]) -> bool:
    with open_binary(path) as stream:
        # White space and a byte-order mark may stand before the first character that tells the format.
        beginning = stream.read(256).lstrip(b"\xef\xbb\xbf \t\r\n")
    if beginning[:1] in (b"{", b"["):
        return False
    # Otherwise XML in UTF-8 or, by its byte-order mark, in UTF-16.
    if beginning[:1] == b"<" or beginning[:2] in (b"\xfe\xff", b"\xff\xfe"):
        return True
    raise CorpusError(f"{path}: neither XML nor JSON: it begins with {beginning[:40]!r}; is this another format?")


def _xml_row(element: etree._Element) -> dict[str, Any]:
    """Return an element as BioC JSON would say it."""
    # BioC XML keeps identifiers, offsets and lengths in attributes, BioC JSON in keys of the same names.
    row: dict[str, Any] = {**{str(key): str(value) for key, value in element.attrib.items()}, "infons": {}}
    for child in element:
        if child.tag == "infon":
            row["infons"][child.get("key", "")] = _inner_text(child)
        elif child.tag in ("passage", "sentence", "annotation", "relation", "location"):
            row.setdefault(f"{child.tag}s", []).append(_xml_row(child))
        else:  # id, offset and text; the nodes of a relation are never read
            row[str(child.tag)] = _inner_text(child)
    return row


def _inner_text(element: etree._Element) -> str:
    return "".join(map(str, element.itertext())) if len(element) else element.text or ""


def _bioc_document(row: Mapping[str, Any]) -> BioCDocument:
    identifier = _text(row, "id", "the document")
    where = f"document {identifier!r}"
    # PubTator 3 states the PMID beside the infons; from here on it is one of them.
    passages = [part for passage in _rows(row, "passages", where) for part in _parts(passage, where)]
    infons = _infons(row, where)
    if row.get("pmid"):
        infons["pmid"] = _text(row, "pmid", where)
    # An id may be there and empty; the article's numbers name the document as well.
    everywhere = [infons, *(passage.infons for passage in passages)]
    identifiers = [other[key] for key in ID_KEYS for other in everywhere if other.get(key, "").strip()]
    identifier = identifier if identifier.strip() else next(iter(identifiers), "")
    if not identifier:
        raise BioCError("the document has no id, nor a PMID; give it one")
    return BioCDocument(identifier, infons, passages, _annotations(row, where), _relations(row, where))


def _relations(row: Mapping[str, Any], where: str) -> int:
    parts = [part for key in ("passages", "sentences") for part in _rows(row, key, where)]
    return len(_rows(row, "relations", where)) + sum(_relations(part, where) for part in parts)


def _parts(passage: Mapping[str, Any], where: str) -> Iterator[BioCPassage]:
    """Yield the passage, or its sentences where it has no text of its own."""
    infons, sentences = _infons(passage, where), _rows(passage, "sentences", where)
    own = _annotations(passage, where)
    # The passage's own text wins, unless it is empty; its sentences then contribute their annotations, whose offsets
    # count in it.
    if _text(passage, "text", where).strip() or not sentences:
        own += [annotation for sentence in sentences for annotation in _annotations(sentence, where)]
        yield BioCPassage(_number(passage, "offset", where), _text(passage, "text", where), infons, own)
        return
    # Else each sentence is a passage of its own; the first one carries what is annotated on the whole.
    for sentence in sentences:
        offset, text = _number(sentence, "offset", where), _text(sentence, "text", where)
        yield BioCPassage(offset, text, infons, own + _annotations(sentence, where))
        own = []


def _annotations(row: Mapping[str, Any], where: str) -> list[BioCAnnotation]:
    return [
        BioCAnnotation(
            _text(annotation, "id", where),
            _infons(annotation, where),
            _text(annotation, "text", where),
            [
                (_number(location, "offset", where), _number(location, "length", where))
                for location in _rows(annotation, "locations", where)
            ],
        )
        for annotation in _rows(row, "annotations", where)
    ]


def _rows(row: Mapping[str, Any], key: str, where: str) -> list[Mapping[str, Any]]:
    value = row.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise BioCError(f"{where}: `{key}` must be a list of objects, not {str(value)[:80]!r}")
    return value


def _infons(row: Mapping[str, Any], where: str) -> dict[str, str]:
    value = row.get("infons")
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BioCError(f"{where}: `infons` must be an object, not {str(value)[:80]!r}")
    # An infon may be a list or an object in JSON; none of those is used, so it is passed over.
    return {key: _text(value, key, where) for key, item in value.items() if isinstance(item, str | int | float)}


def _text(row: Mapping[str, Any], key: str, where: str) -> str:
    value = row.get(key)
    text = "" if value is None else str(value)
    if not isinstance(value, str | int | float | None) or NO_TEXT.search(text):
        raise BioCError(f"{where}: `{key}` must be text without NUL or half a surrogate pair, not {text[:80]!r}")
    return text


def _number(row: Mapping[str, Any], key: str, where: str) -> int:
    value = row.get(key)
    if isinstance(value, str | int) and not isinstance(value, bool) and _NUMBER.fullmatch(str(value).strip()):
        return int(value)
    raise BioCError(f"{where}: `{key}` must be a whole number, not {value!r:.80} (at most nine digits)")

"""A reader that streams the elements of an XML file of any size, with entities off.

It uses lxml's iterparse, which is maintained, fast and streams, and switches its DTDs, entities and network off. The
standard library's parsers expand entities. The package `bioc` also reads through lxml, but with entities on, and
keeps every element that it has read.

What the reader does with real files:

=============================================  ========================================================================
an entity that the file declares itself        error, before anything is expanded: a file of records needs none, and
                                               a few lines of them can stand for gigabytes or for another file
an entity that the DTD would declare           error: DTDs are not fetched, so its text is not known
(``&alpha;``)
``&amp; &lt; &gt; &quot; &apos; &#945;``       read
a ``DOCTYPE``                                  ignored
an encoding other than UTF-8                   read where the file's first line names it
another root element than expected             error
files appended to each other                   read one after another where each begins with ``<?xml``; else an error
                                               that names the line in which the second one begins
half a file, damaged XML, a NUL                error that names the file and the line, after the whole elements before
=============================================  ========================================================================

"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from typing import Any, BinaryIO, cast

from lxml import etree

from hf_bionerkd.corpora.files import CorpusError, open_binary
from hf_bionerkd.corpora.xml_documents import XMLDocuments

_LONGEST_BEGINNING = 1 << 24  # bytes before the first element, which memory holds
# What keeps a file from reaching outside itself or growing beyond its size; `huge_tree` would lift libxml2's limits.
_SAFE: dict[str, Any] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "dtd_validation": False,
    "attribute_defaults": False,
    "huge_tree": False,
}


def read_elements(path: str | os.PathLike[str], root: str, tags: Collection[str]) -> Iterator[etree._Element]:
    """Stream the elements that have certain names, each whole; one is in memory at a time.

    Args:
        path (`str` or `PathLike`): The file, plain or ``.gz``.
        root (`str`): Name that the file's outermost element must have.
        tags (`Collection[str]`): Names of the elements to stream, none of them inside another.

    Returns:
        lxml elements. Each is emptied when the next one is asked for.

    Raises:
        CorpusError: The file is not such XML, is cut off or declares entities.

    Example:
        >>> for article in read_elements("pubmed.xml.gz", "PubmedArticleSet", ["PubmedArticle"]):  # doctest: +SKIP
        ...     print(article.findtext("MedlineCitation/PMID"))
    """
    with open_binary(path) as stream:
        documents = XMLDocuments(stream)
        while documents.begin_next():
            # First look at the beginning alone: a file that declares entities is refused before one is met.
            beginning = _Recorded(documents, path)
            _, first = next(_events(beginning, path, documents, events=("start",)))
            _check_beginning(first, root, path)
            # Then read it, emptying each element once the caller has asked for the next.
            whole = _Replayed(beginning.content, documents)
            for _, element in _events(whole, path, documents, events=("end",), tag=list(tags)):
                _refuse_entities(element, path, documents.lines_before)
                if documents.lines_before:
                    cast(Any, element).sourceline = _line(element) + documents.lines_before
                yield element
                element.clear()
                # An empty element stays in its parent; a large file of them would still fill the memory.
                parent = element.getparent()
                while parent is not None and parent[0] is not element:
                    del parent[0]


def root_of(path: str | os.PathLike[str]) -> str:
    """Return the name of the outermost element of an XML file.

    Raises:
        CorpusError: The file does not begin as XML.
    """
    with open_binary(path) as stream:
        documents = XMLDocuments(stream)
        documents.begin_next()
        _, first = next(_events(_Recorded(documents, path), path, documents, events=("start",)))
        return str(first.tag)


class _Recorded:
    """A stream that keeps what was read of it."""

    def __init__(self, stream: XMLDocuments, path: str | os.PathLike[str]) -> None:
        self._stream, self._path = stream, path
        self.content = b""

    def read(self, size: int) -> bytes:
        if len(self.content) > _LONGEST_BEGINNING:
            raise CorpusError(
                f"{self._path}: no element begins within {_LONGEST_BEGINNING >> 20} MiB; is this XML of records?"
            )
        content = self._stream.read(size)
        self.content += content
        return content


class _Replayed:
    """A stream that gives what was read of another one, and then goes on with it."""

    def __init__(self, content: bytes, stream: XMLDocuments) -> None:
        self._content, self._stream = content, stream

    def read(self, size: int) -> bytes:
        content, self._content = self._content, b""
        return content or self._stream.read(size)


class _Watched:
    """A stream that ends where its parser has met an error: fed with more, it would forget it and begin anew."""

    def __init__(self, stream: _Recorded | _Replayed) -> None:
        self._stream = stream
        self.events: Any = None

    def read(self, size: int) -> bytes:
        log = self.events.error_log if self.events is not None else ()
        if any(entry.level_name != "WARNING" and entry.domain_name == "PARSER" for entry in log):
            return b""
        return self._stream.read(size)


def _events(
    stream: _Recorded | _Replayed, path: str | os.PathLike[str], documents: XMLDocuments, **options: Any
) -> Iterator[tuple[Any, etree._Element]]:
    watched = _Watched(stream)
    events = watched.events = etree.iterparse(cast(BinaryIO, watched), **options, **_SAFE)
    try:
        yield from events
    except etree.XMLSyntaxError as error:
        # What iterparse raises may only say that it has no element to give; its log knows why.
        first = next(iter(events.error_log), None)
        line, message = (first.line, first.message) if first is not None else (error.lineno or 0, error.msg)
        advice = "The file is empty, cut off or damaged; fetch it again."
        if "Extra content" in str(message):
            advice = "A second document begins here, as where files were appended to each other: cut the file there."
        raise CorpusError(
            f"{path}:{documents.lines_before + line}: not well-formed XML: {str(message).strip()}. {advice}"
        ) from None


def _check_beginning(first: etree._Element, root: str, path: str | os.PathLike[str]) -> None:
    """Refuse a file by its first tag, where its own declarations are all known and none has been used yet."""
    declared: Any = first.getroottree().docinfo.internalDTD
    names = [entity.name for entity in declared.entities()] if declared is not None else []
    if names:
        raise CorpusError(
            f"{path}: the file declares the entities {', '.join(map(str, names[:5]))}, which can stand for gigabytes "
            "or for another file and are never expanded. Do not trust it; if it is sound, write it again without them."
        )
    if first.tag != root:
        raise CorpusError(f"{path}: the outermost element is <{first.tag}>, not <{root}>; is this another format?")


def _line(element: etree._Element) -> int:
    return cast(int, element.sourceline or 0)


def _refuse_entities(element: etree._Element, path: str | os.PathLike[str], lines_before: int) -> None:
    for entity in element.iter(etree.Entity):
        raise CorpusError(
            f"{path}:{lines_before + _line(entity)}: {entity.text} stands for text that only the file's DTD knows, "
            "and DTDs are not read. Replace it by the character itself."
        )

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
half a file, damaged XML, a NUL                error that names the file and the line, after the whole elements before
=============================================  ========================================================================

"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from typing import Any, BinaryIO

from lxml import etree

from hf_bionerkd.corpora.files import CorpusError, open_binary

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
    # First look at the beginning alone: a file that declares entities is refused before one is met.
    with open_binary(path) as stream:
        _, first = next(_events(stream, path, events=("start",)))
        _check_beginning(first, root, path)
    # Then read the file, emptying each element once the caller has asked for the next.
    with open_binary(path) as stream:
        for _, element in _events(stream, path, events=("end",), tag=list(tags)):
            _refuse_entities(element, path)
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
        _, first = next(_events(stream, path, events=("start",)))
        return str(first.tag)


def _events(stream: BinaryIO, path: str | os.PathLike[str], **options: Any) -> Iterator[tuple[Any, etree._Element]]:
    events: Any = etree.iterparse(stream, **options, **_SAFE)
    try:
        yield from events
    except etree.XMLSyntaxError as error:
        # What iterparse raises may only say that it has no element to give; its log knows why.
        first = next(iter(events.error_log), None)
        line, message = (first.line, first.message) if first is not None else (error.lineno, error.msg)
        raise CorpusError(
            f"{path}:{line}: not well-formed XML: {str(message).strip()}. The file is empty, cut off or damaged; "
            "fetch it again."
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


def _refuse_entities(element: etree._Element, path: str | os.PathLike[str]) -> None:
    for entity in element.iter(etree.Entity):
        raise CorpusError(
            f"{path}:{entity.sourceline}: {entity.text} stands for text that only the file's DTD knows, and DTDs are "
            "not read. Replace it by the character itself."
        )

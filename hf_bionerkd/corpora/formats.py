"""One way to open a corpus of any format: :func:`read_documents` finds the format and calls its reader."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hf_bionerkd.corpora.articles import read_articles
from hf_bionerkd.corpora.bioc import read_bioc
from hf_bionerkd.corpora.brat import ANNOTATIONS, read_brat
from hf_bionerkd.corpora.conll import read_conll
from hf_bionerkd.corpora.files import CorpusError, open_binary, read_lines
from hf_bionerkd.corpora.pubmed import read_pubmed
from hf_bionerkd.corpora.pubtator import read_pubtator
from hf_bionerkd.corpora.pubtator_search import read_search_answers
from hf_bionerkd.corpora.xml_elements import root_of
from hf_bionerkd.documents import Document

# The root elements of XML, and what tells the kinds of JSON apart, in this order.
_XML_ROOTS = {"collection": "bioc", "PubmedArticleSet": "pubmed"}
_JSON_KEYS = {"passages": "bioc", "text_hl": "search_answers", "sections": "articles", "abstract": "articles"}
_JSON_KEYS |= {"documents": "bioc", "title": "articles"}
_BEGINNING = 1 << 16
_LINES = 200  # of a text file that are looked at
_SHARE = 0.8  # of them that have a tag in CoNLL
_TITLE = re.compile(r"[^\s|]+\|[ta]\|")
_TAG = re.compile(r"O|[BIESLU]-\S+|[BI]")


def _read_conll(path: str | os.PathLike[str], *, name: str | None = None, **options: Any) -> Iterator[Document]:
    # Sentences are named after the file, and the scheme is found, unless the caller says otherwise.
    name = name or Path(path).name.partition(".")[0] or "sentence"
    return read_conll(path, name=name, **{"scheme": None, **options})


def _read_pubmed(path: str | os.PathLike[str], **options: Any) -> Iterator[Document]:
    return (record.document() for record in read_pubmed(path, **options))


def _read_articles(path: str | os.PathLike[str], **options: Any) -> Iterator[Document]:
    return (article.document() for article in read_articles(path, **options))


# Each format: what reads it, and the function whose options it takes.
_READERS: dict[str, tuple[Callable[..., Iterator[Document]], Callable[..., Any]]] = {
    "brat": (read_brat, read_brat),
    "bioc": (read_bioc, read_bioc),
    "pubtator": (read_pubtator, read_pubtator),
    "conll": (_read_conll, read_conll),
    "pubmed": (_read_pubmed, read_pubmed),
    "articles": (_read_articles, read_articles),
    "search_answers": (read_search_answers, read_search_answers),
}
FORMATS = tuple(_READERS)


def read_documents(path: str | os.PathLike[str], format: str | None = None, **options: Any) -> Iterator[Document]:
    """Stream the documents of a corpus file, or of a folder of brat standoff.

    Args:
        path (`str` or `PathLike`): The file, plain or ``.gz``, or the folder.
        format (`str`, *optional*): One of `FORMATS`; by default :func:`find_format` finds it.
        options: What the reader of the format takes: for all ``counts``, for those with mentions ``on_set_aside``,
            ``default_scheme`` and ``source``, for CoNLL ``tag_column``, ``scheme`` (by default
            found) and ``name`` (by default the file's).

    Returns:
        One :class:`Document` per document, abstract or, from CoNLL, sentence.

    Raises:
        FileNotFoundError: There is nothing at `path`.
        CorpusError: The format is unknown or cannot be found, does not take one of the options, or the file is
            malformed; raised at once, save what is wrong within the file.

    Example:
        >>> for document in read_documents("CDR_TestSet.PubTator.txt"):  # doctest: +SKIP
        ...     print(document.id, document.mentions)
    """
    if format is None:
        format = find_format(path)
    elif not os.path.exists(path):
        raise FileNotFoundError(f"{path}: there is no such file or folder")
    if format not in _READERS:
        raise CorpusError(f"{path}: unknown format {format!r}; use one of {', '.join(FORMATS)}")
    read, documented = _READERS[format]
    known = [name for name, option in inspect.signature(documented).parameters.items() if option.kind == 3]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise CorpusError(
            f"{path}: the reader of the format {format!r} has no option {', '.join(unknown)}; it takes "
            f"{', '.join(known)}"
        )
    return read(path, **options)


def find_format(path: str | os.PathLike[str]) -> str:
    """Find the format of a corpus by the names beside it and by how the file begins, not by how its name ends.

    Args:
        path (`str` or `PathLike`): A file, plain or ``.gz``, or a folder.

    Returns:
        One of `FORMATS`.

    Raises:
        FileNotFoundError: There is nothing at `path`.
        CorpusError: It is none of them; the message says what was found.

    Example:
        >>> find_format("CDR_TestSet.BioC.xml")  # doctest: +SKIP
        'bioc'
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file or folder")
    # brat is pairs of files, so that names tell it: those in a folder, or the one beside a text.
    if path.is_dir():
        if any(file.endswith(ANNOTATIONS) for _, _, files in os.walk(path) for file in files):
            return "brat"
        raise CorpusError(
            f"{path}: the folder holds no annotations of brat ({', '.join(f'*{end}' for end in ANNOTATIONS)}); name "
            "one of its files if they have another format"
        )
    beside = [path.with_suffix(end) for end in ANNOTATIONS]
    if path.suffix in ANNOTATIONS or (path.suffix == ".txt" and any(other.is_file() for other in beside)):
        return "brat"
    # The other formats are told by their content.
    with open_binary(path) as stream:
        beginning = stream.read(_BEGINNING).removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")
    if not beginning:
        raise CorpusError(f"{path}: the file is empty")
    if beginning[:1] == b"<" or beginning.removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff").strip(b"\0")[:1] == b"<":
        return _of_xml(path)
    if beginning[:1] == b"{" or (beginning[:1] == b"[" and beginning[1:].lstrip(b" \t\r\n")[:1] in b"[{"):
        return _of_json(path, beginning.decode("utf-8", "replace"))
    return _of_lines(path)


def _of_xml(path: Path) -> str:
    root = root_of(path)
    if root not in _XML_ROOTS:
        raise CorpusError(
            f"{path}: XML whose outermost element is <{root}>; known are <collection> (BioC) and <PubmedArticleSet> "
            "(PubMed). Convert it to one of these."
        )
    return _XML_ROOTS[root]


def _of_json(path: Path, beginning: str) -> str:
    keys = set(re.findall(r'"([A-Za-z_0-9]+)"\s*:', beginning))
    for key, format in _JSON_KEYS.items():
        if key in keys:
            return format
    raise CorpusError(
        f"{path}: JSON with the keys {', '.join(sorted(keys)[:10])}; known are BioC (`passages`), articles (`title`, "
        "`abstract`) and search answers (`text_hl`). Say `format` if it is one of them."
    )


def _of_lines(path: Path) -> str:
    first, rows, tagged = "", 0, 0
    damaged: list[str] = []  # what is damaged is the reader's business, unless nothing is sound
    for number, line in read_lines(path, lambda _, __, reason: damaged.append(reason)):
        if number > _LINES:
            break
        if not line.strip() or line.startswith("#"):
            continue
        first = first or line
        if _TITLE.match(line):
            return "pubtator"
        # Columns with a tag in one of them that is not the word's own.
        columns = line.split("\t") if "\t" in line else line.split()
        rows += 1
        tagged += any(_TAG.fullmatch(column.strip()) for column in columns[1:])
    if tagged > _SHARE * rows:
        return "conll"
    if damaged and not rows:
        raise CorpusError(f"{path}: no line is text ({damaged[0]})")
    raise CorpusError(
        f"{path}: the format is not known by its beginning {first[:80]!r}; expected one of {', '.join(FORMATS)}. Say "
        "`format` if it is one of them, and check that the file is whole."
    )

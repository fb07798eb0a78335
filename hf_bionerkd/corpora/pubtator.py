r"""The reader and writer of PubTator text.

A document is ``PMID|t|title``, ``PMID|a|abstract``, one tab-separated row per mention, and rows of relations. Offsets
count code points in ``title + " " + abstract``. What the reader does with real files:

==========================================  ===========================================================================
line ends, byte-order mark                  ``\n`` and ``\r\n`` end a line, nothing else does; a BOM is dropped
blank lines                                 ignored: a title line starts a document, the next title line ends it
a mention that is not at its offsets        moved to the nearest position, at most `window` code points away, where its
                                            text stands, as printed or without the white space at its ends (the left
                                            one of two equally near); else set aside. Counted either way
white space at the ends of a mention        not part of it: trimmed, and counted as repaired; a mention that is blank
                                            throughout is set aside
concept IDs                                 ``|``, ``+``, ``,`` and ``;`` separate the IDs of one mention, provided
                                            that each part looks like an ID: ``p|SUB|S|369|R`` is one ID. ``-1``, ``-``
                                            and an empty or missing column mean none
offsets that are no whole numbers           set aside and counted; blanks around a number do not matter
(``0.0``, nothing, more than nine digits)
columns after the concept IDs               ignored and counted
relation rows (``PMID CID D.. D..``)        known by the name in their second column, which begins with a letter;
                                            skipped and counted
no abstract, or an empty one                the text is the title alone; counted
no title text                               the text starts with the blank before the abstract, so that offsets hold
neither                                     a document with an empty text, counted; its mentions are set aside
a PMID that comes twice                     two documents: only one is in memory at a time
any other row, a row of another PMID, NUL   error that names the file and the line
no document in the file                     error
==========================================  ===========================================================================

Sources: the format of the BC5CDR and NCBI disease corpora (Li et al. 2016, Doğan et al. 2014) and of PubTator
Central's downloads (Wei et al. 2019).
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from hf_bionerkd.corpora.concepts import PUBTATOR_SCHEMES, parse_concepts, scheme_of
from hf_bionerkd.corpora.files import CorpusError, read_lines
from hf_bionerkd.corpora.mentions import ReaderOptions, SetAside, locate, out_of_place
from hf_bionerkd.documents import Document, Mention, Passage
from hf_bionerkd.io import atomic_text

_OFFSET = re.compile(r"-?[0-9]{1,9}")
# A letter begins the name of a relation and no offset, save the "nan" that tables print for a missing number.
_RELATION = re.compile(r"(?!nan\b)[^\W\d_]", re.IGNORECASE)
_UNWRITABLE = re.compile(r"[\t\r\n\0]")


@dataclass
class _Block:
    """The rows of one document, gathered until the next title line."""

    pmid: str
    title: str
    abstract: str | None = None
    rows: list[tuple[int, list[str]]] = field(default_factory=list)


def read_pubtator(
    path: str | os.PathLike[str],
    *,
    default_scheme: str | Mapping[str, str] = PUBTATOR_SCHEMES,
    window: int = 3,
    source: str = "gold",
    counts: Counter[str] | None = None,
    on_set_aside: SetAside | None = None,
) -> Iterator[Document]:
    """Stream the documents of a PubTator file; the policies are those of :mod:`hf_bionerkd.corpora.pubtator`.

    Args:
        path (`str` or `PathLike`): The file, plain or ``.gz``.
        default_scheme (`str` or `Mapping[str, str]`, *optional*): Vocabulary of concept IDs that name none, for all
            types or by type, e.g. ``{"Disease": "MESH", "Gene": "NCBIGene"}``, where types it does not hold get none;
            by default PubTator's own (:data:`~hf_bionerkd.corpora.concepts.PUBTATOR_SCHEMES`).
        window (`int`, *optional*, defaults to 3): How far, in code points, a mention may be moved to its text.
        source (`str`, *optional*, defaults to `"gold"`): Recorded as the origin of every mention.
        counts (`Counter`, *optional*): Receives ``mentions_repaired``, ``mentions_set_aside``, ``relations_skipped``,
            ``rows_with_extra_columns``, ``empty_abstracts`` and ``empty_documents`` while the file is read.
        on_set_aside (`Callable`, *optional*): Called with each mention that cannot be repaired, as a dictionary of
            ``file, line, document_id, start, end, text, type, concept_ids, reason``; offsets that are no numbers are
            -1. Without it such a mention is an error, so that none is lost unseen.

    Returns:
        One :class:`Document` per PMID, with passages ``title`` and, unless empty, ``abstract``.

    Raises:
        CorpusError: The file is malformed or empty, or a mention needs setting aside and nobody takes it.

    Example:
        >>> aside = []
        >>> for document in read_pubtator("train.txt", on_set_aside=aside.append):  # doctest: +SKIP
        ...     print(document.id, [str(concept) for mention in document.mentions for concept in mention.concepts])
    """
    counts = Counter() if counts is None else counts
    options = ReaderOptions(path, window, default_scheme, source, counts, on_set_aside)
    empty = True
    for block in _blocks(path, counts):
        empty = False
        yield _document(block, options)
    if empty:
        raise CorpusError(f"{path}: the file holds no document; expected lines 'PMID|t|title'. Fetch it again.")


def _blocks(path: str | os.PathLike[str], counts: Counter[str]) -> Iterator[_Block]:
    block: _Block | None = None
    for number, line in read_lines(path):
        if not line.strip():
            continue
        pmid, part, rest = _parse_line(line, f"{path}:{number}")
        # A title line starts a document and so ends the one before it.
        if part == "t":
            if block:
                yield block
            block = _Block(pmid, rest)
            continue
        # Every other row must belong to the document that is being read.
        if block is None or pmid != block.pmid:
            raise CorpusError(
                f"{path}:{number}: {line[:80]!r} belongs to document {pmid!r}, but "
                + (f"the title before it is that of {block.pmid!r}" if block else "no title comes before it")
                + "; each document's rows must follow its own 'PMID|t|title' line"
            )
        if part == "a":
            if block.abstract is not None:
                raise CorpusError(f"{path}:{number}: document {pmid!r} has two abstracts; remove one")
            block.abstract = rest
        elif part == "mention":
            block.rows.append((number, line.split("\t")))
        else:
            counts["relations_skipped"] += 1
    if block:
        yield block


def _parse_line(line: str, where: str) -> tuple[str, str, str]:
    """Return the PMID, what the line is (``t``, ``a``, ``mention``, ``relation``) and the text of ``t`` and ``a``."""
    # A tab before the bar: a mention whose own text holds one.
    pmid, bar, rest = line.partition("|")
    if bar and "\t" not in pmid and rest[:2] in ("t|", "a|"):
        if not pmid.strip():
            raise CorpusError(f"{where}: {line[:80]!r} has no document ID before the first '|'")
        return pmid.strip(), rest[0], rest[2:]
    # A relation has no more columns than a mention without concept IDs; the second column tells them apart.
    columns = line.split("\t")
    if len(columns) >= 4 and _RELATION.match(columns[1].strip()):
        return columns[0].strip(), "relation", ""
    if len(columns) >= 5 and columns[4].strip():
        return columns[0].strip(), "mention", ""
    raise CorpusError(
        f"{where}: {line[:80]!r} is no PubTator row; expected 'PMID|t|title', 'PMID|a|abstract', "
        "'PMID<tab>start<tab>end<tab>text<tab>type[<tab>concept IDs]' or 'PMID<tab>relation<tab>ID<tab>ID'"
    )


def _document(block: _Block, options: ReaderOptions) -> Document:
    # The text, in which offsets count: the title, one blank, the abstract.
    text = block.title
    passages = [Passage(0, len(text), "title")]
    if block.abstract:
        text = f"{block.title} {block.abstract}"
        passages.append(Passage(len(block.title) + 1, len(text), "abstract"))
    else:
        options.counts["empty_abstracts" if text else "empty_documents"] += 1
    # The mentions, each where its text stands; what stands nowhere is set aside.
    mentions = []
    for number, columns in block.rows:
        options.counts["rows_with_extra_columns"] += len(columns) > 6
        offsets = [column.strip() for column in columns[1:3]]
        if not all(map(_OFFSET.fullmatch, offsets)):
            printed_offsets = f"{columns[1]!r:.40} and {columns[2]!r:.40}"
            reason = f"its offsets {printed_offsets} are no whole numbers of at most nine digits"
            _set_aside(number, columns, (-1, -1), reason, options)
            continue
        printed = (int(offsets[0]), int(offsets[1]), columns[3])
        located = locate(text, *printed, options.window)
        if located is None:
            _set_aside(number, columns, printed[:2], out_of_place(text, *printed, options.window), options)
            continue
        options.counts["mentions_repaired"] += located != printed
        kind = columns[4].strip()
        concepts = parse_concepts(columns[5] if len(columns) > 5 else "", scheme_of(kind, options.default_scheme))
        mentions.append(Mention(located[0], located[1], kind, located[2], concepts, options.source))
    return Document(block.pmid, text, tuple(mentions), (), tuple(passages), {"document_id": block.pmid})


def _set_aside(number: int, columns: list[str], span: tuple[int, int], reason: str, options: ReaderOptions) -> None:
    options.set_aside(
        f"{options.path}:{number}",
        reason,
        line=number,
        document_id=columns[0].strip(),
        start=span[0],
        end=span[1],
        text=columns[3],
        type=columns[4],
        concept_ids=columns[5] if len(columns) > 5 else "",
    )


def write_pubtator(path: str | os.PathLike[str], documents: Iterable[Document]) -> Counter[str]:
    """Write documents as PubTator text, atomically: `path` appears when all of it is written.

    A document whose passages are a title and an abstract with one blank between them is written so; any other is
    written as a title with an empty abstract, which keeps its offsets. Concept IDs are written with their vocabulary
    and separated by ``|``; words and the mentions' sources have no place in the format.

    Args:
        path (`str` or `PathLike`): The file; gzipped where the name ends in ``.gz``.
        documents (`Iterable[Document]`): The documents; one is in memory at a time.

    Returns:
        The counts ``documents`` and ``mentions``.

    Raises:
        CorpusError: There is no document, or one with a line break in its text, a tab in a mention, or a mention or
            IDs that would be read back as others. The format has no way to write these.
    """
    counts: Counter[str] = Counter()
    with atomic_text(path) as handle:
        for document in documents:
            handle.write("\n".join(_rows(document, str(path))) + "\n\n")
            counts["documents"] += 1
            counts["mentions"] += len(document.mentions)
        if not counts["documents"]:
            raise CorpusError(f"{path}: there is no document to write, and a file without a document cannot be read")
    return counts


def _rows(document: Document, path: str) -> Iterator[str]:
    title, abstract = _title_and_abstract(document)
    # A line break in the text would end the title or abstract there.
    if re.search(r"[\r\n\0]", document.text):
        raise CorpusError(
            f"{path}: the text of document {document.id!r} holds a line break or a NUL, which PubTator cannot; "
            "replace each by a blank (offsets stay)"
        )
    if not document.id or "|" in document.id or document.id != document.id.strip() or not document.id.isprintable():
        raise CorpusError(f"{path}: {document.id!r} cannot be a document ID in PubTator; give a PMID or the like")
    yield f"{document.id}|t|{title}"
    yield f"{document.id}|a|{abstract}"
    for mention in document.mentions:
        concepts = "|".join(map(str, mention.concepts))
        columns = (document.id, str(mention.start), str(mention.end), mention.text, mention.type, concepts or "-")
        # Readers trim texts, split columns at tabs and IDs at bars: refuse what would come back as another mention.
        padded = any(not text or text != text.strip() for text in (mention.text, mention.type))
        if padded or any(map(_UNWRITABLE.search, columns)) or parse_concepts(concepts, "") != mention.concepts:
            raise CorpusError(
                f"{path}: document {document.id!r}: mention {columns[1:]} cannot be written: a column holds a tab or "
                "line break, its text or type is empty or padded, or its concept IDs would be read back as others"
            )
        yield "\t".join(columns)


def _title_and_abstract(document: Document) -> tuple[str, str]:
    # Only a title and an abstract with exactly one blank between them come back with the same offsets.
    if [passage.kind for passage in document.passages] == ["title", "abstract"]:
        title, abstract = document.passages
        covered = title.start == 0 and title.end + 1 == abstract.start and abstract.end == len(document.text)
        if covered and document.text[title.end] == " " and abstract.end > abstract.start:
            return document.text[: title.end], document.text[abstract.start :]
    return document.text, ""

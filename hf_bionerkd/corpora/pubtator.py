r"""The reader and writer of PubTator text.

A document is ``PMID|t|title``, ``PMID|a|abstract``, one tab-separated row per mention, and rows of relations. Offsets
count code points in ``title + " " + abstract``. What the reader does with real files:

==========================================  ===========================================================================
line ends, byte-order mark                  ``\n`` and ``\r\n`` end a line, nothing else does; a BOM is dropped
blank lines                                 ignored: a title line starts a document, the next title line ends it
the type before the offsets, a number       read alike: two whole numbers, the first one the smaller, at which the text
(``T1``) before the type                    stands that the row prints, make it a mention and no relation
offsets in bytes or UTF-16 units            recognised by what most mentions of the document fit; counted
a mention that stands at its offsets but    kept as it stands, counted; the rules are those of
for case, blanks, accents, Greek, dashes    :mod:`hf_bionerkd.corpora.spelling`
a mention that is not at its offsets        moved to the nearest position, at most `window` code points away, where its
                                            text stands, as printed or without the white space at its ends (the left
                                            one of two equally near); else set aside. Counted either way
white space at the ends of a mention        not part of it: trimmed, and counted as repaired; a mention that is blank
                                            throughout is set aside
concept IDs                                 as :mod:`hf_bionerkd.corpora.concepts` says
offsets that are no whole numbers           set aside and counted; blanks around a number do not matter
(``0.0``, nothing, more than nine digits)
columns after the concept IDs               ignored and counted
relation rows (``PMID CID D.. D..``)        known by the name in their second column, which begins with a letter, where
                                            they are no mention; skipped and counted
no abstract, or an empty one                the text is the title alone; counted
no title text                               the text starts with the blank before the abstract, so that offsets hold
neither                                     a document with an empty text, counted; its mentions are set aside
a PMID that comes again (passages of one    two documents; where the texts differ the later one's id gets a number
article)                                    (``17697375-2``), counted; `metadata` keeps the PMID
any other row, a row of another PMID, a     set aside and counted where the caller takes it, else an error that names
second abstract, NUL, bytes beyond UTF-8    the file and the line
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
from hf_bionerkd.corpora.document_ids import UniqueIds
from hf_bionerkd.corpora.files import CorpusError, read_lines
from hf_bionerkd.corpora.mentions import Placed, ReaderOptions, SetAside, out_of_place, place
from hf_bionerkd.corpora.offset_units import MeasuredText, find_unit
from hf_bionerkd.corpora.pubtator_rows import MentionRow, read_row
from hf_bionerkd.documents import Document, Mention, Passage
from hf_bionerkd.io import atomic_text

_TITLE = re.compile(r"([^|\t]*)\|([ta])\|")
_UNWRITABLE = re.compile(r"[\t\r\n\0]")


_ROWS = (
    "'PMID|t|title', 'PMID|a|abstract', 'PMID<tab>start<tab>end<tab>text<tab>type[<tab>concept IDs]' or "
    "'PMID<tab>relation<tab>ID<tab>ID'"
)


@dataclass
class _Block:
    """The rows of one document, gathered until the next title line."""

    pmid: str
    title: str
    abstract: str | None = None
    rows: list[tuple[int, str]] = field(default_factory=list)


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
        counts (`Counter`, *optional*): Receives ``mentions_repaired``, ``mentions_spelled_differently``,
            ``mentions_set_aside``, ``documents_in_bytes``, ``documents_in_utf16``, ``relations_skipped``,
            ``rows_with_extra_columns``, ``rows_set_aside``, ``ids_made_unique``, ``empty_abstracts`` and
            ``empty_documents`` while the file is read.
        on_set_aside (`Callable`, *optional*): Called with each mention that cannot be repaired, as a dictionary of
            ``file, line, document_id, start, end, text, type, concept_ids, reason``; offsets that are no numbers are
            -1. Also called with each row that cannot be read, as one of ``file, line, row, reason``. Without it either
            is an error, so that none is lost unseen.

    Returns:
        One :class:`Document` per title line, with passages ``title`` and, unless empty, ``abstract``.

    Raises:
        CorpusError: The file is empty, or a row or mention needs setting aside and nobody takes it.

    Example:
        >>> aside = []
        >>> for document in read_pubtator("train.txt", on_set_aside=aside.append):  # doctest: +SKIP
        ...     print(document.id, [str(concept) for mention in document.mentions for concept in mention.concepts])
    """
    counts = Counter() if counts is None else counts
    options = ReaderOptions(path, window, default_scheme, source, counts, on_set_aside)
    ids = UniqueIds(counts)
    empty = True
    for block in _blocks(options):
        empty = False
        yield _document(block, ids, options)
    if empty:
        raise CorpusError(f"{path}: the file holds no document; expected lines 'PMID|t|title'. Fetch it again.")


def _blocks(options: ReaderOptions) -> Iterator[_Block]:
    block: _Block | None = None
    for number, line in read_lines(options.path, options.set_aside_row if options.on_set_aside else None):
        if not line.strip():
            continue
        # A tab before the bar: a mention whose own text holds one.
        heading = _TITLE.match(line)
        pmid = heading[1].strip() if heading else line.partition("\t")[0].strip()
        # A title line starts a document and so ends the one before it.
        if heading and heading[2] == "t" and pmid:
            if block:
                yield block
            block = _Block(pmid, line[heading.end() :])
            continue
        # Every other row must belong to the document that is being read.
        if heading and not pmid:
            problem = f"{line[:80]!r} has no document ID before the first '|'"
        elif not heading and "\t" not in line:
            problem = f"{line[:80]!r} is no PubTator row; expected {_ROWS}"
        elif block is None or pmid != block.pmid:
            problem = f"{line[:80]!r} belongs to document {pmid!r}, but " + (
                (f"the title before it is that of {block.pmid!r}" if block else "no title comes before it")
                + "; each document's rows must follow its own 'PMID|t|title' line"
            )
        elif heading and block.abstract is not None:
            problem = f"document {pmid!r} has two abstracts; remove one"
        elif heading:
            block.abstract = line[heading.end() :]
            continue
        else:
            block.rows.append((number, line))
            continue
        options.set_aside_row(number, line, problem)
    if block:
        yield block


def _document(block: _Block, ids: UniqueIds, options: ReaderOptions) -> Document:
    # The text, in which offsets count: the title, one blank, the abstract.
    text = block.title
    passages = [Passage(0, len(text), "title")]
    if block.abstract:
        text = f"{block.title} {block.abstract}"
        passages.append(Passage(len(block.title) + 1, len(text), "abstract"))
    else:
        options.counts["empty_abstracts" if text else "empty_documents"] += 1
    # The rows that are mentions, and the unit that their offsets have.
    measured = MeasuredText(text)
    rows = list(_mention_rows(block, measured, options))
    unit = find_unit(((measured, [row.span], row.printed) for _, row, _ in rows if row.span), options.counts)
    # The mentions, each where its text stands; what stands nowhere is set aside.
    mentions = []
    for number, row, columns in rows:
        if row.span is None:
            printed_offsets = f"{columns[1]!r:.40} and {columns[2]!r:.40}"
            placed: Placed | str = f"its offsets {printed_offsets} are no whole numbers of at most nine digits"
        elif row.printed.strip():
            placed = place(text, measured.spans([row.span], unit), row.printed, options.window)
        else:
            placed = out_of_place(text, *row.span, row.printed, options.window)
        if isinstance(placed, str):
            options.set_aside(
                f"{options.path}:{number}",
                placed,
                line=number,
                document_id=block.pmid,
                start=row.span[0] if row.span else -1,
                end=row.span[1] if row.span else -1,
                text=row.printed,
                type=row.type,
                concept_ids=row.concept_ids,
            )
            continue
        options.count_placed(placed)
        concepts = parse_concepts(row.concept_ids, scheme_of(row.type, options.default_scheme))
        covered = text[placed.start : placed.end]
        mentions.append(Mention(placed.start, placed.end, row.type, covered, concepts, options.source))
    name = ids.take(block.pmid, text)
    return Document(name, text, tuple(mentions), (), tuple(passages), {"document_id": block.pmid})


def _mention_rows(
    block: _Block, measured: MeasuredText, options: ReaderOptions
) -> Iterator[tuple[int, MentionRow, list[str]]]:
    for number, line in block.rows:
        columns = line.split("\t")
        try:
            row = read_row(columns, measured)
        except ValueError:
            options.set_aside_row(number, line, f"{line[:80]!r} is no PubTator row; expected {_ROWS}")
            continue
        if row is None:
            options.counts["relations_skipped"] += 1
            continue
        options.counts["rows_with_extra_columns"] += row.more
        yield number, row, columns


def write_pubtator(path: str | os.PathLike[str], documents: Iterable[Document]) -> Counter[str]:
    """Write documents as PubTator text, atomically: `path` appears when all of it is written.

    A document whose passages are a title and an abstract with one blank between them is written so; any other is
    written as a title with an empty abstract, which keeps its offsets. Concept IDs are written with their vocabulary
    and separated by ``|``; words, the mentions' sources and the parts of discontinuous mentions have no place in the
    format.

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

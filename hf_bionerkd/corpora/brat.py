r"""The reader and writer of brat standoff: a text file, and beside it a file of annotations.

    T1<tab>Disease 0 6;19 25<tab>breast cancer
    N1<tab>Reference T1 MESH:D001943<tab>Breast Neoplasms

What the reader does with real files:

==========================================  ===========================================================================
a folder                                    every pair ``a.txt`` and ``a.ann`` in it and below it is a document, in
                                            order of name; its id is the name below the folder without the ending
``.a1``, ``.a2`` (BioNLP shared tasks)      read as ``.ann``; both are those of one text
a text without annotations beside it        passed over and counted; annotations without a text: error
fragments (``0 6;19 25``)                   parts of one mention, which is the stretch from the first to the last;
                                            counted
``N`` rows                                  concept IDs of the mention that they name, separated as in PubTator text;
                                            those of no mention are counted
events, relations, attributes, notes        skipped and counted, by what they are (``relations_skipped``, …)
line breaks in a mention                    brat prints a blank for each: no repair
``\r\n`` in the text                          counted as two characters or as one (then the text is read with ``\n``),
                                            whichever fits more mentions; the latter is counted
offsets, spelling, white space at the ends  as in PubTator text: found out per document, repaired or set aside, counted
a row that is none of these                 set aside and counted where the caller takes it, else an error that names
                                            the file and the line
==========================================  ===========================================================================

Source: brat (Stenetorp et al. 2012).
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hf_bionerkd.corpora.concepts import PUBTATOR_SCHEMES, parse_concepts, scheme_of
from hf_bionerkd.corpora.files import NO_TEXT, CorpusError, read_lines, read_text
from hf_bionerkd.corpora.mentions import ReaderOptions, SetAside, Span, place, stands_at
from hf_bionerkd.corpora.offset_units import MeasuredText, find_unit
from hf_bionerkd.documents import ConceptRef, Document, Mention, Passage
from hf_bionerkd.io import atomic_folder

ANNOTATIONS = (".ann", ".a1", ".a2")
# What the first letter of a row says that it is, beside text-bound annotations (T) and normalisations (N).
_SKIPPED = {
    "E": "events_skipped",
    "R": "relations_skipped",
    "*": "relations_skipped",
    "A": "attributes_skipped",
    "M": "attributes_skipped",
    "#": "notes_skipped",
}
_BOUND = re.compile(r"([^\s]+) ([0-9]{1,9} [0-9]{1,9}(?:;[0-9]{1,9} [0-9]{1,9})*)")
_REFERENCE = re.compile(r"\S+ ([TER]\S*) (\S.*)")
_LINE_BREAKS = re.compile(r"[\r\n]")


@dataclass(slots=True)
class _Bound:
    """A row of a mention as the file gives it."""

    line: int
    id: str
    type: str
    spans: list[Span]
    printed: str


def read_brat(
    path: str | os.PathLike[str],
    *,
    default_scheme: str | Mapping[str, str] = PUBTATOR_SCHEMES,
    window: int = 3,
    source: str = "gold",
    counts: Counter[str] | None = None,
    on_set_aside: SetAside | None = None,
) -> Iterator[Document]:
    """Stream the documents of a brat folder, or the one of a file; see :mod:`hf_bionerkd.corpora.brat`.

    Args:
        path (`str` or `PathLike`): The folder, or one file of a pair, whether text or annotations.
        default_scheme (`str` or `Mapping[str, str]`, *optional*): Vocabulary of concept IDs that name none, for all
            types or by type; by default PubTator's own.
        window (`int`, *optional*, defaults to 3): How far, in code points, a mention may be moved to its text.
        source (`str`, *optional*, defaults to `"gold"`): Recorded as the origin of every mention.
        counts (`Counter`, *optional*): Receives ``mentions_repaired``, ``mentions_set_aside``,
            ``mentions_discontinuous``, ``mentions_spelled_differently``, ``documents_in_bytes``,
            ``documents_in_utf16``, ``documents_with_folded_line_ends``, ``rows_set_aside``,
            ``texts_without_annotations``, ``references_to_no_mention`` and what is skipped.
        on_set_aside (`Callable`, *optional*): Called with each mention that cannot be kept, as a dictionary of ``file,
            line, document_id, start, end, text, type, concept_ids, reason``, and with each row that cannot be read, as
            one of ``file, line, row, reason``. Without it either is an error.

    Returns:
        One :class:`Document` per pair, whose text is the whole text file as one passage.

    Raises:
        CorpusError: There is no pair, a text is missing, or something needs setting aside and nobody takes it.

    Example:
        >>> for document in read_brat("corpus/train"):  # doctest: +SKIP
        ...     print(document.id, [(mention.text, mention.parts) for mention in document.mentions])
    """
    counts = Counter() if counts is None else counts
    for text, files, name in _pairs(Path(path), counts):
        options = ReaderOptions(files[0], window, default_scheme, source, counts, on_set_aside)
        yield _document(name, text, files, options)


def _pairs(path: Path, counts: Counter[str]) -> Iterator[tuple[Path, list[Path], str]]:
    """Yield each text file, the files of its annotations, and the id of the document."""
    folder = path if path.is_dir() else path.parent
    names = {path.with_suffix("")} if not path.is_dir() else set()
    if path.is_dir():
        below = (Path(root) / name for root, _, files in os.walk(path) for name in files)
        names = {file.with_suffix("") for file in below if file.suffix in (".txt", *ANNOTATIONS)}
    any_pair = False
    for name in sorted(names):
        text = Path(f"{name}.txt")
        annotations = [Path(f"{name}{end}") for end in ANNOTATIONS if Path(f"{name}{end}").is_file()]
        if not annotations:
            counts["texts_without_annotations"] += 1
            continue
        if not text.is_file():
            raise CorpusError(f"{annotations[0]}: there is no {text.name} beside it, whose text it annotates")
        any_pair = True
        yield text, annotations, name.relative_to(folder).as_posix()
    if not any_pair:
        raise CorpusError(
            f"{path}: no document of brat standoff; expected pairs of a text and its annotations, a.txt and a.ann"
        )


def _document(name: str, path: Path, files: list[Path], options: ReaderOptions) -> Document:
    text = read_text(path)
    # The rows: mentions, and the concept IDs of each, which may stand before it.
    bound: list[tuple[_Bound, Path]] = []
    references: dict[str, list[str]] = {}
    for file in files:
        own = ReaderOptions(
            file, options.window, options.default_scheme, options.source, options.counts, options.on_set_aside
        )
        for row in _rows(file, references, own):
            bound.append((row, file))
    # Programs on Windows may have counted each line end as one character.
    folded = text.replace("\r\n", "\n")
    if folded != text and _fitting(folded, bound) > _fitting(text, bound):
        text = folded
        options.counts["documents_with_folded_line_ends"] += 1
    measured = MeasuredText(text)
    unit = find_unit(((measured, row.spans, row.printed) for row, _ in bound), options.counts)
    mentions = []
    for row, file in bound:
        spans = measured.spans(row.spans, unit)
        # brat prints a blank where the text has a line break.
        standing = " ".join(text[start:end] for start, end in spans)
        printed = standing if _LINE_BREAKS.sub(" ", standing) == row.printed else row.printed
        identifiers = references.get(row.id, [])
        placed = place(text, spans, printed, options.window)
        if isinstance(placed, str):
            options.set_aside(
                f"{file}:{row.line}",
                placed,
                line=row.line,
                document_id=name,
                start=min(start for start, _ in row.spans),
                end=max(end for _, end in row.spans),
                text=row.printed,
                type=row.type,
                concept_ids="|".join(identifiers),
            )
            continue
        options.count_placed(placed)
        scheme = scheme_of(row.type, options.default_scheme)
        concepts = tuple(concept for value in identifiers for concept in parse_concepts(value, scheme))
        covered = text[placed.start : placed.end]
        mentions.append(Mention(placed.start, placed.end, row.type, covered, concepts, options.source, placed.parts))
    # What is said of an event, or of a mention that was set aside as a damaged row, has no place.
    known = {row.id for row, _ in bound}
    options.counts["references_to_no_mention"] += sum(len(r) for id_, r in references.items() if id_ not in known)
    options.counts["empty_documents"] += not text.strip()
    return Document(name, text, tuple(mentions), (), (Passage(0, len(text), "text"),), {"document_id": name})


def _fitting(text: str, rows: list[tuple[_Bound, Path]]) -> int:
    return sum(stands_at(text, row.spans, row.printed) for row, _ in rows)


def _rows(file: Path, references: dict[str, list[str]], options: ReaderOptions) -> Iterator[_Bound]:
    for number, line in read_lines(file, options.set_aside_row if options.on_set_aside else None):
        if not line.strip():
            continue
        identifier, *columns = line.split("\t")
        identifier = identifier.strip()
        if line[0] in _SKIPPED:
            options.counts[_SKIPPED[line[0]]] += 1
        elif line[0] == "T" and len(columns) > 1 and (match := _BOUND.fullmatch(columns[0].strip(" "))):
            pairs = (pair.split(" ") for pair in match[2].split(";"))
            spans = [(int(start), int(end)) for start, end in pairs]
            yield _Bound(number, identifier, match[1], spans, "\t".join(columns[1:]))
        elif line[0] == "N" and columns and (match := _REFERENCE.fullmatch(columns[0].strip(" "))):
            references.setdefault(match[1], []).append(match[2])
        else:
            reason = (
                f"{line[:80]!r} is no row of brat standoff; expected 'T1<tab>type start end<tab>text', "
                "'N1<tab>Reference T1 vocabulary:ID<tab>name', or an event, relation, attribute or note"
            )
            options.set_aside_row(number, line, reason)


def write_brat(
    folder: str | os.PathLike[str], documents: Iterable[Document], *, overwrite: bool = False
) -> Counter[str]:
    """Write documents as pairs of ``<id>.txt`` and ``<id>.ann``, atomically: the folder appears when all is written.

    Parts of discontinuous mentions are written as fragments, concept IDs as ``N`` rows; passages, words and the
    mentions' sources have no place in the format.

    Args:
        folder (`str` or `PathLike`): The folder to make. Ids with ``/`` make folders in it.
        documents (`Iterable[Document]`): The documents; one is in memory at a time.
        overwrite (`bool`, *optional*, defaults to `False`): Replace whatever `folder` holds.

    Returns:
        The counts ``documents`` and ``mentions``.

    Raises:
        CorpusError: There is no document, an id is no file name or comes twice, or a mention has a type or concept IDs
            that would be read back as others.
        FileExistsError: `folder` holds something and `overwrite` is not set.
    """
    counts: Counter[str] = Counter()
    with atomic_folder(folder, overwrite=overwrite) as temporary:
        for document in documents:
            path = temporary / f"{_file_name(document.id)}.txt"
            if path.exists():
                raise CorpusError(f"{folder}: two documents have the id {document.id!r}, which names their files")
            if NO_TEXT.search(document.text) or document.text.startswith("\ufeff"):
                raise CorpusError(
                    f"{folder}: document {document.id!r} holds a NUL or half of a surrogate pair, or begins with a "
                    "byte-order mark, which a text file cannot; replace it by a blank (offsets stay)"
                )
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(document.text, encoding="utf-8", newline="")
            rows = "".join(f"{row}\n" for row in _annotation_rows(document, str(folder)))
            path.with_name(path.name.removesuffix(".txt") + ".ann").write_text(rows, encoding="utf-8", newline="")
            counts["documents"] += 1
            counts["mentions"] += len(document.mentions)
        if not counts["documents"]:
            raise CorpusError(f"{folder}: there is no document to write, and a folder without one cannot be read")
    return counts


def _file_name(identifier: str) -> str:
    parts = identifier.split("/")
    unsafe = any(part in ("", ".", "..") or part.startswith(".") for part in parts)
    if unsafe or re.search(r"[\\:\0-\x1f\ud800-\udfff]", identifier) or max(map(len, parts)) > 60:
        raise CorpusError(f"{identifier!r} cannot name a file; give the document an ID of letters and digits")
    return identifier


def _annotation_rows(document: Document, folder: str) -> Iterator[str]:
    where, references = f"{folder}: document {document.id!r}", 0
    for number, mention in enumerate(document.mentions, 1):
        spans = mention.parts or ((mention.start, mention.end),)
        printed = _LINE_BREAKS.sub(" ", " ".join(document.text[start:end] for start, end in spans))
        # Refuse what would come back as another mention.
        padded = any(document.text[a:b] != document.text[a:b].strip() for a, b in spans)
        if padded or not stands_at(document.text, spans, printed) or not re.fullmatch(r"\S+", mention.type):
            raise CorpusError(
                f"{where}: {mention} cannot be written: its text or one of its parts is padded, or its type is empty "
                "or holds white space"
            )
        offsets = ";".join(f"{start} {end}" for start, end in spans)
        yield f"T{number}\t{mention.type} {offsets}\t{printed}"
        if parse_concepts("|".join(map(str, mention.concepts)), "") != mention.concepts:
            raise CorpusError(f"{where}: the concept IDs of {mention} would be read back as others")
        for concept in mention.concepts:
            references += 1
            yield f"N{references}\tReference T{number} {_reference(concept, where)}\t{printed}"


def _reference(concept: ConceptRef, where: str) -> str:
    if re.search(r"\s", str(concept)):
        raise CorpusError(f"{where}: the concept ID {str(concept)!r} holds white space, which ends it in brat")
    return str(concept)

r"""The reader and writer of PubTator's bulk rows.

There is one row for each concept of an abstract, with the mentions' texts and without offsets. What the reader does
with real files:

============================================  =========================================================================
four columns                                  PMID, concept IDs, mentions, resources (PubTator: ``disease2pubtator``).
                                              The type comes from the file's name, or is given
five columns                                  PMID, type, concept IDs, mentions, resources (PubTator Central and
                                              PubTator 3: ``disease2pubtatorcentral``, ``bioconcepts2pubtatorcentral``)
a first row that begins with ``PMID``         passed over: it holds the columns' names
concept IDs                                   as in PubTator text (:mod:`hf_bionerkd.corpora.pubtator`): ``|``, ``,``
                                              and ``;`` separate; ``-``, ``-1`` and nothing mean none, counted
mentions, resources                           separated by ``|``; white space at their ends and empty ones are dropped
line ends                                     ``\n`` or ``\r\n``
byte-order mark, blank lines                  ignored
another number of columns than the first      set aside and counted where the caller takes it, else an error that names
whole row, a type or a concept ID in the      the file and the line
other's column, no PMID (nine digits at
most), no type, no mention
a NUL, bytes that are no UTF-8, no row        error
============================================  =========================================================================

Sources: the downloads of PubTator (Wei et al. 2013), PubTator Central (2019) and PubTator 3 (2024).
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hf_bionerkd.corpora.concepts import PUBTATOR_SCHEMES, parse_concepts, scheme_of
from hf_bionerkd.corpora.files import CorpusError, read_lines
from hf_bionerkd.corpora.mentions import SetAside
from hf_bionerkd.corpora.pubmed import parse_pmid
from hf_bionerkd.documents import ConceptRef
from hf_bionerkd.io import atomic_text

# How PubTator names its files by type, and our names of these types.
_NAME = re.compile(r"(disease|chemical|gene|species|mutation|cellline)2pubtator", re.IGNORECASE)
_TYPES = {
    "disease": "Disease",
    "chemical": "Chemical",
    "gene": "Gene",
    "species": "Species",
    "mutation": "Mutation",
    "cellline": "CellLine",
}
# How the rows that say their type spell it, without case and blanks; mutations have finer types in PubTator 3.
_TYPE_NAMES = frozenset(_TYPES) | {"dnamutation", "proteinmutation", "snp", "variant"}
# What stands in a column of concept IDs and never in one of types: a dash, a number or MeSH ID, a prefix or list.
_CONCEPTS = re.compile(r"-.*|[CD]?[0-9]+|.*[:|;,].*")


@dataclass(frozen=True, slots=True)
class BulkRow:
    """The row of one concept in one abstract.

    Args:
        pmid (`str`): The PMID of the abstract.
        type (`str`): Entity type.
        concepts (`tuple[ConceptRef, ...]`): Concept IDs; none where the tagger found none, several where it could not
            decide or the mention names several.
        mentions (`tuple[str, ...]`): Texts that name the concept in the abstract, as the row lists them; some rows
            repeat a text.
        resources (`tuple[str, ...]`, *optional*): The taggers and curators that name it.
    """

    pmid: str
    type: str
    concepts: tuple[ConceptRef, ...]
    mentions: tuple[str, ...]
    resources: tuple[str, ...] = ()


def read_bulk_rows(
    path: str | os.PathLike[str],
    *,
    type: str | None = None,
    default_scheme: str | Mapping[str, str] = PUBTATOR_SCHEMES,
    counts: Counter[str] | None = None,
    on_set_aside: SetAside | None = None,
) -> Iterator[BulkRow]:
    """Stream the rows of a bulk file; the policies are those of :mod:`hf_bionerkd.corpora.pubtator_bulk`.

    Args:
        path (`str` or `PathLike`): The file, plain or ``.gz``.
        type (`str`, *optional*): The type of every row, for a file that has no column for it and whose name does not
            tell it.
        default_scheme (`str` or `Mapping[str, str]`, *optional*): Vocabulary of concept IDs that name none, for all
            types or by type; by default PubTator's own.
        counts (`Counter`, *optional*): Receives ``rows``, ``rows_without_concept`` and ``rows_set_aside`` while the
            file is read.
        on_set_aside (`Callable`, *optional*): Called with each row that cannot be read, as a dictionary of ``file,
            line, row, reason``. Without it such a row is an error.

    Raises:
        CorpusError: The file is malformed or empty, or its type is unknown.

    Example:
        >>> for row in read_bulk_rows("disease2pubtator.gz"):  # doctest: +SKIP
        ...     print(row.pmid, row.concepts, row.mentions)
    """
    counts = Counter() if counts is None else counts
    width = 0
    for number, line in read_lines(path):
        columns = line.split("\t")
        if not line.strip():
            continue
        header = not width and columns[0].strip().upper() == "PMID"
        # A row that lacks a column, or has one too many, must not decide how all others are read.
        if header or (not width and not _misplaced(columns)):
            width = len(columns)
            type = _check_beginning(columns, type, f"{path}:{number}", Path(path).name)
            if header:
                continue
        # A row comes back as itself, or as the reason why it cannot be read.
        row = _row(columns, width or len(columns), type, default_scheme)
        if isinstance(row, str):
            if on_set_aside is None:
                raise CorpusError(
                    f"{path}:{number}: {line[:80]!r}: {row}. Correct the row, or give `on_set_aside` (list.append "
                    "will do) to go on without it."
                )
            counts["rows_set_aside"] += 1
            on_set_aside({"file": Path(path).name, "line": number, "row": line, "reason": row})
            continue
        counts["rows"] += 1
        counts["rows_without_concept"] += not row.concepts
        yield row
    if not width:
        raise CorpusError(f"{path}: the file holds no row; expected PMID, [type,] concept IDs, mentions, resources")


def _check_beginning(columns: list[str], type: str | None, where: str, name: str) -> str | None:
    """Check the first row; return the type of all rows, or None where each row states its own."""
    if len(columns) not in (4, 5):
        raise CorpusError(
            f"{where}: the row has {len(columns)} columns separated by tabs; expected four (PMID, concept IDs, "
            "mentions, resources) or five (PMID, type, concept IDs, mentions, resources)"
        )
    if len(columns) == 5:
        return None
    named = _NAME.search(name)
    if type is None and not named:
        raise CorpusError(
            f"{where}: the rows have no column for the type, and the file's name does not tell it as "
            "`disease2pubtator` does; give `type`"
        )
    return type or (_TYPES[named[1].lower()] if named else None)


def _row(columns: list[str], width: int, type: str | None, default_scheme: str | Mapping[str, str]) -> BulkRow | str:
    """Return the row, or what is wrong with it."""
    if len(columns) != width:
        return f"it has {len(columns)} columns, the first row has {width}"
    misplaced = _misplaced(columns)
    if misplaced:
        return misplaced
    pmid, kind, identifiers, mentions, resources = columns if width == 5 else (columns[0], type or "", *columns[1:])
    if parse_pmid(pmid) is None:
        return f"{pmid!r:.80} is no PMID"
    if not kind.strip():
        return "it has no type"
    # A row without a text to look for says nothing that could be used.
    texts = _split(mentions)
    if not texts:
        return "it has no mention"
    concepts = parse_concepts(identifiers, scheme_of(kind.strip(), default_scheme))
    return BulkRow(pmid.strip(), kind.strip(), concepts, texts, _split(resources))


def _misplaced(columns: list[str]) -> str:
    """Return what is wrong with a row whose second column is of the other layout; `""` where nothing is."""
    second = "".join(columns[1:2]).strip()
    if len(columns) == 4 and second.lower().replace(" ", "") in _TYPE_NAMES:
        return f"it has a type, {second!r}, and so lacks one of five columns"
    if len(columns) == 5 and _CONCEPTS.fullmatch(second):
        return f"it has concept IDs, {second!r:.80}, instead of a type, and so one column more than four"
    return ""


def _split(column: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in column.split("|") if part.strip())


def write_bulk_rows(path: str | os.PathLike[str], rows: Iterable[BulkRow]) -> int:
    """Write rows of five columns, atomically: `path` appears when all of it is written.

    Args:
        path (`str` or `PathLike`): The file; gzipped where the name ends in ``.gz``.
        rows (`Iterable[BulkRow]`): The rows.

    Returns:
        The number of rows written.

    Raises:
        CorpusError: There is no row, or one that would be read back as another, since a text holds a tab, a line break
            or ``|``.
    """
    written = 0
    with atomic_text(path) as handle:
        for row in rows:
            identifiers = "|".join(map(str, row.concepts)) or "-"
            columns = [row.pmid, row.type, identifiers, "|".join(row.mentions), "|".join(row.resources)]
            line = "\t".join(columns)
            # Read the row back at once: what does not come back as it was has no spelling in this format.
            if re.search(r"[\r\n\0]", line) or _row(line.split("\t"), 5, None, "") != row:
                raise CorpusError(f"{path}: {row} cannot be written: it would be read back as another row")
            handle.write(line + "\n")
            written += 1
        if not written:
            raise CorpusError(f"{path}: there is no row to write, and a file without a row cannot be read")
    return written

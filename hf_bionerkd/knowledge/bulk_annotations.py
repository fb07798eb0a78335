"""What PubTator found in each abstract: its bulk rows, which tell no places, stored out of core and found in the text.

The rows of all PubMed are hundreds of millions: they are kept in Parquet and joined by DuckDB
(:mod:`hf_bionerkd.knowledge.pmid_tables`).
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from hf_bionerkd.corpora.pubtator_bulk import BulkRow
from hf_bionerkd.documents import ConceptRef, Mention
from hf_bionerkd.knowledge.matching import FreePlaces
from hf_bionerkd.knowledge.pmid_tables import MEMORY_MB, PmidTable, write_pmid_table

_SEPARATOR = "\x1f"
COLUMNS = ("type", "concepts", "mentions", "resources")


def write_bulk_annotations(
    path: str | os.PathLike[str],
    rows: Iterable[BulkRow],
    types: Collection[str],
    identity: Mapping[str, Any],
    *,
    counts: Mapping[str, int] | None = None,
    memory_mb: int = MEMORY_MB,
) -> int:
    """Store bulk rows, each once, out of core; `path` appears when all of it is written.

    Args:
        path (`str` or `PathLike`): The Parquet file to make.
        rows (`Iterable[BulkRow]`): From :func:`~hf_bionerkd.corpora.pubtator_bulk.read_bulk_rows`.
        types (`Collection[str]`): Types to store; rows of others are passed over.
        identity (`Mapping[str, Any]`): What they come from; see
            :func:`~hf_bionerkd.knowledge.pmid_tables.write_pmid_table`.
        counts (`Mapping[str, int]`, *optional*): What the readers count; kept with the table.
        memory_mb (`int`, *optional*, defaults to 512): What DuckDB may use.

    Returns:
        The number of distinct rows.
    """
    stored = (
        (int(row.pmid), row.type, _join(map(str, row.concepts)), _join(row.mentions), _join(row.resources))
        for row in rows
        if row.type in types
    )
    return write_pmid_table(path, COLUMNS, stored, identity, counts=counts, memory_mb=memory_mb)


class BulkAnnotations:
    """The stored rows.

    Args:
        path (`str` or `PathLike`): What :func:`write_bulk_annotations` wrote.
        memory_mb (`int`, *optional*, defaults to 512): What DuckDB may use.
    """

    def __init__(self, path: str | os.PathLike[str], *, memory_mb: int = MEMORY_MB) -> None:
        self._table = PmidTable(path, memory_mb=memory_mb)

    def __len__(self) -> int:
        return len(self._table)

    @cached_property
    def types(self) -> frozenset[str]:
        """The types of the rows, whatever abstract they are of."""
        return frozenset(self._table.count_by("type"))

    def of(self, pmids: Iterable[int]) -> dict[int, list[BulkRow]]:
        """The rows of some abstracts; give thousands at once, since a call for one costs as much."""
        found: defaultdict[int, list[BulkRow]] = defaultdict(list)
        for pmid, type_, concepts, mentions, resources in self._table.lookup(pmids):
            references = tuple(map(ConceptRef.parse, _parts(concepts)))
            found[pmid].append(BulkRow(str(pmid), type_, references, _parts(mentions), _parts(resources)))
        return dict(found)


def _join(parts: Iterable[str]) -> str:
    return _SEPARATOR.join(parts)


def _parts(column: str) -> tuple[str, ...]:
    return tuple(column.split(_SEPARATOR)) if column else ()


def find_mentions(
    text: str, words: Sequence[tuple[int, int]], rows: Iterable[BulkRow], *, counts: Counter[str] | None = None
) -> tuple[Mention, ...]:
    """Find the mentions of bulk rows in their abstract, wherever they stand as whole words in the spelling of the row.

    Args:
        text (`str`): The abstract.
        words (`Sequence[tuple[int, int]]`): Its words as half-open spans.
        rows (`Iterable[BulkRow]`): Its rows.
        counts (`Counter`, *optional*): Receives ``bulk_mentions_not_found``: texts that rows name and that stand
            nowhere, as PubTator read another edition of the abstract.

    Returns:
        Mentions in order. Of those that overlap the longest, of equally long ones the leftmost; two types for one span
        are both kept, two rows of one type become one mention with the concepts of both.

    Example:
        >>> row = BulkRow("1", "Disease", (ConceptRef("MESH", "D006073"),), ("gout",), ("DNorm",))
        >>> [(m.start, m.source) for m in find_mentions("In gout, gouty", ((0, 2), (3, 7), (7, 8), (9, 14)), [row])]
        [(3, 'pubtator:DNorm/bulk')]
    """
    counts = Counter() if counts is None else counts
    starts, ends = {start for start, _ in words}, {end for _, end in words}
    concepts: defaultdict[tuple[int, int, str], dict[ConceptRef, None]] = defaultdict(dict)
    resources: dict[tuple[int, int, str], str] = {}
    for row in rows:
        for mention in dict.fromkeys(row.mentions):
            spans = [span for span in _occurrences(text, mention) if span[0] in starts and span[1] in ends]
            counts["bulk_mentions_not_found"] += not spans
            for start, end in spans:
                concepts[start, end, row.type].update(dict.fromkeys(row.concepts))
                resources.setdefault((start, end, row.type), "+".join(row.resources) or "unknown")
    free = FreePlaces(len(text))
    ranked = sorted({span[:2] for span in concepts}, key=lambda span: (span[0] - span[1], span[0]))
    kept = {span for span in ranked if free.take(*span)}
    return tuple(
        Mention(start, end, type_, text[start:end], tuple(found), f"pubtator:{resources[start, end, type_]}/bulk")
        for (start, end, type_), found in sorted(concepts.items(), key=lambda item: item[0])
        if (start, end) in kept
    )


def _occurrences(text: str, wanted: str) -> Iterator[tuple[int, int]]:
    place = text.find(wanted) if wanted else -1
    while place >= 0:
        yield place, place + len(wanted)
        place = text.find(wanted, place + 1)

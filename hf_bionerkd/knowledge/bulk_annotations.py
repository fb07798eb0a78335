"""The store of PubTator's bulk rows, and the search for the mentions that they name without offsets.

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
from hf_bionerkd.knowledge.matching import FreeText
from hf_bionerkd.knowledge.pmid_tables import MEMORY_MB, PmidTable, write_pmid_table

# Joins the parts of a list in one column: unlike a bar it never stands in an ID or a text.
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
        types (`Collection[str]`): Types to store; rows of other types are skipped.
        identity (`Mapping[str, Any]`): What the rows come from; see
            :func:`~hf_bionerkd.knowledge.pmid_tables.write_pmid_table`.
        counts (`Mapping[str, int]`, *optional*): What the readers count; it is kept with the table.
        memory_mb (`int`, *optional*, defaults to 512): The memory that DuckDB may use, in MB.

    Returns:
        The number of distinct rows.
    """
    stored = (
        (int(row.pmid), row.type, _join(map(str, row.concepts)), _join(row.mentions), _join(row.resources))
        for row in rows
        if row.type in types
    )
    return write_pmid_table(path, COLUMNS, stored, identity, counts=counts, memory_mb=memory_mb)


class BulkAnnotations(PmidTable):
    """The stored rows.

    Args:
        path (`str` or `PathLike`): The file that :func:`write_bulk_annotations` wrote.
        memory_mb (`int`, *optional*, defaults to 512): The memory that DuckDB may use, in MB.
    """

    @cached_property
    def types(self) -> frozenset[str]:
        """The types of all rows, of whatever abstract."""
        return frozenset(self.count_by("type"))

    def of(self, pmids: Iterable[int]) -> dict[int, list[BulkRow]]:
        """Look up the rows of some abstracts; give thousands at once, since a call for one costs as much."""
        by_pmid: defaultdict[int, list[BulkRow]] = defaultdict(list)
        for pmid, type_, concepts, mentions, resources in self.lookup(pmids):
            references = tuple(map(ConceptRef.parse, _parts(concepts)))
            by_pmid[pmid].append(BulkRow(str(pmid), type_, references, _parts(mentions), _parts(resources)))
        return dict(by_pmid)


def _join(parts: Iterable[str]) -> str:
    return _SEPARATOR.join(parts)


def _parts(column: str) -> tuple[str, ...]:
    return tuple(column.split(_SEPARATOR)) if column else ()


def find_mentions(
    text: str, words: Sequence[tuple[int, int]], rows: Iterable[BulkRow], *, counts: Counter[str] | None = None
) -> tuple[Mention, ...]:
    """Find the mentions of bulk rows in their abstract: whole words in the spelling of the row.

    Args:
        text (`str`): The abstract.
        words (`Sequence[tuple[int, int]]`): Its words as half-open spans.
        rows (`Iterable[BulkRow]`): Its rows.
        counts (`Counter`, *optional*): Receives ``bulk_mentions_not_found``: texts that rows name and the abstract
            does not have, since PubTator read another edition of it.

    Returns:
        Mentions in order. Of those that overlap, the longest is kept, and of equally long ones the leftmost. Two types
        for one span are both kept; two rows of one type become one mention with the concepts of both.

    Example:
        >>> row = BulkRow("1", "Disease", (ConceptRef("MESH", "D006073"),), ("gout",), ("DNorm",))
        >>> [(m.start, m.source) for m in find_mentions("In gout, gouty", ((0, 2), (3, 7), (7, 8), (9, 14)), [row])]
        [(3, 'pubtator:DNorm/bulk')]
    """
    counts = Counter() if counts is None else counts
    # Texts count as whole words only: "gout" does not stand in "gouty".
    starts, ends = {start for start, _ in words}, {end for _, end in words}
    concepts: defaultdict[tuple[int, int, str], dict[ConceptRef, None]] = defaultdict(dict)
    resources: dict[tuple[int, int, str], str] = {}
    # Gather what all rows say of a span: the concepts of all, the resources of the first.
    for row in rows:
        for mention in dict.fromkeys(row.mentions):
            spans = [span for span in _occurrences(text, mention) if span[0] in starts and span[1] in ends]
            counts["bulk_mentions_not_found"] += not spans
            for start, end in spans:
                concepts[start, end, row.type].update(dict.fromkeys(row.concepts))
                resources.setdefault((start, end, row.type), "+".join(row.resources) or "unknown")
    # Give the text away, longest span first.
    free = FreeText(len(text))
    ranked = sorted({span[:2] for span in concepts}, key=lambda span: (span[0] - span[1], span[0]))
    kept = {span for span in ranked if free.take(*span)}
    return tuple(
        Mention(start, end, type_, text[start:end], tuple(references), f"pubtator:{resources[start, end, type_]}/bulk")
        for (start, end, type_), references in sorted(concepts.items(), key=lambda item: item[0])
        if (start, end) in kept
    )


def _occurrences(text: str, mention: str) -> Iterator[tuple[int, int]]:
    start = text.find(mention) if mention else -1
    while start >= 0:
        yield start, start + len(mention)
        start = text.find(mention, start + 1)

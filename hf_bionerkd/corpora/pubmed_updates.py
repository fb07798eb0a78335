"""PubMed's baseline with its daily updates: of each article the newest version, and none that was withdrawn.

NLM publishes a baseline once a year and files of changes every day. A later record of a PMID replaces the earlier one,
and a list of deleted PMIDs withdraws records. The files are read twice: once for PMIDs alone, eight bytes for each.
"""

from __future__ import annotations

import os
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hf_bionerkd.corpora.pubmed import PubMedRecord, parse_pmid, read_pubmed
from hf_bionerkd.corpora.xml_elements import read_elements

# What becomes of a record.
_KEPT, _REPLACED, _DELETED = 0, 1, 2


class PubMedUpdates:
    """Files of PubMed XML, of which later ones update earlier ones.

    Args:
        paths (`Sequence[str | PathLike]`): The files, from the oldest to the newest.

    Raises:
        CorpusError: A file is no PubMed XML, is cut off or declares entities.

    Example:
        >>> updates = PubMedUpdates(["pubmed26n0001.xml.gz", "pubmed26n1335.xml.gz"])  # doctest: +SKIP
        >>> for record in updates.records(0):  # doctest: +SKIP
        ...     print(record.pmid, record.title)
    """

    def __init__(self, paths: Sequence[str | os.PathLike[str]]) -> None:
        self.paths = list(paths)
        # All records and deletions in order: the PMID, or what is below 0 for a deletion.
        events = array("q")
        self._starts: list[int] = []
        for path in self.paths:
            self._starts.append(len(events))
            events.extend(_events(path))
        self._fates = _fates(np.array(events, dtype=np.int64))

    def records(self, index: int, *, counts: Counter[str] | None = None) -> Iterator[PubMedRecord]:
        """Stream the records of one of the files that no later record replaces and no later list deletes.

        Args:
            index (`int`): Which of the files.
            counts (`Counter`, *optional*): Receives ``records_replaced`` and ``records_deleted``, and what
                :func:`~hf_bionerkd.corpora.pubmed.read_pubmed` counts.
        """
        counts = Counter() if counts is None else counts
        for place, record in enumerate(read_pubmed(self.paths[index], counts=counts), self._starts[index]):
            fate = self._fates[place]
            if fate == _KEPT:
                yield record
            else:
                counts["records_deleted" if fate == _DELETED else "records_replaced"] += 1


def read_pubmed_updates(
    paths: Sequence[str | os.PathLike[str]], *, counts: Counter[str] | None = None
) -> Iterator[PubMedRecord]:
    """Stream the records of PubMed files, of each article the newest; see :class:`PubMedUpdates`."""
    updates = PubMedUpdates(paths)
    for index in range(len(updates.paths)):
        yield from updates.records(index, counts=counts)


def _events(path: str | os.PathLike[str]) -> Iterator[int]:
    deleted: list[int] = []
    for element in read_elements(path, "PubmedArticleSet", ["PubmedArticle", "DeleteCitation"]):
        if element.tag == "PubmedArticle":
            yield parse_pmid(element.findtext("MedlineCitation/PMID") or "") or 0
        else:
            deleted += [parse_pmid(pmid.text or "") or 0 for pmid in element.iter("PMID")]
    # NLM lists deletions at the end of a file; they follow its records wherever they stand.
    yield from (-pmid for pmid in deleted if pmid)


def _fates(events: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """Return what becomes of each event's record; those without a PMID are kept."""
    fates = np.zeros(len(events), dtype=np.uint8)
    # Events of one PMID side by side, in their order.
    order = np.argsort(np.abs(events), kind="stable")
    pmids = np.abs(events)[order]
    last = np.searchsorted(pmids, pmids, side="right") - 1  # the place of the last event of the same PMID
    replaced = (np.arange(len(events)) != last) & (pmids > 0)
    deleted = events[order][last] < 0
    fates[order] = np.where(deleted, _DELETED, np.where(replaced, _REPLACED, _KEPT))
    return fates

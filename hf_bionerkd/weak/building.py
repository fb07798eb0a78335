"""The making of a weak corpus: abstracts in, labelled sentences out, with one batch in memory at a time.

Each abstract, in order, is left out when a gold standard holds it, when nothing is associated with it and an
association is required, or when one with its PMID or text has entered before. (Annotated files of full texts have many
passages under one PMID: within such a file only the text tells a copy.) Else it is labelled and cut into sentences, of
which those that a gold standard holds are left out. Both views of a corpus come from the same walk, so that they hold
the same abstracts and sentences. Two keys of every abstract that enters are remembered, in some 170 bytes.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

from hf_bionerkd.corpora.pubmed import parse_pmid
from hf_bionerkd.documents import Document, Mention
from hf_bionerkd.weak.labelling import Associated, Labeller, View, WeakLabels
from hf_bionerkd.weak.leakage import LeakFinder, text_key
from hf_bionerkd.weak.resources import (
    make_labeller,
    make_leak_finder,
    open_associations,
    open_bulk_annotations,
    pubmed_records,
    read_abstracts,
)
from hf_bionerkd.weak.sentences import document_sentences
from hf_bionerkd.weak.settings import AbstractSource, WeakConfig

_BATCH = 1000


class WeakCorpus:
    """A weak corpus, read from its sources while its sentences are asked for; to be used in a ``with`` statement.

    Args:
        config (`WeakConfig`): The sources and rules.

    Attributes:
        counts (`Counter[str]`): What was read, repaired and left out, and why; filled while sentences are read.
        set_aside (`Iterable[dict]`): The documents left out because a gold standard holds them, and the mentions or
            rows that readers could not keep. They are kept on disk, to be read after the sentences.
        sources (`list[Path]`): All files that the corpus is made of.
        settings (`dict[str, Any]`): What else makes two corpora the same, as plain JSON values.

    Raises:
        WeakConfigError: A file is missing.

    Example:
        >>> with WeakCorpus(load_weak_config("weak.yaml")) as corpus:  # doctest: +SKIP
        ...     for sentence in corpus.sentences("accuracy"):
        ...         print(sentence.text, sentence.mentions)
    """

    def __init__(self, config: WeakConfig) -> None:
        self.config = config
        self.counts: Counter[str] = Counter()
        self.set_aside = _Spool()
        self.sources = [config.path(file) for file in config.files()]
        # Where files lie and how much memory joins may take has no influence on the corpus.
        kept = {name: value for name, value in asdict(config).items() if name not in ("root", "cache", "memory_mb")}
        self.settings: dict[str, Any] = json.loads(json.dumps(kept))
        self._open = ExitStack()
        self._open.enter_context(self.set_aside)

    def __enter__(self) -> WeakCorpus:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open.close()

    def sentences(self, view: View) -> Iterator[Document]:
        """Stream the sentences of one view, in the order of the sources.

        Args:
            view (`str`): `"coverage"` or `"accuracy"`.

        Returns:
            Documents whose ids are ``<abstract>:<number>`` and whose ``metadata["document_id"]`` is the PMID, or the
            abstract's id where it has none.
        """
        leaks = make_leak_finder(self.config)
        labeller = make_labeller(self.config, self.counts)
        for document, mentions, associated in self._covered(leaks, labeller):
            # Both views are cut around the mentions of coverage, so that they have the same sentences.
            spans = [(mention.start, mention.end) for mention in mentions]
            if view == "accuracy":
                mentions = labeller.accuracy(mentions, associated)
            written = 0
            for sentence in document_sentences(document, mentions, spans):
                if leaks.is_gold_sentence(sentence.text):
                    self.counts["sentences_left_out_as_gold"] += 1
                    continue
                written += 1
                yield sentence
            # An abstract all of whose sentences are gold ones is not in the corpus.
            self.counts["abstracts"] += bool(written)

    def abstracts(self) -> Iterator[WeakLabels]:
        """Stream whole abstracts with the mentions of both views."""
        labeller = make_labeller(self.config, self.counts)
        for document, mentions, associated in self._covered(make_leak_finder(self.config), labeller):
            yield WeakLabels(document, mentions, labeller.accuracy(mentions, associated))

    def _covered(
        self, leaks: LeakFinder, labeller: Labeller
    ) -> Iterator[tuple[Document, tuple[Mention, ...], Associated]]:
        """Yield the abstracts of the corpus, their mentions for coverage, and what they are associated with."""
        config = self.config
        folder = self._tables()
        associations = open_associations(config, folder, self.counts)
        bulk = open_bulk_annotations(config, folder, self.counts, self.set_aside.append)
        taken = 0  # abstracts that have entered, for the limit
        stream = self._clean_abstracts(leaks)
        copies = _Copies()
        # The tables are joined batch by batch: a lookup of one abstract costs as much as one of thousands.
        while batch := list(islice(stream, _BATCH)):
            pmids = [pmid for document, _, _ in batch if (pmid := _pmid_of(document)) is not None]
            associated = associations.of(pmids) if associations is not None else {}
            rows = bulk.of(pmids) if bulk is not None else {}
            for document, given, source in batch:
                # No PMID is 0: no table has it.
                pmid = _pmid_of(document) or 0
                if config.require_association and pmid not in associated:
                    self.counts["abstracts_left_out_without_association"] += 1
                    continue
                # Only now: a copy that does not enter, for lack of a PMID, must not keep out the one that has it.
                if not copies.enter(document.text, pmid, source):
                    self.counts["abstracts_left_out_as_repeated"] += 1
                    self.counts["mentions_left_out_with_repeated_abstracts"] += len(document.mentions) if given else 0
                    continue
                self.counts["abstracts_with_an_association"] += pmid in associated
                mentions = labeller.coverage(
                    document, given=given, rows=rows.get(pmid), row_types=bulk.types if bulk is not None else ()
                )
                yield document, mentions, associated.get(pmid, {})
                taken += 1
                if taken == config.limit:
                    return

    def _clean_abstracts(self, leaks: LeakFinder) -> Iterator[tuple[Document, tuple[str, ...], AbstractSource]]:
        """Yield each abstract that no gold standard holds, the types that its annotator has labelled, its source."""
        records = pubmed_records(self.config, self.config.abstracts, self.counts)
        for source in self.config.abstracts:
            for document in read_abstracts(self.config, source, self.counts, self.set_aside.append, records):
                self.counts["abstracts_read"] += 1
                if not document.words:
                    self.counts["abstracts_left_out_without_text"] += 1
                    continue
                # Before anything is labelled: what a gold standard holds must leave no trace but its record.
                leak = leaks.find(document)
                if leak is not None:
                    self.counts[f"abstracts_left_out_as_gold_by_{leak.rule}"] += 1
                    pmid = document.metadata.get("document_id", "")
                    self.set_aside.append({"id": document.id, "document_id": pmid, "reason": "gold", **asdict(leak)})
                    continue
                yield document, (source.types or self.config.types) if source.has_labels else (), source

    def _tables(self) -> Path:
        """Return the folder of the joined tables: the configuration's, or one that goes with this object."""
        if self.config.cache is not None:
            return Path(self.config.cache)
        return Path(self._open.enter_context(tempfile.TemporaryDirectory(prefix="weak-corpus-")))


class _Copies:
    """The abstracts that have entered: copies have the text or, save for passages of one file, the PMID in common."""

    def __init__(self) -> None:
        self._texts: set[bytes] = set()
        self._pmids: set[int] = set()
        self._source: AbstractSource | None = None
        self._passages: set[int] = set()  # the PMIDs of an annotated file that is being read

    def enter(self, text: str, pmid: int, source: AbstractSource) -> bool:
        """Remember an abstract (a PMID of 0 is none) and return whether it is the first copy."""
        if source is not self._source:
            self._pmids |= self._passages
            self._source, self._passages = source, set()
        key = text_key(text)
        if key in self._texts or pmid in self._pmids:
            return False
        self._texts.add(key)
        if pmid:
            (self._passages if source.has_passages else self._pmids).add(pmid)
        return True


def _pmid_of(document: Document) -> int | None:
    return parse_pmid(document.metadata.get("document_id", ""))


class _Spool:
    """A list of entries that is kept on disk, so that many of them take no memory."""

    def __init__(self) -> None:
        # A file without a name, which is gone when it is closed, even by a kill.
        self._file = tempfile.TemporaryFile("w+", encoding="utf-8")

    def append(self, entry: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(dict(entry), ensure_ascii=False) + "\n")

    def __iter__(self) -> Iterator[dict[str, Any]]:
        self._file.seek(0)
        yield from map(json.loads, self._file)

    def __enter__(self) -> _Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

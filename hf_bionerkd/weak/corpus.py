"""A weak corpus from its configuration: abstracts in, labelled sentences out, one batch in memory at a time.

For each abstract, in order: left out when a gold standard holds it, when its PMID or text came before, or when nothing
is associated with it and an association is required; labelled; cut into sentences; sentences that a gold standard
holds are left out. Both views of a corpus come from the same walk, so that they hold the same abstracts and sentences.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import Any

from hf_bionerkd.corpora.articles import Article, read_articles
from hf_bionerkd.corpora.bioc import read_bioc
from hf_bionerkd.corpora.conll import read_conll
from hf_bionerkd.corpora.files import file_sha256
from hf_bionerkd.corpora.pubmed import PubMedRecord, read_pubmed
from hf_bionerkd.corpora.pubtator import PUBTATOR_SCHEMES, read_pubtator
from hf_bionerkd.corpora.pubtator_bulk import BulkRow, read_bulk_rows
from hf_bionerkd.documents import Document, Mention
from hf_bionerkd.knowledge.associations import (
    Association,
    Associations,
    heading_ids,
    mesh_associations,
    read_ctd_associations,
    read_rgd_associations,
    write_associations,
)
from hf_bionerkd.knowledge.bulk_annotations import BulkAnnotations, write_bulk_annotations
from hf_bionerkd.knowledge.identifiers import Alternatives, normalise
from hf_bionerkd.knowledge.lexicon import Lexicon
from hf_bionerkd.knowledge.matching import Matcher
from hf_bionerkd.knowledge.pmid_tables import read_identity
from hf_bionerkd.knowledge.vocabularies import (
    ConceptNames,
    read_ctd_vocabulary,
    read_medic,
    read_mesh_table,
    read_mesh_xml,
    read_terms,
    read_tree_numbers,
)
from hf_bionerkd.weak.config import AbstractSource, AssociationSource, GoldSource, VocabularySource, WeakConfig
from hf_bionerkd.weak.labelling import Associated, Labeller, View, WeakLabels
from hf_bionerkd.weak.leakage import LeakFinder, text_key
from hf_bionerkd.weak.sentences import document_sentences

_BATCH = 2000


class WeakCorpus:
    """A weak corpus, read from its sources while its sentences are asked for. Use it in a ``with`` statement.

    Args:
        config (`WeakConfig`): Sources and rules.

    Attributes:
        counts (`Counter[str]`): What was read, repaired and left out, and why; filled while sentences are read.
        set_aside (`Iterable[dict]`): Documents left out for a gold standard's sake, and mentions or rows that readers
            could not keep; to be read after the sentences. Kept on disk.
        sources (`list[Path]`): Every file that the corpus is made of.
        settings (`dict[str, Any]`): What else makes two corpora the same, as JSON can hold it.

    Raises:
        WeakConfigError: A file is not there.

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
        """The sentences of one view, in the order of the sources.

        Args:
            view (`str`): `"coverage"` or `"accuracy"`.

        Returns:
            Documents whose ids are ``<abstract>:<number>`` and whose ``metadata["document_id"]`` is the PMID, or the
            abstract's id where it has none.
        """
        leaks = self._leak_finder()
        labeller = self._labeller()
        for document, mentions, associated in self._covered(leaks, labeller):
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
            self.counts["abstracts"] += bool(written)

    def abstracts(self) -> Iterator[WeakLabels]:
        """The abstracts whole, with both views' mentions."""
        labeller = self._labeller()
        for document, mentions, associated in self._covered(self._leak_finder(), labeller):
            yield WeakLabels(document, mentions, labeller.accuracy(mentions, associated))

    def _labeller(self) -> Labeller:
        return Labeller(self.config.types, self._matcher(), self._alternatives(), self.counts)

    def _covered(
        self, leaks: LeakFinder, labeller: Labeller
    ) -> Iterator[tuple[Document, tuple[Mention, ...], Associated]]:
        """Abstracts that belong into the corpus, their mentions for coverage, and what they are associated with."""
        config = self.config
        associations, bulk = self._associations(), self._bulk_annotations()
        taken = 0
        stream = self._clean_abstracts(leaks)
        while batch := list(islice(stream, _BATCH)):
            pmids = [pmid for document, _ in batch if (pmid := _pmid_of(document)) is not None]
            associated = associations.of(pmids) if associations is not None else {}
            rows = bulk.of(pmids) if bulk is not None else {}
            for document, given in batch:
                pmid = _pmid_of(document) or 0
                self.counts["abstracts_with_an_association"] += pmid in associated
                if config.require_association and pmid not in associated:
                    self.counts["abstracts_left_out_without_association"] += 1
                    continue
                yield document, labeller.coverage(document, given=given, rows=rows.get(pmid)), associated.get(pmid, {})
                taken += 1
                if taken == config.limit:
                    return

    def _clean_abstracts(self, leaks: LeakFinder) -> Iterator[tuple[Document, bool]]:
        """Abstracts that no one before repeats and no gold standard holds, and whether they come with labels."""
        seen: set[bytes] = set()
        for source in self.config.abstracts:
            for document in self._documents(source):
                self.counts["abstracts_read"] += 1
                if not document.words:
                    self.counts["abstracts_left_out_without_text"] += 1
                    continue
                leak = leaks.find(document)
                if leak is not None:
                    self.counts[f"abstracts_left_out_as_gold_by_{leak.rule}"] += 1
                    pmid = document.metadata.get("document_id", "")
                    self.set_aside.append({"id": document.id, "document_id": pmid, "reason": "gold", **asdict(leak)})
                    continue
                keys = {text_key(document.text)}
                if (number := _pmid_of(document)) is not None:
                    keys.add(b"%d" % number)
                if seen & keys:
                    self.counts["abstracts_left_out_as_repeated"] += 1
                    continue
                seen |= keys
                yield document, source.has_labels

    def _documents(self, source: AbstractSource) -> Iterator[Document]:
        path = self.config.path(source.file)
        if source.format == "articles":
            return (article.document() for article in read_articles(path))
        if source.format == "pubmed":
            return (record.document() for record in read_pubmed(path))
        read = read_pubtator if source.format == "pubtator" else read_bioc
        return read(
            path,
            default_scheme=PUBTATOR_SCHEMES,
            source=f"pubtator:{source.format}/given",
            counts=self.counts,
            on_set_aside=self.set_aside.append,
        )

    def _leak_finder(self) -> LeakFinder:
        finder = LeakFinder(self.config.min_gold_sentence)
        for source in self.config.leave_out:
            path = self.config.path(source.file)
            if source.format == "conll":
                finder.add_sentences(source.name, read_conll(path, name=source.name))
            else:
                finder.add_documents(source.name, _gold_documents(source, path), pmids=source.pmids)
        return finder

    def _matcher(self) -> Matcher | None:
        config = self.config.lexicon
        if config is None:
            return None
        lexicon = Lexicon(config.order or self.config.types, config.rules)
        for type_, names in config.names.items():
            lexicon.add(type_, "names", [ConceptNames(normalise(key), texts) for key, texts in names.items()])
        places = read_tree_numbers(self.config.path(config.tree_numbers)) if config.tree_numbers else {}
        for source in config.vocabularies:
            concepts = _vocabulary(source, self.config.path(source.file))
            if source.branches is not None:
                concepts = source.branches.select(concepts, places)
            lexicon.add(source.type, source.name, concepts, source.acronyms)
        return Matcher(lexicon, abbreviations=config.abbreviations)

    def _alternatives(self) -> Alternatives:
        if self.config.alternatives is None:
            return Alternatives()
        path = self.config.path(self.config.alternatives)
        concepts = read_ctd_vocabulary(path, "Disease") if "CTD_diseases" in path.name else read_medic(path)
        return Alternatives((other, concept.concept) for concept in concepts for other in concept.alternatives)

    def _associations(self) -> Associations | None:
        config = self.config
        if not config.associations:
            return None
        files = [source.file for source in config.associations] + ([config.descriptors] if config.descriptors else [])
        identity = self._identity("associations", files, [asdict(source) for source in config.associations])
        path = self._table("associations", identity)
        if read_identity(path) != identity:
            write_associations(
                path,
                chain.from_iterable(map(self._read_associations, config.associations)),
                identity,
                memory_mb=config.memory_mb,
            )
        return Associations(path, memory_mb=config.memory_mb)

    def _read_associations(self, source: AssociationSource) -> Iterator[Association]:
        path = self.config.path(source.file)
        if source.format == "ctd":
            return read_ctd_associations(path, source.columns, inferred=source.inferred, counts=self.counts)
        if source.format == "rgd":
            return read_rgd_associations(path, counts=self.counts)
        articles: Iterable[Article | PubMedRecord] = (
            read_articles(path) if source.format == "articles" else read_pubmed(path)
        )
        table = self.config.descriptors
        headings = heading_ids(read_mesh_table(self.config.path(table))) if table else None
        return mesh_associations(articles, headings, counts=self.counts)

    def _bulk_annotations(self) -> BulkAnnotations | None:
        config = self.config
        if not config.bulk_annotations:
            return None
        files = [source.file for source in config.bulk_annotations]
        details = [list(config.types), [asdict(source) for source in config.bulk_annotations]]
        identity = self._identity("bulk annotations", files, details)
        path = self._table("bulk_annotations", identity)
        if read_identity(path) != identity:
            rows: Iterator[BulkRow] = chain.from_iterable(
                read_bulk_rows(
                    config.path(source.file),
                    type=source.type,
                    counts=self.counts,
                    on_set_aside=self.set_aside.append,
                )
                for source in config.bulk_annotations
            )
            write_bulk_annotations(path, rows, config.types, identity, memory_mb=config.memory_mb)
        return BulkAnnotations(path, memory_mb=config.memory_mb)

    def _identity(self, kind: str, files: list[str], details: Any) -> dict[str, Any]:
        """What makes two tables the same: contents of the files and how they are read."""
        contents = {file: file_sha256(self.config.path(file)) for file in files}
        identity: dict[str, Any] = json.loads(json.dumps({"kind": kind, "files": contents, "details": details}))
        return identity

    def _table(self, name: str, identity: Mapping[str, Any]) -> Path:
        if self.config.cache is not None:
            return Path(self.config.cache) / f"{name}.parquet"
        return Path(self._open.enter_context(tempfile.TemporaryDirectory(prefix="weak-corpus-"))) / f"{name}.parquet"


def _gold_documents(source: GoldSource, path: Path) -> Iterator[Document]:
    # Mentions of a gold standard are of no use here, and one that is out of place must not stop its document.
    ignored: list[dict[str, Any]] = []
    read = read_pubtator if source.format == "pubtator" else read_bioc
    return read(path, on_set_aside=ignored.append)


def _vocabulary(source: VocabularySource, path: Path) -> Iterator[ConceptNames]:
    if source.format in ("ctd_diseases", "ctd_chemicals"):
        return read_ctd_vocabulary(path, "Disease" if source.format == "ctd_diseases" else "Chemical")
    readers = {"medic": read_medic, "mesh": read_mesh_table, "mesh_xml": read_mesh_xml, "terms": read_terms}
    return readers[source.format](path)


def _pmid_of(document: Document) -> int | None:
    stated = document.metadata.get("document_id", "")
    return int(stated) if stated.isascii() and stated.isdigit() else None


class _Spool:
    """Entries kept on disk, in the order in which they came, so that many of them take no memory."""

    def __init__(self) -> None:
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

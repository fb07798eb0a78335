"""The counts of a corpus, and what its splits share."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from hf_bionerkd.documents import Document


@dataclass
class CorpusStatistics:
    """The running counts of one split, fed document by document, so that no corpus has to fit into memory.

    It keeps 8 bytes of each text, a digest of the name of each source document, and each distinct mention text;
    :func:`split_overlap` compares texts.

    Args:
        documents (`int`, *optional*, defaults to 0): Documents, or sentences where a corpus has one per row.
        words (`int`, *optional*, defaults to 0): Words of all documents.
        texts (`array`, *optional*): A digest of each document's folded text (:func:`fold`).
        mention_texts (`dict[str, Counter[str]]`, *optional*): How often each folded mention text occurs, by type.
        named (`int`, *optional*, defaults to 0): How many of `documents` say which document they are, or come from
            (``metadata["document_id"]``, a PMID).
        names (`set[int]`, *optional*): Digests of those documents' names.
        sources (`Counter[tuple[str, str]]`, *optional*): The number of mentions by type and source; mentions of
            unknown source are left out.

    Example:
        >>> from hf_bionerkd.documents import Mention
        >>> counts = corpus_statistics([Document("1", "Gout, gout", (Mention(0, 4, "D"), Mention(6, 10, "D")))])
        >>> counts.words, counts.mentions, counts.unique_mention_texts, counts.mention_sources
        (3, {'D': 2}, {'D': 1}, {'D': {'gold': 2}})
    """

    documents: int = 0
    words: int = 0
    texts: array[int] = field(default_factory=lambda: array("Q"))
    mention_texts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    named: int = 0
    names: set[int] = field(default_factory=set)
    sources: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, document: Document) -> None:
        """Count one more document."""
        self.documents += 1
        self.words += len(document.words)
        # Whole texts would take as much memory as the corpus.
        self.texts.append(digest(fold(document.text)))
        # Only where every row names its document is the number of documents known.
        if name := document.metadata.get("document_id"):
            self.named += 1
            self.names.add(digest(name))
        for mention in document.mentions:
            self.mention_texts[mention.type][fold(mention.text)] += 1
            if mention.source:
                self.sources[mention.type, mention.source] += 1

    @property
    def mentions(self) -> dict[str, int]:
        """The number of mentions by type, in order of the types' names."""
        return {kind: texts.total() for kind, texts in sorted(self.mention_texts.items())}

    @property
    def unique_mention_texts(self) -> dict[str, int]:
        """The number of distinct mention texts by type; white space and case are ignored."""
        return {kind: len(texts) for kind, texts in sorted(self.mention_texts.items())}

    @property
    def source_documents(self) -> int | None:
        """The number of distinct documents (abstracts, by PMID) behind the rows; None where a row does not say."""
        return len(self.names) if self.documents and self.named == self.documents else None

    @property
    def mention_sources(self) -> dict[str, dict[str, int]]:
        """The number of mentions by type and known source, in order of their names."""
        by_type: dict[str, dict[str, int]] = {}
        for (kind, source), times in sorted(self.sources.items()):
            by_type.setdefault(kind, {})[source] = times
        return by_type

    def as_dict(self) -> dict[str, Any]:
        """Return the counts alone, for a manifest or a table; what is unknown has no key."""
        counts: dict[str, Any] = {
            "documents": self.documents,
            "words": self.words,
            "mentions": self.mentions,
            "unique_mention_texts": self.unique_mention_texts,
        }
        if self.source_documents is not None:
            counts["source_documents"] = self.source_documents
        if self.sources:
            counts["mention_sources"] = self.mention_sources
        return counts


@dataclass(frozen=True)
class SplitOverlap:
    """The overlap of an evaluation split with the training split.

    Args:
        shared_documents (`int`): Documents of the evaluation split whose text is also in the training split.
        documents (`int`): Documents of the evaluation split.
        unseen_mentions (`int`): Mentions of the evaluation split whose text never carries their type in training.
        mentions (`int`): Mentions of the evaluation split.
    """

    shared_documents: int
    documents: int
    unseen_mentions: int
    mentions: int

    @property
    def unseen_share(self) -> float:
        """The share of the evaluation mentions that training never shows; 0 where there is none."""
        return self.unseen_mentions / self.mentions if self.mentions else 0.0


def fold(text: str) -> str:
    """Return a text without white space and case: equal for two spellings of one sentence, tokenised or not.

    Example:
        >>> fold("IL - 2 binds.") == fold("Il-2 binds .")
        True
    """
    return "".join(text.split()).casefold()


def digest(text: str) -> int:
    """Return eight bytes that stand for a text: any two of ten million texts share them with a chance of 3 in 10⁶."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def corpus_statistics(documents: Iterable[Document]) -> CorpusStatistics:
    """Count a stream of documents."""
    statistics = CorpusStatistics()
    for document in documents:
        statistics.add(document)
    return statistics


def split_overlap(train: CorpusStatistics, evaluation: CorpusStatistics) -> SplitOverlap:
    """Compare an evaluation split with the training split by their texts, ignoring white space and case."""
    # A mention is seen where training has its text with the same type.
    unseen = sum(
        times
        for kind, texts in evaluation.mention_texts.items()
        for text, times in texts.items()
        if text not in train.mention_texts.get(kind, ())
    )
    # Documents are compared by their digests, in arrays: a split has millions of them.
    return SplitOverlap(
        shared_documents=int(np.isin(_numbers(evaluation.texts), _numbers(train.texts)).sum()),
        documents=evaluation.documents,
        unseen_mentions=unseen,
        mentions=sum(evaluation.mentions.values()),
    )


def _numbers(values: array[int]) -> npt.NDArray[np.uint64]:
    return np.frombuffer(values, dtype=np.uint64) if values else np.empty(0, dtype=np.uint64)

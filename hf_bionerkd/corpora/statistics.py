"""Counts of a corpus, and what its splits share."""

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
    """Running counts of one split; feed it documents one by one, so that no corpus has to fit into memory.

    It keeps 8 bytes of each text, a digest of the name of each source document, and each distinct mention text;
    :func:`split_overlap` compares texts.

    Args:
        documents (`int`, *optional*, defaults to 0): Documents, or sentences where a corpus has one a row.
        words (`int`, *optional*, defaults to 0): Words of all documents.
        texts (`array`, *optional*): Digest of each document's text, see :func:`fold`.
        mention_texts (`dict[str, Counter[str]]`, *optional*): Type to folded mention texts to how often each occurs.
        named (`int`, *optional*, defaults to 0): How many of `documents` say which document they are, or come from
            (``metadata["document_id"]``, a PMID).
        names (`set[int]`, *optional*): Digests of those documents' names.
        sources (`Counter[tuple[str, str]]`, *optional*): Type and source of mentions to how many there are; mentions
            of unknown source are left out.

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
        self.texts.append(digest(fold(document.text)))
        if name := document.metadata.get("document_id"):
            self.named += 1
            self.names.add(digest(name))
        for mention in document.mentions:
            self.mention_texts[mention.type][fold(mention.text)] += 1
            if mention.source:
                self.sources[mention.type, mention.source] += 1

    @property
    def mentions(self) -> dict[str, int]:
        """Mentions by type, in order of the types' names."""
        return {kind: texts.total() for kind, texts in sorted(self.mention_texts.items())}

    @property
    def unique_mention_texts(self) -> dict[str, int]:
        """Distinct mention texts by type, white space and case ignored."""
        return {kind: len(texts) for kind, texts in sorted(self.mention_texts.items())}

    @property
    def source_documents(self) -> int | None:
        """Distinct documents that the rows come from (abstracts, by PMID); None where a row does not say."""
        return len(self.names) if self.documents and self.named == self.documents else None

    @property
    def mention_sources(self) -> dict[str, dict[str, int]]:
        """Where labels come from: type to source to mentions, in order of names; only sources that are known."""
        found: dict[str, dict[str, int]] = {}
        for (kind, source), times in sorted(self.sources.items()):
            found.setdefault(kind, {})[source] = times
        return found

    def as_dict(self) -> dict[str, Any]:
        """The counts alone, for a manifest or a table; what is unknown has no key."""
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
    """What an evaluation split shares with the training split.

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
        """Share of the evaluation mentions that training never shows; 0 where there is none."""
        return self.unseen_mentions / self.mentions if self.mentions else 0.0


def fold(text: str) -> str:
    """The text without white space and case: equal for two spellings of one sentence, tokenised or not.

    Example:
        >>> fold("IL - 2 binds.") == fold("Il-2 binds .")
        True
    """
    return "".join(text.split()).casefold()


def digest(text: str) -> int:
    """Eight bytes that stand for a text: two of ten million texts share theirs with a chance of 3 in a million."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def corpus_statistics(documents: Iterable[Document]) -> CorpusStatistics:
    """Count a stream of documents."""
    statistics = CorpusStatistics()
    for document in documents:
        statistics.add(document)
    return statistics


def split_overlap(train: CorpusStatistics, evaluation: CorpusStatistics) -> SplitOverlap:
    """Compare an evaluation split with the training split, by texts with white space and case ignored."""
    unseen = sum(
        times
        for kind, texts in evaluation.mention_texts.items()
        for text, times in texts.items()
        if text not in train.mention_texts.get(kind, ())
    )
    return SplitOverlap(
        shared_documents=int(np.isin(_numbers(evaluation.texts), _numbers(train.texts)).sum()),
        documents=evaluation.documents,
        unseen_mentions=unseen,
        mentions=sum(evaluation.mentions.values()),
    )


def _numbers(values: array[int]) -> npt.NDArray[np.uint64]:
    return np.frombuffer(values, dtype=np.uint64) if values else np.empty(0, dtype=np.uint64)

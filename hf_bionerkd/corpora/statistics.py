"""Counts of a corpus, and what its splits share."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b

from hf_bionerkd.documents import Document


@dataclass
class CorpusStatistics:
    """Running counts of one split; feed it documents one by one, so that no corpus has to fit into memory.

    It keeps a digest of 16 bytes a document and each distinct mention text, which :func:`split_overlap` compares.

    Args:
        documents (`int`, *optional*, defaults to 0): Documents, or sentences where a corpus has one a row.
        words (`int`, *optional*, defaults to 0): Words of all documents.
        texts (`Counter[bytes]`, *optional*): Digest of each text, see :func:`fold`, to how often it occurs.
        mention_texts (`dict[str, Counter[str]]`, *optional*): Type to folded mention texts to how often each occurs.

    Example:
        >>> from hf_bionerkd.documents import Mention
        >>> corpus_statistics([Document("1", "Gout and gout", (Mention(0, 4, "D"), Mention(9, 13, "D")))]).as_dict()
        {'documents': 1, 'words': 3, 'mentions': {'D': 2}, 'unique_mention_texts': {'D': 1}}
    """

    documents: int = 0
    words: int = 0
    texts: Counter[bytes] = field(default_factory=Counter)
    mention_texts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, document: Document) -> None:
        """Count one more document."""
        self.documents += 1
        self.words += len(document.words)
        self.texts[blake2b(fold(document.text).encode(), digest_size=16).digest()] += 1
        for mention in document.mentions:
            self.mention_texts[mention.type][fold(mention.text)] += 1

    @property
    def mentions(self) -> dict[str, int]:
        """Mentions by type, in order of the types' names."""
        return {kind: texts.total() for kind, texts in sorted(self.mention_texts.items())}

    @property
    def unique_mention_texts(self) -> dict[str, int]:
        """Distinct mention texts by type, white space and case ignored."""
        return {kind: len(texts) for kind, texts in sorted(self.mention_texts.items())}

    def as_dict(self) -> dict[str, int | dict[str, int]]:
        """The counts alone, for a manifest or a table."""
        return {
            "documents": self.documents,
            "words": self.words,
            "mentions": self.mentions,
            "unique_mention_texts": self.unique_mention_texts,
        }


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
        shared_documents=sum(times for text, times in evaluation.texts.items() if text in train.texts),
        documents=evaluation.documents,
        unseen_mentions=unseen,
        mentions=sum(evaluation.mentions.values()),
    )

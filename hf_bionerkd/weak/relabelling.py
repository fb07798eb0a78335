"""The new labels of a weak corpus: documents that carry them, and what they change.

Changes are counted on the flat view (one label per word, BIO ids of one label space), which is what models learn from,
in arrays: a corpus of millions of words takes seconds.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hf_bionerkd.documents import Document, Mention
from hf_bionerkd.evaluation.similarity import LabelSimilarity, mention_changes
from hf_bionerkd.labels import LabelSpace, WordSpan, spans_to_mentions

# With a smaller share of the mentions before, the model has learned to say nothing.
_COLLAPSED = 0.01

KINDS = ("kept", "changed", "added", "removed")


def relabel(document: Document, spans: Iterable[WordSpan], source: str) -> Document:
    """Return a document with new mentions in place of its own.

    A new mention with the words and type of an old one stays as that was: offsets, concept IDs and source.

    Args:
        document (`Document`): The document with its old mentions.
        spans (`Iterable[WordSpan]`): The new mentions, in words.
        source (`str`): Where new and changed mentions come from, such as ``"recorrection:round-1"``.

    Example:
        >>> old = Document("1", "Gout and fever", (Mention(0, 4, "Disease", source="dictionary"),))
        >>> [(m.text, m.source) for m in relabel(old, [(0, 1, "Disease"), (2, 3, "Disease")], "model").mentions]
        [('Gout', 'dictionary'), ('fever', 'model')]
    """
    # The old mentions by the words that they touch, even where they begin or end within one.
    starts, ends = [start for start, _ in document.words], [end for _, end in document.words]
    old: dict[WordSpan, Mention] = {}
    for mention in document.mentions:  # of several that touch the same words, the longest comes first
        words = (bisect_right(ends, mention.start), bisect_left(starts, mention.end), mention.type)
        old.setdefault(words, mention)
    spans = list(spans)
    fresh = spans_to_mentions(spans, document, source)
    mentions = tuple(old.get(span, mention) for span, mention in zip(spans, fresh, strict=True))
    return Document(document.id, document.text, mentions, document.words, document.passages, document.metadata)


@dataclass
class LabelChanges:
    """The changes that a relabelling makes, counted part by part with :meth:`add`.

    A new mention is *kept* where an old one has its words and type, *changed* where it overlaps an old one that is not
    kept (each old one counts once), and *added* otherwise; an old mention that is neither kept nor changed is
    *removed*. So over all types ``before = kept + changed + removed``, and for each type
    ``after = kept + changed + added``.

    The *label similarity* of one abstract is the share of its words whose label is the same (Zhou et al. 2021,
    equation 3).

    Args:
        space (`LabelSpace`): What label ids stand for; BIO.

    Example:
        >>> changes = LabelChanges(LabelSpace(("Disease",)))
        >>> changes.add([0, 2, 2, 2], [0, 2, 0, 1], [4], ["abstract 1"])
        >>> changes.mentions("added"), changes.similarity.mean
        ({'Disease': 1}, 0.5)
    """

    space: LabelSpace
    counts: dict[str, np.ndarray] = field(init=False)
    similarity: LabelSimilarity = field(init=False, default_factory=LabelSimilarity)

    def __post_init__(self) -> None:
        if self.space.scheme != "BIO":
            raise ValueError(f"changes are counted on BIO labels, not on {self.space.scheme}")
        self.counts = {name: np.zeros(len(self.space.types), dtype=np.int64) for name in ("before", "after", *KINDS)}

    def add(
        self,
        old: Sequence[int] | np.ndarray,
        new: Sequence[int] | np.ndarray,
        lengths: Sequence[int] | np.ndarray,
        documents: Sequence[str],
    ) -> None:
        """Count the changes in some sentences.

        Args:
            old (`np.ndarray`): Label ids of all their words, sentence after sentence.
            new (`np.ndarray`): The new label ids of the same words. An ``I-`` that nothing opens is read as ``B-``.
            lengths (`np.ndarray`): The number of words of each sentence.
            documents (`Sequence[str]`): The abstract that each sentence belongs to.

        Raises:
            ValueError: The numbers of words differ.
        """
        old, new, lengths = (np.asarray(values, dtype=np.int64) for values in (old, new, lengths))
        if not len(old) == len(new) == lengths.sum():
            raise ValueError(f"{len(old)} old and {len(new)} new labels for sentences of {lengths.sum()} words")
        # Mentions, in words of all sentences run together.
        before, after = (_spans(labels, lengths, self.space.outside) for labels in (old, new))
        self._count("before", before[:, 2])
        self._count("after", after[:, 2])
        types = self.space.types
        old_spans, new_spans = (
            [(first, last, types[kind]) for first, last, kind in spans.tolist()] for spans in (before, after)
        )
        # What became of them, by type; a changed mention counts for its new type.
        changes = mention_changes(old_spans, new_spans)
        kept = set(old_spans) & set(new_spans)
        for name, spans in (("kept", kept), ("added", changes.added), ("removed", changes.removed)):
            self._count(name, [types.index(kind) for _, _, kind in spans])
        self._count("changed", [types.index(kind) for _, (_, _, kind) in changes.changed])
        # Words whose label stayed the same: running sums give each sentence's at once.
        same = _opened(old, before) == _opened(new, after)
        ends = np.cumsum(lengths)
        sums = np.concatenate([[0], np.cumsum(same)])
        for name, length, right in zip(documents, lengths, sums[ends] - sums[ends - lengths], strict=True):
            self.similarity.count(name, int(right), int(length))

    def _count(self, name: str, kinds: Sequence[int] | np.ndarray) -> None:
        self.counts[name] += np.bincount(np.asarray(kinds, dtype=np.int64), minlength=len(self.space.types))

    def mentions(self, name: str) -> dict[str, int]:
        """Return the number of mentions by type.

        Args:
            name (`str`): Which ones: ``"before"``, ``"after"``, ``"kept"``, ``"changed"``, ``"added"`` or
                ``"removed"``.
        """
        return {kind: int(count) for kind, count in zip(self.space.types, self.counts[name], strict=True)}

    @property
    def collapsed(self) -> bool:
        """Return whether hardly any mention is left: less than 1 % of those before, or none at all."""
        after = int(self.counts["after"].sum())
        return not after or after < _COLLAPSED * int(self.counts["before"].sum())

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON values."""
        return {
            "mentions": {name: self.mentions(name) for name in self.counts},
            "words": sum(words for _, words in self.similarity.documents.values()),
            "words_with_the_same_label": sum(same for same, _ in self.similarity.documents.values()),
            "label_similarity": {
                "abstracts": len(self.similarity.documents),
                "mean": self.similarity.mean if self.similarity.counted else 1.0,
                "histogram": self.similarity.histogram(),
            },
            "collapsed": self.collapsed,
        }


def _spans(labels: np.ndarray, lengths: np.ndarray, outside: int) -> np.ndarray:
    """Return the mentions of concatenated sentences, (mentions, 3): first word, one past the last, and type."""
    # BIO ids of one label space: B- of type t is 2t, I- is 2t + 1, O comes last.
    kinds = np.where(labels == outside, -1, labels // 2)
    opens = np.zeros(len(labels) + 1, dtype=bool)
    opens[np.cumsum(lengths)] = True  # a sentence opens behind each, the last one behind all words
    opens[0] = True
    # A mention goes on where an I- follows a word of its type within the sentence.
    before = np.concatenate([[-1], kinds])[:-1]
    continues = (kinds >= 0) & (labels % 2 == 1) & (before == kinds) & ~opens[:-1]
    goes_on = np.concatenate([continues, [False]])[1:]
    first = np.flatnonzero((kinds >= 0) & ~continues)
    return np.stack([first, np.flatnonzero((kinds >= 0) & ~goes_on) + 1, kinds[first]], axis=1)


def _opened(labels: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """Return the labels with a ``B-`` at the beginning of every mention."""
    legal = labels.copy()
    legal[spans[:, 0]] = 2 * spans[:, 2]
    return legal

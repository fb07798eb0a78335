"""New labels for a weak corpus: documents that carry them, and what they change.

Changes are counted on the flat view (one label a word, BIO ids of one label space), which is what models learn from,
in arrays: a corpus of millions of words takes seconds.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hf_bionerkd.documents import Document, Mention
from hf_bionerkd.evaluation.mention_changes import mention_changes
from hf_bionerkd.evaluation.similarity import LabelSimilarity
from hf_bionerkd.labels import LabelSpace, WordSpan, spans_to_mentions

# Fewer than a hundredth of the mentions that were there: the model has learned to say nothing.
_COLLAPSED = 0.01

KINDS = ("kept", "changed", "added", "removed")


def relabel(document: Document, spans: Iterable[WordSpan], source: str) -> Document:
    """A document with these mentions in place of its own.

    A mention that was there, with the same words and type, stays as it was: offsets, concept IDs and source.

    Args:
        document (`Document`): With its old mentions.
        spans (`Iterable[WordSpan]`): The new ones, in words.
        source (`str`): Where mentions that are new or changed come from, such as ``"recorrection:round-1"``.

    Example:
        >>> old = Document("1", "Gout and fever", (Mention(0, 4, "Disease", source="dictionary"),))
        >>> [(m.text, m.source) for m in relabel(old, [(0, 1, "Disease"), (2, 3, "Disease")], "model").mentions]
        [('Gout', 'dictionary'), ('fever', 'model')]
    """
    starts, ends = [start for start, _ in document.words], [end for _, end in document.words]
    old: dict[WordSpan, Mention] = {}
    for mention in document.mentions:  # of several that touch the same words the longest comes first
        words = (bisect_right(ends, mention.start), bisect_left(starts, mention.end), mention.type)
        old.setdefault(words, mention)
    spans = list(spans)
    fresh = spans_to_mentions(spans, document, source)
    mentions = tuple(old.get(span, mention) for span, mention in zip(spans, fresh, strict=True))
    return Document(document.id, document.text, mentions, document.words, document.passages, document.metadata)


@dataclass
class LabelChanges:
    """What a relabelling changes; feed it sentences part by part with :meth:`add`.

    A new mention is *kept* where an old one has its words and type, *changed* where it overlaps an old one that is not
    kept (each old one counts once), and *added* otherwise; an old mention that is neither kept nor changed is
    *removed*. So over all types ``before = kept + changed + removed``, and for each type
    ``after = kept + changed + added``.

    The *label similarity* of one abstract is the share of its words whose label is the same (Zhou et al. 2021, label
    similarity).

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
        """Count some sentences.

        Args:
            old (`np.ndarray`): Label ids of all their words, sentence after sentence.
            new (`np.ndarray`): The same of the new labels. An ``I-`` that nothing opens is read as ``B-``.
            lengths (`np.ndarray`): Words of each sentence.
            documents (`Sequence[str]`): The abstract that each sentence is of.

        Raises:
            ValueError: The numbers of words differ.
        """
        old, new, lengths = (np.asarray(values, dtype=np.int64) for values in (old, new, lengths))
        if not len(old) == len(new) == lengths.sum():
            raise ValueError(f"{len(old)} old and {len(new)} new labels for sentences of {lengths.sum()} words")
        before, after = (_spans(labels, lengths, self.space.outside) for labels in (old, new))
        self._count("before", before[:, 2])
        self._count("after", after[:, 2])
        types = self.space.types
        there, here = (
            [(first, last, types[kind]) for first, last, kind in spans.tolist()] for spans in (before, after)
        )
        found = mention_changes(there, here)
        kept = set(there) & set(here)
        for name, spans in (("kept", kept), ("added", found.added), ("removed", found.removed)):
            self._count(name, [types.index(kind) for _, _, kind in spans])
        self._count("changed", [types.index(kind) for _, (_, _, kind) in found.changed])
        same = _opened(old, before) == _opened(new, after)
        ends = np.cumsum(lengths)
        sums = np.concatenate([[0], np.cumsum(same)])
        for name, length, right in zip(documents, lengths, sums[ends] - sums[ends - lengths], strict=True):
            self.similarity.count(name, int(right), int(length))

    def _count(self, name: str, kinds: Sequence[int] | np.ndarray) -> None:
        self.counts[name] += np.bincount(np.asarray(kinds, dtype=np.int64), minlength=len(self.space.types))

    def mentions(self, name: str) -> dict[str, int]:
        """How many mentions there are ``"before"`` and ``"after"``, or were ``"kept"``, ``"changed"``, ``"added"``,
        ``"removed"``, by type.
        """
        return {kind: int(count) for kind, count in zip(self.space.types, self.counts[name], strict=True)}

    @property
    def collapsed(self) -> bool:
        """Whether hardly any mention is left: fewer than a hundredth of those before, or none at all."""
        after = int(self.counts["after"].sum())
        return not after or after < _COLLAPSED * int(self.counts["before"].sum())

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
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
    """Mentions of concatenated sentences, (mentions, 3): first word, one past the last, index of the type."""
    kinds = np.where(labels == outside, -1, labels // 2)
    opens = np.zeros(len(labels) + 1, dtype=bool)
    opens[np.cumsum(lengths)] = True  # a sentence opens behind each; the last of them is behind all words
    opens[0] = True
    before = np.concatenate([[-1], kinds])[:-1]
    continues = (kinds >= 0) & (labels % 2 == 1) & (before == kinds) & ~opens[:-1]
    goes_on = np.concatenate([continues, [False]])[1:]
    first = np.flatnonzero((kinds >= 0) & ~continues)
    return np.stack([first, np.flatnonzero((kinds >= 0) & ~goes_on) + 1, kinds[first]], axis=1)


def _opened(labels: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """The labels with a ``B-`` at the beginning of every mention."""
    legal = labels.copy()
    legal[spans[:, 0]] = 2 * spans[:, 2]
    return legal

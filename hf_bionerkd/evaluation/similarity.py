"""The similarity of two labellings of the same documents, word by word, and what sets their mentions apart.

`label_similarity = #same labels / #words` of one document; a histogram counts documents in ten bins. Most words
are ``O`` in any labelling, so that even 0.95 may mean that most mentions differ.

Source: Zhou et al. 2021, equation 3 and figure 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hf_bionerkd.labels import WordSpan

if TYPE_CHECKING:
    from datasets import Dataset

BINS = 10

_BAR = 40  # characters of the longest bar in a terminal


@dataclass
class LabelSimilarity:
    """The numbers of words with the same label and of all words, counted sentence by sentence.

    Args:
        documents (`dict[str, tuple[int, int]]`, *optional*): These two numbers of every document.

    Example:
        >>> similarity = LabelSimilarity()
        >>> similarity.add("7", ["O", "B-Gene"], ["O", "O"])
        >>> similarity.histogram()
        [0, 0, 0, 0, 0, 1, 0, 0, 0, 0]
    """

    documents: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, document: str, first: Sequence[str], second: Sequence[str]) -> None:
        """Count one sentence of a document.

        Args:
            document (`str`): The document that it belongs to.
            first (`Sequence[str]`): One label per word.
            second (`Sequence[str]`): The other labelling of the same words.

        Raises:
            ValueError: The labellings have different numbers of words.
        """
        if len(first) != len(second):
            raise ValueError(
                f"document {document}: {len(first)} labels against {len(second)}; both labellings must be of the same "
                "words"
            )
        self.count(document, sum(one == other for one, other in zip(first, second, strict=True)), len(first))

    def count(self, document: str, same: int, words: int) -> None:
        """Count one sentence of a document by its number of words with the same label and of all words."""
        before = self.documents.get(document, (0, 0))
        self.documents[document] = before[0] + same, before[1] + words

    def histogram(self) -> list[int]:
        """Count documents in ten bins: [0, 0.1), [0.1, 0.2), … [0.9, 1]. A document without words is in none."""
        counts = [0] * BINS
        for same, words in self.documents.values():
            if words:
                counts[min(BINS * same // words, BINS - 1)] += 1  # whole numbers: 0.3 is 3/10 exactly
        return counts

    @property
    def identical(self) -> int:
        """The number of documents in which every word has the same label."""
        return sum(same == words for same, words in self.documents.values() if words)

    @property
    def counted(self) -> int:
        """The number of documents with at least one word."""
        return sum(words > 0 for _, words in self.documents.values())

    @property
    def mean(self) -> float:
        """The mean similarity of the documents.

        Raises:
            ValueError: No document has a word.
        """
        if not self.counted:
            raise ValueError("no document with a word was counted: there is no label similarity")
        return sum(same / words for same, words in self.documents.values() if words) / self.counted

    def least_alike(self, most: int = 10) -> list[tuple[str, float]]:
        """Return the documents that differ most, with their similarity."""
        similarities = [(same / words, document) for document, (same, words) in self.documents.items() if words]
        return [(document, similarity) for similarity, document in sorted(similarities)[:most]]

    def as_dict(self) -> dict[str, Any]:
        """Return everything but the documents' own counts, as plain JSON values."""
        # Without the pair of zeros there would be nothing to sum where no document has been counted.
        same, words = (sum(column) for column in zip(*self.documents.values(), (0, 0), strict=True))
        return {
            "documents": self.counted,
            "words": words,
            "same_words": same,
            "mean": self.mean,
            "identical": self.identical,
            "histogram": dict(zip(bin_names(), self.histogram(), strict=True)),
            "least_alike": dict(self.least_alike()),
        }


@dataclass(frozen=True)
class Changes:
    """The mentions that set one labelling of some words apart from another.

    Args:
        added (`tuple[WordSpan, ...]`): Mentions of the second labelling alone that have no partner.
        removed (`tuple[WordSpan, ...]`): Mentions of the first labelling alone that have no partner.
        changed (`tuple[tuple[WordSpan, WordSpan], ...]`): Partners: each is in one labelling alone, and they overlap.
    """

    added: tuple[WordSpan, ...]
    removed: tuple[WordSpan, ...]
    changed: tuple[tuple[WordSpan, WordSpan], ...]

    def __len__(self) -> int:
        return len(self.added) + len(self.removed) + len(self.changed)


def mention_changes(before: Iterable[WordSpan], after: Iterable[WordSpan]) -> Changes:
    """Compare two flat labellings of the same words.

    A mention has at most one partner, the leftmost that is free, which gives as many pairs as there can be. The time
    grows with the mentions alone, so that a whole corpus may be one run of words.

    Example:
        >>> changes = mention_changes([(0, 1, "Disease"), (4, 5, "Disease")], [(3, 5, "Disease"), (7, 8, "Chemical")])
        >>> changes.removed, changes.changed
        (((0, 1, 'Disease'),), (((4, 5, 'Disease'), (3, 5, 'Disease')),))
    """
    first, second = set(before), set(after)
    old, new = sorted(first - second), sorted(second - first)
    added, removed, changed = [], [], []
    # Both are in order and without overlaps: go through them side by side, as in a merge.
    i = j = 0
    while i < len(old) and j < len(new):
        if old[i][1] <= new[j][0]:
            removed.append(old[i])
            i += 1
        elif new[j][1] <= old[i][0]:
            added.append(new[j])
            j += 1
        else:
            changed.append((old[i], new[j]))
            i, j = i + 1, j + 1
    return Changes((*added, *new[j:]), (*removed, *old[i:]), tuple(changed))


def sentence_ids(rows: Dataset) -> list[str]:
    """Return the id of every sentence of a corpus, or the number of its row where the corpus has no ids."""
    return list(rows["id"]) if "id" in rows.column_names else [str(row) for row in range(len(rows))]


def partners(first: Dataset, second: Dataset, names: Sequence[str]) -> list[int | None]:
    """Find for each row of one labelled corpus the row of the other that has the same sentence by its id.

    Args:
        first (`Dataset`): The one labelling.
        second (`Dataset`): The other labelling.
        names (`Sequence[str]`): Names of the two, for errors.

    Returns:
        Row numbers of `second`; None where it has no such sentence.

    Raises:
        ValueError: They have no sentence in common.
    """
    rows = {name: row for row, name in enumerate(sentence_ids(second))}
    ids = sentence_ids(first)
    matched = [rows.get(name) for name in ids]
    if all(row is None for row in matched):
        raise ValueError(
            f"{names[0]} and {names[1]} have no sentence id in common, such as {ids[:2]} of the one and "
            f"{list(rows)[:2]} of the other: give two labellings of one corpus"
        )
    return matched


def check_same_words(name: str, first: Sequence[str], second: Sequence[str], names: Sequence[str]) -> None:
    """Refuse two sentences of one id that have different words: their labels cannot be compared.

    Args:
        name (`str`): The id.
        first (`Sequence[str]`): Words of the sentence in the one corpus.
        second (`Sequence[str]`): Its words in the other corpus.
        names (`Sequence[str]`): Names of the two corpora.

    Raises:
        ValueError: The words differ.
    """
    if first != second:
        raise ValueError(
            f"sentence {name} is {' '.join(first)!r} in {names[0]} and {' '.join(second)!r} in {names[1]}: give two "
            "labellings of one corpus"
        )


def bin_names() -> list[str]:
    """Return the names of the bins: ``0.0–0.1`` … ``0.9–1.0``."""
    return [f"{number / BINS:.1f}–{(number + 1) / BINS:.1f}" for number in range(BINS)]


def similarity_table(similarity: LabelSimilarity) -> str:
    """Lay the histogram out for a terminal: one line per bin with the documents in it, and the mean below."""
    counts, total = similarity.histogram(), similarity.counted
    mean = similarity.mean
    lines = [f"{'similarity':10}  {'documents':>9}  {'share':>7}"]
    for name, count in zip(bin_names(), counts, strict=True):
        # A bin that is not empty shows a thin bar, however small its share.
        bar = "█" * round(_BAR * count / max(counts))
        lines.append(f"{name:10}  {count:9,}  {100 * count / total:5.1f} %  {bar or ('▏' if count else '')}".rstrip())
    # The last bin also holds documents that are nearly the same.
    identical = similarity.identical
    lines.append(f"{'1 exactly':10}  {identical:9,}  {100 * identical / total:5.1f} %")
    lines.append(f"mean of {total:,} documents: {mean:.4f}")
    return "\n".join(lines)

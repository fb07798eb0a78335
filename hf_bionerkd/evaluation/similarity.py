"""Label similarity: how alike two labellings of the same documents are, word by word.

`label_similarity = #same labels / #words` of one document; drawn as a histogram over documents in ten bins. Most words
are ``O`` in any labelling, so that even 0.95 may mean that most mentions differ.

Source: Zhou et al. 2021, equation 3 and figure 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

BINS = 10

_BAR = 40  # characters of the longest bar in a terminal


@dataclass
class LabelSimilarity:
    """Same and all words of every document, counted sentence by sentence.

    Args:
        documents (`dict[str, tuple[int, int]]`, *optional*): Document to its number of words with the same label, and
            of words.

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
            document (`str`): Which document it belongs to.
            first (`Sequence[str]`): One label a word.
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
        """Count one sentence of a document, of which the words with the same label have been counted already."""
        before = self.documents.get(document, (0, 0))
        self.documents[document] = before[0] + same, before[1] + words

    def histogram(self) -> list[int]:
        """Documents in ten bins: [0, 0.1), [0.1, 0.2), … [0.9, 1]. One without words is in none."""
        counts = [0] * BINS
        for same, words in self.documents.values():
            if words:
                counts[min(BINS * same // words, BINS - 1)] += 1  # whole numbers: 0.3 is 3/10 exactly
        return counts

    @property
    def identical(self) -> int:
        """Documents in which every word has the same label."""
        return sum(same == words for same, words in self.documents.values() if words)

    @property
    def counted(self) -> int:
        """Documents with at least one word."""
        return sum(words > 0 for _, words in self.documents.values())

    @property
    def mean(self) -> float:
        """Mean similarity of documents.

        Raises:
            ValueError: No document has a word.
        """
        if not self.counted:
            raise ValueError("no document with a word was counted: there is no label similarity")
        return sum(same / words for same, words in self.documents.values() if words) / self.counted

    def least_alike(self, most: int = 10) -> list[tuple[str, float]]:
        """The documents that differ most, and their similarity."""
        found = [(same / words, document) for document, (same, words) in self.documents.items() if words]
        return [(document, similarity) for similarity, document in sorted(found)[:most]]

    def as_dict(self) -> dict[str, Any]:
        """Everything but the documents' own counts, as plain JSON values."""
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


def sentence_ids(rows: Any) -> list[str]:
    """The id of every sentence of a corpus; the number of its row where the corpus has no ids."""
    return list(rows["id"]) if "id" in rows.column_names else [str(row) for row in range(len(rows))]


def partners(first: Any, second: Any, names: Sequence[str]) -> list[int | None]:
    """For each row of one labelled corpus, the row of the other that has the same sentence by its id; None: no row.

    Args:
        first (`Dataset`): The one labelling.
        second (`Dataset`): The other one.
        names (`Sequence[str]`): What the two are called, for errors.

    Raises:
        ValueError: They have no sentence in common.
    """
    place = {name: row for row, name in enumerate(sentence_ids(second))}
    ids = sentence_ids(first)
    found = [place.get(name) for name in ids]
    if all(row is None for row in found):
        raise ValueError(
            f"{names[0]} and {names[1]} have no sentence id in common, such as {ids[:2]} of the one and "
            f"{list(place)[:2]} of the other: give two labellings of one corpus"
        )
    return found


def check_same_words(name: str, first: Sequence[str], second: Sequence[str], names: Sequence[str]) -> None:
    """Refuse sentences of one id and other words: their labels cannot be compared.

    Args:
        name (`str`): The id.
        first (`Sequence[str]`): Words of the sentence in the one corpus.
        second (`Sequence[str]`): Those in the other one.
        names (`Sequence[str]`): What the two are called.

    Raises:
        ValueError: The words differ.
    """
    if first != second:
        raise ValueError(
            f"sentence {name} is {' '.join(first)!r} in {names[0]} and {' '.join(second)!r} in {names[1]}: give two "
            "labellings of one corpus"
        )


def bin_names() -> list[str]:
    """What the bins are called: ``0.0–0.1`` … ``0.9–1.0``."""
    return [f"{place / BINS:.1f}–{(place + 1) / BINS:.1f}" for place in range(BINS)]


def similarity_table(similarity: LabelSimilarity) -> str:
    """The histogram for a terminal: a line a bin with its number and share of documents, and the mean below."""
    counts, total = similarity.histogram(), similarity.counted
    mean = similarity.mean
    lines = [f"{'similarity':10}  {'documents':>9}  {'share':>7}"]
    for name, count in zip(bin_names(), counts, strict=True):
        bar = "█" * round(_BAR * count / max(counts))
        lines.append(f"{name:10}  {count:9,}  {100 * count / total:5.1f} %  {bar or ('▏' if count else '')}".rstrip())
    identical = similarity.identical
    lines.append(f"{'1 exactly':10}  {identical:9,}  {100 * identical / total:5.1f} %")
    lines.append(f"mean of {total:,} documents: {mean:.4f}")
    return "\n".join(lines)

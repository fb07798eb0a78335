"""The comparison of two students' annotations of one text."""

from __future__ import annotations

from dataclasses import dataclass

from annotation import Annotation

from hf_bionerkd.documents import Mention

Key = tuple[int, int, str]


@dataclass(frozen=True)
class Comparison:
    """The mentions of two annotations; mentions with the same start, end and type are the same.

    Args:
        rows (`tuple[tuple[Mention, float | None, float | None], ...]`): Every mention that either found, in order of
            the text, with the score of the first and of the second student; None for one that did not find it.
    """

    rows: tuple[tuple[Mention, float | None, float | None], ...]

    @property
    def both(self) -> int:
        """Number of mentions that both found."""
        return sum(first is not None and second is not None for _, first, second in self.rows)

    @property
    def only_first(self) -> frozenset[Key]:
        """Mentions that only the first student found."""
        return frozenset(key(mention) for mention, _, second in self.rows if second is None)

    @property
    def only_second(self) -> frozenset[Key]:
        """Mentions that only the second student found."""
        return frozenset(key(mention) for mention, first, _ in self.rows if first is None)


def compare(first: Annotation, second: Annotation) -> Comparison:
    """Compare two annotations of one text.

    Raises:
        ValueError: The annotations are of different texts.
    """
    if first.document.text != second.document.text:
        raise ValueError("only annotations of the same text can be compared")
    # Each mention once, with a score by each student that found it.
    mentions: dict[Key, Mention] = {}
    scores: list[dict[Key, float]] = [{}, {}]
    for side, annotation in enumerate((first, second)):
        for mention, score in annotation.scored:
            mentions.setdefault(key(mention), mention)
            scores[side][key(mention)] = score
    rows = ((mentions[same], scores[0].get(same), scores[1].get(same)) for same in sorted(mentions))
    return Comparison(tuple(rows))


def key(mention: Mention) -> Key:
    """Return the values by which two mentions are the same."""
    return mention.start, mention.end, mention.type

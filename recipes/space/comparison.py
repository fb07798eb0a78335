"""What two students found in one text, side by side."""

from __future__ import annotations

from dataclasses import dataclass

from annotation import Annotation

from hf_bionerkd.documents import Mention

Key = tuple[int, int, str]


@dataclass(frozen=True)
class Comparison:
    """Mentions by who found them. The same mention: same start, same end, same type.

    Args:
        rows (`tuple[tuple[Mention, float | None, float | None], ...]`): Every mention that either found, in order of
            the text, with the score of the first and of the second student; None for one that did not find it.
    """

    rows: tuple[tuple[Mention, float | None, float | None], ...]

    @property
    def both(self) -> int:
        """How many mentions both found."""
        return sum(first is not None and second is not None for _, first, second in self.rows)

    @property
    def only_first(self) -> frozenset[Key]:
        """What only the first student found."""
        return frozenset(key(mention) for mention, _, second in self.rows if second is None)

    @property
    def only_second(self) -> frozenset[Key]:
        """What only the second student found."""
        return frozenset(key(mention) for mention, first, _ in self.rows if first is None)


def compare(first: Annotation, second: Annotation) -> Comparison:
    """Lay two annotations of one text side by side.

    Raises:
        ValueError: They are of different texts.
    """
    if first.document.text != second.document.text:
        raise ValueError("only annotations of the same text can be compared")
    found: dict[Key, Mention] = {}
    scores: list[dict[Key, float]] = [{}, {}]
    for side, annotation in enumerate((first, second)):
        for mention, score in annotation.scored:
            found.setdefault(key(mention), mention)
            scores[side][key(mention)] = score
    rows = ((found[place], scores[0].get(place), scores[1].get(place)) for place in sorted(found))
    return Comparison(tuple(rows))


def key(mention: Mention) -> Key:
    """What makes two mentions the same."""
    return mention.start, mention.end, mention.type

"""Ids that are unique within a file whose rows name the article and not the passage."""

from __future__ import annotations

from collections import Counter

_LARGEST_NUMBER = 1 << 27  # PMIDs have eight digits; a bit for each takes 16 MiB at most


class UniqueIds:
    """The ids of the documents of one file, as they come by.

    Corpora of full texts print each passage as a document of its own under the article's PMID. The first one keeps the
    id; a later one with another text gets a number after it (``17697375-2``). One with the same text, right after it,
    is the same document again and keeps its id.

    Args:
        counts (`Counter`): Receives ``ids_made_unique``.

    Example:
        >>> ids = UniqueIds(Counter())
        >>> [ids.take("7", "Gout."), ids.take("7", "It hurts."), ids.take("7", "It hurts."), ids.take("8", "")]
        ['7', '7-2', '7-2', '8']
    """

    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts
        # Millions of PMIDs go by: a bit stands for each; other names are few.
        self._numbers = bytearray()
        self._names: set[str] = set()
        self._times: Counter[str] = Counter()  # only of ids that have come twice
        self._current, self._texts = "", dict[int, str]()

    def take(self, identifier: str, text: str) -> str:
        """Return the id of the next document."""
        if identifier != self._current:
            self._current, self._texts = identifier, {}
        if (same := self._texts.get(hash(text))) is not None:
            return same
        unique = identifier
        while not self._add(unique):
            self._times[identifier] += 1
            unique = f"{identifier}-{self._times[identifier] + 1}"
        self._counts["ids_made_unique"] += unique != identifier
        self._texts[hash(text)] = unique
        return unique

    def _add(self, identifier: str) -> bool:
        """Remember an id and return whether it is new."""
        plain = identifier.isascii() and identifier.isdecimal() and identifier[0] != "0" and len(identifier) < 10
        number = int(identifier) if plain else _LARGEST_NUMBER
        if number >= _LARGEST_NUMBER:
            known = identifier in self._names
            self._names.add(identifier)
            return not known
        place, bit = number >> 3, 1 << (number & 7)
        if place >= len(self._numbers):
            self._numbers.extend(bytes(place + 1 - len(self._numbers)))
        known = bool(self._numbers[place] & bit)
        self._numbers[place] |= bit
        return not known

"""Dictionary matching: the names of a lexicon in running text.

All names are looked for at once by an Aho-Corasick automaton over *folded words*
(:mod:`hf_bionerkd.knowledge.lexicon`) with a separator around each, so that a match begins and ends at word boundaries
by construction. Of matches that overlap the longest is kept, whatever its type; of equally long ones the leftmost. An
abbreviation that the text defines means what its long form means, and nothing where that is unknown.

The automaton is that of ``ahocorasick_rs`` (the Rust crate aho-corasick, which ripgrep uses): 211,000 names are built
in 5 s and 135 MiB and matched at some thousands of abstracts a second. pyahocorasick over word numbers, the other
maintained library, took six times as long to build and matched 63 abstracts a second.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple

from ahocorasick_rs import AhoCorasick

from hf_bionerkd.documents import Mention
from hf_bionerkd.knowledge.abbreviations import Definition, find_definitions
from hf_bionerkd.knowledge.lexicon import SEPARATOR, Entry, Lexicon, fold_words

Words = Sequence[tuple[int, int]]
_RULES = {"any": "word", "exact": "acronym", "capitals": "capitals"}


class Match(NamedTuple):
    """A name found in a text, by which rule."""

    start: int
    end: int
    entry: Entry
    rule: str


class Matcher:
    """Finds the names of a lexicon.

    Args:
        lexicon (`Lexicon`): The names; later additions to it are not seen.
        source (`str`, *optional*, defaults to `"dictionary"`): How the provenance of a mention begins. The rest says
            which vocabulary and which rule: ``dictionary:medic/word``.

    Raises:
        ValueError: The lexicon holds no name.

    Example:
        >>> from hf_bionerkd.documents import split_words
        >>> from hf_bionerkd.knowledge.identifiers import normalise
        >>> from hf_bionerkd.knowledge.vocabularies import ConceptNames
        >>> lexicon = Lexicon(["Disease"])
        >>> lexicon.add("Disease", "medic", [ConceptNames(normalise("D010300"), ("Parkinson Disease",))])
        >>> text = "In Parkinson's disease,"
        >>> [(m.text, m.source) for m in Matcher(lexicon).find(text, split_words(text))]
        [("Parkinson's disease", 'dictionary:medic/word')]
    """

    def __init__(self, lexicon: Lexicon, source: str = "dictionary", abbreviations: bool = True) -> None:
        patterns: list[str] = []
        self._entries: list[Entry] = []
        for name, entry in lexicon.entries():
            patterns.append(f"{SEPARATOR}{name}{SEPARATOR}")
            self._entries.append(entry)
        if not patterns:
            raise ValueError("the lexicon holds no name; add a vocabulary to it, or look at its rules")
        self._automaton = AhoCorasick(patterns, store_patterns=False)
        self._source = source
        self._abbreviations = abbreviations

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, text: str, words: Words) -> tuple[Mention, ...]:
        """The mentions of a text, none overlapping another.

        Args:
            text (`str`): The text.
            words (`Sequence[tuple[int, int]]`): Its words as half-open spans; see
                :func:`~hf_bionerkd.documents.split_words`.

        Returns:
            Mentions in order, with concepts and provenance.
        """
        found = self._names(text, words)
        for definition in find_definitions(text) if self._abbreviations else ():
            found = self._with_abbreviation(text, words, found, definition)
        return tuple(self._mention(text, *match) for match in longest(found))

    def _names(self, text: str, words: Words) -> list[Match]:
        folded, places = fold_words([text[start:end] for start, end in words])
        joined = f"{SEPARATOR}{SEPARATOR.join(folded)}{SEPARATOR}"
        # Where each folded word starts in `joined`: after the separator that the word before it ends with.
        starts = list(accumulate((len(word) + 1 for word in folded), initial=1))
        found = []
        for pattern, begin, end in self._automaton.find_matches_as_indexes(joined, overlapping=True):
            first = words[places[bisect_right(starts, begin + 1) - 1]][0]
            last = words[places[bisect_right(starts, end - 2) - 1]][1]
            entry = self._entries[pattern]
            if entry.accepts(text[first:last]):
                found.append(Match(first, last, entry, _RULES[entry.case]))
        return found

    def _with_abbreviation(self, text: str, words: Words, found: list[Match], definition: Definition) -> list[Match]:
        """Let a short form mean what its long form means, wherever it stands; nothing where that is not known."""
        short = text[definition.short_start : definition.short_end]
        entry = _meaning(found, definition)
        starts, ends = {start for start, _ in words}, {end for _, end in words}
        spans = [match.span() for match in re.finditer(re.escape(short) + "(?:s(?![^\\W_]))?", text)]
        places = {(start, end) for start, end in spans if start in starts and end in ends}
        found = [match for match in found if (match.start, match.end) not in places]
        return found + [Match(start, end, entry, "abbreviation") for start, end in places if entry is not None]

    def _mention(self, text: str, start: int, end: int, entry: Entry, rule: str) -> Mention:
        source = f"{self._source}:{entry.source}/{rule}"
        return Mention(start, end, entry.type, text[start:end], entry.concepts, source)


def _meaning(found: Iterable[Match], definition: Definition) -> Entry | None:
    """What the longest name means that ends where the long form ends: "renal failure" for "acute renal failure"."""
    ending = [match for match in found if match.end == definition.long_end]
    return max(ending, key=lambda match: match.end - match.start).entry if ending else None


class FreePlaces:
    """Which characters of a text no mention has yet; a span costs its own length, however many there are.

    Args:
        length (`int`): Characters of the text.
    """

    def __init__(self, length: int) -> None:
        self._taken = bytearray(length)

    def take(self, start: int, end: int) -> bool:
        """Take a half-open span, unless one of its characters is taken; whether it was."""
        if 1 in self._taken[start:end]:
            return False
        self._taken[start:end] = b"\1" * (end - start)
        return True


def longest(found: Iterable[Match]) -> list[Match]:
    """Of matches that overlap the longest, of equally long ones the leftmost; in order of their starts."""
    ranked = sorted(found, key=lambda match: (match.start - match.end, match.start))
    free, kept = FreePlaces(max((match.end for match in ranked), default=0)), list[Match]()
    for match in ranked:
        if free.take(match.start, match.end):
            kept.append(match)
    return sorted(kept, key=lambda match: match.start)

"""The dictionary matcher, which finds the names of a lexicon in running text.

All names are looked for at once by an Aho-Corasick automaton over *folded words*
(:mod:`hf_bionerkd.knowledge.lexicon`) with a separator around each, so that a match begins and ends at word boundaries
by construction. Of matches that overlap, the longest is kept, whatever its type, and of equally long ones the
leftmost. An abbreviation that the text defines means what its long form means, and nothing where that is unknown.

The automaton is that of ``ahocorasick_rs`` (the Rust crate aho-corasick, which ripgrep uses): building it for 211,000
names takes 5 s and 135 MiB, and it matches some thousands of abstracts per second. pyahocorasick over word numbers,
the other maintained library, took six times as long to build and matched 63 abstracts per second.
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
# How provenance names the condition under which a name was matched.
_RULES = {"any": "word", "exact": "acronym", "capitals": "capitals"}


class Match(NamedTuple):
    """A name in a text, and the rule by which it was matched."""

    start: int
    end: int
    entry: Entry
    rule: str


class Matcher:
    """The matcher for the names of a lexicon.

    Args:
        lexicon (`Lexicon`): The names; later additions to it are not seen.
        source (`str`, *optional*, defaults to `"dictionary"`): How the provenance of a mention begins. The rest names
            the vocabulary and the rule: ``dictionary:medic/word``.
        abbreviations (`bool`, *optional*, defaults to `True`): Whether abbreviations that a text defines mean what
            their long forms mean.

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
        """Find the mentions of a text, none overlapping another.

        Args:
            text (`str`): The text.
            words (`Sequence[tuple[int, int]]`): Its words as half-open spans; see
                :func:`~hf_bionerkd.documents.split_words`.

        Returns:
            Mentions in order, with concepts and provenance.
        """
        matches = self._names(text, words)
        for definition in find_definitions(text) if self._abbreviations else ():
            matches = self._with_abbreviation(text, words, matches, definition)
        return tuple(
            Mention(start, end, entry.type, text[start:end], entry.concepts, f"{self._source}:{entry.source}/{rule}")
            for start, end, entry, rule in longest(matches)
        )

    def _names(self, text: str, words: Words) -> list[Match]:
        """Return every name in the text that is written as it may be, overlapping or not."""
        folded, indices = fold_words([text[start:end] for start, end in words])
        joined = f"{SEPARATOR}{SEPARATOR.join(folded)}{SEPARATOR}"
        # Where each folded word starts in `joined`: after the separator that the word before it ends with.
        starts = list(accumulate((len(word) + 1 for word in folded), initial=1))
        matches = []
        for pattern, begin, end in self._automaton.find_matches_as_indexes(joined, overlapping=True):
            # A pattern has a separator at either end: its words begin one behind it and end one before it.
            first = words[indices[bisect_right(starts, begin + 1) - 1]][0]
            last = words[indices[bisect_right(starts, end - 2) - 1]][1]
            entry = self._entries[pattern]
            if entry.accepts(text[first:last]):
                matches.append(Match(first, last, entry, _RULES[entry.case]))
        return matches

    def _with_abbreviation(self, text: str, words: Words, matches: list[Match], definition: Definition) -> list[Match]:
        """Let a short form mean what its long form means, wherever it stands; nothing where that is not known."""
        short = text[definition.short_start : definition.short_end]
        # "renal failure" gives "acute renal failure" its meaning: take the longest name that ends with the long form.
        ending = [match for match in matches if match.end == definition.long_end]
        entry = max(ending, key=lambda match: match.end - match.start).entry if ending else None
        # Every occurrence as a whole word, with or without a plural s.
        starts, ends = {start for start, _ in words}, {end for _, end in words}
        spans = [match.span() for match in re.finditer(re.escape(short) + "(?:s(?![^\\W_]))?", text)]
        whole = {(start, end) for start, end in spans if start in starts and end in ends}
        # What the lexicon says of the short form there is taken back, whatever the long form means.
        others = [match for match in matches if (match.start, match.end) not in whole]
        return others + [Match(start, end, entry, "abbreviation") for start, end in whole if entry is not None]


class FreeText:
    """The characters of a text that no mention has yet; a span costs its own length, however many there are.

    Args:
        length (`int`): The number of characters of the text.
    """

    def __init__(self, length: int) -> None:
        self._taken = bytearray(length)

    def take(self, start: int, end: int) -> bool:
        """Take a half-open span unless one of its characters is taken, and return whether it was free."""
        if 1 in self._taken[start:end]:
            return False
        self._taken[start:end] = b"\1" * (end - start)
        return True


def longest(matches: Iterable[Match]) -> list[Match]:
    """Keep of matches that overlap the longest, of equally long ones the leftmost; in order of their starts."""
    ranked = sorted(matches, key=lambda match: (match.start - match.end, match.start))
    free, kept = FreeText(max((match.end for match in ranked), default=0)), list[Match]()
    for match in ranked:
        if free.take(match.start, match.end):
            kept.append(match)
    return sorted(kept, key=lambda match: match.start)

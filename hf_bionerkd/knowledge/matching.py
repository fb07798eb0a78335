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

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple

from ahocorasick_rs import AhoCorasick

from hf_bionerkd.documents import Mention
from hf_bionerkd.knowledge.abbreviations import find_definitions
from hf_bionerkd.knowledge.lexicon import Entry, Lexicon
from hf_bionerkd.knowledge.spelling import SEPARATOR, fold_words, join_accented

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
        lexicon (`Lexicon` or `Iterable[tuple[str, Entry]]`): The names, or the entries of a lexicon; later additions
            to it are not seen.
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

    def __init__(
        self,
        lexicon: Lexicon | Iterable[tuple[str, Entry]],
        source: str = "dictionary",
        abbreviations: bool = True,
    ) -> None:
        patterns: list[str] = []
        self._entries: list[Entry] = []
        for name, entry in lexicon.entries() if isinstance(lexicon, Lexicon) else lexicon:
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
        matches = self.matches(text, words)
        if self._abbreviations:
            matches = with_abbreviations(text, words, matches)
        return tuple(
            Mention(start, end, entry.type, text[start:end], entry.concepts, f"{self._source}:{entry.source}/{rule}")
            for start, end, entry, rule in longest(matches)
        )

    def matches(self, text: str, words: Words) -> list[Match]:
        """Return every name in the text that is written as it may be, overlapping or not; see :meth:`find`."""
        words = join_accented(text, words)
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


def with_abbreviations(text: str, words: Words, matches: list[Match]) -> list[Match]:
    """Let every short form that a text defines mean what its long form means; nothing where that is not known.

    Args:
        text (`str`): The text.
        words (`Sequence[tuple[int, int]]`): Its words.
        matches (`list[Match]`): The names in it.

    Returns:
        The names that are no short form, and every occurrence of the short forms with a meaning.
    """
    definitions = list(find_definitions(text))
    if not definitions:
        return matches
    shorts = [text[definition.short_start : definition.short_end] for definition in definitions]
    short_forms = _occurrences(text, words, set(shorts))
    names_ending: defaultdict[int, list[Match]] = defaultdict(list)
    for match in matches:
        names_ending[match.end].append(match)
    shorts_ending: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
    for (start, end), short in short_forms.items():
        shorts_ending[end].append((start, short))
    # In the order of the text: a long form may hold an abbreviation that was defined before it.
    meanings: dict[str, Entry | None] = {}
    for definition, short in zip(definitions, shorts, strict=True):
        # "renal failure" gives "acute renal failure" its meaning: take the longest name that ends with the long form.
        end = definition.long_end
        ending = [
            (match.start, match.entry)
            for match in names_ending[end]
            if short_forms.get((match.start, end)) not in meanings
        ]
        ending += [(start, entry) for start, other in shorts_ending[end] if (entry := meanings.get(other)) is not None]
        meanings[short] = min(ending, key=lambda name: name[0])[1] if ending else None
    # What the lexicon says of a short form is taken back, whatever the long form means.
    others = [match for match in matches if (match.start, match.end) not in short_forms]
    return others + [
        Match(*span, entry, "abbreviation")
        for span, short in short_forms.items()
        if (entry := meanings[short]) is not None
    ]


def _occurrences(text: str, words: Words, shorts: Collection[str]) -> dict[tuple[int, int], str]:
    """Return every place of the short forms as whole words, with or without a plural s."""
    ends = {end for _, end in words}
    lengths = sorted({len(short) for short in shorts})
    occurrences: dict[tuple[int, int], str] = {}
    for start, _ in words:
        for end in (start + length for length in lengths):
            short = text[start:end]
            if short not in shorts:
                continue
            # The plural s is a letter of the word.
            if text[end : end + 1] == "s" and not text[end + 1 : end + 2].isalnum():
                end += 1
            if end in ends:
                occurrences[start, end] = short
    return occurrences


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
        self.block(start, end)
        return True

    def block(self, start: int, end: int) -> None:
        """Take a half-open span, whatever of it is taken."""
        self._taken[start:end] = b"\1" * (end - start)


def longest(matches: Iterable[Match]) -> list[Match]:
    """Keep of matches that overlap the longest, of equally long ones the leftmost; in order of their starts."""
    ranked = sorted(matches, key=lambda match: (match.start - match.end, match.start))
    free, kept = FreeText(max((match.end for match in ranked), default=0)), list[Match]()
    for match in ranked:
        if free.take(match.start, match.end):
            kept.append(match)
    return sorted(kept, key=lambda match: match.start)

"""The abbreviations that a text defines itself: ``acute renal failure (ARF)``.

A short form stands in brackets after its long form, or before the bracket that holds it. The long form is the shortest
stretch of words in which the letters and digits of the short form occur from right to left, its first one at the
start of a word. Beyond the paper:

======================  ===============================================================================================
short forms             have a capital or a Greek letter and no full stop, which leaves out ``control`` and ``i.e.``;
                        Roman numerals are none, alone or in ranges: oxidation states, phases, stages (``II``,
                        ``IIIb``, ``I-III``)
Greek letters           stand for their names and for the Latin letter that these begin with, and the other way round
                        (``TGF-β``, ``TNFa``)
long forms              lie in one sentence; in brackets they may hold ``and`` and ``or``, but end before a comma, and
                        before the words that add nothing to the letters (``MTX (methotrexate and others)``)
======================  ===============================================================================================

The time is linear in the length of the text, whatever it holds.

Source: Schwartz & Hearst 2003, "A simple algorithm for identifying abbreviation definitions in biomedical text".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from hf_bionerkd.knowledge.spelling import ACCENTS, GREEK

# What a bracket holds, round or square; longer ones are asides.
_BRACKET = re.compile(r"\(([^()]{2,120})\)|\[([^\[\]]{2,120})\]")
# One word of up to ten signs, or two, with at least one letter and a letter or digit first.
_SHORT_FORM = re.compile(r"(?=\S*[^\W\d_])[^\W_]\S{1,9}(?:\s\S{1,9})?")
_LONGEST_SHORT_FORM = 10
# Numerals to 39, with the letter of a stage or the sign of a charge, also several. Of one letter they are too short to
# be told from symbols ("Vd", "Xe", "I-"), and behind others than II a capital makes an abbreviation ("IVC").
_NUMERAL = r"(?=[IVX])X{0,3}(?:I[VX]|VI{0,3}|I{0,3})(?:(?<=[IVX]{2})[a-e+-]|(?<=II)[A-E])?"
_NUMERALS = re.compile(rf"{_NUMERAL}(?:\s?[-‐‑–—/,+&]\s?{_NUMERAL})*")
# A long form that one of these ends would reach into another sentence or clause.
_SENTENCE_END = re.compile(r"[.;:?!)\]]\s")
# A bracket may go on behind the short form: "(ARF, defined below)", "(ARF or AKI)".
_INSIDE_END = re.compile(r"[,;]|\s(?:and|or)\s")
# And behind the long form: a comma ends it, unless it stands within a name ("1,25-dihydroxyvitamin").
_CLAUSE_END = re.compile(r"[,;]\s|;")
_CONJUNCTION = re.compile(r"\s(?:and|or)\s")
_REST_OF_WORD = re.compile(r"[^\s(\[{]*")
_SIGNS = "()[]{},;:"  # around a word
_LONGEST_LONG_FORM = 1000  # characters; the longest systematic names have some hundred


@dataclass(frozen=True, slots=True)
class Definition:
    """A short form with its long form, as half-open code-point spans of the text that defines them."""

    short_start: int
    short_end: int
    long_start: int
    long_end: int


def find_definitions(text: str) -> Iterator[Definition]:
    """Find the abbreviations that a text defines, in the order of their brackets.

    Args:
        text (`str`): Running text, such as an abstract.

    Example:
        >>> text = "acute renal failure (ARF) or MTX (methotrexate)"
        >>> [(text[d.short_start:d.short_end], text[d.long_start:d.long_end]) for d in find_definitions(text)]
        [('ARF', 'acute renal failure'), ('MTX', 'methotrexate')]
    """
    letters = _Letters(text)
    for bracket in _BRACKET.finditer(text):
        start, end = bracket.span(1 if bracket[1] is not None else 2)
        # First reading: the short form stands in the bracket, its long form before it.
        cut = _INSIDE_END.search(text, start, end)
        inside = text[start : cut.start() if cut else end].strip()
        definition = None
        if _is_short_form(inside):
            before_end = bracket.start()
            while before_end and text[before_end - 1] in " \t,":
                before_end -= 1
            long_start = letters.long_form(inside, before_end)
            if long_start is not None:
                short_start = text.index(inside, start)
                definition = Definition(short_start, short_start + len(inside), long_start, before_end)
        # Second reading: the other way round.
        definition = definition or _short_form_before(letters, bracket.start(), start, end)
        if definition is not None:
            yield definition


def _short_form_before(letters: _Letters, bracket: int, start: int, end: int) -> Definition | None:
    """Find a definition such as ``MTX (methotrexate)``, whose long form must begin where the bracket does."""
    text = letters.text
    if not bracket or not text[bracket - 1].isspace():
        return None
    before = text[max(0, bracket - 2 * _LONGEST_SHORT_FORM) : bracket].split()
    short = before[-1] if before else ""
    if not _is_short_form(short):
        return None
    short_start = text.rindex(short, 0, bracket)
    clause = _CLAUSE_END.search(text, start, end)
    end = clause.start() if clause else end
    # The shortest that has all letters: "methotrexate" of "methotrexate and others", but all of "spinal and bulbar …".
    for long_end in (*(match.start() for match in _CONJUNCTION.finditer(text, start, end)), end):
        if letters.long_form(short, long_end, start) == start:
            return Definition(short_start, short_start + len(short), start, long_end)
    return None


@lru_cache(maxsize=4096)
def _is_short_form(text: str) -> bool:
    plain = 2 <= len(text) <= _LONGEST_SHORT_FORM and _SHORT_FORM.fullmatch(text) is not None
    # Numerals are also single characters of Unicode.
    if not plain or "." in text or _NUMERALS.fullmatch(unicodedata.normalize("NFKC", text)):
        return False
    # A mu alone begins units: "μm" is no abbreviation.
    return any(letter.isupper() or (letter in GREEK and letter != "μ") for letter in text)


class _Letters:
    """A text in which long forms are looked for, with what is known of its letters and words.

    Args:
        text (`str`): The text.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._backwards = text[::-1]
        self._ascii = text.isascii()
        # Letter by letter where the whole would have another length. A final sigma is one like others.
        lower = text.lower().replace("ς", "σ")
        self._lower = lower if len(lower) == len(text) else "".join(map(_lower, text))

    def long_form(self, short: str, end: int, start: int = 0) -> int | None:
        """Return where the long form that ends at `end` starts, not before `start`; None where there is none."""
        letters, most_words = _letters_of(short, self._ascii)
        limit = max(start, end - _LONGEST_LONG_FORM)
        # Match the letters of the short form from right to left; the first one must begin a word.
        position = end
        for signs, name in letters[:-1]:
            if name or len(signs) > 1:
                position = self._find(signs, name, limit, position, begins_word=False)
            else:
                position = self._lower.rfind(signs[0], limit, position)
            if position < 0:
                return None
        position = self._find(*letters[-1], limit, position, begins_word=True)
        if position < 0:
            return None
        # Take in what stands before that letter in its word: the "5-" of "5-fluorouracil" for FU.
        length = len(self.text)
        before = _REST_OF_WORD.match(self._backwards, length - position, length - limit)
        position -= len(before[0]) if before else 0
        if position == limit > start and _REST_OF_WORD.fullmatch(self.text[limit - 1]):
            return None  # a part of a word that begins out of reach
        # A long form is longer than its short form, does not contain it, and stays within a sentence.
        if end - position <= len(short):
            return None
        long_form = self.text[position:end]
        words = long_form.split()
        contained = short in long_form and any(word.strip(_SIGNS) == short for word in words)
        return None if contained or len(words) > most_words or _SENTENCE_END.search(long_form) else position

    def _find(self, signs: tuple[str, ...], name: str, limit: int, end: int, *, begins_word: bool) -> int:
        """Return the last place before `end` that one of some letters stands at; -1 where there is none."""
        best = -1
        for sign in signs:
            position = self._lower.rfind(sign, limit, end)
            while begins_word and position > limit and self._in_word(position):
                position = self._lower.rfind(sign, limit, position)
            best = max(best, position)
        # So does the name of a Greek letter: "factor alpha" for α.
        if name:
            position = self._lower.rfind(name, limit, end)
            while position >= 0 and not self._is_name(position, position + len(name), limit, begins_word):
                position = self._lower.rfind(name, limit, position)
            best = max(best, position)
        return best

    def _in_word(self, position: int) -> bool:
        before = self.text[position - 1]
        # An accent of its own belongs to the letter before it.
        return before.isalnum() or (not self._ascii and ACCENTS.match(before) is not None)

    def _is_name(self, start: int, end: int, limit: int, begins_word: bool) -> bool:
        # Small letters make it part of another word ("alphabetic"), but not digits and capitals ("NFkappaB", "beta2").
        before = self.text[start - 1] if start > limit else ""
        in_word = bool(before) and (self._in_word(start) if begins_word else before.islower())
        return not in_word and not self.text[end : end + 1].islower()


@lru_cache(maxsize=4096)
def _letters_of(short: str, in_ascii: bool) -> tuple[tuple[tuple[tuple[str, ...], str], ...], int]:
    """Return the letters of a short form from right to left, and the paper's bound on the words of its long form."""
    forms = [_forms(letter) for letter in map(_lower, reversed(short)) if letter.isalnum()]
    # A text without Greek letters need not be searched for them.
    letters = tuple((tuple(s for s in signs if s.isascii() or not in_ascii), name) for signs, name in forms)
    return letters, min(len(short) + 5, 2 * len(short))


def _lower(letter: str) -> str:
    lower = letter.lower()
    return lower if len(lower) == 1 else letter


def _forms(letter: str) -> tuple[tuple[str, ...], str]:
    """Return the letters that count as a letter of a short form, and the name that does."""
    if letter in "µμ":
        return ("µ", "μ"), "mu"
    if letter in GREEK:
        return (letter,), GREEK[letter]
    return (letter, *(sign for sign, name in GREEK.items() if name[0] == letter)), ""

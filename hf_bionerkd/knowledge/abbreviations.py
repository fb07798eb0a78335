"""The abbreviations that a text defines itself: ``acute renal failure (ARF)``.

A short form stands in brackets after its long form, or before the bracket that holds it. The long form is the shortest
stretch of words in which the letters and digits of the short form occur from right to left, its first one at the
start of a word. Beyond the paper, a short form here has a capital and no full stop, and a long form lies in one
sentence; both leave out what is no abbreviation (``i.e.``, ``control``).

Source: Schwartz & Hearst 2003, "A simple algorithm for identifying abbreviation definitions in biomedical text".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# What a bracket holds, round or square; longer ones are asides.
_BRACKET = re.compile(r"\(([^()]{2,120})\)|\[([^\[\]]{2,120})\]")
# One word of up to ten signs, or two, with at least one letter and a letter or digit first.
_SHORT_FORM = re.compile(r"(?=\S*[^\W\d_])[^\W_]\S{1,9}(?:\s\S{1,9})?")
_LAST_WORD = re.compile(r"(\S+)\s+\Z")
# A long form that one of these ends would reach into another sentence or clause.
_SENTENCE_END = re.compile(r"[.;:?!)\]]\s")
# A bracket may go on behind the short form: "(ARF, defined below)", "(ARF or AKI)".
_INSIDE_END = re.compile(r"[,;]|\s(?:and|or)\s")


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
    for bracket in _BRACKET.finditer(text):
        start, end = bracket.span(1 if bracket[1] is not None else 2)
        cut = _INSIDE_END.search(text, start, end)
        inside_end = cut.start() if cut else end
        before_end = len(text[: bracket.start()].rstrip(" \t,"))
        # First reading: the short form stands in the bracket, its long form before it.
        inside = text[start:inside_end].strip()
        definition = None
        if _is_short_form(inside):
            short_start = text.index(inside, start)
            long_start = _long_form(inside, text, before_end)
            if long_start is not None:
                definition = Definition(short_start, short_start + len(inside), long_start, before_end)
        # Second reading: the other way round. A long form holds no comma, "and" or "or".
        if definition is None and not cut:
            definition = _short_form_before(text, bracket.start(), start, end)
        if definition is not None:
            yield definition


def _short_form_before(text: str, bracket: int, start: int, end: int) -> Definition | None:
    """Find a definition such as ``MTX (methotrexate)``, whose long form must begin where the bracket does."""
    word = _LAST_WORD.search(text, max(0, bracket - 20), bracket)
    if word is None or not _is_short_form(word[1]) or len(text[start:end].split()) > _most_words(word[1]):
        return None
    long_start = _long_form(word[1], text, end, start)
    return None if long_start != start else Definition(*word.span(1), start, end)


def _is_short_form(text: str) -> bool:
    # Beyond the paper: a capital somewhere and no full stop, which leaves out "control" and "i.e.".
    plain = 2 <= len(text) <= 10 and _SHORT_FORM.fullmatch(text) is not None
    return plain and "." not in text and any(map(str.isupper, text))


def _most_words(short: str) -> int:
    # The paper's bound on the words of a long form.
    return min(len(short) + 5, 2 * len(short))


def _long_form(short: str, text: str, end: int, limit: int = 0) -> int | None:
    """Return where the long form that ends at `end` starts; None where the letters do not occur."""
    # Match the letters of the short form from right to left; the first one must begin a word.
    position = end
    for index in range(len(short) - 1, -1, -1):
        letter = short[index].lower()
        if not letter.isalnum():
            continue
        position -= 1
        while position >= limit and (
            text[position].lower() != letter or (index == 0 and position > limit and text[position - 1].isalnum())
        ):
            position -= 1
        if position < limit:
            return None
    # Take in what stands before that letter in its word: the "5-" of "5-fluorouracil" for FU.
    while position > limit and not text[position - 1].isspace() and text[position - 1] not in "([{":
        position -= 1
    # A long form is longer than its short form, does not contain it, and stays within a sentence.
    long_form = text[position:end]
    words = long_form.split()
    longer = len(long_form) > len(short) and len(words) <= _most_words(short)
    return position if longer and short not in words and not _SENTENCE_END.search(long_form) else None

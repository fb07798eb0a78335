"""Abbreviations that a text defines itself: ``acute renal failure (ARF)``.

A short form stands in brackets after its long form, or before the bracket that holds it. The long form is the shortest
stretch of words in which the letters and digits of the short form are found from right to left, its first one at the
start of a word. Beyond the paper, a short form here has a capital and no full stop, and a long form lies in one
sentence; both leave out what is no abbreviation (``i.e.``, ``control``).

Source: Schwartz & Hearst 2003, "A simple algorithm for identifying abbreviation definitions in biomedical text".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_BRACKET = re.compile(r"\(([^()]{2,120})\)|\[([^\[\]]{2,120})\]")
_SHORT_FORM = re.compile(r"(?=\S*[^\W\d_])[^\W_]\S{1,9}(?:\s\S{1,9})?")
_LAST_WORD = re.compile(r"(\S+)\s+\Z")
_SENTENCE_END = re.compile(r"[.;:?!)\]]\s")
_INSIDE_END = re.compile(r"[,;]|\s(?:and|or)\s")


@dataclass(frozen=True, slots=True)
class Definition:
    """A short form with its long form, as half-open code-point spans of the text that defines it."""

    short_start: int
    short_end: int
    long_start: int
    long_end: int


def find_definitions(text: str) -> Iterator[Definition]:
    """The abbreviations that a text defines, in the order of their brackets.

    Args:
        text (`str`): An abstract or the like.

    Example:
        >>> text = "acute renal failure (ARF) or MTX (methotrexate)"
        >>> [(text[d.short_start:d.short_end], text[d.long_start:d.long_end]) for d in find_definitions(text)]
        [('ARF', 'acute renal failure'), ('MTX', 'methotrexate')]
    """
    for bracket in _BRACKET.finditer(text):
        group = 1 if bracket[1] is not None else 2
        start, end = bracket.span(group)
        cut = _INSIDE_END.search(text, start, end)
        inside_end = cut.start() if cut else end
        before_end = len(text[: bracket.start()].rstrip(" \t,"))
        inside = text[start:inside_end].strip()
        definition = None
        if _is_short_form(inside):
            short_start = text.index(inside, start)
            long_start = _long_form(inside, text, before_end)
            if long_start is not None:
                definition = Definition(short_start, short_start + len(inside), long_start, before_end)
        if definition is None and not cut:
            definition = _short_form_before(text, bracket.start(), start, end)
        if definition is not None:
            yield definition


def _short_form_before(text: str, bracket: int, start: int, end: int) -> Definition | None:
    """``MTX (methotrexate)``: the long form inside the bracket must begin where the bracket does."""
    word = _LAST_WORD.search(text, max(0, bracket - 20), bracket)
    if word is None or not _is_short_form(word[1]) or len(text[start:end].split()) > _most_words(word[1]):
        return None
    long_start = _long_form(word[1], text, end, start)
    return None if long_start != start else Definition(*word.span(1), start, end)


def _is_short_form(text: str) -> bool:
    plain = 2 <= len(text) <= 10 and _SHORT_FORM.fullmatch(text) is not None
    return plain and "." not in text and any(map(str.isupper, text))


def _most_words(short: str) -> int:
    return min(len(short) + 5, 2 * len(short))


def _long_form(short: str, text: str, end: int, limit: int = 0) -> int | None:
    """Where the long form that ends at `end` starts; None where the letters are not found."""
    place = end
    for index in range(len(short) - 1, -1, -1):
        wanted = short[index].lower()
        if not wanted.isalnum():
            continue
        place -= 1
        while place >= limit and (
            text[place].lower() != wanted or (index == 0 and place > limit and text[place - 1].isalnum())
        ):
            place -= 1
        if place < limit:
            return None
    while place > limit and not text[place - 1].isspace() and text[place - 1] not in "([{":
        place -= 1
    found = text[place:end]
    words = len(found.split())
    longer = len(found) > len(short) and words <= _most_words(short)
    return place if longer and short not in found.split() and not _SENTENCE_END.search(found) else None

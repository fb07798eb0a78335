"""The division of texts into sentences: students learn from single sentences, and read them best one at a time.

The rules are few and careful; in doubt, they do not cut. Two sentences read together cost a model little, but a
mention that is cut in two is lost.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence

_ENDS = re.compile(
    r"(?P<paragraph>\n[^\S\n]*\n)"
    r"|(?P<wide>[。！？][」』”’）]*)"
    r"|(?P<mark>[.!?])['\"”’)\]]*(?=\s+['\"“‘(\[]*(?P<next>\w))"
)
_LAST_WORD = re.compile(r"[^\s(\[]*$")
# Abbreviations, without their full stop, which ends no sentence. Before digits no cut is made anyway ("Fig. 3").
_ABBREVIATIONS = frozenset(
    "al approx ca cf dr e.g ed eds eq eqs fig figs i.e incl mr mrs ms prof ref refs sp spp st subsp var viz vs".split()
)


def split_sentences(text: str, words: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Divide the words of a text into sentences.

    A sentence ends at a blank line; at ``.``, ``!`` or ``?`` (and closing quotes and brackets) before white space and
    a capital letter, unless the full stop belongs to an abbreviation or an initial; and at ``。``, ``！`` or ``？``.
    A single line break counts as white space, because pasted text is often wrapped.

    Args:
        text (`str`): Any text.
        words (`Sequence[tuple[int, int]]`): Words of the text as half-open spans, in order.

    Returns:
        Half-open ranges of words, none empty, which cover all words in order.

    Example:
        >>> from hf_bionerkd.documents import split_words
        >>> split_sentences("It is E. coli. We saw it.", split_words("It is E. coli. We saw it."))
        [(0, 6), (6, 10)]
    """
    starts = [start for start, _ in words]
    bounds = [0, *(bisect_left(starts, end) for end in _sentence_ends(text)), len(words)]
    return [(first, last) for first, last in zip(bounds, bounds[1:], strict=False) if first < last]


def _sentence_ends(text: str) -> list[int]:
    """Return the offset after every sentence but the last."""
    return [match.end() for match in _ENDS.finditer(text) if match["mark"] is None or _ends_here(text, match)]


def _ends_here(text: str, match: re.Match[str]) -> bool:
    """Tell whether a mark ends a sentence: not before lower case, and not as part of an abbreviation or initial."""
    if not match["next"].isupper():
        return False
    if match["mark"] != ".":
        return True
    # No abbreviation is longer than twenty characters, so the search need not go further back.
    before = _LAST_WORD.search(text, max(0, match.start() - 20), match.start())
    word = before[0] if before else ""
    is_initial = len(word) == 1 and word.isalpha()
    return not is_initial and word.lower() not in _ABBREVIATIONS

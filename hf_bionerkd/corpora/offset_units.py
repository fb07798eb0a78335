"""Offsets that count bytes or UTF-16 units instead of code points, and which of them a document has.

Python, C and Java count the characters of a text differently as soon as it holds a Greek letter or an emoji, and
corpora carry the offsets of whatever program wrote them. The unit is found out per document: it is the one in which
most mentions stand exactly where they should.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate

from hf_bionerkd.corpora.mentions import Span, stands_at

CODE_POINTS, BYTES, UTF16 = "code points", "bytes", "utf16"
# The number of units that a character takes.
UNITS: Mapping[str, Callable[[str], int]] = {
    BYTES: lambda character: len(character.encode()),
    UTF16: lambda character: 1 + (character > "\uffff"),
}


class MeasuredText:
    """A text in which offsets of any unit can be looked up; it is measured once per unit.

    Args:
        text (`str`): The text.

    Example:
        >>> MeasuredText("é gout").code_points(3, "bytes")
        2
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._ends: dict[str, list[int]] = {}

    def code_points(self, offset: int, unit: str) -> int:
        """Return how many whole characters stand before an offset in `unit`, which may lie outside the text."""
        if unit == CODE_POINTS or offset <= 0:
            return offset
        ends = self._measured(unit)
        # Beyond the text an offset goes on counting, so that it can be reported as lying outside.
        return bisect_right(ends, offset) + max(offset - (ends[-1] if ends else 0), 0)

    def spans(self, spans: Iterable[Span], unit: str) -> list[Span]:
        """Return spans that are given in `unit` in code points."""
        return [(self.code_points(start, unit), self.code_points(end, unit)) for start, end in spans]

    def length(self, unit: str) -> int:
        """Return the length of the text in `unit`."""
        return len(self.text) if unit == CODE_POINTS or not self.text else self._measured(unit)[-1]

    def _measured(self, unit: str) -> list[int]:
        if unit not in self._ends:
            self._ends[unit] = list(accumulate(map(UNITS[unit], self.text)))
        return self._ends[unit]


def find_unit(mentions: Iterable[tuple[MeasuredText, Sequence[Span], str]], counts: Counter[str]) -> str:
    """Find the unit of a document's offsets.

    Args:
        mentions (`Iterable[tuple[MeasuredText, Sequence[Span], str]]`): For each mention, the text that its offsets
            count in, its spans, and how the source prints it.
        counts (`Counter`): Receives ``documents_in_bytes`` or ``documents_in_utf16`` where the unit is one of these.

    Returns:
        The unit in which most mentions stand exactly at their offsets; of equals, code points.
    """
    fits: Counter[str] = Counter()
    for measured, spans, printed in mentions:
        # In ASCII all three units agree.
        if measured.text.isascii():
            continue
        for unit in (CODE_POINTS, BYTES, UTF16):
            fits[unit] += stands_at(measured.text, measured.spans(spans, unit), printed)
    best = max((CODE_POINTS, BYTES, UTF16), key=lambda unit: fits[unit])
    if best != CODE_POINTS:
        counts[f"documents_in_{best}"] += 1
    return best

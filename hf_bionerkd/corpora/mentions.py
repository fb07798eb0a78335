"""The options that all readers of annotated documents share, and the search for a mention near its offsets."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from hf_bionerkd.corpora.files import CorpusError
from hf_bionerkd.corpora.spelling import fold_spelling, same_spelling

Span = tuple[int, int]
_SHOWN = 200  # characters of a text in a reason
_MOST_PARTS = 100  # of a mention that are looked for in any order; real ones have five at most

SetAside = Callable[[dict[str, Any]], None]
"""A function that is called with each mention, or row, that a reader cannot keep; its keys are the reader's."""


@dataclass(frozen=True)
class ReaderOptions:
    """The options that a caller gives to a reader of annotated documents.

    Args:
        path (`str` or `PathLike`): The file.
        window (`int`): How far, in code points, a mention may be moved to its text.
        default_scheme (`str` or `Mapping[str, str]`): The vocabulary of concept IDs that name none, for all types or
            by type.
        source (`str`): The origin that every mention records.
        counts (`Counter[str]`): Receives what the reader repairs, sets aside and skips.
        on_set_aside (`Callable`, *optional*): Takes what cannot be kept; without it that is an error.
    """

    path: str | os.PathLike[str]
    window: int
    default_scheme: str | Mapping[str, str]
    source: str
    counts: Counter[str]
    on_set_aside: SetAside | None

    def count_placed(self, placed: Placed) -> None:
        """Count what was done to a mention that is kept."""
        self.counts["mentions_discontinuous"] += bool(placed.parts)
        self.counts["mentions_repaired"] += placed.repaired
        self.counts["mentions_spelled_differently"] += placed.respelled

    def set_aside_row(self, line: int, row: str, reason: str) -> None:
        """Count a row or document that cannot be read and hand it to the caller.

        Args:
            line (`int`): The line that it begins in.
            row (`str`): The row, or the name of what was left out.
            reason (`str`): Why it cannot be read.

        Raises:
            CorpusError: The caller does not take such rows.
        """
        if self.on_set_aside is None:
            raise CorpusError(f"{self.path}:{line}: {reason}")
        self.counts["rows_set_aside"] += 1
        self.on_set_aside({"file": Path(self.path).name, "line": line, "row": row, "reason": reason})

    def set_aside(self, where: str, reason: str, **entry: str | int) -> None:
        """Count a mention that cannot be kept and hand it to the caller.

        Args:
            where (`str`): Where the mention stands, for the error.
            reason (`str`): Why it cannot be kept.
            entry: What else the caller is given, between ``file`` and ``reason``.

        Raises:
            CorpusError: The caller does not take such mentions.
        """
        self.counts["mentions_set_aside"] += 1
        # By default nothing is lost unseen: whoever wants to go on must say where such mentions go.
        if self.on_set_aside is None:
            raise CorpusError(
                f"{where}: {reason}. Correct it, or give `on_set_aside` (list.append will do) to go on without the "
                "mention."
            )
        self.on_set_aside({"file": Path(self.path).name, **entry, "reason": reason})


class Placed(NamedTuple):
    """The place of a mention in the text of its document.

    Args:
        start (`int`): Its first code point.
        end (`int`): One past its last code point.
        parts (`tuple[Span, ...]`): Its parts, where it is discontinuous.
        repaired (`bool`): Whether it was moved or trimmed.
        respelled (`bool`): Whether the source prints it in another spelling.
    """

    start: int
    end: int
    parts: tuple[Span, ...]
    repaired: bool
    respelled: bool


def place(text: str, spans: Sequence[Span], printed: str, window: int) -> Placed | str:
    """Find the place of a mention of one span or several.

    Args:
        text (`str`): The document's text.
        spans (`Sequence[Span]`): Where the source says that the parts of the mention stand, in any order.
        printed (`str`): The mention as the source prints it: the parts in any order, with anything between them; empty
            where the source prints none, and whatever stands there is the mention.
        window (`int`): How far, in code points, a part may be moved to its text.

    Returns:
        Its place; where it has none, the reason.

    Example:
        >>> place("breast and ovarian cancer", [(19, 25), (0, 6)], "breast [...] cancer", window=3)[:3]
        (0, 25, ((0, 6), (19, 25)))
        >>> place("see Ménière", [(4, 11)], "Meniere", window=3)
        Placed(start=4, end=11, parts=(), repaired=False, respelled=True)
    """
    if len(spans) == 1:
        ((start, end),) = spans
        located = _locate(text, start, end, printed or text[max(start, 0) : max(end, 0)], window)
        if located is None:
            return out_of_place(text, start, end, printed or text[max(start, 0) : max(end, 0)], window)
        repaired = located[:2] != (start, end) or printed != printed.strip()
        return Placed(*located[:2], (), repaired, bool(printed) and located[2] != printed.strip())
    parts = _place_parts(text, spans, printed, window)
    if isinstance(parts, str):
        return parts
    # White space at the ends of a part is not part of it; parts that touch are one.
    trimmed = [part for part in sorted(_trimmed(text, part) for part in parts) if part[0] < part[1]]
    joined = trimmed[:1]
    for start, end in trimmed[1:]:
        if start > joined[-1][1]:
            joined.append((start, end))
        else:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
    if len(trimmed) < len(spans):
        return f"one of its {len(spans)} parts is blank or lies outside the text"
    repaired = trimmed != sorted(spans)
    return Placed(joined[0][0], joined[-1][1], tuple(joined) if len(joined) > 1 else (), repaired, False)


def _locate(text: str, start: int, end: int, printed: str, window: int) -> tuple[int, int, str] | None:
    # What stands at the offsets in another spelling is the mention, even if the print stands close by, too.
    if not text.startswith(printed, max(start, 0)) and 0 <= start < end <= len(text):
        if same_spelling(text[start:end], printed):
            first, last = _trimmed(text, (start, end))
            return first, last, text[first:last]
    return locate(text, start, end, printed, window)


def _trimmed(text: str, span: Span) -> Span:
    start, end = max(span[0], 0), min(span[1], len(text))
    covered = text[start:end]
    return start + len(covered) - len(covered.lstrip()), end - len(covered) + len(covered.rstrip())


def _place_parts(text: str, spans: Sequence[Span], printed: str, window: int) -> Sequence[Span] | str:
    if not printed.strip():
        return spans
    # The usual print: the parts with one blank between them. Then each part may be moved by itself.
    reason = f"its {len(spans)} locations do not make up its text {printed!r:.{_SHOWN}}"
    for ordered in (spans, sorted(spans)):
        pieces = _cut(printed, ordered)
        if pieces is None:
            continue
        located = [_locate(text, *span, piece, window) for span, piece in zip(ordered, pieces, strict=True)]
        if all(located):
            return [part[:2] for part in located if part]
        misplaced = located.index(None)
        reason = out_of_place(text, *ordered[misplaced], pieces[misplaced], window)
    # Another order, or something else between the parts: all parts are moved alike.
    for shift in sorted(range(-window, window + 1), key=abs):
        moved = [(start + shift, end + shift) for start, end in spans]
        if _prints(printed, text, moved, whole_words=True):
            return moved
    return spans if stands_at(text, spans, printed) else reason


def _cut(printed: str, spans: Sequence[Span]) -> list[str] | None:
    """Return the text of each span, where a blank stands between them in print; else None."""
    pieces, position = [], 0
    for start, end in spans:
        pieces.append(printed[position : position + max(end - start, 0)])
        position += max(end - start, 0) + 1
    return pieces if " ".join(pieces) == printed and all(pieces) else None


def stands_at(text: str, spans: Sequence[Span], printed: str) -> bool:
    """Return whether a mention stands exactly at its spans, if in another spelling."""
    if not printed.strip() or not all(0 <= start < end <= len(text) for start, end in spans):
        return False
    if len(spans) == 1:
        covered = text[spans[0][0] : spans[0][1]]
        return covered == printed or same_spelling(covered, printed)
    return _prints(printed, text, spans, whole_words=False)


def _prints(printed: str, text: str, spans: Sequence[Span], *, whole_words: bool) -> bool:
    """Return whether a print holds the text of all spans, in any order and with anything between them."""
    if len(spans) > _MOST_PARTS:
        return False
    pieces = [text[max(start, 0) : max(end, 0)] for start, end in spans]
    if not whole_words and not all(piece in printed for piece in pieces):
        printed, pieces = fold_spelling(printed), [fold_spelling(piece) for piece in pieces]
    if not all(piece.strip() for piece in pieces):
        return False
    # The longest first, each taken out, so that no part is found within another.
    for piece in sorted(pieces, key=len, reverse=True):
        pattern = rf"(?<!\w){re.escape(piece)}(?!\w)" if whole_words else re.escape(piece)
        printed, times = re.subn(pattern, "\n", printed, count=1)
        if not times:
            return False
    return True


def locate(text: str, start: int, end: int, printed: str, window: int) -> tuple[int, int, str] | None:
    """Find where a mention really stands and how it reads there.

    That is the position nearest to `start` at which `printed` stands, as it is or without the white space at its ends;
    of two equally near, the left one. White space at its ends is not part of a mention: sentences end and words begin
    beside it.

    Args:
        text (`str`): The document's text.
        start (`int`): Where the source says that the mention begins, in code points; may lie outside the text.
        end (`int`): One past its end, as the source says.
        printed (`str`): The mention as the source prints it.
        window (`int`): How far from `start` it may stand.

    Returns:
        Start, end and text, trimmed; None where it does not stand there or is white space throughout.

    Example:
        >>> locate("see gout", 5, 9, "gout", window=3)
        (4, 8, 'gout')
        >>> locate("see gout", 3, 8, " gout", window=3)
        (4, 8, 'gout')
    """
    trimmed = printed.strip()
    if not trimmed:
        return None
    # The spelling as printed is tried in the whole window before the trimmed one; a dict drops it where they agree.
    for spelling in dict.fromkeys((printed, trimmed)):
        for shift in sorted(range(-window, window + 1), key=abs):
            position = start + shift
            if position >= 0 and text.startswith(spelling, position):
                position += spelling.index(trimmed)
                return position, position + len(trimmed), trimmed
    return None


def out_of_place(text: str, start: int, end: int, printed: str, window: int) -> str:
    """Say, for a mention that :func:`locate` does not find, what stands at its offsets instead."""
    shown = f"{text[max(start, 0) : max(end, 0)][:_SHOWN]!r}"
    if not printed.strip():
        return f"its text {printed!r:.{_SHOWN}} is blank; at its offsets [{start}, {end}) the text is {shown}"
    return (
        f"{printed!r:.{_SHOWN}} is not within {window} code points of its offsets [{start}, {end}), where the text is "
        f"{shown}"
    )

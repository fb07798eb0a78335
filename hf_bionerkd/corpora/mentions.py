"""The options that all readers of annotated documents share, and the search for a mention near its offsets."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_bionerkd.corpora.files import CorpusError

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
    covered = text[max(start, 0) : max(end, 0)]
    if not printed.strip():
        return f"its text {printed!r} is blank; at its offsets [{start}, {end}) the text is {covered!r}"
    return (
        f"{printed!r} is not within {window} code points of its offsets [{start}, {end}), where the text is "
        f"{covered!r}"
    )

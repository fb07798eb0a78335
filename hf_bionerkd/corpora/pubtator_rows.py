"""The rows of a PubTator document below its title and abstract: which are mentions, and where their parts stand.

Most files print ``PMID, start, end, text, type, concept IDs``. Others print the type first, or a number (``T1``), and
relations look much the same: what tells them apart is the document's text, which stands at a mention's offsets.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from hf_bionerkd.corpora.mentions import stands_at
from hf_bionerkd.corpora.offset_units import BYTES, CODE_POINTS, UTF16, MeasuredText

_OFFSET = re.compile(r"-?[0-9]{1,9}")
# A letter begins the name of a relation and no offset, save the "nan" that tables print for a missing number.
_NAME = re.compile(r"(?!nan\b)[^\W\d_]", re.IGNORECASE)
_NUMBERED = re.compile(r"T[0-9]+")  # the name of a mention in brat, from which such rows are made


class MentionRow(NamedTuple):
    """The row of a mention.

    Args:
        span (`tuple[int, int]`, *optional*): Its offsets in the file's own unit; None where they are no numbers.
        printed (`str`): Its text.
        type (`str`): Its type.
        concept_ids (`str`): Its concept IDs as the row prints them.
        more (`bool`): Whether the row has further columns.
    """

    span: tuple[int, int] | None
    printed: str
    type: str
    concept_ids: str
    more: bool


def read_row(columns: list[str], text: MeasuredText) -> MentionRow | None:
    """Read one row of a document.

    Args:
        columns (`list[str]`): The columns of the row, the PMID first.
        text (`MeasuredText`): The document's text.

    Returns:
        The mention; None where the row is a relation.

    Raises:
        ValueError: It is neither.

    Example:
        >>> read_row("7 T1 Disease 4 8 gout".split(), MeasuredText("see gout"))
        MentionRow(span=(4, 8), printed='gout', type='Disease', concept_ids='', more=False)
        >>> read_row("7 CID D006220 D001749".split(), MeasuredText("see gout")) is None
        True
    """
    if len(columns) >= 5 and columns[4].strip() and _are_offsets(columns[1:3]):
        span = (int(columns[1]), int(columns[2]))
        # A few files print the type before the text.
        swapped = columns[3].strip() and not _fits(text, span, columns[3]) and _fits(text, span, columns[4])
        printed, kind = (columns[4], columns[3]) if swapped else (columns[3], columns[4])
        return MentionRow(span, printed, kind.strip(), "".join(columns[5:6]), len(columns) > 6)
    if len(columns) >= 4 and _NAME.match(columns[1].strip()):
        return _named_row(columns, text)
    if len(columns) >= 5 and columns[4].strip():
        return MentionRow(None, columns[3], columns[4].strip(), "".join(columns[5:6]), len(columns) > 6)
    raise ValueError


def _named_row(columns: list[str], text: MeasuredText) -> MentionRow | None:
    """Read a row that begins with a name: of a type, of a mention or of a relation."""
    numbered = bool(_NUMBERED.fullmatch(columns[1].strip()))
    for first in range(2, len(columns) - 1):
        if not _are_offsets(columns[first : first + 2]):
            continue
        span = (int(columns[first]), int(columns[first + 1]))
        # The text stands after the offsets, or else before them.
        places = [place for place in (first + 2, first + 3, first - 1) if numbered < place < len(columns)]
        fitting = [place for place in places if _fits(text, span, columns[place])]
        # A number such as T1 is no relation's name: the mention is one, even if its text stands elsewhere.
        if not fitting and (numbered or _is_likely(columns, first, span)):
            fitting = [place for place in places if place == first + 2]
        if fitting and span[0] < span[1]:
            others = [
                column
                for place, column in enumerate(columns)
                if place > numbered and place not in (first, first + 1, fitting[0])
            ]
            if others and others[0].strip():
                return MentionRow(span, columns[fitting[0]], others[0].strip(), "".join(others[1:2]), len(others) > 2)
    if numbered:
        raise ValueError
    return None


def _is_likely(columns: list[str], first: int, span: tuple[int, int]) -> bool:
    """Return whether a row is a mention by its lengths alone; relations end in ``Novel`` or ``No``."""
    printed = "".join(columns[first + 2 : first + 3])
    return len(printed) == span[1] - span[0] and printed not in ("Novel", "No")


def _are_offsets(columns: list[str]) -> bool:
    return len(columns) == 2 and all(_OFFSET.fullmatch(column.strip()) for column in columns)


def _fits(text: MeasuredText, span: tuple[int, int], printed: str) -> bool:
    units = (CODE_POINTS,) if text.text.isascii() else (CODE_POINTS, BYTES, UTF16)
    return any(stands_at(text.text, text.spans([span], unit), printed) for unit in units)

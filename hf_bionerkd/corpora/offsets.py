"""Find a mention's text where its offsets say, or near there."""

from __future__ import annotations


def locate(text: str, start: int, end: int, printed: str, window: int) -> tuple[int, int, str] | None:
    """Where a mention really stands and how it reads there.

    The place nearest to `start` where `printed` stands, as it is or without the white space at its ends, the left one
    of two equally near. White space at its ends is no part of it: sentences end and words begin beside it.

    Args:
        text (`str`): The document's text.
        start (`int`): Where it begins, says the source, in code points; may lie outside the text.
        end (`int`): One past its end, says the source.
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
    for wanted in dict.fromkeys((printed, trimmed)):
        for shift in sorted(range(-window, window + 1), key=abs):
            place = start + shift
            if place >= 0 and text.startswith(wanted, place):
                place += wanted.index(trimmed)
                return place, place + len(trimmed), trimmed
    return None


def out_of_place(text: str, start: int, end: int, printed: str, window: int) -> str:
    """Say, for a mention that :func:`locate` does not find, what stands at its offsets instead."""
    there = text[max(start, 0) : max(end, 0)]
    if not printed.strip():
        return f"its text {printed!r} is blank; at its offsets [{start}, {end}) the text is {there!r}"
    return (
        f"{printed!r} is not within {window} code points of its offsets [{start}, {end}), where the text is {there!r}"
    )

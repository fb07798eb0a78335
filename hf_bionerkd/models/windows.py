"""Plans of overlapping windows over a sequence of any length, and which window answers for each part of it.

This is pure arithmetic on sizes, free of tensors and tokenizers, because these files travel to the Hub with custom
models. The unit of planning is a *word* (its size is its number of sub-word pieces); a word is never split over two
windows unless it is larger than a window, in which case the caller passes it as several units.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile


@dataclass(frozen=True, slots=True)
class Window:
    """A window that holds the units ``first … last-1`` and answers for ``owned_first … owned_last-1`` of them."""

    first: int
    last: int
    owned_first: int
    owned_last: int


def plan_windows(sizes: Sequence[int], capacity: int, overlap: int) -> list[Window]:
    """Cover units of the given sizes by windows of at most `capacity` pieces.

    Neighbouring windows share up to `overlap` pieces. Each unit is *owned* by exactly one window: the one in which
    the smaller of its left and right contexts is largest (the sequence's own ends count as unlimited context), so a
    prediction never comes from the rim of a window when another window saw more. Ties go to the earlier window.

    Args:
        sizes (`Sequence[int]`): Number of pieces of each unit, between 0 and `capacity`.
        capacity (`int`): Number of pieces that fit into one window.
        overlap (`int`): Number of pieces that two neighbouring windows may share, less than `capacity`.

    Returns:
        Windows in order; together their owned ranges are ``0 … len(sizes)`` without gap or repetition. An empty
        sequence has no window.

    Raises:
        ValueError: `capacity` or `overlap` is out of range, or a unit is larger than a window.

    Example:
        >>> [(w.first, w.last, w.owned_first, w.owned_last) for w in plan_windows([1] * 10, capacity=6, overlap=4)]
        [(0, 6, 0, 4), (2, 8, 4, 6), (4, 10, 6, 10)]
    """
    if capacity < 1 or not 0 <= overlap < capacity:
        raise ValueError(
            f"a window needs room for at least one piece and overlap < capacity; got {overlap=}, {capacity=}"
        )
    if sizes and max(sizes) > capacity:
        raise ValueError(f"a unit of {max(sizes)} pieces does not fit into a window of {capacity}")
    ends = [0, *accumulate(sizes)]
    spans = _spans(sizes, ends, capacity, overlap)
    total = ends[-1]

    def context(unit: int, span: tuple[int, int]) -> int:
        first, last = span
        left = ends[unit] - ends[first] if first else total
        right = ends[last] - ends[unit + 1] if last < len(sizes) else total
        return min(left, right)

    def after(index: int, unit: int) -> Iterator[tuple[int, int]]:
        return takewhile(lambda span: span[0] <= unit, (spans[later] for later in range(index + 1, len(spans))))

    # Each window takes units until a later one has more context for the next; a window that takes none is dropped.
    windows: list[Window] = []
    owned = 0
    for index, span in enumerate(spans):
        last = span[1]
        end = owned
        while end < last and all(context(end, span) >= context(end, other) for other in after(index, end)):
            end += 1
        if end > owned:
            windows.append(Window(*span, owned, end))
        owned = end
    return windows


def _spans(sizes: Sequence[int], ends: Sequence[int], capacity: int, overlap: int) -> list[tuple[int, int]]:
    """Return the first unit of each window and the one after its last."""
    spans: list[tuple[int, int]] = []
    first = last = 0
    while last < len(sizes):
        # Fill the window.
        while last < len(sizes) and ends[last + 1] - ends[first] <= capacity:
            last += 1
        spans.append((first, last))
        if last == len(sizes):
            break
        previous = first
        first = last
        # Step back into the window just closed as far as the overlap allows, leaving room for the next unit.
        while first - 1 > previous and ends[last] - ends[first - 1] <= min(overlap, capacity - sizes[last]):
            first -= 1
    return spans

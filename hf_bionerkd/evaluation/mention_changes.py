"""What sets the mentions of one labelling apart from those of another of the same words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hf_bionerkd.labels import WordSpan


@dataclass(frozen=True)
class Changes:
    """What sets the mentions of one labelling apart from those of another.

    Args:
        added (`tuple[WordSpan, ...]`): Those of the second alone that have no partner.
        removed (`tuple[WordSpan, ...]`): Those of the first alone that have no partner.
        changed (`tuple[tuple[WordSpan, WordSpan], ...]`): Partners: each in one labelling alone, and they overlap.
    """

    added: tuple[WordSpan, ...]
    removed: tuple[WordSpan, ...]
    changed: tuple[tuple[WordSpan, WordSpan], ...]

    def __len__(self) -> int:
        return len(self.added) + len(self.removed) + len(self.changed)


def mention_changes(before: Iterable[WordSpan], after: Iterable[WordSpan]) -> Changes:
    """Compare two flat labellings of the same words.

    A mention has one partner at most, the leftmost that is free, which gives as many pairs as there can be. Takes time
    in proportion to the mentions: a whole corpus may be one run of words.

    Example:
        >>> found = mention_changes([(0, 1, "Disease"), (4, 5, "Disease")], [(3, 5, "Disease"), (7, 8, "Chemical")])
        >>> found.removed, found.changed
        (((0, 1, 'Disease'),), (((4, 5, 'Disease'), (3, 5, 'Disease')),))
    """
    here, there = set(before), set(after)
    old, new = sorted(here - there), sorted(there - here)
    added, removed, changed = [], [], []
    i = j = 0
    while i < len(old) and j < len(new):
        if old[i][1] <= new[j][0]:
            removed.append(old[i])
            i += 1
        elif new[j][1] <= old[i][0]:
            added.append(new[j])
            j += 1
        else:
            changed.append((old[i], new[j]))
            i, j = i + 1, j + 1
    return Changes((*added, *new[j:]), (*removed, *old[i:]), tuple(changed))

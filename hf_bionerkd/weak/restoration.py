"""The effect of a re-correction on planted noise: misses restored, labels damaged, and the rest.

Mentions are compared by their exact offsets and type.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from hf_bionerkd.evaluation.entities import Counts
from hf_bionerkd.weak.noise import PlantedLabel

TypedSpan = tuple[int, int, str]

# The aims that a re-correction is held against, as shares of the misses and of the right labels.
RESTORED_WANTED = 0.5
DAMAGED_ALLOWED = 0.05
_RESTORED_AIM, _DAMAGED_AIM = f"at least {RESTORED_WANTED:.0%}", f"at most {DAMAGED_ALLOWED:.0%}"


class NoiseError(ValueError):
    """A truth and corpora that do not belong together."""


@dataclass(frozen=True, slots=True)
class Restoration:
    """The counts of what became of the planted noise.

    Args:
        misses (`int`, *optional*, defaults to 0): True mentions that the weak corpus does not label.
        restored (`int`, *optional*, defaults to 0): Those of them that are now labelled exactly.
        right (`int`, *optional*, defaults to 0): True mentions that the weak corpus labels exactly.
        damaged (`int`, *optional*, defaults to 0): Those of them that are no longer labelled exactly.
        boundaries (`int`, *optional*, defaults to 0): True mentions that the weak corpus labels with another span.
        repaired (`int`, *optional*, defaults to 0): Those of them that are now labelled exactly.
        spurious (`int`, *optional*, defaults to 0): Labels of the weak corpus without a true mention.
        removed (`int`, *optional*, defaults to 0): Those of them that are now gone.
        new_spurious (`int`, *optional*, defaults to 0): New labels that are not true.
        labels (`int`, *optional*, defaults to 0): All labels of the corrected corpus.
    """

    misses: int = 0
    restored: int = 0
    right: int = 0
    damaged: int = 0
    boundaries: int = 0
    repaired: int = 0
    spurious: int = 0
    removed: int = 0
    new_spurious: int = 0
    labels: int = 0

    def __add__(self, other: Restoration) -> Restoration:
        return Restoration(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Restoration)))

    @property
    def restored_share(self) -> float:
        """The share of the planted misses that were restored; 0.0 where there are none."""
        return self.restored / self.misses if self.misses else 0.0

    @property
    def damaged_share(self) -> float:
        """The share of the right labels that were damaged; 0.0 where none was right."""
        return self.damaged / self.right if self.right else 0.0

    @property
    def enough_restored(self) -> bool:
        """Return whether at least half of the planted misses were restored."""
        return self.restored_share >= RESTORED_WANTED

    @property
    def little_damaged(self) -> bool:
        """Return whether at most 5 % of the right labels were damaged."""
        return self.damaged_share <= DAMAGED_ALLOWED

    @property
    def before(self) -> Counts:
        """The weak corpus scored against the truth."""
        # A label with another span is a spurious one and a missed one.
        wrong = self.boundaries + self.spurious
        return Counts(self.right, wrong, self.misses + self.boundaries)

    @property
    def after(self) -> Counts:
        """The corrected corpus scored against the truth."""
        # Every true mention was right, missed or bounded wrongly before; see which of each kind are right now.
        right = self.right - self.damaged + self.restored + self.repaired
        return Counts(right, self.labels - right, self.right + self.misses + self.boundaries - right)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON values: counts, shares, whether the aims hold, scores before and after."""
        return {
            **{f.name: getattr(self, f.name) for f in fields(Restoration)},
            "restored_share": self.restored_share,
            "damaged_share": self.damaged_share,
            "enough_restored": self.enough_restored,
            "little_damaged": self.little_damaged,
            "before": self.before.as_dict(),
            "after": self.after.as_dict(),
        }


def compare(
    truth: Mapping[str, Sequence[PlantedLabel]],
    before: Mapping[str, Iterable[TypedSpan]],
    after: Mapping[str, Iterable[TypedSpan]],
) -> dict[str, Restoration]:
    """Count what a correction made of planted noise, by type.

    Args:
        truth (`Mapping[str, Sequence[PlantedLabel]]`): From :func:`~hf_bionerkd.weak.noise.read_truth`.
        before (`Mapping[str, Iterable[tuple[int, int, str]]]`): The mentions of the weak corpus by row id.
        after (`Mapping[str, Iterable[tuple[int, int, str]]]`): Those of the corrected corpus.

    Returns:
        Counts of each type, in alphabetical order; their sum is the total.

    Raises:
        NoiseError: The rows differ, or the weak corpus is not the one that the truth was written for.

    Example:
        >>> truth = {"1": [PlantedLabel("Disease", true=(0, 4))]}
        >>> compare(truth, {"1": []}, {"1": [(0, 4, "Disease")]})["Disease"].restored
        1
    """
    # All three must be of the same rows, or nothing can be compared.
    for name, rows in (("weak", before), ("corrected", after)):
        if rows.keys() != truth.keys():
            odd = sorted(rows.keys() ^ truth.keys())
            raise NoiseError(
                f"the {name} corpus and the truth have different rows: {len(odd)} are in one of them alone, such as "
                f"{odd[:3]}. Give the truth that was written with this corpus."
            )
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for identifier, labels in truth.items():
        given, now = set(before[identifier]), set(after[identifier])
        # The truth names every label of the weak corpus: another set is another corpus.
        if given != {(*label.given, label.type) for label in labels if label.given is not None}:
            raise NoiseError(
                f"row {identifier!r} of the weak corpus has the mentions {sorted(given)}, which are not those that "
                "were planted. Give the corpus as it was built, and the truth that was written with it."
            )
        for label in labels:
            _count(label, now, counts[label.type])
        # A label that is neither true nor was there before is new noise.
        known = given | {(*label.true, label.type) for label in labels if label.true is not None}
        for start, end, kind in now:
            counts[kind]["labels"] += 1
            counts[kind]["new_spurious"] += (start, end, kind) not in known
    return {kind: Restoration(**counts[kind]) for kind in sorted(counts)}


def _count(label: PlantedLabel, now: set[TypedSpan], counts: Counter[str]) -> None:
    """Count one planted label, and what became of it."""
    came_true = label.true is not None and (*label.true, label.type) in now
    if label.kind == "kept":
        counts["right"] += 1
        counts["damaged"] += not came_true
    elif label.kind == "miss":
        counts["misses"] += 1
        counts["restored"] += came_true
    elif label.kind == "boundary":
        counts["boundaries"] += 1
        counts["repaired"] += came_true
    elif label.given is not None:  # spurious; the type checker does not know that a span is given
        counts["spurious"] += 1
        counts["removed"] += (*label.given, label.type) not in now


def noise_table(reports: Mapping[str, Mapping[str, Restoration]]) -> str:
    """Lay restorations out as text: one row per type and one in total, then whether the two aims hold.

    Args:
        reports (`Mapping[str, Mapping[str, Restoration]]`): From :func:`compare`, by name of the corpus.
    """
    header = ("corpus", "type", "misses restored", "right damaged", "boundaries", "spurious gone", "new", "F1")
    rows: list[tuple[str, ...]] = [header]
    aims: list[str] = []
    for name, by_type in reports.items():
        # A row per type, the total, and below the table whether the total reaches the aims.
        total = total_of(by_type)
        rows += [_row(name, kind, restoration) for kind, restoration in by_type.items()]
        rows.append(_row(name, "all", total))
        for done, aim, holds in (
            (f"restored {total.restored_share:.1%} of the planted misses", _RESTORED_AIM, total.enough_restored),
            (f"damaged {total.damaged_share:.1%} of the true labels", _DAMAGED_AIM, total.little_damaged),
        ):
            aims.append(f"{name}: {done} (aim: {aim}): {'holds' if holds else 'MISSED'}")
    # Names to the left, numbers to the right.
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    lines = [
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join([*(line.rstrip() for line in lines), "", *aims])


def total_of(by_type: Mapping[str, Restoration]) -> Restoration:
    """Return the sum over all types."""
    return sum(by_type.values(), Restoration())


def _row(name: str, kind: str, counts: Restoration) -> tuple[str, ...]:
    def part(some: int, of: int) -> str:
        return f"{some:,}/{of:,}" + (f" {some / of:6.1%}" if of else "       ")

    return (
        name,
        kind,
        part(counts.restored, counts.misses),
        part(counts.damaged, counts.right),
        part(counts.repaired, counts.boundaries),
        part(counts.removed, counts.spurious),
        f"{counts.new_spurious:,}",
        f"{counts.before.f1:.1%} -> {counts.after.f1:.1%}",
    )

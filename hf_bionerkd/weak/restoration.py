"""What re-correction makes of planted noise: misses restored, labels damaged, and the rest.

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

RESTORED_WANTED = 0.5
DAMAGED_ALLOWED = 0.05
_RESTORED_AIM, _DAMAGED_AIM = f"at least {RESTORED_WANTED:.0%}", f"at most {DAMAGED_ALLOWED:.0%}"


class NoiseError(ValueError):
    """Truth and corpora that do not belong together."""


@dataclass(frozen=True, slots=True)
class Restoration:
    """What became of the planted noise.

    Args:
        misses (`int`, *optional*, defaults to 0): True mentions that the weak corpus did not label.
        restored (`int`, *optional*, defaults to 0): Of these, labelled exactly now.
        right (`int`, *optional*, defaults to 0): True mentions that the weak corpus labelled exactly.
        damaged (`int`, *optional*, defaults to 0): Of these, no longer labelled exactly.
        boundaries (`int`, *optional*, defaults to 0): True mentions that the weak corpus labelled with another span.
        repaired (`int`, *optional*, defaults to 0): Of these, labelled exactly now.
        spurious (`int`, *optional*, defaults to 0): Labels of the weak corpus without a true mention.
        removed (`int`, *optional*, defaults to 0): Of these, gone now.
        new_spurious (`int`, *optional*, defaults to 0): Labels that are neither true nor were there before.
        labels (`int`, *optional*, defaults to 0): All labels now.
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
        """Share of the planted misses that were restored; 0.0 where there are none."""
        return self.restored / self.misses if self.misses else 0.0

    @property
    def damaged_share(self) -> float:
        """Share of the labels that were right and no longer are; 0.0 where none was right."""
        return self.damaged / self.right if self.right else 0.0

    @property
    def enough_restored(self) -> bool:
        """Whether at least half of the planted misses were restored."""
        return self.restored_share >= RESTORED_WANTED

    @property
    def little_damaged(self) -> bool:
        """Whether at most 5 % of the labels that were right are no longer."""
        return self.damaged_share <= DAMAGED_ALLOWED

    @property
    def before(self) -> Counts:
        """The weak corpus against the truth."""
        wrong = self.boundaries + self.spurious
        return Counts(self.right, wrong, self.misses + self.boundaries)

    @property
    def after(self) -> Counts:
        """The corrected corpus against the truth."""
        right = self.right - self.damaged + self.restored + self.repaired
        return Counts(right, self.labels - right, self.right + self.misses + self.boundaries - right)

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain JSON: counts, the shares that matter, whether the aims hold, scores before and after."""
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
    """Say what a correction made of planted noise, by type.

    Args:
        truth (`Mapping[str, Sequence[PlantedLabel]]`): From :func:`~hf_bionerkd.weak.noise.read_truth`.
        before (`Mapping[str, Iterable[tuple[int, int, str]]]`): The weak corpus' mentions by row id.
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
        if given != {(*label.given, label.type) for label in labels if label.given is not None}:
            raise NoiseError(
                f"row {identifier!r} of the weak corpus has the mentions {sorted(given)}, which are not those that "
                "were planted. Give the corpus as it was built, and the truth that was written with it."
            )
        for label in labels:
            _count(label, now, counts[label.type])
        known = given | {(*label.true, label.type) for label in labels if label.true is not None}
        for start, end, kind in now:
            counts[kind]["labels"] += 1
            counts[kind]["new_spurious"] += (start, end, kind) not in known
    return {kind: Restoration(**counts[kind]) for kind in sorted(counts)}


def _count(label: PlantedLabel, now: set[TypedSpan], counts: Counter[str]) -> None:
    """Count one planted label and whether it came right."""
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
    elif label.given is not None:
        counts["spurious"] += 1
        counts["removed"] += (*label.given, label.type) not in now


def noise_table(reports: Mapping[str, Mapping[str, Restoration]]) -> str:
    """A text table of every corpus: a row a type and one in total, then whether the two aims hold.

    Args:
        reports (`Mapping[str, Mapping[str, Restoration]]`): From :func:`compare`, by name of the corpus.
    """
    header = ("corpus", "type", "misses restored", "right damaged", "boundaries", "spurious gone", "new", "F1")
    rows: list[tuple[str, ...]] = [header]
    aims: list[str] = []
    for name, by_type in reports.items():
        total = total_of(by_type)
        rows += [_row(name, kind, found) for kind, found in by_type.items()]
        rows.append(_row(name, "all", total))
        for done, aim, holds in (
            (f"restored {total.restored_share:.1%} of the planted misses", _RESTORED_AIM, total.enough_restored),
            (f"damaged {total.damaged_share:.1%} of the true labels", _DAMAGED_AIM, total.little_damaged),
        ):
            aims.append(f"{name}: {done} (aim: {aim}): {'holds' if holds else 'MISSED'}")
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
    """The sum over all types."""
    return sum(by_type.values(), Restoration())


def _row(name: str, kind: str, found: Restoration) -> tuple[str, ...]:
    def part(some: int, of: int) -> str:
        return f"{some:,}/{of:,}" + (f" {some / of:6.1%}" if of else "       ")

    return (
        name,
        kind,
        part(found.restored, found.misses),
        part(found.damaged, found.right),
        part(found.repaired, found.boundaries),
        part(found.removed, found.spurious),
        f"{found.new_spurious:,}",
        f"{found.before.f1:.1%} -> {found.after.f1:.1%}",
    )

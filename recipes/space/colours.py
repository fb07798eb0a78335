"""One colour a type: the same in both panels, on light and on dark pages, with enough contrast to be read."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

# Degrees on the colour wheel, neighbours in the list far apart on the wheel.
HUES = (4, 212, 140, 36, 285, 330, 180, 62, 248, 100)
_USUAL = {
    "disease": 0,
    "chemical": 1,
    "drug": 1,
    "gene": 2,
    "protein": 2,
    "species": 3,
    "cellline": 4,
    "mutation": 5,
    "variant": 5,
    "celltype": 6,
}


@dataclass(frozen=True)
class Shade:
    """Saturation and lightness, in percent, of a mention's background, of its text and of its type's name."""

    background: tuple[int, int]
    text: tuple[int, int]
    name: tuple[int, int]


LIGHT = Shade(background=(85, 92), text=(60, 12), name=(90, 24))
DARK = Shade(background=(45, 19), text=(50, 94), name=(85, 80))


def colours_of(types: Iterable[str]) -> dict[str, int]:
    """A place in :data:`HUES` for each type.

    The usual types always have the same one, others the one their name hashes to or the next that is free. More than
    ten types share colours; their names stand beside every mention anyway.

    Example:
        >>> colours_of(["Gene", "Disease"])
        {'Disease': 0, 'Gene': 2}
    """
    chosen: dict[str, int] = {}
    usual = {kind: _USUAL.get("".join(filter(str.isalnum, kind)).lower()) for kind in types}
    for kind in sorted(usual, key=lambda kind: (usual[kind] is None, kind)):
        place = usual[kind]
        if place is None:
            place = zlib.crc32(kind.encode()) % len(HUES)
        while place in chosen.values() and len(chosen) < len(HUES):
            place = (place + 1) % len(HUES)
        chosen[kind] = place
    return chosen


def colour_rules() -> str:
    """The style sheet's part about colours."""
    return "\n".join(
        [
            *(f".bn-c{place} {{ --bn-hue: {hue}; }}" for place, hue in enumerate(HUES)),
            _shade_rules(".bn-page", LIGHT),
            _shade_rules(".dark .bn-page", DARK),
        ]
    )


def _shade_rules(selector: str, shade: Shade) -> str:
    parts = {"background": shade.background, "text": shade.text, "name": shade.name}
    values = "".join(f" --bn-{part}: {saturation}% {light}%;" for part, (saturation, light) in parts.items())
    return f"{selector} {{{values} }}"

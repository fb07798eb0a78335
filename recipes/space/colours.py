"""The colours of types: one per type, the same in both panels, readable on light and on dark pages."""

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
    """The saturation and lightness, in percent, of a mention's background, of its text and of its type's name."""

    background: tuple[int, int]
    text: tuple[int, int]
    name: tuple[int, int]


LIGHT = Shade(background=(85, 92), text=(60, 12), name=(90, 24))
DARK = Shade(background=(45, 19), text=(50, 94), name=(85, 80))


def colours_of(types: Iterable[str]) -> dict[str, int]:
    """Return the index in :data:`HUES` of each type's colour.

    The usual types always have the same colour, others the one that their name hashes to, or the next that is free.
    More than ten types share colours; their names stand beside every mention anyway.

    Example:
        >>> colours_of(["Gene", "Disease"])
        {'Disease': 0, 'Gene': 2}
    """
    chosen: dict[str, int] = {}
    usual = {kind: _USUAL.get("".join(filter(str.isalnum, kind)).lower()) for kind in types}
    # Usual types choose first, so that no other type takes their colour.
    for kind in sorted(usual, key=lambda kind: (usual[kind] is None, kind)):
        colour = usual[kind]
        if colour is None:
            # Unlike `hash`, the checksum is the same in every process.
            colour = zlib.crc32(kind.encode()) % len(HUES)
        while colour in chosen.values() and len(chosen) < len(HUES):
            colour = (colour + 1) % len(HUES)
        chosen[kind] = colour
    return chosen


def colour_rules() -> str:
    """Return the style sheet's rules for colours."""
    return "\n".join(
        [
            *(f".bn-c{colour} {{ --bn-hue: {hue}; }}" for colour, hue in enumerate(HUES)),
            _shade_rules(".bn-page", LIGHT),
            _shade_rules(".dark .bn-page", DARK),
        ]
    )


def _shade_rules(selector: str, shade: Shade) -> str:
    """Return a rule that sets a shade as CSS variables."""
    parts = {"background": shade.background, "text": shade.text, "name": shade.name}
    values = "".join(f" --bn-{part}: {saturation}% {light}%;" for part, (saturation, light) in parts.items())
    return f"{selector} {{{values} }}"

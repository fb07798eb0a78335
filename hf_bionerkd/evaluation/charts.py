"""The bar chart as SVG: one self-contained text file that any browser shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from hf_bionerkd.markdown import one_line

WIDTH, HEIGHT = 760, 420

# Margins, for the numbers of the axis, the heading and the names of the bars.
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 20, 64, 70
_FLOOR = 0.5  # where the logarithmic axis begins, so that a count of one has a bar
_BAR_SHARE = 0.78  # of the width that each bar has; the rest is the gap
_STYLE = (
    "text{font-family:system-ui,sans-serif;font-size:13px;fill:#222}"
    ".title{font-size:16px;font-weight:600}.note{fill:#555}"
    ".bar{fill:#2f6f9f}.grid{stroke:#ddd}.axis{stroke:#444}"
)


def bar_chart(
    names: Sequence[str], counts: Sequence[int], *, title: str, note: str = "", across: str = "", up: str = ""
) -> str:
    """Draw counts as bars on a logarithmic axis, each with its number above it.

    Counts of histograms often differ a thousandfold; a linear axis would show only one bar.

    Args:
        names (`Sequence[str]`): The name below each bar.
        counts (`Sequence[int]`): The numbers, none negative; zero has a number and no bar.
        title (`str`): The heading, which screen readers read out, too.
        note (`str`, *optional*): A line below the heading.
        across (`str`, *optional*): What the bars are, below the chart.
        up (`str`, *optional*): What is counted, beside the axis.

    Returns:
        The SVG document; everything given is escaped.

    Raises:
        ValueError: There is no bar, the names are not one per count, or a count is negative.
    """
    if not counts or len(names) != len(counts) or min(counts) < 0:
        raise ValueError(f"expected one name for each of at least one count, none negative; got {names}, {counts}")
    # The axis reaches to the power of ten above the highest bar.
    decades = max(1, math.ceil(math.log10(max(*counts, 1))))
    plot = HEIGHT - _TOP - _BOTTOM
    base = HEIGHT - _BOTTOM

    def height(count: float) -> float:
        """Return the vertical position of a count on the page."""
        share = math.log10(count / _FLOOR) / math.log10(10**decades / _FLOOR)
        return base - plot * share

    step = (WIDTH - _LEFT - _RIGHT) / len(counts)
    # Heading; lines of the axis; bars with their numbers and names; names of both axes.
    parts = [
        f'<text class="title" x="{_LEFT}" y="24">{_shown(title)}</text>',
        f'<text class="note" x="{_LEFT}" y="44">{_shown(note)}</text>',
    ]
    for decade in range(decades + 1):
        y = height(10**decade)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text text-anchor="end" x="{_LEFT - 8}" y="{y + 4:.1f}">{10**decade:,}</text>')
    for index, (name, count) in enumerate(zip(names, counts, strict=True)):
        middle = _LEFT + (index + 0.5) * step
        top = height(count) if count else base
        left, width = middle - _BAR_SHARE * step / 2, _BAR_SHARE * step
        parts.append(
            f'<rect class="bar" x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{base - top:.1f}"/>'
            f'<text text-anchor="middle" x="{middle:.1f}" y="{top - 5:.1f}">{count:,}</text>'
            f'<text text-anchor="middle" x="{middle:.1f}" y="{base + 20}">{_shown(name)}</text>'
        )
    centre = (_LEFT + WIDTH - _RIGHT) / 2
    parts += [
        f'<line class="axis" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{base}" y2="{base}"/>',
        f'<text text-anchor="middle" x="{centre}" y="{HEIGHT - 18}">{_shown(across)}</text>',
        f'<text text-anchor="middle" transform="translate(20 {_TOP + plot / 2}) rotate(-90)">{_shown(up)}</text>',
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" aria-label="{_shown(title)}"><style>{_STYLE}</style><rect width="100%" height="100%" '
        f'fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def _shown(text: str) -> str:
    """Escape a text; signs that XML does not allow are replaced."""
    return escape(one_line(text))

"""What a terminal shows of work that takes a while: progress bars, and durations as people say them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from tqdm import tqdm

if TYPE_CHECKING:
    from tqdm.std import tqdm as Bar

T = TypeVar("T")


def progress(
    iterable: Iterable[T] | None, desc: str, unit: str, total: int | None = None, main: bool = True
) -> Bar[T]:
    """Return a progress bar with an estimate of the time left, which vanishes when the work is done.

    It is hidden where :func:`shows_bars` says so.

    Args:
        iterable (`Iterable`, *optional*): The work; without it the caller moves the bar with `update`.
        desc (`str`): What is done, such as ``"teacher disease"``.
        unit (`str`): What is counted, in the singular, such as ``"part"``.
        total (`int`, *optional*): How much work there is, where `iterable` has no length.
        main (`bool`, *optional*, defaults to `True`): Whether this is the process that prints.

    Example:
        >>> sum(progress([1, 2, 3], desc="adding", unit="number"))
        6
    """
    hidden = not (main and shows_bars())
    return tqdm(iterable, desc=desc, unit=unit, total=total, leave=False, disable=hidden, dynamic_ncols=True)


def shows_bars() -> bool:
    """Return whether bars make sense: standard error is a terminal, and ``TQDM_DISABLE`` is not set."""
    disabled = os.environ.get("TQDM_DISABLE", "").lower() not in ("", "0", "false")
    return not disabled and sys.stderr is not None and sys.stderr.isatty()


def spoken_duration(seconds: float, roughly: bool = False) -> str:
    """Return a duration in the largest units that matter.

    Args:
        seconds (`float`): The duration in seconds.
        roughly (`bool`, *optional*, defaults to `False`): Round seconds to fives and minutes of hours to tens, as fits
            an estimate.

    Example:
        >>> spoken_duration(41.2), spoken_duration(372), spoken_duration(7300)
        ('41 s', '6 min', '2 h 2 min')
        >>> spoken_duration(41.2, roughly=True), spoken_duration(7300, roughly=True)
        ('40 s', '2 h')
    """
    if seconds < 90:
        return f"{max(5, 5 * round(seconds / 5))} s" if roughly else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, rest = divmod(10 * round(minutes / 10) if roughly else minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"

"""How the processes of one launch share work; the work itself only sees this object."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")


def _nothing() -> None:
    pass


def _unchanged(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Processes:
    """One process among those that share a piece of work; alone by default.

    :func:`hf_bionerkd.training.launch.launched_processes` makes the one of `accelerate launch`.

    Args:
        index (`int`, *optional*, defaults to 0): This process.
        count (`int`, *optional*, defaults to 1): Number of processes.
        wait (`Callable`, *optional*): Barrier of all processes.
        reduce (`Callable`, *optional*): Adds an integer array over all processes; each gets the sum.
        broadcast (`Callable`, *optional*): Gives every process the value of the main one.

    Example:
        >>> list(Processes(index=1, count=2).share("abcde"))
        ['b', 'd']
    """

    index: int = 0
    count: int = 1
    wait: Callable[[], None] = _nothing
    reduce: Callable[[np.ndarray], np.ndarray] = _unchanged
    broadcast: Callable[[Any], Any] = _unchanged

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes and prints."""
        return self.index == 0

    def share(self, items: Iterable[T]) -> Iterator[T]:
        """Yield this process's share of `items`: every `count`-th from the `index`-th on."""
        return islice(items, self.index, None, self.count)


ALONE = Processes()

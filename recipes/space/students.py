"""The students that a page offers, each loaded when it is first chosen."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

from annotation import Student


def read_students(path: str | Path) -> list[str]:
    """The students that a Space was published with.

    Args:
        path (`str` or `Path`): A file ``{"students": [{"id": "org/student", "revision": "v1"}, …]}``; a revision may
            be left out or null.

    Returns:
        Names such as ``org/student`` and ``org/student@v1``, in the file's order.

    Raises:
        ValueError: The file is not of that form, or lists none.
    """
    try:
        listed = json.loads(Path(path).read_text(encoding="utf-8"))["students"]
        names = [f"{one['id']}@{one['revision']}" if one.get("revision") else one["id"] for one in listed]
    except (ValueError, KeyError, TypeError, AttributeError):
        names = []
    if not names or not all(isinstance(name, str) for name in names):
        raise ValueError(
            f'{path} names no student: expected {{"students": [{{"id": "org/student", "revision": "v1"}}]}}, where '
            "the revision may be null"
        )
    return names


class Shelf:
    """Students by name. The last few asked for stay loaded.

    Args:
        names (`Iterable[str]`): Hub ids, with ``@revision`` or without, or local folders.
        capacity (`int`, *optional*, defaults to 4): How many stay loaded.
    """

    def __init__(self, names: Iterable[str], capacity: int = 4) -> None:
        self.names = list(dict.fromkeys(names))
        self.capacity = capacity
        self._loaded: OrderedDict[str, Student] = OrderedDict()
        self._lock = threading.Lock()
        self._loading = {name: threading.Lock() for name in self.names}

    def get(self, name: str) -> Student:
        """A student, loaded now if it is not yet; a load that failed is tried again.

        Raises:
            StudentError: It cannot be loaded.
            KeyError: The page does not offer it.
        """
        with self._loading[name]:  # two people who choose one student load it once
            with self._lock:
                if name in self._loaded:
                    self._loaded.move_to_end(name)
                    return self._loaded[name]
            student = Student(name)
            with self._lock:
                self._loaded[name] = student
                while len(self._loaded) > self.capacity:
                    self._loaded.popitem(last=False)
            return student

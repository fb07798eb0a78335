"""The students that a page offers, each loaded when it is first chosen."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

from annotation import Student


def read_students(path: str | Path) -> list[str]:
    """Return the students that a Space was published with.

    Args:
        path (`str` or `Path`): A file ``{"students": [{"id": "org/student", "revision": "v1"}, …]}``; a revision may
            be left out or null.

    Returns:
        Names such as ``org/student`` and ``org/student@v1``, in the file's order.

    Raises:
        ValueError: The file has another form, or lists no student.
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
    """The students by name, of which those used last stay loaded.

    Args:
        names (`Iterable[str]`): Hub ids, with ``@revision`` or without, or local folders.
        capacity (`int`, *optional*, defaults to 4): Number of students that stay loaded.
    """

    def __init__(self, names: Iterable[str], capacity: int = 4) -> None:
        self.names = list(dict.fromkeys(names))
        self.capacity = capacity
        self._loaded: OrderedDict[str, Student] = OrderedDict()
        self._lock = threading.Lock()
        self._loading = {name: threading.Lock() for name in self.names}
        self._descriptions: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}

    def get(self, name: str) -> Student:
        """Return a student, and load it if it is not loaded; a load that failed is tried again.

        Raises:
            StudentError: The student cannot be loaded.
            KeyError: The page does not offer the student.
        """
        # One lock per student, so that two people who choose it load it once, and others do not wait for it.
        with self._loading[name]:
            with self._lock:
                if name in self._loaded:
                    self._loaded.move_to_end(name)
                    return self._loaded[name]
            student = Student(name)
            # Unload those that were not used for the longest time.
            with self._lock:
                self._loaded[name] = student
                while len(self._loaded) > self.capacity:
                    self._loaded.popitem(last=False)
            return student

    def described(self, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return a student's types and tags, which are remembered after it is unloaded.

        Raises:
            StudentError: The student was never loaded and cannot be.
            KeyError: The page does not offer the student.
        """
        if name not in self._descriptions:
            student = self.get(name)
            self._descriptions[name] = (student.types, student.tags)
        return self._descriptions[name]

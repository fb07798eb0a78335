"""Stream objects out of a JSON file of any size, wherever it keeps them.

Publishers wrap the same records in many ways: ``{"documents": […]}``, ``{"PubTator3": […]}``, a list of lists, one
object a line, one object alone. :func:`read_objects` descends through whatever wraps them and gives each one whole;
the text is read piece by piece and decoded by the standard library.
"""

from __future__ import annotations

import codecs
import json
import os
import re
from collections.abc import Collection, Iterator
from typing import Any, BinaryIO

from hf_bionerkd.corpora.files import CorpusError, open_binary

_SPACE = re.compile(r"[ \t\n\r]*")
_CHUNK = 1 << 16
_LARGEST_VALUE = 1 << 28
_DEEPEST = 20
# How close to the end of what is in memory a value may merely be unfinished: within ``\\ud83d\\ude00``, the longest of
# what JSON never divides; and, where it ends in digits, before ``.5`` or ``e+5``.
_LONGEST_ATOM = 16
_LONGEST_EXPONENT = 2
_END = ""


def read_objects(
    path: str | os.PathLike[str], marker: str, fields: Collection[str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Stream the objects that have a certain key.

    Args:
        path (`str` or `PathLike`): A file with one JSON value or several, one after another; plain or ``.gz``.
        marker (`str`): The key, one of `fields`. Objects that hold such objects are descended into.
        fields (`Collection[str]`): Keys whose values are kept; they are read whole and never descended into.

    Returns:
        Pairs of the line that the object begins in and the object, with those of `fields` that it has.

    Raises:
        CorpusError: The file is no such JSON, is cut off or holds a NUL; names the file and the line.

    Example:
        >>> for line, row in read_objects("collection.json", "passages", ["id", "passages"]):  # doctest: +SKIP
        ...     print(row["id"])
    """
    with open_binary(path) as stream:
        reader = _Reader(stream, path, marker, frozenset(fields))
        while reader.peek() != _END:
            yield from reader.value(0)


class _Reader:
    """The part of the file that is in memory, and how far it is used up."""

    def __init__(self, stream: BinaryIO, path: str | os.PathLike[str], marker: str, fields: frozenset[str]) -> None:
        self.stream, self.path, self.marker, self.fields = stream, path, marker, fields
        self.decoder = json.JSONDecoder()
        self.bytes_decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self.text, self.place, self.line, self.ended = "", 0, 1, False

    def value(self, depth: int) -> Iterator[tuple[int, dict[str, Any]]]:
        """Read one value; give the marked objects in it."""
        begins = self.peek()
        if depth > _DEEPEST:
            raise self.error(f"nested more than {_DEEPEST} deep")
        if begins == "{":
            yield from self.object(depth)
        elif begins == "[":
            for _ in self.items("]"):
                yield from self.value(depth + 1)
        else:
            self.whole()

    def object(self, depth: int) -> Iterator[tuple[int, dict[str, Any]]]:
        line, kept = self.here(), dict[str, Any]()
        for _ in self.items("}"):
            if self.peek() != '"':
                raise self.error("expected a key in double quotes")
            key = self.whole()
            self.take(":")
            if key in self.fields:
                kept[key] = self.whole()
            elif self.marker in kept:
                self.whole()
            else:
                yield from self.value(depth + 1)
        if self.marker in kept:
            yield line, kept

    def items(self, closing: str) -> Iterator[None]:
        """Stop at each item of a list or object, for the caller to read it."""
        self.place += 1
        if self.peek() != closing:
            yield
            while self.peek() != closing:
                self.take(",")
                self.peek()
                yield
        self.place += 1

    def take(self, character: str) -> None:
        if self.peek() != character:
            raise self.error(f"expected {character!r}")
        self.place += 1

    def peek(self) -> str:
        """The next character that is no white space; an empty one at the end of the file."""
        while True:
            skipped = _SPACE.match(self.text, self.place)
            self.place = skipped.end() if skipped else self.place
            if self.place < len(self.text):
                return self.text[self.place]
            if not self.more():
                return _END

    def whole(self) -> Any:
        """Read one value whole."""
        if self.peek() == _END:
            raise self.error("the file ends here")
        while True:
            try:
                value, end = self.decoder.raw_decode(self.text, self.place)
            except json.JSONDecodeError as problem:
                at_end = problem.pos > len(self.text) - _LONGEST_ATOM or problem.msg.startswith("Unterminated string")
                if at_end and len(self.text) - self.place > _LARGEST_VALUE:
                    raise self.error(f"a value of more than {_LARGEST_VALUE:,} characters") from None
                if self.ended or not at_end:
                    self.place = problem.pos
                    unfinished = problem.msg.startswith("Unterminated string") or not self.text[problem.pos :].strip()
                    raise self.error("the file ends here" if unfinished else problem.msg) from None
                self.more()
            except RecursionError:
                raise self.error("nested too deeply") from None
            else:
                if self.ended or end + _LONGEST_EXPONENT < len(self.text):
                    self.place = end
                    return value
                self.more()

    def more(self) -> bool:
        """Read on, twice as much at a time as is in memory; False at the end of the file."""
        if self.ended:
            return False
        self.line += self.text.count("\n", 0, self.place)
        rest, self.place = self.text[self.place :], 0
        raw = self.stream.read(max(_CHUNK, len(rest)))
        self.ended = not raw
        try:
            new = self.bytes_decoder.decode(raw, final=self.ended)
        except UnicodeDecodeError as problem:
            self.text = rest + problem.object[: problem.start].decode("utf-8")
            self.place = len(self.text)
            byte = problem.object[problem.start]
            raise self.error(f"byte {byte:#04x} is not UTF-8; convert the file to UTF-8 first") from None
        self.text = rest + new
        if "\0" in new:
            self.place = self.text.index("\0", len(rest))
            raise self.error("a NUL byte, which no text has: the file is damaged or binary")
        return not self.ended or bool(new)

    def here(self) -> int:
        return self.line + self.text.count("\n", 0, self.place)

    def error(self, problem: str) -> CorpusError:
        near = self.text[max(self.place - 30, 0) : self.place + 30]
        return CorpusError(f"{self.path}:{self.here()}: not valid JSON, near {near!r}: {problem}")

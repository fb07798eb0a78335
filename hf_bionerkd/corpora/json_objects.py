"""A reader that streams objects out of a JSON file of any size, wherever the file keeps them.

Publishers wrap the same records in many ways: ``{"documents": […]}``, ``{"PubTator3": […]}``, a list of lists, one
object per line, one object alone. :func:`read_objects` descends through whatever wraps them and gives each one whole;
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

# What JSON takes for white space, which is less than Unicode does.
_SPACE = re.compile(r"[ \t\n\r]*")
_CHUNK = 1 << 16
_LARGEST_VALUE = 1 << 26  # characters; a value without an end must not fill the memory
_DEEPEST = 20  # real files wrap their records two or three deep
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
        CorpusError: The file is not such JSON, is cut off or holds a NUL. The message names the file and the line.

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
        # The text in memory, how far it is used up, the line that it begins in, and whether the file has ended.
        self.text, self.position, self.line, self.ended = "", 0, 1, False

    def value(self, depth: int) -> Iterator[tuple[int, dict[str, Any]]]:
        """Read one value and yield the marked objects in it."""
        first = self.peek()
        if depth > _DEEPEST:
            raise self.error(f"nested more than {_DEEPEST} deep")
        if first == "{":
            yield from self.object(depth)
        elif first == "[":
            for _ in self.items("]"):
                yield from self.value(depth + 1)
        else:
            self.whole()

    def object(self, depth: int) -> Iterator[tuple[int, dict[str, Any]]]:
        """Read one object: yield it if it is marked, else the marked objects in it."""
        line, kept = self.line_here(), dict[str, Any]()
        for _ in self.items("}"):
            if self.peek() != '"':
                raise self.error("expected a key in double quotes")
            key = self.whole()
            self.take(":")
            if key in self.fields:
                kept[key] = self.whole()
            elif self.marker in kept:
                self.whole()  # the object is known to be marked: nothing in it is descended into any more
            else:
                yield from self.value(depth + 1)
        if self.marker in kept:
            yield line, kept

    def items(self, closing: str) -> Iterator[None]:
        """Stop at each item of a list or object, for the caller to read it."""
        self.position += 1
        if self.peek() != closing:
            yield
            while self.peek() != closing:
                self.take(",")
                self.peek()
                yield
        self.position += 1

    def take(self, character: str) -> None:
        """Read one character, which must be the next."""
        if self.peek() != character:
            raise self.error(f"expected {character!r}")
        self.position += 1

    def peek(self) -> str:
        """Return the next character that is not white space, or an empty one at the end of the file."""
        # White space may go on in the part of the file that is not in memory yet.
        while True:
            skipped = _SPACE.match(self.text, self.position)
            self.position = skipped.end() if skipped else self.position
            if self.position < len(self.text):
                return self.text[self.position]
            if not self.more():
                return _END

    def whole(self) -> Any:
        """Read one value whole."""
        if self.peek() == _END:
            raise self.error("the file ends here")
        while True:
            try:
                value, end = self.decoder.raw_decode(self.text, self.position)
            except json.JSONDecodeError as problem:
                # The value may be broken, or merely go on behind what is in memory: then the error is near its end.
                at_end = problem.pos > len(self.text) - _LONGEST_ATOM or problem.msg.startswith("Unterminated string")
                if at_end and len(self.text) - self.position > _LARGEST_VALUE:
                    raise self.error(f"a value of more than {_LARGEST_VALUE:,} characters") from None
                if self.ended or not at_end:
                    self.position = problem.pos
                    unfinished = problem.msg.startswith("Unterminated string") or not self.text[problem.pos :].strip()
                    raise self.error("the file ends here" if unfinished else problem.msg) from None
                self.more()
            except RecursionError:
                raise self.error("nested too deeply") from None
            except ValueError:  # Python reads no whole number of more than 4,300 digits
                raise self.error("a whole number of thousands of digits") from None
            else:
                # A number at the very end may have more digits to come.
                if self.ended or end + _LONGEST_EXPONENT < len(self.text):
                    self.position = end
                    return value
                self.more()

    def more(self) -> bool:
        """Read on and return whether there was more; a long value is read in ever larger parts."""
        if self.ended:
            return False
        # Forget what is used up, but not how many lines it had.
        self.line += self.text.count("\n", 0, self.position)
        rest, self.position = self.text[self.position :], 0
        raw = self.stream.read(max(_CHUNK, len(rest)))
        self.ended = not raw
        try:
            new = self.bytes_decoder.decode(raw, final=self.ended)
        except UnicodeDecodeError as problem:
            # Keep what is sound, so that the error shows the text before the bad byte.
            self.text = rest + problem.object[: problem.start].decode("utf-8")
            self.position = len(self.text)
            byte = problem.object[problem.start]
            raise self.error(f"byte {byte:#04x} is not UTF-8; convert the file to UTF-8 first") from None
        self.text = rest + new
        if "\0" in new:
            self.position = self.text.index("\0", len(rest))
            raise self.error("a NUL byte, which no text has: the file is damaged or binary")
        return not self.ended or bool(new)

    def line_here(self) -> int:
        """Return the line of the current position."""
        return self.line + self.text.count("\n", 0, self.position)

    def error(self, problem: str) -> CorpusError:
        """Make an error that shows the text around the current position."""
        near = self.text[max(self.position - 30, 0) : self.position + 30]
        return CorpusError(f"{self.path}:{self.line_here()}: not valid JSON, near {near!r}: {problem}")

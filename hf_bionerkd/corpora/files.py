"""The text files that corpora are published as, opened and read, plain or gzipped.

What is read never fills the memory or goes on without an end: a line, a text and what a gzip stream unpacks to have a
cap, far beyond those of real corpora.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, BinaryIO, cast

# A NUL, or half of a surrogate pair, which JSON can spell: neither can be written as text again.
NO_TEXT = re.compile("[\0\ud800-\udfff]")
# Editors on Windows begin UTF-8 files with this mark; it is no text.
_BOM = b"\xef\xbb\xbf"
_GZIP = b"\x1f\x8b"  # no text begins so: the second byte is no UTF-8 there
_BUFFER = 1 << 13
_BEGINNING = 1 << 20  # of a file, in which a line must end
# Caps. A line of 32 MiB would be a text of five million words; text is packed to a tenth, and to no less than a
# thousandth of its length even if it repeats one letter.
LONGEST_LINE = 1 << 25
LONGEST_TEXT = 1 << 26
_LONGEST_MESSAGE = 2000
_UNPACKED_FREELY = 1 << 27
_MOST_TIMES = 200
# How files of other encodings begin; where they lack the mark, every other byte of English text is a NUL.
_MARKS = {b"\xff\xfe\0\0": "UTF-32", b"\0\0\xfe\xff": "UTF-32", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}

OnDamaged = Callable[[int, str, str], None]
"""A function that is called with a line that is no text: its number, what can be shown of it, and the reason."""


class CorpusError(ValueError):
    """A corpus file that cannot be read as what it claims to be, or a document that its format cannot hold.

    What a damaged file holds may be long: the middle of a message of more than 2,000 characters is left out.
    """

    def __init__(self, message: str) -> None:
        shown = message if len(message) <= _LONGEST_MESSAGE else f"{message[:1200]} … {message[-600:]}"
        super().__init__(shown)


def read_lines(path: str | os.PathLike[str], on_damaged: OnDamaged | None = None) -> Iterator[tuple[int, str]]:
    r"""Stream the lines of a UTF-8 file with their numbers, one line in memory at a time.

    Only ``\n`` and ``\r\n`` end a line; U+2028, U+0085, a lone ``\r`` and their like are text, save in a file that has
    no ``\n`` at all (in its first MiB), whose lines end in ``\r``. A byte-order mark at the start of the file is
    dropped.

    Args:
        path (`str` or `PathLike`): The file, plain or gzipped.
        on_damaged (`Callable`, *optional*): Called with each line that holds a NUL or bytes that are not UTF-8;
            reading goes on after it. Without it such a line is an error.

    Returns:
        Pairs of line number (from 1) and line without its ending.

    Raises:
        CorpusError: There are bytes that are not UTF-8, a NUL, a line without an end, or a gzip stream that breaks
            off. The message names the file and the line, and another encoding where the file has one.
    """
    number = 0
    with open_binary(path, lambda: f"after line {number}") as binary:
        encoding = _other_encoding(cast(io.BufferedReader, binary).peek(_BUFFER))
        for number, raw in enumerate(_raw_lines(cast(io.BufferedReader, binary), path), 1):
            if number == 1:
                raw = raw.removeprefix(_BOM)
            # Not `splitlines`, which also ends lines at a lone carriage return, U+0085 or U+2028.
            text, problem = _decode(raw.removesuffix(b"\n").removesuffix(b"\r"), encoding)
            if problem and (on_damaged is None or encoding):
                raise CorpusError(f"{path}:{number}: {problem}")
            if problem and on_damaged:
                on_damaged(number, text, problem)
                continue
            yield number, text


def read_text(path: str | os.PathLike[str]) -> str:
    """Read a whole UTF-8 file as it is, with its line ends; a byte-order mark at its start is dropped.

    Raises:
        CorpusError: There are bytes that are not UTF-8, a NUL, or more than 64 MiB.
    """
    with open_binary(path) as binary:
        raw = binary.read(LONGEST_TEXT + 1)
    if len(raw) > LONGEST_TEXT:
        raise CorpusError(f"{path}: the text is longer than {LONGEST_TEXT >> 20} MiB; is this one document?")
    text, problem = _decode(raw.removeprefix(_BOM), _other_encoding(raw[:_BUFFER]))
    if problem:
        raise CorpusError(f"{path}: {problem}")
    return text


@contextmanager
def open_binary(path: str | os.PathLike[str], progress: Callable[[], str] | None = None) -> Iterator[BinaryIO]:
    """Open a file for reading bytes, unpacked where they are gzip, whatever its name ends in.

    Args:
        path (`str` or `PathLike`): The file.
        progress (`Callable`, *optional*): Says how far reading has come, for the error of a broken gzip stream.

    Returns:
        A context manager that gives the open file.

    Raises:
        CorpusError: The gzip stream breaks off, is damaged, or unpacks to far more than any text does; raised where
            the block reads on.
    """
    try:
        with ExitStack() as stack:
            binary = stack.enter_context(open(path, "rb"))
            # Downloads lose or gain the ``.gz``, as where a browser unpacks them; the first bytes do not lie.
            if binary.peek(len(_GZIP)).startswith(_GZIP):
                unpacked = stack.enter_context(io.BufferedReader(_Unpacked(binary, path), _BUFFER))
                yield cast(BinaryIO, unpacked)
            else:
                yield binary
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        where = f" {progress()}" if progress else ""
        raise CorpusError(
            f"{path}: the gzip stream is cut off or damaged{where} ({error}). Fetch the file again."
        ) from error


class _Unpacked(io.RawIOBase):
    """The bytes that a gzip stream unpacks to, as long as they are in proportion to it."""

    def __init__(self, packed: BinaryIO, path: str | os.PathLike[str]) -> None:
        self._packed, self._path = packed, path
        self._unpacked = gzip.GzipFile(fileobj=packed)
        self._length = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer)
        content = self._unpacked.read1(len(view))
        view[: len(content)] = content
        self._length += len(content)
        if self._length > max(_UNPACKED_FREELY, _MOST_TIMES * self._packed.tell()):
            raise CorpusError(
                f"{self._path}: the gzip stream unpacks to more than {_MOST_TIMES} times its size "
                f"({self._length >> 20} MiB so far), as no text does. Do not trust it, or unpack it first."
            )
        return len(content)


def _raw_lines(binary: io.BufferedReader, path: str | os.PathLike[str]) -> Iterator[bytes]:
    number, rest = 0, b""
    if not _ends_lines_in_cr(binary.peek(_BUFFER), path):
        while line := binary.readline(LONGEST_LINE + 1):
            number += 1
            _check_length(line, path, number)
            yield line
        return
    # A lone carriage return ends no line for anything else: cut them here.
    while chunk := binary.read(_BEGINNING):
        *lines, rest = re.split(rb"\r\n?|\n", rest + chunk)
        for line in lines:
            number += 1
            yield line
        _check_length(rest, path, number + 1)
    if rest:
        yield rest


def _ends_lines_in_cr(beginning: bytes, path: str | os.PathLike[str]) -> bool:
    if b"\r" not in beginning or b"\n" in beginning:
        return False
    with open_binary(path) as binary:  # a first line may be long and hold carriage returns: look further
        return b"\n" not in binary.read(_BEGINNING)


def _check_length(line: bytes, path: str | os.PathLike[str], number: int) -> None:
    if len(line) > LONGEST_LINE:
        raise CorpusError(
            f"{path}:{number}: the line is longer than {LONGEST_LINE >> 20} MiB; the file is damaged, binary, or of "
            "another format"
        )


def _decode(raw: bytes, encoding: str) -> tuple[str, str]:
    """Return bytes as text, and what is wrong with them; `encoding` is what the file seems to have, if not UTF-8."""
    advice = f": the file is {encoding}. Convert it to UTF-8 first (iconv -f {encoding} -t UTF-8)." if encoding else ""
    problem = ""
    if b"\0" in raw:
        damaged = ", which no text has: the file is damaged or binary. Fetch it again, or remove the byte."
        problem = f"the line holds a NUL byte{advice or damaged}"
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = f"byte {error.start + 1} of the line ({raw[error.start]:#04x}) is not UTF-8"
        problem = problem or byte + (advice or ". Convert the file to UTF-8 first.")
        text = raw.decode("utf-8", "replace")
    return text.replace("\0", "\ufffd"), problem


def _other_encoding(beginning: bytes) -> str:
    """Return the name of the encoding that a file's first bytes show, where it is not UTF-8."""
    for mark, name in _MARKS.items():
        if beginning.startswith(mark):
            return name
    # In UTF-16 one byte of two is a NUL, in nearly all Latin text.
    for first, name in ((1, "UTF-16LE"), (0, "UTF-16BE")):
        half, other = beginning[first::2], beginning[1 - first :: 2]
        if len(half) > 1 and half.count(0) > 0.8 * len(half) and other.count(0) < 0.1 * len(half):
            return name
    return ""

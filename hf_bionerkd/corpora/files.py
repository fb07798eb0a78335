"""The text files that corpora are published as, opened and read, plain or gzipped."""

from __future__ import annotations

import gzip
import os
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import BinaryIO, cast

# A NUL, or half of a surrogate pair, which JSON can spell: neither can be written as text again.
NO_TEXT = re.compile("[\0\ud800-\udfff]")
# Editors on Windows begin UTF-8 files with this mark; it is no text.
_BOM = b"\xef\xbb\xbf"
_GZIP = b"\x1f\x8b"  # no text begins so: the second byte is no UTF-8 there


class CorpusError(ValueError):
    """A corpus file that cannot be read as what it claims to be, or a document that its format cannot hold."""


def read_lines(path: str | os.PathLike[str]) -> Iterator[tuple[int, str]]:
    r"""Stream the lines of a UTF-8 file with their numbers, one line in memory at a time.

    Only ``\n`` and ``\r\n`` end a line; U+2028, U+0085, a lone ``\r`` and their like are text. A byte-order mark at
    the start of the file is dropped.

    Args:
        path (`str` or `PathLike`): The file, plain or gzipped.

    Returns:
        Pairs of line number (from 1) and line without its ending.

    Raises:
        CorpusError: There are bytes that are not UTF-8, a NUL, or a gzip stream that breaks off. The message names the
            file and the line.
    """
    number = 0
    with open_binary(path, lambda: f"after line {number}") as binary:
        for number, raw in enumerate(binary, 1):
            if b"\0" in raw:
                raise CorpusError(
                    f"{path}:{number}: the line holds a NUL byte, which no text has: the file is damaged or "
                    "binary. Fetch it again, or remove the byte."
                )
            if number == 1:
                raw = raw.removeprefix(_BOM)
            # Not `splitlines`, which also ends lines at a lone carriage return, U+0085 or U+2028.
            yield number, _decode(raw, path, number).removesuffix("\n").removesuffix("\r")


@contextmanager
def open_binary(path: str | os.PathLike[str], progress: Callable[[], str] | None = None) -> Iterator[BinaryIO]:
    """Open a file for reading bytes, unpacked where they are gzip, whatever its name ends in.

    Args:
        path (`str` or `PathLike`): The file.
        progress (`Callable`, *optional*): Says how far reading has come, for the error of a broken gzip stream.

    Returns:
        A context manager that gives the open file.

    Raises:
        CorpusError: The gzip stream breaks off or is damaged; raised where the block reads on.
    """
    try:
        with ExitStack() as stack:
            binary = stack.enter_context(open(path, "rb"))
            # Downloads lose or gain the ``.gz``, as where a browser unpacks them; the first bytes do not lie.
            if binary.peek(len(_GZIP)).startswith(_GZIP):
                yield cast(BinaryIO, stack.enter_context(gzip.GzipFile(fileobj=binary)))
            else:
                yield binary
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        where = f" {progress()}" if progress else ""
        raise CorpusError(
            f"{path}: the gzip stream is cut off or damaged{where} ({error}). Fetch the file again."
        ) from error


def _decode(raw: bytes, path: str | os.PathLike[str], number: int) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{path}:{number}: byte {error.start + 1} of the line ({raw[error.start]:#04x}) is not UTF-8. Convert the "
            "file to UTF-8 first."
        ) from None

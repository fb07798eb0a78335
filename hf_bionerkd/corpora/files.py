"""Opening, reading and writing the text files that corpora are published as, plain or gzipped."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import shutil
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, TextIO, cast

# A NUL, or half of a surrogate pair, which JSON can spell: neither can be written as text again.
NO_TEXT = re.compile("[\0\ud800-\udfff]")
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
        CorpusError: Bytes that are no UTF-8, a NUL, or a gzip stream that breaks off; names the file and the line.
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
            yield number, _decode(raw, path, number).removesuffix("\n").removesuffix("\r")


@contextmanager
def open_binary(path: str | os.PathLike[str], place: Callable[[], str] | None = None) -> Iterator[BinaryIO]:
    """Open a file for reading bytes, unpacked where they are gzip, whatever its name ends in.

    Args:
        path (`str` or `PathLike`): The file.
        place (`Callable`, *optional*): Says how far reading has come, for the error of a gzip stream that breaks off.

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
        where = f" {place()}" if place else ""
        raise CorpusError(
            f"{path}: the gzip stream is cut off or damaged{where} ({error}). Fetch the file again."
        ) from error


def file_sha256(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file as it lies on disk, in hexadecimal."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _decode(raw: bytes, path: str | os.PathLike[str], number: int) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{path}:{number}: byte {error.start + 1} of the line ({raw[error.start]:#04x}) is not UTF-8. Convert the "
            "file to UTF-8 first."
        ) from None


@contextmanager
def atomic_text(path: str | os.PathLike[str]) -> Iterator[TextIO]:
    """Open a UTF-8 file for writing that takes its name only when everything was written.

    Args:
        path (`str` or `PathLike`): The final name; one that ends in ``.gz`` is gzipped (the same text always gives
            the same bytes).

    Returns:
        A context manager that gives the open file. If its block raises, nothing is left behind and what `path` held
        before is untouched.

    Example:
        >>> with atomic_text("/tmp/lines.txt.gz") as handle:
        ...     _ = handle.write("one line")
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with ExitStack() as stack:
            binary: BinaryIO = stack.enter_context(open(temporary, "wb"))
            if path.suffix == ".gz":
                zipped = gzip.GzipFile(filename="", mode="wb", fileobj=binary, mtime=0)
                binary = cast(BinaryIO, stack.enter_context(zipped))
            yield stack.enter_context(TextIOWrapper(binary, encoding="utf-8", newline="\n"))
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def atomic_folder(path: str | os.PathLike[str], *, overwrite: bool = False) -> Iterator[Path]:
    """Make a folder that takes its name only when everything in it was written.

    Args:
        path (`str` or `PathLike`): The final name. An empty folder of that name is replaced.
        overwrite (`bool`, *optional*, defaults to `False`): Replace whatever has that name.

    Returns:
        A context manager that gives the temporary folder to write into. If its block raises, nothing is left behind
        and what `path` held before is untouched.

    Raises:
        FileExistsError: `path` holds something and `overwrite` is not set; raised before the block begins.
    """
    path = Path(os.path.abspath(path))
    if path.exists() and not overwrite and (not path.is_dir() or any(path.iterdir())):
        raise FileExistsError(f"{path} exists already. Choose another folder, or say overwrite to replace it.")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    previous = path.with_name(f".{path.name}.{os.getpid()}.old")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        if path.exists():
            path.rename(previous)
        try:
            temporary.rename(path)
        except OSError:
            if previous.exists():
                previous.rename(path)
            raise
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    if previous.is_dir():
        shutil.rmtree(previous)
    else:
        previous.unlink(missing_ok=True)

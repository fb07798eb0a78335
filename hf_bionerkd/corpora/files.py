"""Opening, reading and writing the text files that corpora are published as, plain or gzipped."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, TextIO, cast

_BOM = b"\xef\xbb\xbf"


class CorpusError(ValueError):
    """A corpus file that cannot be read as what it claims to be, or a document that its format cannot hold."""


def read_lines(path: str | os.PathLike[str]) -> Iterator[tuple[int, str]]:
    r"""Stream the lines of a UTF-8 file with their numbers, one line in memory at a time.

    Only ``\n`` and ``\r\n`` end a line; U+2028, U+0085, a lone ``\r`` and their like are text. A byte-order mark at
    the start of the file is dropped.

    Args:
        path (`str` or `PathLike`): The file; a name that ends in ``.gz`` is read as gzip.

    Returns:
        Pairs of line number (from 1) and line without its ending.

    Raises:
        CorpusError: Bytes that are no UTF-8, a NUL, or a gzip stream that breaks off; names the file and the line.
    """
    number = 0
    try:
        with ExitStack() as stack:
            for number, raw in enumerate(_open_binary(Path(path), stack), 1):
                if b"\0" in raw:
                    raise CorpusError(
                        f"{path}:{number}: the line holds a NUL byte, which no text has: the file is damaged or "
                        "binary. Fetch it again, or remove the byte."
                    )
                if number == 1:
                    raw = raw.removeprefix(_BOM)
                yield number, _decode(raw, path, number).removesuffix("\n").removesuffix("\r")
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise CorpusError(
            f"{path}: the gzip stream is cut off or damaged after line {number} ({error}). Fetch the file again."
        ) from error


def _open_binary(path: Path, stack: ExitStack) -> BinaryIO:
    if path.suffix == ".gz":
        return cast(BinaryIO, stack.enter_context(gzip.open(path, "rb")))
    return stack.enter_context(open(path, "rb"))


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

"""Files that appear whole or not at all: everything the package writes takes its name last.

A killed process, a full disk or an error leaves what a name held before. :func:`atomic_path` is the one place that
renames; the others say what is written.
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatchcase
from io import TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO, TextIO, cast

# torch's writer of archives leaves out why it could not write; whether the disk is full has to be looked up.
_ARCHIVE_WRITERS = ("inline_container", "PytorchStreamWriter")
_LITTLE_SPACE = 64 * 2**20
# The names that `atomic_path` and `atomic_folder` give to what is not finished, and to what it is to replace.
_TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<pid>\d+)\.(?P<kind>tmp|old)")


MAX_DIGITS = 20  # 64-bit numbers have up to 20


class JsonFileError(ValueError):
    """A file that is no JSON, or holds what no file of a run holds; the message names it."""


class DiskFullError(RuntimeError):
    """No space is left on the disk of a run; what was finished is whole, and the run can be resumed."""


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path` that is renamed to it when the block ends.

    Args:
        path (`str` or `PathLike`): The final name of a file.

    Returns:
        A context manager that gives the temporary path, which the block has to create. If the block raises, nothing is
        left behind and what `path` held before is untouched.

    Example:
        >>> with atomic_path("/tmp/numbers.txt") as temporary:
        ...     _ = temporary.write_text("1 2 3")
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


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
    with atomic_path(path) as temporary, ExitStack() as stack:
        binary: BinaryIO = stack.enter_context(open(temporary, "wb"))
        if Path(path).suffix == ".gz":
            zipped = gzip.GzipFile(filename="", mode="wb", fileobj=binary, mtime=0)
            binary = cast(BinaryIO, stack.enter_context(zipped))
        yield stack.enter_context(TextIOWrapper(binary, encoding="utf-8", newline="\n"))


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a UTF-8 text file, all of it or nothing."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: str | os.PathLike[str], values: Mapping[str, Any]) -> None:
    """Write a JSON file, all of it or nothing."""
    write_text(path, json.dumps(values, indent=2, ensure_ascii=False) + "\n")


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read a JSON file.

    Args:
        path (`str` or `PathLike`): The file, in UTF-8.

    Raises:
        FileNotFoundError: There is no such file.
        JsonFileError: It is no JSON, or holds a whole number of more than `MAX_DIGITS` digits.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"), parse_int=_whole_number)
    except (ValueError, RecursionError) as error:
        raise JsonFileError(f"{os.fspath(path)}: not JSON ({error})") from None


def _whole_number(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a whole number of more than {MAX_DIGITS} digits")
    return int(text)


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


def move_files(staging: Path, folder: Path) -> None:
    """Move every entry of a staging folder on the same disk into `folder`, in order of name, and remove the former.

    Each entry replaces one of the same name; a killed move leaves whole files alone and can be repeated.
    """
    for path in sorted(staging.iterdir()):
        os.replace(path, folder / path.name)
    staging.rmdir()


def sweep(folder: str | os.PathLike[str], staging: Sequence[str] = (), *, older_than: float = 0.0) -> None:
    """Delete, at any depth, the temporary files and folders that killed processes have left.

    Those of living processes stay. A folder that was to be replaced just when the process was killed is put back.

    Args:
        folder (`str` or `PathLike`): The folder; nothing happens where there is none.
        staging (`Sequence[str]`, *optional*): Patterns of the names of further folders, which only a process that was
            killed can have left.
        older_than (`float`, *optional*, defaults to 0): Age in seconds below which files stay, for a folder in which
            other machines may be writing.
    """
    for parent, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path, match = Path(parent, name), _TEMPORARY.fullmatch(name)
            if match is not None:
                left = not _is_writing(int(match["pid"]), path) and time.time() - path.lstat().st_mtime >= older_than
            else:
                left = any(fnmatchcase(name, pattern) for pattern in staging)
            if not left:
                continue
            if match is not None and match["kind"] == "old" and not path.with_name(match["name"]).exists():
                path.rename(path.with_name(match["name"]))
            elif path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        folders[:] = [name for name in folders if Path(parent, name).is_dir()]


def _is_writing(pid: int, path: Path) -> bool:
    """Return whether the process lives that made a temporary file: not another one that was given its number."""
    import psutil

    try:
        return pid == os.getpid() or bool(psutil.Process(pid).create_time() <= path.lstat().st_mtime + 1)
    except psutil.Error:
        return False


def file_sha256(path: str | os.PathLike[str]) -> str:
    """Compute the SHA-256 of a file as it lies on disk, in hexadecimal."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


@contextmanager
def explaining_full_disk(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Turn the errors of a full disk into one that says which disk, and how to go on.

    Files, Parquet, safetensors and torch each report a full disk in their own way.

    Args:
        folder (`str` or `PathLike`): The run's folder.

    Raises:
        DiskFullError: There was no space; any other error passes as it is.
    """
    try:
        yield
    except DiskFullError:
        raise  # from a folder within
    except Exception as error:
        if not any(_tells_of_no_space(each, Path(folder)) for each in _causes(error)):
            raise
        message = (str(error) or repr(error)).splitlines()[0]
        raise DiskFullError(
            f"no space is left on the disk of {folder} ({message}). What was finished is whole and kept: make room, "
            "and continue with resume=true"
        ) from error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those it came from, also those during whose handling it was raised."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _tells_of_no_space(error: BaseException, folder: Path) -> bool:
    if getattr(error, "errno", None) == errno.ENOSPC or os.strerror(errno.ENOSPC) in str(error):
        return True
    return any(name in str(error) for name in _ARCHIVE_WRITERS) and shutil.disk_usage(folder).free < _LITTLE_SPACE

"""A full disk, said as such, whoever met it first: files, Parquet, safetensors and torch have errors of their own."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# torch's writer of archives leaves out why it could not write; that there is no room is then seen by looking.
_WRITERS = ("inline_container", "PytorchStreamWriter")
_LITTLE = 64 * 2**20


class DiskFullError(RuntimeError):
    """No space is left on the disk of a run; what was finished is whole, and the run goes on when there is room."""


@contextmanager
def saying_what_is_full(folder: str | Path) -> Iterator[None]:
    """Turn the errors of a full disk into one that says which disk, and how to go on.

    Args:
        folder (`str` or `Path`): The run's folder.

    Raises:
        DiskFullError: There was no space; any other error passes as it is.
    """
    try:
        yield
    except DiskFullError:
        raise  # of a folder within
    except Exception as error:
        if not any(_tells_of_no_space(each, Path(folder)) for each in _causes(error)):
            raise
        told = (str(error) or repr(error)).splitlines()[0]
        raise DiskFullError(
            f"no space is left on the disk of {folder} ({told}). What was finished is whole and kept: make room, and "
            "continue with resume=true"
        ) from error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those that it came of, also those on the way out of which it was raised."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _tells_of_no_space(error: BaseException, folder: Path) -> bool:
    if getattr(error, "errno", None) == errno.ENOSPC or os.strerror(errno.ENOSPC) in str(error):
        return True
    return any(name in str(error) for name in _WRITERS) and shutil.disk_usage(folder).free < _LITTLE

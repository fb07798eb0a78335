"""Digests of finished files, by which a file that a disk, a copy or a kill has damaged is told from a whole one.

A folder gets one file, :data:`DIGESTS_FILE`, with the size and the SHA-256 of its files. A part file of a cache, which
is written by itself, carries its digest at its own end (:func:`seal`): readers of Arrow and NumPy stop before it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hf_bionerkd.io import file_sha256, read_json, write_json

DIGESTS_FILE = "digests.json"
_LENGTH = hashlib.sha256().digest_size
_BLOCK = 1 << 22


class DamagedFileError(RuntimeError):
    """A file that is not what was written; the message names it and says what to do."""


def write_digests(folder: str | os.PathLike[str], names: Iterable[str] | None = None) -> None:
    """Write down the digests of the files of a finished folder.

    Args:
        folder (`str` or `PathLike`): The folder.
        names (`Iterable[str]`, *optional*): The files, as paths within it; by default all that lie in it.
    """
    folder = Path(folder)
    if names is None:
        names = (path.name for path in folder.iterdir() if path.is_file() and path.name != DIGESTS_FILE)
    files = {name: {"size": (folder / name).stat().st_size, "sha256": file_sha256(folder / name)} for name in names}
    files = dict(sorted(files.items()))
    write_json(folder / DIGESTS_FILE, {"files": files, "sha256": _own_digest(files)})


def has_digests(folder: str | os.PathLike[str]) -> bool:
    """Return whether the digests of a folder have been written; models of other projects have none."""
    return (Path(folder) / DIGESTS_FILE).exists()


def find_damage(folder: str | os.PathLike[str]) -> str | None:
    """Compare the files of a folder with their digests.

    Returns:
        The first file that differs and how, such as ``"model.safetensors is cut off (10 of 2,000 bytes)"``; None
        where all files are whole, or no digests were written.
    """
    folder = Path(folder)
    if not has_digests(folder):
        return None
    # The digests themselves first.
    try:
        content = read_json(folder / DIGESTS_FILE)
        files: dict[str, Any] = content["files"]
        if content["sha256"] != _own_digest(files):
            return f"{DIGESTS_FILE} has changed since it was written"
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return f"{DIGESTS_FILE} cannot be read"
    # Sizes tell most damage without reading a file.
    for name, expected in files.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if (size := path.stat().st_size) != expected["size"]:
            how = "is cut off" if size < expected["size"] else "has grown"
            return f"{name} {how} ({size:,} of {expected['size']:,} bytes)"
    for name, expected in files.items():
        if file_sha256(folder / name) != expected["sha256"]:
            return f"{name} has changed since it was written"
    return None


def check_digests(folder: str | os.PathLike[str], remedy: str) -> None:
    """Make sure that the files of a folder are those that were written.

    Args:
        folder (`str` or `PathLike`): The folder; one without digests passes.
        remedy (`str`): What to do about a damaged file, for the message.

    Raises:
        DamagedFileError: A file differs from its digest.
    """
    problem = find_damage(folder)
    if problem is not None:
        raise DamagedFileError(
            f"{os.fspath(folder)} is damaged: {problem}. {remedy} (If it was changed on purpose, delete "
            f"{DIGESTS_FILE} there.)"
        )


def seal(path: str | os.PathLike[str]) -> None:
    """Append to a file the SHA-256 of its bytes."""
    digest = bytes.fromhex(file_sha256(path))
    with open(path, "ab") as file:
        file.write(digest)


def is_sealed(path: str | os.PathLike[str]) -> bool:
    """Return whether a file ends with the SHA-256 of all bytes before; False where there is no such file."""
    try:
        with open(path, "rb") as file:
            left = os.fstat(file.fileno()).st_size - _LENGTH
            digest = hashlib.sha256()
            while left > 0:
                block = file.read(min(left, _BLOCK))
                if not block:
                    return False
                digest.update(block)
                left -= len(block)
            return left == 0 and file.read() == digest.digest()
    except FileNotFoundError:
        return False


def _own_digest(files: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()

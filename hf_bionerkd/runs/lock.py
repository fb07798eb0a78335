"""One run per folder at a time: a lock that names its process, and is taken over from a dead one.

The lock is a file in the folder, locked by the operating system for as long as its process lives; the processes that a
run starts do not inherit it. Within one process a folder may be locked again, since a run opens the runs of its
teachers. Of a launch of several processes the main one locks.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK_FILE = ".run.lock"
_BOOT = Path("/proc/sys/kernel/random/boot_id")  # the same in all containers of a machine
_held: dict[Path, tuple[int, int]] = {}  # the open file of each locked folder, and the process that locked it


class FolderInUseError(RuntimeError):
    """Another process runs in the folder."""


def lock_folder(folder: str | os.PathLike[str]) -> None:
    """Lock a folder for this process until :func:`release_folder`, or until the process ends.

    Args:
        folder (`str` or `PathLike`): The folder, which is made where it is missing.

    Raises:
        FolderInUseError: Another process has locked it and lives, or it cannot be seen from this machine whether it
            does; the message says which, since when, and what to do.
    """
    folder = Path(folder).resolve()
    if _is_held(folder):
        return
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK_FILE
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            holder = _read(file)
            _refuse_if_alive(folder, holder, locked=_lock(file, holder))
        except BaseException:
            os.close(file)
            raise
        # The process that held it may have deleted the file since it was opened here.
        if path.exists() and os.path.samestat(os.fstat(file), path.stat()):
            break
        os.close(file)
    os.ftruncate(file, 0)
    os.pwrite(file, json.dumps(_this_process()).encode(), 0)
    _held[folder] = file, os.getpid()


def release_folder(folder: str | os.PathLike[str]) -> None:
    """Unlock a folder, and delete the file of the lock; nothing happens where this process has not locked it."""
    folder = Path(folder).resolve()
    if _is_held(folder):
        file, _ = _held.pop(folder)
        (folder / LOCK_FILE).unlink(missing_ok=True)
        os.close(file)


def _is_held(folder: Path) -> bool:
    """Return whether this very process holds a lock: a forked one knows its parent's, and has none."""
    return folder in _held and _held[folder][1] == os.getpid()


@atexit.register
def _release_all() -> None:
    for folder in list(_held):
        release_folder(folder)


def _lock(file: int, holder: Mapping[str, object]) -> bool:
    """Lock the open file; False where another process of this machine has locked it."""
    if fcntl is None:
        return not _is_alive(holder)
    try:
        # A record lock, which forked processes do not inherit, so that a dead run's workers do not hold it.
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # a file system without locks
        return not _is_alive(holder)
    return True


def _refuse_if_alive(folder: Path, holder: Mapping[str, object], *, locked: bool) -> None:
    this = _this_process()
    here = not holder or any(holder.get(key) == this[key] != "" for key in ("host", "boot"))
    if locked and here:
        return
    who = f"process {holder.get('pid', '?')}" + ("" if here else f" on {holder.get('host')}")
    since = f" since {holder['since']}" if holder.get("since") else ""
    if not locked:
        raise FolderInUseError(
            f"{folder} is in use: {who} runs there{since}. Wait for its end or stop it; another run needs another "
            "output_dir"
        )
    raise FolderInUseError(
        f"{folder} is in use: {who} has run there{since}, and from this machine it cannot be seen whether it still "
        f"does. If it does not, delete {folder / LOCK_FILE} and start again"
    )


def _this_process() -> dict[str, object]:
    boot = _BOOT.read_text(encoding="ascii").strip() if _BOOT.exists() else ""
    since = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return {"pid": os.getpid(), "host": socket.gethostname(), "boot": boot, "since": since}


def _read(file: int) -> dict[str, object]:
    """Return the content of a lock; a new one, or one that a kill has left empty, names nobody."""
    try:
        content = json.loads(os.pread(file, 4096, 0))
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _is_alive(holder: Mapping[str, object]) -> bool:
    import psutil

    pid = holder.get("pid")
    return isinstance(pid, int) and pid != os.getpid() and psutil.pid_exists(pid)

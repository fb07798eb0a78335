"""The things that every weak corpus is begun with, kept between builds: the dictionary and the gold standards.

Each lies in one Arrow file of the folder `cache`, with its *identity* in the metadata: the SHA-256 of the source
files, the settings that they are read with, and that of the code that reads them. A file with another identity, or
one that is damaged (its digest stands at its end), is made anew. It takes its name when all of it is written, so that
builds may share a folder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from hf_bionerkd.digests import is_sealed, seal
from hf_bionerkd.io import atomic_path, file_sha256, write_text
from hf_bionerkd.weak.settings import WeakConfig

_IDENTITY = b"hf_bionerkd"
# What reads the sources: rooms, and modules above them.
_READING = ("documents.py", "labels.py", "corpora", "knowledge", "weak")


def identity_of(config: WeakConfig, kind: str, files: list[str], details: Any) -> dict[str, Any]:
    """Return what makes two tables the same: the contents of the files, how they are read, and by which code.

    Args:
        config (`WeakConfig`): The configuration that names the files.
        kind (`str`): What the table holds.
        files (`list[str]`): The files, as the configuration names them.
        details (`Any`): Settings, as JSON can hold them.
    """
    contents = {file: file_sha256(config.path(file)) for file in files}
    # By way of JSON, as the table will state it: tuples become lists.
    identity: dict[str, Any] = json.loads(
        json.dumps({"kind": kind, "files": contents, "details": details, "code": code_version()})
    )
    return identity


@cache
def code_version() -> str:
    """Return the SHA-256 of the code that reads sources; it changes with every change there, released or not."""
    package = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for name in _READING:
        path = package / name
        for module in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(f"{module.relative_to(package).as_posix()}\0{file_sha256(module)}\0".encode())
    return digest.hexdigest()


def is_whole(path: Path) -> bool:
    """Return whether a file is the one that :func:`mark_whole` marked; a Parquet file cannot end with its digest."""
    try:
        return _mark(path).read_text(encoding="utf-8").strip() == file_sha256(path)
    except (FileNotFoundError, UnicodeDecodeError):
        return False


def mark_whole(path: Path) -> None:
    """Write the digest of a finished file beside it."""
    write_text(_mark(path), f"{file_sha256(path)}\n")


def _mark(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def kept_table(path: Path | None, identity: Callable[[], Mapping[str, Any]], make: Callable[[], pa.Table]) -> pa.Table:
    """Read a table that an earlier build has kept, or make it and keep it.

    Args:
        path (`Path`, *optional*): The file; without one the table is made.
        identity (`Callable`): Gives what the table comes from, see :func:`identity_of`; asked where there is a `path`.
        make (`Callable`): Makes the table.
    """
    if path is None:
        return make()
    encoded = json.dumps(identity(), sort_keys=True).encode()
    # Sealed is looked at first: Arrow itself may stumble over a damaged file anywhere.
    if is_sealed(path):
        with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as reader:
            if (reader.schema.metadata or {}).get(_IDENTITY) == encoded:
                return reader.read_all()
    table = make().replace_schema_metadata({_IDENTITY: encoded})
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        with pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        seal(temporary)
    return table

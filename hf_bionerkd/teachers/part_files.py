"""The part files of a cache: Arrow streams of some thousand sentences each, that end with their digest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from hf_bionerkd.digests import seal
from hf_bionerkd.io import atomic_path

_STORED = {"values": pa.float16(), "emissions": pa.float16(), "tags": pa.int16()}


class CacheError(RuntimeError):
    """A cache that does not belong to these sentences, lacks a part, or has a damaged one."""


@dataclass(frozen=True)
class StoredPart:
    """One part file of a cache, memory-mapped.

    Args:
        keys (`np.ndarray`): One key per sentence, see :func:`sentence_keys`.
        counts (`Mapping[str, int]`): What was counted when it was made.
        columns (`Mapping[str, tuple]`): Name of a column to its offsets (one more than sentences) and flat values.
    """

    keys: np.ndarray
    counts: Mapping[str, int]
    columns: Mapping[str, tuple[np.ndarray, np.ndarray]]


def part_name(index: int) -> str:
    """Return the name of the file of a part."""
    return f"part-{index:05d}.arrow"


def write_part(
    path: Path, keys: np.ndarray, columns: Mapping[str, Sequence[np.ndarray]], counts: Mapping[str, int]
) -> None:
    """Write a part whole, with its digest at the end, or not at all.

    Args:
        path (`Path`): The file.
        keys (`np.ndarray`): One key per sentence.
        columns (`Mapping[str, Sequence]`): By name, one array per sentence.
        counts (`Mapping[str, int]`): What was counted when it was made.

    Raises:
        CacheError: A column has another number of sentences.
    """
    for arrays in columns.values():
        if len(arrays) != len(keys):
            raise CacheError(f"{path}: {len(arrays)} outputs for {len(keys)} sentences")
    fields = [("key", pa.uint64()), *((name, pa.list_(_STORED[name])) for name in columns)]
    schema = pa.schema(fields, metadata={"counts": json.dumps(dict(counts))})
    lists = [_lists(arrays, _STORED[name]) for name, arrays in columns.items()]
    with atomic_path(path) as temporary:
        with pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
            writer.write_batch(pa.record_batch([pa.array(keys), *lists], schema=schema))
        seal(temporary)


def read_part(path: Path) -> StoredPart:
    """Open a part, memory-mapped; whether it is whole is asked by :func:`~hf_bionerkd.digests.is_sealed`.

    Raises:
        CacheError: There is no such file.
    """
    if not path.exists():
        raise CacheError(f"{path} is missing; delete its folder to have the cache made again")
    table = pa.ipc.open_stream(pa.memory_map(str(path))).read_all()
    counts = json.loads((table.schema.metadata or {}).get(b"counts", b"{}"))
    columns = {}
    for name in table.column_names[1:]:
        lists = table[name].chunk(0)
        columns[name] = (lists.offsets.to_numpy(), lists.values.to_numpy())
    return StoredPart(table["key"].chunk(0).to_numpy(), counts, columns)


def _lists(arrays: Sequence[np.ndarray], kind: pa.DataType) -> pa.ListArray:
    # Arrow lists have one dimension: words x labels are kept flat, and the labels' number is in meta.json.
    flat = [a.astype(kind.to_pandas_dtype()).ravel() for a in arrays]
    offsets = np.concatenate([[0], np.cumsum([len(a) for a in flat])]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.concatenate(flat), type=kind))

"""The tables keyed by PMID, which may be far larger than memory: Parquet in order of PMID, by way of DuckDB.

DuckDB sorts, removes duplicates and joins out of core inside this process (no server), within a memory limit that one
sets, and ships for every platform under the MIT licence. Parquet is a plain columnar file that everything reads, and
its row groups, being in order, say which PMIDs they hold, so that a lookup skips the others.
``python recipes/bench_associations.py`` prints time and memory.
"""

from __future__ import annotations

import glob
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from hf_bionerkd.corpora.files import CorpusError
from hf_bionerkd.io import atomic_path

MEMORY_MB = 512
_ROWS_AT_ONCE = 100_000  # rows in Python's memory at a time
_ROW_GROUP = 65_536  # small enough that a lookup of some PMIDs skips nearly all of a large table
# Keys of the metadata in the Parquet file's footer.
_IDENTITY = "hf_bionerkd"
_COUNTS = "hf_bionerkd_counts"
_HIGHEST = 2**63 - 1  # of the column's type, a signed integer of 64 bits


def write_pmid_table(
    path: str | os.PathLike[str],
    columns: Sequence[str],
    rows: Iterable[tuple[int, *tuple[str, ...]]],
    identity: Mapping[str, Any],
    *,
    counts: Mapping[str, int] | None = None,
    memory_mb: int = MEMORY_MB,
) -> int:
    """Write a table without duplicates in order of PMID; `path` appears when all of it is written.

    Args:
        path (`str` or `PathLike`): The Parquet file to make. The folder beside it needs room for the rows twice.
        columns (`Sequence[str]`): Names of the columns after ``pmid``, all of them text.
        rows (`Iterable[tuple]`): The PMID and the texts of each row; read once.
        identity (`Mapping[str, Any]`): What makes two tables the same, as plain JSON values; see
            :func:`read_identity`.
        counts (`Mapping[str, int]`, *optional*): What is counted while the rows are read. It is looked at after the
            last row and kept with the table (:func:`read_counts`).
        memory_mb (`int`, *optional*, defaults to 512): The memory that DuckDB may use, in MB; beyond that it works on
            disk.

    Returns:
        The number of distinct rows.
    """
    path = _absolute(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # A folder of this process alone for what DuckDB spills, on the disk that has room for the table.
    folder = path.with_name(f".{path.name}.{os.getpid()}.work")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        with atomic_path(path) as table, _engine(folder, memory_mb) as engine:
            # Gather: batch by batch into a table that goes to disk where it is too large for memory.
            texts = "".join(f', "{name}" VARCHAR' for name in columns)
            engine.execute(f"CREATE TABLE rows (pmid BIGINT{texts})")
            schema = pa.schema([("pmid", pa.int64()), *((name, pa.string()) for name in columns)])
            iterator = iter(rows)
            while batch := list(islice(iterator, _ROWS_AT_ONCE)):
                values = [
                    pa.array(column, field.type)
                    for column, field in zip(zip(*batch, strict=True), schema, strict=True)
                ]
                engine.register("batch", pa.Table.from_arrays(values, schema=schema))
                engine.execute("INSERT INTO rows SELECT * FROM batch")
                engine.unregister("batch")
            # Write: sorted and without duplicates, with what is known of the table in its metadata.
            metadata = {_IDENTITY: identity, _COUNTS: dict(counts or {})}
            engine.execute(
                f"COPY (SELECT DISTINCT * FROM rows ORDER BY ALL) TO '{_quoted(str(table))}' "
                f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_ROW_GROUP}, "
                f"KV_METADATA {{{_IDENTITY}: ${_IDENTITY}, {_COUNTS}: ${_COUNTS}}})",
                {key: json.dumps(value, sort_keys=True) for key, value in metadata.items()},
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return int(pq.read_metadata(path).num_rows)


def read_identity(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Read what a table says that it was made of; None where there is no such table."""
    return _read_metadata(path, _IDENTITY)


def read_counts(path: str | os.PathLike[str]) -> dict[str, int]:
    """Read what was counted when a table was made."""
    return _read_metadata(path, _COUNTS) or {}


def _read_metadata(path: str | os.PathLike[str], key: str) -> dict[str, Any] | None:
    path = _absolute(path)
    if not path.is_file():
        return None
    try:
        encoded = (pq.read_metadata(path).metadata or {}).get(key.encode())
        value = json.loads(encoded) if encoded else None
    except (OSError, ValueError):  # no Parquet, half of one, or a damaged one: as good as no table
        return None
    return value if isinstance(value, dict) else None


class PmidTable:
    """A table in which PMIDs are looked up, batch by batch.

    Args:
        path (`str` or `PathLike`): The file that :func:`write_pmid_table` wrote.
        memory_mb (`int`, *optional*, defaults to 512): The memory that DuckDB may use, in MB.

    Raises:
        CorpusError: There is no such table.
    """

    def __init__(self, path: str | os.PathLike[str], *, memory_mb: int = MEMORY_MB) -> None:
        if read_identity(path) is None:
            raise CorpusError(f"{path}: no table of hf_bionerkd; build it first, or build it anew if it is damaged")
        self.path = _absolute(path)
        self._memory_mb = memory_mb
        # A path is a pattern to DuckDB, and "pmid=7" in it a column.
        pattern = _quoted(glob.escape(str(self.path)))
        self._source = f"read_parquet('{pattern}', hive_partitioning = false)"

    def __len__(self) -> int:
        return int(pq.read_metadata(self.path).num_rows)

    def lookup(self, pmids: Iterable[int]) -> Iterator[tuple[Any, ...]]:
        """Stream every row of these PMIDs, in order of PMID.

        Args:
            pmids (`Iterable[int]`): PMIDs; those that the table does not hold give nothing. A call costs about the
                same for one as for some thousands.
        """
        # A number beyond what the column holds stands in no table; an article may state it all the same.
        distinct = sorted({pmid for pmid in pmids if pmid <= _HIGHEST})
        if not distinct:
            return
        with _engine(None, self._memory_mb) as engine:
            engine.register("wanted", pa.table({"pmid": pa.array(distinct, pa.int64())}))
            # The range is what lets DuckDB skip row groups; a join alone reads all of them.
            result = engine.execute(
                f"SELECT t.* FROM {self._source} t JOIN wanted USING (pmid) "
                f"WHERE t.pmid BETWEEN {distinct[0]} AND {distinct[-1]} ORDER BY ALL"
            )
            while rows := result.fetchmany(_ROWS_AT_ONCE):
                yield from rows

    def count_by(self, column: str) -> dict[str, int]:
        """Count the rows by the values of a column."""
        with _engine(None, self._memory_mb) as engine:
            result = engine.execute(f'SELECT "{column}", count(*) FROM {self._source} GROUP BY ALL ORDER BY ALL')
            return dict(result.fetchall())


@contextmanager
def _engine(spill: Path | None, memory_mb: int) -> Iterator[duckdb.DuckDBPyConnection]:
    settings: dict[str, Any] = {"memory_limit": f"{memory_mb}MB", "preserve_insertion_order": False}
    if spill is not None:
        settings["temp_directory"] = str(spill / "spill")
    # In memory even where rows go to disk: a database of its own could not lie at every path ("g?", "a\\b").
    engine = duckdb.connect(":memory:", config=settings)
    try:
        yield engine
    finally:
        engine.close()


def _absolute(path: str | os.PathLike[str]) -> Path:
    # A relative path may look like an address, to DuckDB and Arrow alike ("md:x").
    return Path(os.path.abspath(path))


def _quoted(path: str) -> str:
    # Paths cannot be parameters of COPY and read_parquet: they stand in the statement as SQL strings.
    return path.replace("'", "''")

"""Benchmark: aggregating three teachers' cached distributions into targets, from disk to disk.

    python recipes/bench_aggregate.py                     # 20 million words
    python recipes/bench_aggregate.py --words 2000000     # a quick look

The program makes an Arrow file of float16 log probabilities chunk by chunk in a temporary folder (about 46 bytes per
word with the targets, so 1 GB for 20 million words), then reads it memory-mapped, aggregates and writes the targets,
chunk by chunk. It prints the time, the speed, the ratio to the paper's equations written out in plain probabilities
(no log space, no checks, no word without mass) on the first tenth of the words, and the peak memory above the start.

Memory is the resident set of the whole process (Linux, /proc/self/status): peak VmHWM at the end, which also covers
making the data and the baseline, minus VmRSS after the imports. Mapped file pages count; they are released by mapping
the file anew for each chunk.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.teachers.aggregation import Aggregator, TeacherTypes

SPACE = LabelSpace(("Disease", "Chemical", "Gene"))
TEACHERS = [TeacherTypes(name, (name,)) for name in SPACE.types]
Chunk = list[np.ndarray]


def main() -> None:
    """Make the data, time both ways, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=20_000_000, help="words in all (default: 20 million)")
    parser.add_argument("--chunk", type=int, default=65_536, help="words per chunk (default: 65536)")
    arguments = parser.parse_args()
    start = resident("VmRSS")
    with tempfile.TemporaryDirectory() as folder:
        cache, targets = Path(folder, "log_probs.arrow"), Path(folder, "targets.arrow")
        made = write_chunks(cache, random_chunks(arguments.words, arguments.chunk))
        print(f"data: {made:,} words, {len(TEACHERS)} teachers, {cache.stat().st_size / 2**20:.0f} MiB of float16")

        # Both ways on the same first tenth, then this package's on everything.
        aggregator = Aggregator(SPACE, TEACHERS)
        subset = -(-arguments.words // (10 * arguments.chunk))
        _, baseline_seconds = timed(plain_probabilities, cache, targets, subset)
        _, subset_seconds = timed(lambda chunk: aggregator(chunk)[0], cache, targets, subset)
        words, seconds = timed(lambda chunk: aggregator(chunk)[0], cache, targets)
        print(f"aggregated: {words:,} words in {seconds:.1f} s, {words / seconds:,.0f} words/s, disk to disk")
        print(f"on {subset} chunks: {subset_seconds:.2f} s, plain probabilities {baseline_seconds:.2f} s", end=", ")
        print(f"ratio {subset_seconds / baseline_seconds:.2f}; largest difference {largest_difference(cache):.1e}")
    peak = resident("VmHWM")
    print(f"memory: {start:.0f} MiB at the start, peak {peak:.0f} MiB, {peak - start:.0f} MiB above the start")


def random_chunks(words: int, size: int) -> Iterator[Chunk]:
    """Yield distributions of teachers that mostly predict O, as float16 log probabilities."""
    rng = np.random.default_rng(0)
    for first in range(0, words, size):
        shape = (min(size, words - first), 3)
        scores = [3 * rng.standard_normal(shape, dtype=np.float32) + np.float32([0, 0, 5]) for _ in TEACHERS]
        yield [(s - np.log(np.exp(s).sum(axis=1, keepdims=True))).astype(np.float16) for s in scores]


def write_chunks(path: Path, chunks: Iterable[Chunk]) -> int:
    """Write one record batch per chunk and one column per array; return the number of words."""
    words, writer = 0, None
    for chunk in chunks:
        columns = [pa.FixedSizeListArray.from_arrays(pa.array(a.reshape(-1)), a.shape[1]) for a in chunk]
        batch = pa.record_batch(columns, names=[str(index) for index in range(len(columns))])
        writer = writer or pa.ipc.new_file(path, batch.schema)
        writer.write_batch(batch)
        words += len(batch)
    if writer is not None:
        writer.close()
    return words


def read_chunks(path: Path, chunks: int | None = None) -> Iterator[Chunk]:
    """Yield the first `chunks` record batches (all by default), each from a mapping of its own."""
    with pa.memory_map(str(path)) as source:
        available = pa.ipc.open_file(source).num_record_batches
    for index in range(available if chunks is None else min(chunks, available)):
        with pa.memory_map(str(path)) as source:
            batch = pa.ipc.open_file(source).get_batch(index)
            yield [c.flatten().to_numpy().reshape(len(batch), -1) for c in batch.columns]


def timed(
    aggregate: Callable[[Chunk], np.ndarray], cache: Path, targets: Path, chunks: int | None = None
) -> tuple[int, float]:
    """Read, aggregate and write; return the number of words and the seconds that it took."""
    begin = time.perf_counter()
    words = write_chunks(targets, ([aggregate(chunk)] for chunk in read_chunks(cache, chunks)))
    return words, time.perf_counter() - begin


def plain_probabilities(chunk: Chunk) -> np.ndarray:
    """Compute the equations event by event for teachers of one type each, in plain probabilities that sum to 1."""
    probabilities = [np.exp(array.astype(np.float32)) for array in chunk]
    events = []
    for position, own in enumerate(probabilities):
        # B of one type excludes B of the others, and I of one type excludes I of the others.
        others = probabilities[:position] + probabilities[position + 1 :]
        events.append(own[:, 0] * np.prod([p[:, 1] + p[:, 2] for p in others], axis=0))
        events.append(own[:, 1] * np.prod([p[:, 0] + p[:, 2] for p in others], axis=0))
    # O is the event that all teachers agree on.
    events.append(np.prod([p[:, 2] for p in probabilities], axis=0))
    targets = np.stack(events, axis=1)
    return targets / targets.sum(axis=1, keepdims=True)


def largest_difference(cache: Path) -> float:
    """Return the largest difference between the two ways, on the first chunk."""
    chunk = next(read_chunks(cache, 1))
    return float(np.abs(Aggregator(SPACE, TEACHERS)(chunk)[0] - plain_probabilities(chunk)).max())


def resident(field: str) -> float:
    """Return `VmRSS` (now) or `VmHWM` (peak) of this process in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field + ":")) / 1024


if __name__ == "__main__":
    main()

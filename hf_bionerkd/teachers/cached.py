"""Teacher outputs computed once, kept as float16 in Arrow, and read memory-mapped during training.

Layout of a cache: one folder per fingerprint, holding part files of a fixed number of sentences and, once every part
is there, ``meta.json``. Parts are written under a temporary name and renamed, so a killed run continues with the parts
it has. Each ends with its digest, and one that a disk or a copy has damaged is made anew. The split into parts does
not depend on the number of processes, so any number of them can share the work.

A fingerprint covers the sentences' words, the teacher's files, its types and its window settings; every row also
carries the key of its words, which is compared when the cache is opened, so outputs can never meet other sentences.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_bionerkd.data.rows import content_fingerprint
from hf_bionerkd.digests import is_sealed
from hf_bionerkd.inference.finite import check_finite
from hf_bionerkd.io import read_json, sweep, write_json
from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.names import file_name
from hf_bionerkd.processes import ALONE, Processes
from hf_bionerkd.progress import progress
from hf_bionerkd.teachers.aggregation import Aggregator
from hf_bionerkd.teachers.columns import (
    JOINT_COLUMNS,
    JOINT_TARGETS,
    TEACHER_COLUMNS,
    OutputsSource,
    StudentReading,
    teacher_columns,
)
from hf_bionerkd.teachers.part_files import CacheError, StoredPart, part_name, read_part, write_part

if TYPE_CHECKING:
    from datasets import Dataset

logger = logging.getLogger(__name__)

FORMAT = 3
META_FILE = "meta.json"
ROWS_PER_PART = 2048
_LONG_DEAD = 3600.0  # seconds after which nobody is writing a temporary file any more
Part = tuple[dict[str, list[np.ndarray]], dict[str, int]]  # columns, one array per sentence each; what was counted
NO_MASS = (
    "%d words have no joint teacher mass (teachers certain of different mentions): their target is the teachers' mean"
)


class WordArrays:
    """Read-only float16 arrays of shape (words, labels), one per sentence, memory-mapped.

    Args:
        folder (`Path`): A finished cache folder.
        keys (`np.ndarray`): Keys of the sentences it must hold, in order (see :func:`sentence_keys`).

    Raises:
        CacheError: The folder is unfinished, or its sentences are others.
    """

    def __init__(self, folder: Path, keys: np.ndarray) -> None:
        meta = folder / META_FILE
        if not meta.exists():
            raise CacheError(
                f"{folder} is not a finished cache: meta.json is missing. Run recipes/cache_teachers.py again."
            )
        self.folder = folder
        try:
            self.meta: dict[str, Any] = read_json(meta)
            self.labels, self._rows = tuple(self.meta["labels"]), int(self.meta["rows"])
            self._size = int(self.meta["rows_per_part"])
        except (ValueError, KeyError, TypeError) as error:
            raise CacheError(f"{meta} is damaged ({error!r}); delete it, and it is made anew") from None
        self._parts: dict[int, StoredPart] = {}
        if len(self) != len(keys) or not all(
            np.array_equal(read_part(folder / part_name(index)).keys, keys[start : start + self._size])
            for index, start in enumerate(range(0, len(keys), self._size))
        ):
            raise CacheError(
                f"{folder} holds {len(self)} sentences that are not the {len(keys)} sentences of this run; delete "
                "the folder to have it made again"
            )

    def __len__(self) -> int:
        return self._rows

    def __getitem__(self, row: int) -> np.ndarray:
        return self._row("values", row).reshape(-1, len(self.labels))

    def tags(self, row: int) -> np.ndarray:
        """Return the teacher's own decoding of one sentence: ids into :attr:`labels`, one per word."""
        return self._row("tags", row)

    def emissions(self, row: int) -> np.ndarray:
        """Return the log softmax of a sentence's scores before a CRF; without one, the log probabilities."""
        if self.meta["kind"] != "marginal":
            return self[row]
        return self._row("emissions", row).reshape(-1, len(self.labels))

    def part(self, index: int) -> list[np.ndarray]:
        """Return all sentences of one part, from a mapping of their own: its memory goes when they do."""
        offsets, values = read_part(self.folder / part_name(index)).columns["values"]
        return [
            values[start:end].reshape(-1, len(self.labels)) for start, end in zip(offsets, offsets[1:], strict=False)
        ]

    def _row(self, column: str, row: int) -> np.ndarray:
        # Parts are mapped when first needed and stay mapped: training reads rows in random order.
        index, offset = divmod(row, self._size)
        if index not in self._parts:
            self._parts[index] = read_part(self.folder / part_name(index))
        offsets, values = self._parts[index].columns[column]
        return values[offsets[offset] : offsets[offset + 1]]


def sentence_keys(rows: Dataset) -> np.ndarray:
    """Compute one 64-bit key per sentence from its words."""
    # A separator that text does not use, so that ("a b",) and ("a", "b") have different keys.
    keys = np.empty(len(rows), dtype=np.uint64)
    position = 0
    for batch in rows.select_columns(["tokens"]).with_format(None).iter(batch_size=2000):
        for tokens in batch["tokens"]:
            digest = hashlib.blake2b("\x1f".join(tokens).encode(), digest_size=8).digest()
            keys[position] = int.from_bytes(digest, "little")
            position += 1
    return keys


def cache_teacher(
    teacher: OutputsSource,
    rows: Dataset,
    cache_dir: str | os.PathLike[str],
    *,
    rows_per_part: int = ROWS_PER_PART,
    processes: Processes = ALONE,
) -> WordArrays:
    """Compute a teacher's outputs for every sentence, or read them where they have been computed.

    Args:
        teacher (`Teacher`): Loaded only when something is missing.
        rows (`Dataset`): With a column `tokens`.
        cache_dir (`str`): Folder of all caches.
        rows_per_part (`int`, *optional*): Sentences per part file: the unit of work shared and resumed.
        processes (`Processes`, *optional*): Who shares the work.

    Returns:
        Log probabilities (`kind`: of a softmax, or a CRF's marginals), the teacher's own tags and, of a CRF, the
        emissions as well; labels as in ``teacher.space``.
    """
    labels = list(teacher.space.labels)
    # Whatever changes the outputs or their layout changes the folder; a cache is never overwritten.
    identity = {
        "format": FORMAT,
        "teacher": teacher.settings(),
        "labels": labels,
        "kind": teacher.kind,
        "sentences": content_fingerprint(rows.select_columns(["tokens"])),
        "rows_per_part": rows_per_part,
    }
    keys = sentence_keys(rows)
    sentences = rows.select_columns(["tokens"])

    def compute(start: int, end: int) -> Part:
        words = sentences[start:end]["tokens"]
        outputs = teacher.outputs(words)
        # What is kept is used for good, so that outputs of any source are looked at first. Minus infinity is the
        # logarithm of a probability of zero.
        for own, sentence in zip(outputs, words, strict=True):
            values = {"log_probs": own.log_probs, "emissions": own.emissions}
            numbers = {name: np.where(np.isneginf(array), 0.0, array) for name, array in values.items()}
            check_finite(numbers, sentence, f"teacher {teacher.name!r}")
        # Without a CRF the emissions are the log probabilities, and are not kept twice.
        columns = {"values": [own.log_probs for own in outputs], "tags": [own.tags for own in outputs]}
        if teacher.kind == "marginal":
            columns["emissions"] = [own.emissions for own in outputs]
        return columns, {}

    folder = Path(cache_dir) / f"{file_name(teacher.name)}-{_fingerprint(identity)}"
    extra = {"name": teacher.name, "path": teacher.path, "commit": teacher.commit}
    _fill(folder, identity, extra, keys, compute, labels, f"teacher {teacher.name}", processes)
    return WordArrays(folder, keys)


class CachedJointTargets:
    """The teachers' joint distribution for every sentence, aggregated once from their caches.

    Args:
        caches (`Sequence[WordArrays]`): One per teacher, in the aggregator's order.
        aggregator (`Aggregator`): How they are put together.
        rows (`Dataset`): The sentences, with a column `tokens`.
        cache_dir (`str`): Folder of all caches.
        processes (`Processes`, *optional*): Who shares the work.
    """

    columns = JOINT_COLUMNS

    def __init__(
        self,
        caches: Sequence[WordArrays],
        aggregator: Aggregator,
        rows: Dataset,
        cache_dir: str | os.PathLike[str],
        *,
        processes: Processes = ALONE,
    ) -> None:
        keys = sentence_keys(rows)
        identity = {
            "format": FORMAT,
            "aggregation": aggregator.settings(),
            "teachers": [cache.folder.name for cache in caches],
            "rows_per_part": int(caches[0].meta["rows_per_part"]),
        }

        # Parts of the targets are cut like the teachers' parts, so that one part needs one part of each teacher.
        def compute(start: int, _end: int) -> Part:
            index = start // int(identity["rows_per_part"])
            targets, no_mass = aggregate_sentences(aggregator, [cache.part(index) for cache in caches])
            return {"values": targets}, {"words_without_mass": no_mass}

        folder = Path(cache_dir) / f"targets-{_fingerprint(identity)}"
        labels = list(aggregator.space.labels)
        _fill(folder, identity, {}, keys, compute, labels, "aggregation", processes)
        self.arrays = WordArrays(folder, keys)
        self.words_without_mass = int(self.arrays.meta["counts"].get("words_without_mass", 0))
        if self.words_without_mass and processes.is_main:
            logger.warning(NO_MASS, self.words_without_mass)

    def rows(self, indices: Sequence[int]) -> list[dict[str, np.ndarray]]:
        """Return `joint_targets` of these sentences."""
        return [{JOINT_TARGETS: self.arrays[index]} for index in indices]


class CachedTeacherOutputs:
    """What each teacher by itself says of every sentence, read from their caches.

    Args:
        caches (`Sequence[WordArrays]`): One per teacher, over the student's types in any order.
        space (`LabelSpace`): The student's label space.
    """

    columns = TEACHER_COLUMNS

    def __init__(self, caches: Sequence[WordArrays], space: LabelSpace) -> None:
        self.caches = caches
        self.readings = [StudentReading(cache.labels, space) for cache in caches]

    def rows(self, indices: Sequence[int]) -> list[dict[str, np.ndarray]]:
        """Return `teacher_probs` and `teacher_tags` of these sentences."""
        pairs = list(zip(self.readings, self.caches, strict=True))
        return [
            teacher_columns([read(cache.emissions(row), cache.tags(row)) for read, cache in pairs]) for row in indices
        ]


def aggregate_sentences(
    aggregator: Aggregator, outputs: Sequence[Sequence[np.ndarray]]
) -> tuple[list[np.ndarray], int]:
    """Aggregate teachers' log probabilities sentence by sentence.

    Args:
        aggregator (`Aggregator`): How they are put together.
        outputs (`Sequence[Sequence[np.ndarray]]`): By teacher and sentence, each (words, labels).

    Returns:
        Targets (words, labels) per sentence, and the number of words on which the teachers left no mass.
    """
    # All sentences at once: the aggregation is arithmetic on arrays, and per sentence it would mostly be overhead.
    ends = np.cumsum([len(sentence) for sentence in outputs[0]])
    targets, no_mass = aggregator([np.concatenate(sentences) for sentences in outputs])
    return list(np.split(targets, ends[:-1])), no_mass


def _fill(
    folder: Path,
    identity: Mapping[str, Any],
    extra: Mapping[str, str | None],
    keys: np.ndarray,
    compute: Callable[[int, int], Part],
    labels: Sequence[str],
    what: str,
    processes: Processes,
) -> None:
    """Write the parts that are missing or damaged (this process's share), then `meta.json` by the main process."""
    # Parts, not rows, are shared and resumed: the cut is the same for any number of processes.
    size = int(identity["rows_per_part"])
    parts = range(0, len(keys), size)
    folder.mkdir(parents=True, exist_ok=True)
    if processes.is_main:
        sweep(folder, older_than=_LONG_DEAD)  # a folder of caches may be shared with other runs, on other machines
    todo = [(i, start) for i, start in processes.share(enumerate(parts)) if not is_sealed(folder / part_name(i))]
    for index, _ in todo:
        if (folder / part_name(index)).exists():
            logger.warning("%s is damaged: it is made anew", folder / part_name(index))
    for index, start in progress(todo, desc=what, unit="part", main=processes.is_main):
        end = min(start + size, len(keys))
        write_part(folder / part_name(index), keys[start:end], *compute(start, end))
    # meta.json declares the cache finished, so that it comes last, and from one process.
    processes.wait()
    if processes.is_main:
        counts: Counter[str] = Counter()
        for index in range(len(parts)):
            counts.update(read_part(folder / part_name(index)).counts)
        meta = {**identity, **extra, "labels": list(labels), "rows": len(keys), "parts": len(parts)}
        meta["counts"] = dict(counts)
        if not _is_written(folder / META_FILE, meta):
            write_json(folder / META_FILE, meta)
        elif not todo:
            logger.info("%s: read from %s", what, folder)
    processes.wait()  # nobody opens the cache before meta.json is there


def _is_written(path: Path, values: Mapping[str, Any]) -> bool:
    """Return whether a JSON file holds these very values; one that is damaged does not."""
    try:
        return bool(read_json(path) == json.loads(json.dumps(values)))
    except (OSError, ValueError):
        return False


def _fingerprint(identity: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]

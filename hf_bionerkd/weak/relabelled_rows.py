"""The labelling of a whole corpus with a model, in parts on disk that processes share and a killed run keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hf_bionerkd.digests import is_sealed, seal
from hf_bionerkd.io import atomic_path
from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.processes import ALONE, Processes
from hf_bionerkd.progress import progress
from hf_bionerkd.weak.relabelling import LabelChanges

if TYPE_CHECKING:
    from datasets import Dataset

Tagging = Callable[[Sequence[Sequence[str]]], list[np.ndarray]]


class RelabelledRows:
    """The new labels for the rows of a corpus, kept as one small file for each part of them.

    The split into parts does not depend on the number of processes. A part is written under a temporary name and
    renamed, so that a kill leaves only whole parts; it ends with its digest, and a damaged one is made again.

    Args:
        rows (`Dataset`): A split of a corpus that `build_corpus` made, in the model's own label space.
        folder (`Path`): The folder of the parts.
        rows_per_part (`int`): The number of sentences per part.
    """

    def __init__(self, rows: Dataset, folder: Path, rows_per_part: int) -> None:
        self.rows = rows.with_format("arrow")
        self.folder = folder
        self.bounds = [(start, min(start + rows_per_part, len(rows))) for start in range(0, len(rows), rows_per_part)]

    def fill(self, tagging: Tagging, processes: Processes = ALONE) -> None:
        """Label this process's share of the parts that are missing or cannot be read.

        Args:
            tagging (`Callable`): Maps the words of sentences to one array of label ids per sentence.
            processes (`Processes`, *optional*): The processes that share the parts.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        mine = processes.share(range(len(self.bounds)))
        todo = [index for index in mine if not is_sealed(self._path(index))]
        for index in progress(todo, desc="labelling anew", unit="part", main=processes.is_main):
            start, end = self.bounds[index]
            labels = tagging(self.rows[start:end]["tokens"].to_pylist())
            # Label ids of all sentences in one array; how long each is, the corpus knows.
            with atomic_path(self._path(index)) as temporary:
                with open(temporary, "wb") as handle:
                    np.save(handle, np.concatenate(labels).astype(np.int16))
                seal(temporary)

    def changes(self, space: LabelSpace) -> LabelChanges:
        """Count what all parts together change."""
        changes = LabelChanges(space)
        for table, labels in self._parts():
            # A sentence of no known document counts as one of its own.
            old = pc.list_flatten(table["ner_tags"]).to_numpy()
            names = [
                name or own for name, own in zip(*(table[c].to_pylist() for c in ("document_id", "id")), strict=True)
            ]
            changes.add(old, labels, _lengths(table), names)
        return changes

    def __iter__(self) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
        """Yield every row with its new label ids."""
        for table, labels in self._parts():
            ends = np.cumsum(_lengths(table))
            yield from zip(table.to_pylist(), np.split(labels, ends[:-1]), strict=True)

    def _parts(self) -> Iterator[tuple[pa.Table, np.ndarray]]:
        for index, (start, end) in enumerate(self.bounds):
            table = self.rows[start:end]
            labels = np.load(self._path(index), allow_pickle=False)
            # The folder may be one of another corpus.
            if len(labels) != _lengths(table).sum():
                raise ValueError(
                    f"{self._path(index)} holds {len(labels)} labels for {_lengths(table).sum()} words: it belongs to "
                    f"other sentences. Delete {self.folder}, and they are labelled again."
                )
            yield table, labels

    def _path(self, index: int) -> Path:
        return self.folder / f"part-{index:05d}.npy"


def _lengths(table: pa.Table) -> np.ndarray:
    lengths: np.ndarray = pc.list_value_length(table["tokens"]).to_numpy()
    return lengths

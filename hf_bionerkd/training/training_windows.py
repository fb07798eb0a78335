"""Training windows and the batches made of them: labels, allowed labels and teacher targets per piece."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from datasets import Dataset

from hf_bionerkd.encoding.encoding import Subwords, WordEncoder
from hf_bionerkd.encoding.tag_pairs import NEUTRAL, TagPairs
from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.teachers.outputs import TargetSource, TeacherSource

IGNORED = -100
BLANK = -1


class TrainingWindows(torch.utils.data.Dataset):
    """Every window of a joined corpus as a training example.

    Each word counts in the loss exactly once: in the window that owns it. With ``subwords="all"`` the later pieces of
    a word carry its label too (B becomes I there), which is what the plain pipeline with
    ``aggregation_strategy="simple"`` needs; with ``"first"`` they are masked, as in the papers' code (METHODS, traps).
    Index `BLANK` is an example of which nothing is learned, to fill up the share of a process.

    Args:
        rows (`Dataset`): From :func:`hf_bionerkd.data.corpus.join_corpora`.
        encoder (`WordEncoder`): With room for the tags.
        space (`LabelSpace`): The run's label space, BIO.
        corpora (`Sequence[tuple[str, Sequence[str]]]`): Name and annotated types of each corpus, in index order.
        tags (`TagPairs`): Tag pairs.
        subwords (`str`, *optional*, defaults to `"all"`): `"all"` or `"first"`.
        targets (`TargetSource`, *optional*): Teachers' joint targets; none for supervised training.
        teachers (`TeacherSource`, *optional*): What each teacher by itself says, for terms that read them one by one.
        neutral_tag_rate (`float`, *optional*, defaults to 0.5): How often a sentence is shown under ``<all>`` instead
            of its corpus's tag, where ``<all>`` exists. The choice depends on seed, epoch and window alone, so a
            resumed run repeats it.
        seed (`int`, *optional*, defaults to 0): Seed of that choice.
    """

    def __init__(
        self,
        rows: Dataset,
        encoder: WordEncoder,
        space: LabelSpace,
        corpora: Sequence[tuple[str, Sequence[str]]],
        tags: TagPairs,
        *,
        subwords: Subwords = "all",
        targets: TargetSource | None = None,
        teachers: TeacherSource | None = None,
        neutral_tag_rate: float = 0.5,
        seed: int = 0,
    ) -> None:
        if not 0.0 <= neutral_tag_rate <= 1.0:
            raise ValueError(f"neutral_tag_rate is a share between 0 and 1, not {neutral_tag_rate}")
        self.encoder = encoder
        self.space = space
        self.tags = tags
        self.targets = targets
        self.teachers = teachers
        self.neutral_tag_rate = neutral_tag_rate
        self.seed = seed
        self.epoch = 0
        self.windows = _encode_rows(rows, encoder, space, subwords)
        self.lengths = [int(n) for n in self.windows["length"]]
        self.names = [name for name, _ in corpora]
        self.annotated = np.array([[kind in types for kind in space.types] for _, types in corpora])
        tokenizer = encoder.tokenizer
        self.tag_ids = {
            name: tuple(tokenizer.convert_tokens_to_ids(side) for side in tags.around(name)) for name in tags.names
        }
        ids = [space.ids_of(kind) for kind in space.types]
        self.begin, self.inside = [i["B"] for i in ids], [i["I"] for i in ids]
        self.windows = self.windows.with_format("numpy")

    def __len__(self) -> int:
        return len(self.lengths)

    def set_epoch(self, epoch: int) -> None:
        """Told by accelerate's data loader; tags and data order depend on it."""
        self.epoch = epoch

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        batch = self.windows[[max(0, int(index)) for index in indices]]
        rows = [int(row) for row in batch["row"]]
        targets = self.targets.rows(rows) if self.targets is not None else None
        said = self.teachers.said(rows) if self.teachers is not None else None
        examples = []
        for position, index in enumerate(indices):
            corpus = int(batch["corpus"][position])
            opening, closing = self._tag(corpus, int(index))
            before = [*self.encoder.prefix, *opening]
            after = [*closing, *self.encoder.suffix]
            example = {
                "input_ids": np.concatenate([before, batch["input_ids"][position], after]).astype(np.int64),
                "labels": np.pad(batch["labels"][position], (len(before), len(after)), constant_values=IGNORED),
                "annotated": self.annotated[corpus],
            }
            if index == BLANK:
                example["labels"].fill(IGNORED)
            around, of_pieces = (len(before), len(after)), (batch["word_ids"][position], batch["heads"][position])
            if targets is not None:
                example["targets"] = np.pad(self._piece_targets(targets[position], *of_pieces), (around, (0, 0)))
            if said is not None:
                probs = self._piece_targets(said[position].probs, *of_pieces)
                tags = self._piece_tags(said[position].tags, *of_pieces)
                example["teacher_probs"] = np.pad(probs, (around, (0, 0), (0, 0)))
                example["teacher_tags"] = np.pad(tags, (around, (0, 0)), constant_values=IGNORED)
            examples.append(example)
        return examples

    def _tag(self, corpus: int, index: int) -> tuple[list[int], list[int]]:
        if not self.tag_ids:
            return [], []
        name = self.names[corpus]
        if self.tags.neutral:
            digest = hashlib.blake2b(f"{self.seed}/{self.epoch}/{index}".encode(), digest_size=8).digest()
            if int.from_bytes(digest, "big") / 2**64 < self.neutral_tag_rate:
                name = NEUTRAL
        return self.tag_ids[name]

    def _piece_targets(self, words: np.ndarray, word_ids: np.ndarray, heads: np.ndarray) -> np.ndarray:
        """Later pieces of a word continue its mention: I takes the mass of B + I, B none (METHODS, traps)."""
        pieces = words[word_ids].astype(np.float32)
        later = ~heads.astype(bool)
        if later.any():
            rows = pieces[later]
            rows[..., self.inside] += rows[..., self.begin]
            rows[..., self.begin] = 0.0
            pieces[later] = rows
        return pieces

    def _piece_tags(self, words: np.ndarray, word_ids: np.ndarray, heads: np.ndarray) -> np.ndarray:
        """Label ids of pieces; a later piece of a word that begins a mention continues it."""
        continued = np.arange(len(self.space))
        continued[self.begin] = self.inside
        pieces = words[word_ids].astype(np.int64)
        return np.where(heads.astype(bool)[:, None], pieces, continued[pieces])


class WindowCollator:
    """Pads training windows into tensors.

    Gives `input_ids`, `attention_mask`, `labels` (-100 where nothing is learned: special tokens, tags, padding, pieces
    that another window owns), `annotated` (batch, types) and, where the training windows hold them, `targets` (batch,
    pieces, labels), `teacher_probs` (batch, pieces, teachers, labels) and `teacher_tags` (batch, pieces, teachers).
    """

    def __init__(self, pad_token_id: int) -> None:
        self.pad_token_id = pad_token_id

    def __call__(self, examples: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Pad to the longest example."""
        longest = max(len(example["input_ids"]) for example in examples)
        size = (len(examples), longest)
        input_ids = np.full(size, self.pad_token_id, dtype=np.int64)
        attention = np.zeros(size, dtype=np.int64)
        labels = np.full(size, IGNORED, dtype=np.int64)
        for row, example in enumerate(examples):
            length = len(example["input_ids"])
            input_ids[row, :length] = example["input_ids"]
            attention[row, :length] = 1
            labels[row, :length] = example["labels"]
        batch = {
            "input_ids": torch.from_numpy(input_ids),
            "attention_mask": torch.from_numpy(attention),
            "labels": torch.from_numpy(labels),
            "annotated": torch.from_numpy(np.stack([example["annotated"] for example in examples])),
        }
        for name, fill in (("targets", 0), ("teacher_probs", 0), ("teacher_tags", IGNORED)):
            if name in examples[0]:
                first = examples[0][name]
                padded = np.full((*size, *first.shape[1:]), fill, dtype=first.dtype)
                for row, example in enumerate(examples):
                    padded[row, : len(example[name])] = example[name]
                batch[name] = torch.from_numpy(padded)
        return batch


def _encode_rows(rows: Dataset, encoder: WordEncoder, space: LabelSpace, subwords: Subwords) -> Dataset:
    if subwords not in ("all", "first"):
        raise ValueError(f"subwords is 'all' or 'first', not {subwords!r}")
    if space.scheme != "BIO":
        raise ValueError(f"training labels are BIO, which the plain pipeline reads; not {space.scheme}")
    to_inside = list(range(len(space)))
    for kind in space.types:
        ids = space.ids_of(kind)
        to_inside[ids["B"]] = ids["I"]

    def encode(batch: dict[str, list[Any]], indices: list[int]) -> dict[str, list[Any]]:
        out: dict[str, list[Any]] = {
            key: [] for key in ("row", "corpus", "input_ids", "word_ids", "heads", "labels", "length")
        }
        for position, windows in enumerate(encoder(batch["tokens"])):
            gold = batch["labels"][position]
            for window in windows:
                labels = []
                for word, head, owned in zip(window.word_ids, window.heads, window.owned, strict=True):
                    learned = owned and (head or subwords == "all")
                    labels.append((gold[word] if head else to_inside[gold[word]]) if learned else IGNORED)
                out["row"].append(indices[position])
                out["corpus"].append(batch["corpus"][position])
                out["input_ids"].append(window.input_ids)
                out["word_ids"].append(window.word_ids)
                out["heads"].append(window.heads)
                out["labels"].append(labels)
                out["length"].append(len(window.input_ids))
        return out

    windows = rows.map(
        encode,
        batched=True,
        with_indices=True,
        remove_columns=rows.column_names,
        desc="encoding",
        new_fingerprint=_encoding_fingerprint(rows, encoder, space, subwords),
    )
    if not len(windows):
        raise ValueError(f"none of the {len(rows)} sentences holds any text that the tokenizer can read")
    return windows


def _encoding_fingerprint(rows: Dataset, encoder: WordEncoder, space: LabelSpace, subwords: Subwords) -> str:
    digest = hashlib.sha256()
    for part in (
        rows._fingerprint,
        encoder.tokenizer.backend_tokenizer.to_str(),
        repr((encoder.capacity, encoder.overlap, space.labels, subwords, "v1")),
    ):
        digest.update(part.encode())
    return digest.hexdigest()[:16]

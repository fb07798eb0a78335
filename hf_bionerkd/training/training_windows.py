"""Training windows and the batches made of them: labels and teachers' columns per piece."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from hf_bionerkd.encoding.encoding import Subwords, WordEncoder
from hf_bionerkd.encoding.tag_pairs import NEUTRAL, TagPairs
from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.losses.terms import IGNORED
from hf_bionerkd.teachers.columns import ColumnKind, ColumnSource

if TYPE_CHECKING:
    from datasets import Dataset

BLANK = -1
Example = dict[str, np.ndarray]  # column name to the values of one window
ROW_COLUMNS = {"annotated"}  # columns with one value per row, not per piece


class TrainingWindows(torch.utils.data.Dataset):
    """Every window of a joined corpus as a training example.

    Each word counts in the loss exactly once: in the window that owns it. With ``subwords="all"`` the later pieces of
    a word carry its label too (B becomes I there), which is what the plain pipeline with
    ``aggregation_strategy="simple"`` needs; with ``"first"`` they are masked, as in the papers' code.
    Index `BLANK` is an example of which nothing is learned, to fill up the share of a process.

    Args:
        rows (`Dataset`): From :func:`hf_bionerkd.data.joining.join_corpora`.
        encoder (`WordEncoder`): With room for the tags.
        space (`LabelSpace`): The run's label space, BIO.
        corpora (`Sequence[tuple[str, Sequence[str]]]`): Name and annotated types of each corpus, in index order.
        tags (`TagPairs`): Tag pairs.
        subwords (`str`, *optional*, defaults to `"all"`): `"all"` or `"first"`.
        sources (`Sequence[ColumnSource]`, *optional*): Columns of teachers, see
            :class:`~hf_bionerkd.teachers.columns.ColumnSource`; none for supervised training.
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
        sources: Sequence[ColumnSource] = (),
        neutral_tag_rate: float = 0.5,
        seed: int = 0,
    ) -> None:
        if not 0.0 <= neutral_tag_rate <= 1.0:
            raise ValueError(f"neutral_tag_rate is a share between 0 and 1, not {neutral_tag_rate}")
        self.encoder = encoder
        self.space = space
        self.tags = tags
        self.sources = list(sources)
        self.neutral_tag_rate = neutral_tag_rate
        self.seed = seed
        self.epoch = 0
        self.windows = _encode_rows(rows, encoder, space, subwords)
        self.layout = space.layout
        self.lengths = [int(n) for n in self.windows["length"]]
        self.names = [name for name, _ in corpora]
        self.annotated = np.array([[kind in types for kind in space.types] for _, types in corpora])
        tokenizer = encoder.tokenizer
        self.tag_ids = {
            name: tuple(tokenizer.convert_tokens_to_ids(side) for side in tags.around(name)) for name in tags.names
        }
        self.windows = self.windows.with_format("numpy")

    @property
    def columns(self) -> set[str]:
        """Columns of a batch that losses may read."""
        return {"labels", "annotated", *(name for source in self.sources for name in source.columns)}

    def __len__(self) -> int:
        return len(self.lengths)

    def set_epoch(self, epoch: int) -> None:
        """Take over the epoch from accelerate's data loader; tags and data order depend on it."""
        self.epoch = epoch

    def __getitem__(self, index: int) -> Example:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Example]:
        # Blank examples borrow the first window, whose labels are masked below.
        batch = self.windows[[max(0, int(index)) for index in indices]]
        rows = [int(row) for row in batch["row"]]
        # Sources are asked once per batch, as on-line teachers run a forward pass.
        of_teachers = [(source.columns, source.rows(rows)) for source in self.sources]
        examples = []
        for position, index in enumerate(indices):
            # The input: special tokens and tags around the window's own pieces.
            corpus = int(batch["corpus"][position])
            opening, closing = self._tag(corpus, int(index))
            before = [*self.encoder.prefix, *opening]
            after = [*closing, *self.encoder.suffix]
            around = (len(before), len(after))
            example = {
                "input_ids": np.concatenate([before, batch["input_ids"][position], after]).astype(np.int64),
                "labels": np.pad(batch["labels"][position], around, constant_values=IGNORED),
                "annotated": self.annotated[corpus],
            }
            if index == BLANK:
                example["labels"].fill(IGNORED)
            # Teachers speak of words; every piece takes its word's values over, tags and special tokens have none.
            word_ids, heads = batch["word_ids"][position], batch["heads"][position].astype(bool)
            for kinds, values in of_teachers:
                for name, words in values[position].items():
                    pieces = self._in_pieces(words, kinds[name], word_ids, heads)
                    rest = ((0, 0),) * (pieces.ndim - 1)
                    example[name] = np.pad(pieces, (around, *rest), constant_values=_fill(pieces.dtype))
            examples.append(example)
        return examples

    def _tag(self, corpus: int, index: int) -> tuple[list[int], list[int]]:
        if not self.tag_ids:
            return [], []
        name = self.names[corpus]
        if self.tags.neutral:
            # A hash rather than a generator: the choice depends on no other example, in whatever order they come.
            digest = hashlib.blake2b(f"{self.seed}/{self.epoch}/{index}".encode(), digest_size=8).digest()
            if int.from_bytes(digest, "big") / 2**64 < self.neutral_tag_rate:
                name = NEUTRAL
        return self.tag_ids[name]

    def _in_pieces(self, words: np.ndarray, kind: ColumnKind, word_ids: np.ndarray, heads: np.ndarray) -> np.ndarray:
        """Give pieces their words' values; a later piece continues its word's mention.

        Of a distribution I takes the mass of B + I, and B none: left with its word's B, a later piece would be taught
        to begin another mention.
        """
        if kind == "labels":
            labels = words[word_ids].astype(np.int64)
            return np.where(heads[:, None], labels, np.asarray(self.layout.continued)[labels])
        pieces = words[word_ids].astype(np.float32)
        if not heads.all():
            begin, inside = list(self.layout.begin), list(self.layout.inside)
            later = pieces[~heads]
            later[..., inside] += later[..., begin]
            later[..., begin] = 0.0
            pieces[~heads] = later
        return pieces


class WindowCollator:
    """Pads training windows into tensors.

    Gives `input_ids`, `attention_mask`, `labels` (-100 where nothing is learned: special tokens, tags, padding, pieces
    that another window owns), `annotated` (batch, types) and whatever columns of teachers the examples hold, (batch,
    pieces, …).

    Args:
        pad_token_id (`int`): The tokenizer's padding id.
    """

    def __init__(self, pad_token_id: int) -> None:
        self.pad_token_id = pad_token_id

    def __call__(self, examples: Sequence[Example]) -> dict[str, torch.Tensor]:
        """Pad to the longest example."""
        longest = max(len(example["input_ids"]) for example in examples)
        attention = np.zeros((len(examples), longest), dtype=np.int64)
        for row, example in enumerate(examples):
            attention[row, : len(example["input_ids"])] = 1
        batch = {"attention_mask": torch.from_numpy(attention)}
        for name, first in examples[0].items():
            if name in ROW_COLUMNS:
                batch[name] = torch.from_numpy(np.stack([example[name] for example in examples]))
                continue
            # Pieces are padded on the right to the longest example.
            fill = self.pad_token_id if name == "input_ids" else _fill(first.dtype)
            padded = np.full((len(examples), longest, *first.shape[1:]), fill, dtype=first.dtype)
            for row, example in enumerate(examples):
                padded[row, : len(example[name])] = example[name]
            batch[name] = torch.from_numpy(padded)
        return batch


def _fill(kind: np.dtype) -> float:
    """Return what pads a column: label ids are ignored, values are zero."""
    return IGNORED if np.issubdtype(kind, np.integer) else 0


def _encode_rows(rows: Dataset, encoder: WordEncoder, space: LabelSpace, subwords: Subwords) -> Dataset:
    if subwords not in ("all", "first"):
        raise ValueError(f"subwords is 'all' or 'first', not {subwords!r}")
    if space.scheme != "BIO":
        raise ValueError(f"training labels are BIO, which the plain pipeline reads; not {space.scheme}")
    to_inside = space.layout.continued

    def encode(batch: dict[str, list], indices: list[int]) -> dict[str, list]:
        out: dict[str, list] = {
            key: [] for key in ("row", "corpus", "input_ids", "word_ids", "heads", "labels", "length")
        }
        # One row per window; a word's label stands at its first piece, in the window that owns the word.
        for position, windows in enumerate(encoder(batch["tokens"])):
            gold = batch["labels"][position]
            for window in windows:
                labels = []
                for word, head, owned in zip(window.word_ids, window.heads, window.owned, strict=True):
                    learned = owned and (head or subwords == "all") and gold[word] != IGNORED
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
    # Everything the windows depend on, so that `datasets` finds them again in its cache and never takes others.
    digest = hashlib.sha256()
    for part in (
        rows._fingerprint,
        encoder.tokenizer.backend_tokenizer.to_str(),
        repr((encoder.capacity, encoder.overlap, space.labels, subwords, "v2")),
    ):
        digest.update(part.encode())
    return digest.hexdigest()[:16]

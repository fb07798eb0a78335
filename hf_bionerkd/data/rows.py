"""The rows of a split: their documents, a hash of their content, and the choice of some of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from datasets import Dataset, concatenate_datasets


def document_keys(rows: Dataset) -> list[str]:
    """Return the key of each row's document: its `document_id`, else the row's `id`, else the row's number."""
    columns = [rows[key][:] for key in ("document_id", "id") if key in rows.column_names]
    candidates = enumerate(zip(*columns, strict=True))
    keys = [next((str(key) for key in ids if key), str(row)) for row, ids in candidates]
    return keys or [str(row) for row in range(len(rows))]


def content_fingerprint(dataset: Dataset) -> str:
    """Return a hash of a dataset's words and tags, in order; the same content gives the same value anywhere."""
    digest = hashlib.sha256()
    columns = [column for column in ("tokens", "ner_tags", "labels", "corpus") if column in dataset.column_names]
    # In batches, because a corpus may be larger than memory. Their size is part of the value and must not change.
    for batch in dataset.select_columns(columns).with_format(None).iter(batch_size=1000):
        for column in columns:
            digest.update(repr((column, batch[column])).encode())
    return digest.hexdigest()[:16]


def hold_out_documents(splits: Mapping[str, Dataset], share: float, name: str) -> dict[str, Dataset]:
    """Draw train and validation anew from both.

    Raises:
        ValueError: The share is not between 0 and 1, or leaves nothing to train on.
    """
    if not 0.0 < share < 1.0:
        raise ValueError(f"corpus {name!r}: hold_out is {share}, expected a share between 0 and 1")
    pooled = concatenate_datasets([splits[split] for split in ("train", "validation") if split in splits])
    return _drawn(pooled, share, "validation", f"corpus {name!r}: hold_out")


def hold_out_test_documents(splits: Mapping[str, Dataset], share: float, name: str) -> dict[str, Dataset]:
    """Draw a test split from train, for a corpus that has none.

    Raises:
        ValueError: The share is not between 0 and 1, or leaves nothing to train on.
    """
    if not 0.0 < share < 1.0:
        raise ValueError(f"corpus {name!r}: hold_out_test is {share}, expected a share between 0 and 1")
    return _drawn(splits["train"], share, "test", f"corpus {name!r}: hold_out_test", b"test")


def _drawn(rows: Dataset, share: float, split: str, what: str, salt: bytes = b"") -> dict[str, Dataset]:
    """Draw a share of documents as `split`; the rest is train."""
    # Documents in the order of their ids' hashes: a random draw that is the same on every machine and in every order.
    keys = document_keys(rows)
    order = sorted(set(keys), key=lambda key: hashlib.blake2b(key.encode(), digest_size=8, key=salt).digest())
    held = set(order[: max(1, round(share * len(order)))])
    parts: dict[str, list[int]] = {"train": [], split: []}
    for row, key in enumerate(keys):
        parts[split if key in held else "train"].append(row)
    if not parts["train"]:
        raise ValueError(f"{what} {share} of {len(order)} documents leaves nothing to train on")
    return {name: rows.select(chosen) for name, chosen in parts.items()}


def first_documents(rows: Dataset, limit: int, name: str) -> Dataset:
    """Return the rows of the first `limit` documents.

    Raises:
        ValueError: The limit is below 1.
    """
    if limit < 1:
        raise ValueError(f"corpus {name!r}: limit is {limit}, expected a number of documents from 1 up")
    keys = document_keys(rows)
    kept = set(list(dict.fromkeys(keys))[:limit])
    return rows.select([row for row, key in enumerate(keys) if key in kept])

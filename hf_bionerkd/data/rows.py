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
    # Documents in the order of their ids' hashes: a random draw that is the same on every machine and in every order.
    keys = document_keys(pooled)
    order = sorted(set(keys), key=lambda key: hashlib.blake2b(key.encode(), digest_size=8).digest())
    held = set(order[: max(1, round(share * len(order)))])
    parts: dict[str, list[int]] = {"train": [], "validation": []}
    for row, key in enumerate(keys):
        parts["validation" if key in held else "train"].append(row)
    if not parts["train"]:
        raise ValueError(f"corpus {name!r}: hold_out {share} of {len(order)} documents leaves nothing to train on")
    return {split: pooled.select(rows) for split, rows in parts.items()}


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

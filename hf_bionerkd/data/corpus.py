"""Published corpora, loaded and joined in one label space (the D_S of Moscato et al. 2023)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from datasets import Dataset, DatasetDict, List, Value, concatenate_datasets, load_dataset
from datasets.data_files import EmptyDatasetError
from huggingface_hub import metadata_load

from hf_bionerkd.data.features import annotated_types
from hf_bionerkd.hub.errors import HubError
from hf_bionerkd.hub.snapshots import corpus_folder
from hf_bionerkd.labels import LabelError, LabelSpace

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Corpus:
    """A corpus as a run reads it.

    Args:
        name (`str`): Name of the corpus in the run, and of its tag pair.
        types (`tuple[str, ...]`): Annotated types, under the run's names for them.
        splits (`Mapping[str, Dataset]`): Split name to dataset.
        own_types (`tuple[str, ...]`): The same types under the corpus's own names, in the same order.
        path (`str`, *optional*): Folder or Hub id that the corpus was loaded from.
        revision (`str`, *optional*): Hub revision that was asked for.
        fingerprints (`Mapping[str, str]`, *optional*): Split name to a hash of its words and tags.
        commit (`str`, *optional*): Commit on the Hub that was read; None for a local folder.
        license (`str`, *optional*): Licence that the corpus's card states; empty when it states none.
    """

    name: str
    types: tuple[str, ...]
    splits: Mapping[str, Dataset]
    own_types: tuple[str, ...]
    path: str = ""
    revision: str | None = None
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    commit: str | None = None
    license: str = ""


def load_corpus(
    source: str | os.PathLike[str] | DatasetDict | Dataset | Mapping[str, Dataset],
    name: str | None = None,
    *,
    revision: str | None = None,
    types: Mapping[str, str] | None = None,
    splits: Mapping[str, str] | None = None,
    hold_out: float | None = None,
    limit: int | None = None,
    train: bool = True,
) -> Corpus:
    """Load a corpus that `dataset_scripts/` built, or any dataset with `tokens` and `ner_tags`.

    Args:
        source (`str`, `PathLike`, `DatasetDict` or `Dataset`): Local folder; ``org/name`` or ``org/name@revision`` on
            the Hub (in Parquet, JSON or CSV); or a dataset in memory (one `Dataset` is the split train).
        name (`str`, *optional*): The corpus's name within the run: what its sentences carry, its tag pair and the
            tables show. By default the last part of a path; datasets in memory need one.
        revision (`str`, *optional*): Branch, tag or commit on the Hub, when `source` does not say.
        types (`Mapping[str, str]`, *optional*): The corpus's type to the run's type, for renaming or to choose some
            of its types; all of them under their own names by default.
        splits (`Mapping[str, str]`, *optional*): `train`/`validation`/`test` to the corpus's split names.
        hold_out (`float`, *optional*): Pool train and validation and draw this share anew as validation, as Zhou et
            al. 2021 do with BC5CDR. Whole documents are drawn where rows name theirs, and always the same ones.
        limit (`int`, *optional*): Number of documents of train to keep, from its start (of rows, where they name no
            documents).
        train (`bool`, *optional*, defaults to `True`): Whether to keep the split train; without it the corpus serves
            only to select and measure, on the validation that `hold_out` drew where that is given.

    Raises:
        FileNotFoundError: `source` looks like a local folder but does not exist.
        HubError: The Hub has no such corpus, denies access or cannot be reached; or the cache lacks it when offline.
        LabelError: `types` names a type that the corpus does not annotate.
        ValueError: A split is missing, or a dataset in memory has no name.

    Example:
        ```python
        corpus = load_corpus("org/ncbi-disease@v1", types={"Disease": "Disease"})
        corpus.splits["train"][0]["tokens"]
        ```
    """
    # Wherever the rows come from, what follows works on splits by name.
    path, commit, license_name = "", None, ""
    if isinstance(source, str | os.PathLike):
        path = os.fspath(source)
        name = name or Path(path.partition("@")[0]).name
        loaded, commit, license_name = _load(name, path, revision)
    else:
        if not name:
            raise ValueError("a corpus in memory needs a name: load_corpus(dataset, name='my-corpus')")
        loaded = {"train": source} if isinstance(source, Dataset) else dict(source)
    wanted = dict(splits) if splits else {split: split for split in SPLITS if split in loaded}
    missing = sorted(set(wanted.values()) - set(loaded))
    if missing or "train" not in wanted:
        raise ValueError(
            f"corpus {name!r} at {path or 'memory'}: has splits {sorted(loaded)}, but {missing or ['train']} is asked "
            "for"
        )
    # The types to annotate, under the run's names for them.
    own = annotated_types(loaded[wanted["train"]].features)
    renamed = dict(types) if types else {kind: kind for kind in own}
    unknown = sorted(set(renamed) - set(own))
    if unknown:
        raise LabelError(f"corpus {name!r}: asked for types {unknown}, but it annotates {list(own)}")
    # In the corpus's own order, whatever the order of `types`.
    chosen = tuple(kind for kind in own if kind in renamed)
    # The splits to train, select and measure on; documents are held out before `limit` counts those left to train on.
    datasets = {split: loaded[in_corpus] for split, in_corpus in wanted.items()}
    if hold_out is not None:
        datasets |= _hold_out(datasets, hold_out, name)
    if limit is not None:
        datasets["train"] = _first_documents(datasets["train"], limit, name)
    if not train:
        del datasets["train"]
    return Corpus(
        name,
        tuple(renamed[kind] for kind in chosen),
        datasets,
        chosen,
        path,
        revision,
        {split: content_fingerprint(dataset) for split, dataset in datasets.items()},
        commit,
        license_name,
    )


def label_space_of(corpora: Sequence[Corpus]) -> LabelSpace:
    """Return the label space of corpora together: their types in order of appearance.

    Raises:
        ValueError: There are no corpora.
    """
    if not corpora:
        raise ValueError("there are no corpora to train on: give train_dataset=[load_corpus(…)]")
    return LabelSpace(tuple(dict.fromkeys(kind for corpus in corpora for kind in corpus.types)))


def join_corpora(corpora: Sequence[Corpus], split: str, space: LabelSpace) -> Dataset:
    """Return one dataset of every corpus's `split`, in order, labelled in the run's label space.

    Columns: `id`, `tokens`, `labels` (ids of `space`; gold ``O`` means "none of the types that this corpus
    annotates"), `corpus` (index into `corpora`). A corpus without that split is skipped.

    Raises:
        ValueError: No corpus has that split.
        LabelError: A corpus annotates a type that `space` does not hold.
    """
    parts = []
    for index, corpus in enumerate(corpora):
        if split not in corpus.splits:
            continue
        dataset = corpus.splits[split]
        relabel = _Relabel(corpus, dataset.features["ner_tags"].feature.names, space)

        # The defaults bind this corpus's values; the loop would change them under a closure.
        def convert(
            batch: dict[str, list[list[int]]], relabel: _Relabel = relabel, index: int = index
        ) -> dict[str, list[list[int]] | list[int]]:
            return {
                "labels": [relabel(tags) for tags in batch["ner_tags"]],
                "corpus": [index] * len(batch["ner_tags"]),
            }

        keep = ["id", "tokens"] if "id" in dataset.column_names else ["tokens"]
        part = dataset.map(
            convert,
            batched=True,
            remove_columns=[column for column in dataset.column_names if column not in keep],
            desc=f"labels of {corpus.name} {split}",
        )
        # All parts need the same columns and number types to be concatenated.
        if "id" not in part.column_names:
            part = part.add_column("id", [f"{corpus.name}-{split}-{row}" for row in range(len(part))])
        part = part.select_columns(["id", "tokens", "labels", "corpus"])
        part = part.cast_column("labels", List(Value("int32"))).cast_column("corpus", Value("int32"))
        parts.append(part)
    if not parts:
        raise ValueError(f"none of the corpora {[corpus.name for corpus in corpora]} has a split {split!r}")
    return concatenate_datasets(parts)


def _hold_out(splits: Mapping[str, Dataset], share: float, name: str) -> dict[str, Dataset]:
    """Draw train and validation anew from both."""
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


def _first_documents(rows: Dataset, limit: int, name: str) -> Dataset:
    """Return the rows of the first `limit` documents."""
    if limit < 1:
        raise ValueError(f"corpus {name!r}: limit is {limit}, expected a number of documents from 1 up")
    keys = document_keys(rows)
    kept = set(list(dict.fromkeys(keys))[:limit])
    return rows.select([row for row, key in enumerate(keys) if key in kept])


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


def _load(name: str, path: str, revision: str | None) -> tuple[Mapping[str, Dataset], str | None, str]:
    """Load the splits of a folder or Hub dataset; with the commit, where it is on the Hub, and its licence."""
    folder, commit = _folder(name, path, revision)
    try:
        loaded: DatasetDict = load_dataset(str(folder))
    except EmptyDatasetError as error:
        if commit is None:
            raise
        raise HubError(
            f"corpus {name!r}: dataset {path} at {commit} holds no Parquet, JSON or CSV files, or the cache none of "
            "them. (Loading scripts are not run; a corpus that has one must be published anew.)"
        ) from error
    return loaded, commit, _license(folder / "README.md")


def _folder(name: str, path: str, revision: str | None) -> tuple[Path, str | None]:
    """Return the folder of a corpus and, for one of the Hub, its commit."""
    try:
        return corpus_folder(path, revision)
    except HubError as error:
        raise HubError(f"corpus {name!r}: {error}", temporary=error.temporary) from error
    except FileNotFoundError:
        raise FileNotFoundError(
            f"corpus {name!r}: no folder {path!r}. Build it with dataset_scripts/<corpus>/build.py, or give "
            "`build:` in the configuration, or a Hub id of the form org/name or org/name@revision."
        ) from None


def _license(card: Path) -> str:
    """Return the licence, or licences, that the metadata of a dataset card state; empty when they state none."""
    try:
        metadata = metadata_load(card) or {}
    except OSError:  # there is no card; `load_dataset` has refused an invalid one
        return ""
    licenses = metadata.get("license")
    # The Hub's word for a licence that it has no identifier for; its name stands in a key of its own.
    if licenses == "other":
        licenses = metadata.get("license_name") or licenses
    return ", ".join(str(one) for one in (licenses if isinstance(licenses, list) else [licenses]) if one)


class _Relabel:
    """A translator of a corpus's own tags, of any scheme, to label ids of the run; types left out become ``O``."""

    def __init__(self, corpus: Corpus, names: Sequence[str], space: LabelSpace) -> None:
        # The corpus's labels may stand in any order; decoding needs them in that of a label space.
        self.own, order = LabelSpace.from_labels(names)
        self.to_own = [order.index(tag) for tag in range(len(names))]
        self.renamed = dict(zip(corpus.own_types, corpus.types, strict=True))
        self.space = space
        missing = [kind for kind in corpus.types if kind not in space.types]
        if missing:
            raise LabelError(
                f"corpus {corpus.name!r} annotates {missing}, which are not among the types {list(space.types)}"
            )

    def __call__(self, tags: Sequence[int]) -> list[int]:
        # By way of spans, so that any tag scheme becomes the run's.
        spans = self.own.decode([self.to_own[tag] for tag in tags])
        chosen = [(start, end, self.renamed[kind]) for start, end, kind in spans if kind in self.renamed]
        return self.space.encode(chosen, len(tags))

"""Corpora as a run reads them: loaded, checked, and cut into the words that models read."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from datasets import Dataset, DatasetDict, load_dataset
from datasets.data_files import EmptyDatasetError
from huggingface_hub import metadata_load

from hf_bionerkd.data.features import annotated_types
from hf_bionerkd.data.rows import content_fingerprint, first_documents, hold_out_documents
from hf_bionerkd.hub.errors import HubError
from hf_bionerkd.hub.snapshots import corpus_folder
from hf_bionerkd.labels import LabelError, LabelSpace

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Corpus:
    """A corpus as a run reads it.

    Args:
        name (`str`): Name of the corpus in the run, and of its tag pair.
        types (`tuple[str, ...]`): Annotated types, under the run's names for them, each once.
        splits (`Mapping[str, Dataset]`): Split name to dataset.
        own_types (`tuple[str, ...]`): The same types under the corpus's own names, in the same order; more of them
            where some are merged.
        path (`str`, *optional*): Folder or Hub id that the corpus was loaded from.
        revision (`str`, *optional*): Hub revision that was asked for.
        fingerprints (`Mapping[str, str]`, *optional*): Split name to a hash of its words and tags.
        commit (`str`, *optional*): Commit on the Hub that was read; None for a local folder.
        license (`str`, *optional*): Licence that the corpus's card states; empty when it states none.
        renamed (`Mapping[str, str]`, *optional*): Each of `own_types` to its name in the run; by default that at its
            place in `types`.
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
    renamed: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.renamed:
            object.__setattr__(self, "renamed", dict(zip(self.own_types, self.types, strict=True)))


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
        types (`Mapping[str, str]`, *optional*): The corpus's type to the run's type, for renaming, to choose some of
            its types, or to merge several under one name; all of them under their own names by default.
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
        datasets |= hold_out_documents(datasets, hold_out, name)
    if limit is not None:
        datasets["train"] = first_documents(datasets["train"], limit, name)
    if not train:
        del datasets["train"]
    return Corpus(
        name,
        tuple(dict.fromkeys(renamed[kind] for kind in chosen)),
        datasets,
        chosen,
        path,
        revision,
        {split: content_fingerprint(dataset) for split, dataset in datasets.items()},
        commit,
        license_name,
        {kind: renamed[kind] for kind in chosen},
    )


def label_space_of(corpora: Sequence[Corpus]) -> LabelSpace:
    """Return the label space of corpora together: their types in order of appearance.

    Raises:
        ValueError: There are no corpora.
    """
    if not corpora:
        raise ValueError("there are no corpora to train on: give train_dataset=[load_corpus(…)]")
    return LabelSpace(tuple(dict.fromkeys(kind for corpus in corpora for kind in corpus.types)))


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

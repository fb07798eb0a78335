"""Corpora as a run reads them: loaded, checked, and cut into the words that models read."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from datasets import Dataset, DatasetDict

from hf_bionerkd.data.checking import TagOptions, checked_splits
from hf_bionerkd.data.document_files import FormatOptions
from hf_bionerkd.data.opening import OpenedCorpus, open_corpus
from hf_bionerkd.data.rows import content_fingerprint, first_documents, hold_out_documents, hold_out_test_documents
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
    columns: Mapping[str, str] | None = None,
    labels: Sequence[str] = (),
    type: str | None = None,
    format: str | None = None,
    format_options: Mapping[str, object] | None = None,
    hold_out_test: float | None = None,
) -> Corpus:
    """Load a corpus that `dataset_scripts/` built, or any dataset of lists of words and tags.

    Every row is checked. Words that keep punctuation inside (``IL-2``) are cut as published tokenizers cut text, their
    tags carried over; a warning counts them. Tags may be class labels in any order, texts or numbers, in BIO, IO,
    IOBES or BILOU; -1 and -100 mark words that nobody has labelled.

    Args:
        source (`str`, `PathLike`, `DatasetDict` or `Dataset`): Local folder or file (Parquet, JSON, CSV, CoNLL,
            PubTator, BioC, brat); ``org/name`` or ``org/name@revision`` on the Hub (in Parquet, JSON or CSV); or a
            dataset in memory (one `Dataset` is the split train).
        name (`str`, *optional*): The corpus's name within the run: what its sentences carry, its tag pair and the
            tables show. By default the last part of a path, of a file without its endings; datasets in memory need
            one.
        revision (`str`, *optional*): Branch, tag or commit on the Hub, when `source` does not say.
        types (`Mapping[str, str]`, *optional*): The corpus's type to the run's type, for renaming, to choose some of
            its types, or to merge several under one name; all of them under their own names by default.
        splits (`Mapping[str, str]`, *optional*): `train`/`validation`/`test` to the corpus's split names, or to names
            of files in its folder.
        hold_out (`float`, *optional*): Pool train and validation and draw this share anew as validation, as Zhou et
            al. 2021 do with BC5CDR. Whole documents are drawn where rows name theirs, and always the same ones.
        limit (`int`, *optional*): Number of documents of train to keep, from its start (of rows, where they name no
            documents).
        train (`bool`, *optional*, defaults to `True`): Whether to keep the split train; without it the corpus serves
            only to select and measure, on the validation that `hold_out` drew where that is given.
        columns (`Mapping[str, str]`, *optional*): `tokens` and `ner_tags`, to the corpus's own names of these columns.
        labels (`Sequence[str]`, *optional*): Names of numbered tags, in the order of the numbers.
        type (`str`, *optional*): Type of tags that name none (``B``, ``I``, ``O``).
        format (`str`, *optional*): Of files in a published format: `conll`, `pubtator`, `bioc` or `brat`; by default
            found by how they begin.
        format_options (`Mapping[str, object]`, *optional*): What that format's reader takes; see
            :func:`~hf_bionerkd.corpora.formats.read_documents`.
        hold_out_test (`float`, *optional*): Share of train that is drawn as test, where the corpus has no test split.

    Raises:
        FileNotFoundError: `source` looks like a local folder but does not exist.
        HubError: The Hub has no such corpus, denies access or cannot be reached; or the cache lacks it when offline.
        DataFilesError: The corpus's card names files outside its folder.
        LabelError: The tags follow no scheme, or `types` names a type that the corpus does not annotate.
        ValueError: A split is missing or empty, a row is damaged, or a dataset in memory has no name.

    Example:
        ```python
        corpus = load_corpus("org/ncbi-disease@v1", types={"Disease": "Disease"})
        corpus.splits["train"][0]["tokens"]
        ```
    """
    # Wherever the rows come from, what follows works on splits by name.
    path = os.fspath(source) if isinstance(source, str | os.PathLike) else ""
    if not name:
        last = Path(path.partition("@")[0]).name
        name = last.partition(".")[0] if Path(path).is_file() else last
    if not name:
        raise ValueError("a corpus in memory needs a name: load_corpus(dataset, name='my-corpus')")
    where = f"corpus {name!r} at {path or 'memory'}"
    if isinstance(source, str | os.PathLike):
        names = list((splits or {}).values())
        opened = open_corpus(path, revision, where, names, FormatOptions(format, format_options or {}, type))
        if opened.format and (columns or labels):
            raise ValueError(
                f"{where}: `{'columns' if columns else 'labels'}` is for rows, and its files are {opened.format}; "
                "what its reader takes is given as `format_options`, as {word_column: 1, tag_column: 3} for conll"
            )
    else:
        rows_by_split = {"train": source} if isinstance(source, Dataset) else source
        opened = OpenedCorpus({split: [rows] for split, rows in rows_by_split.items()})
    wanted = dict(splits) if splits else {split: split for split in SPLITS if split in opened.splits}
    needed = ["train"] if train else []
    missing = sorted(set(wanted.values()) - set(opened.splits)) or [split for split in needed if split not in wanted]
    if missing:
        raise ValueError(
            f"{where}: has splits {sorted(opened.splits)}, but {missing} is asked for; name its splits as in "
            f"`splits: {{{missing[0]}: {min(opened.splits, default='…')}}}`"
        )
    datasets, own = checked_splits(
        {split: opened.splits[in_corpus] for split, in_corpus in wanted.items()},
        where,
        TagOptions(columns or {}, labels, type),
    )
    # The types to annotate, under the run's names for them.
    renamed = dict(types) if types else {kind: kind for kind in own}
    unknown = sorted(set(renamed) - set(own))
    if unknown:
        raise LabelError(f"corpus {name!r}: asked for types {unknown}, but it annotates {list(own)}")
    # In the corpus's own order, whatever the order of `types`.
    chosen = tuple(kind for kind in own if kind in renamed)
    # The splits to train, select and measure on; documents are held out before `limit` counts those left to train on.
    if hold_out_test is not None:
        if "test" in datasets:
            raise ValueError(f"{where}: has a test split, so that `hold_out_test` has nothing to draw; leave it out")
        datasets |= hold_out_test_documents(datasets, hold_out_test, name)
    if hold_out is not None:
        datasets |= hold_out_documents(datasets, hold_out, name)
    if limit is not None and "train" in datasets:
        datasets["train"] = first_documents(datasets["train"], limit, name)
    if not train:
        datasets.pop("train", None)
    return Corpus(
        name,
        tuple(dict.fromkeys(renamed[kind] for kind in chosen)),
        datasets,
        chosen,
        path,
        revision,
        {split: content_fingerprint(dataset) for split, dataset in datasets.items()},
        opened.commit,
        opened.license,
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

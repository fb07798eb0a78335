"""Corpora of folders, files and the Hub as datasets, read anew whenever the files' content has changed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import datasets
import pyarrow.parquet as pq
from datasets import Dataset, Features, load_dataset, load_dataset_builder
from datasets.data_files import EmptyDatasetError
from datasets.exceptions import DatasetGenerationError

from hf_bionerkd.corpora.files import CorpusError
from hf_bionerkd.data.data_files import DataFilesError, check_data_files, content_key, licence_of, names_data_files
from hf_bionerkd.data.document_files import (
    FORMATS,
    FormatOptions,
    documents_format,
    is_split_name,
    read_splits,
    split_files,
)
from hf_bionerkd.hub.errors import HubError
from hf_bionerkd.hub.snapshots import corpus_folder
from hf_bionerkd.io import atomic_folder, file_sha256

# Files of `Dataset.save_to_disk` and `DatasetDict.save_to_disk`.
_STATE, _SPLITS = "state.json", "dataset_dict.json"
_DATA = re.compile(r"\.(parquet|arrow|jsonl?|ndjson|csv|tsv)(\.\w+)?$")
_BUILDERS = {"parquet": (".parquet",), "json": (".json", ".jsonl", ".ndjson"), "csv": (".csv",), "arrow": (".arrow",)}
_PATTERN_SIGNS = "*?[]{}"


@dataclass(frozen=True)
class OpenedCorpus:
    """The splits of a corpus as its files hold them.

    Args:
        splits (`Mapping[str, Sequence[Dataset]]`): Split name to its parts; a split has several where its files name
            their labels differently.
        commit (`str`, *optional*): Commit on the Hub; None for what is on this machine.
        license (`str`, *optional*): Licence that the corpus's card states; empty when it states none.
        format (`str`, *optional*): The published format of its files; None for rows.
    """

    splits: Mapping[str, Sequence[Dataset]]
    commit: str | None = None
    license: str = ""
    format: str | None = None


def open_corpus(
    path: str, revision: str | None, where: str, names: Sequence[str] = (), options: FormatOptions | None = None
) -> OpenedCorpus:
    """Open a folder, a file, or a corpus of the Hub.

    Args:
        path (`str`): Local file, or folder (Parquet, JSON, CSV, CoNLL, PubTator, BioC, brat, or of `save_to_disk`);
            ``org/name`` or ``org/name@revision``.
        revision (`str`, *optional*): Branch, tag or commit on the Hub, where `path` names none.
        where (`str`): The corpus in messages.
        names (`Sequence[str]`, *optional*): What the user calls the splits; they may be names of files in the folder.
        options (`FormatOptions`, *optional*): How files of a published format are read.

    Raises:
        CorpusError: A file of a published format is malformed.
        DataFilesError: The card names files outside the folder.
        FileNotFoundError: `path` looks like a local folder but does not exist.
        HubError: The Hub has no such corpus, denies access or cannot be reached; or the cache lacks it when offline.
        ValueError: The files hold no rows that can be read.
    """
    folder, commit = _folder(path, revision, where)
    options = options or FormatOptions()
    if folder.is_dir():
        check_data_files(folder, where)
    # Files of published formats, and single files.
    files = split_files(folder, names) if commit is None and not _is_saved(folder) else {}
    try:
        format = documents_format(files or {"train": folder}, options.format) if commit is None else None
        if format is not None:
            read = read_splits(files or {"train": folder}, format, options, where)
            license_name = licence_of(folder, where) if folder.is_dir() else ""
            return OpenedCorpus({split: [rows] for split, rows in read.items()}, None, license_name, format)
    except CorpusError as error:
        raise CorpusError(f"{where}: {error}{_as_option(str(error))}") from None
    if options.options:
        raise ValueError(f"{where}: `format_options` are for files of {', '.join(FORMATS)}, and these are none")
    if not folder.is_dir() or (set(names) and set(names) == set(files)):
        return OpenedCorpus({split: [_read_file(file, where)] for split, file in files.items()}, commit)
    # Whatever `load_dataset` reads.
    if not any(_DATA.search(file.name) for file in folder.rglob("*")):
        if commit is None:
            raise FileNotFoundError(
                f"{where}: the folder holds no Parquet, JSON or CSV files; build a corpus there with "
                "dataset_scripts/<corpus>/build.py, or name a folder that has some"
            )
        raise HubError(
            f"{where.partition(' at ')[0]}: dataset {path} at {commit} holds no Parquet, JSON or CSV files, or the "
            "cache none of them. (Loading scripts are not run; a corpus that has one must be published anew.)"
        )
    key = content_key(folder)
    try:
        if (saved := _saved_files(folder, where)) is not None:
            splits = {split: [_read("arrow", [file], key) for file in files] for split, files in saved.items()}
        else:
            splits = _load_folder(folder, key, where)
    except DatasetGenerationError as error:
        reason = error.__cause__ or error
        raise ValueError(f"{where}: {type(reason).__name__}: {' '.join(str(reason).split())}") from error
    return OpenedCorpus(splits, commit, licence_of(folder, where))


def _as_option(message: str) -> str:
    """Return how a corpus is given the option that its reader's message asks for; empty where it asks for none."""
    column = re.search(r"tag_column=(-?\d+)", message)
    return f" For a corpus that is `format_options: {{tag_column: {column[1]}}}`." if column else ""


def _is_saved(folder: Path) -> bool:
    return (folder / _SPLITS).is_file() or (folder / _STATE).is_file()


def _read_file(file: Path, where: str) -> Dataset:
    """Read one file of rows."""
    suffixes = [suffix.lower() for suffix in file.suffixes]
    kind = next((kind for kind, own in _BUILDERS.items() if set(own) & set(suffixes)), None)
    if kind is None or not file.is_file():
        raise ValueError(
            f"{where}: {file} is none of the files that are read (Parquet, JSON lines, CSV, Arrow, CoNLL, PubTator, "
            "BioC, brat); say its format, as in `format: conll`"
        )
    try:
        return _read(kind, [file.resolve()], file_sha256(file)[:32])
    except DatasetGenerationError as error:
        reason = error.__cause__ or error
        raise ValueError(f"{where}: {file}: {type(reason).__name__}: {' '.join(str(reason).split())}") from error


def _folder(path: str, revision: str | None, where: str) -> tuple[Path, str | None]:
    """Return the folder of a corpus and, for one of the Hub, its commit."""
    name = where.partition(" at ")[0]
    try:
        return corpus_folder(path, revision)
    except HubError as error:
        raise HubError(f"{name}: {error}", temporary=error.temporary) from error
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{name}: no folder {path!r}. Build it with dataset_scripts/<corpus>/build.py, or give "
            "`build:` in the configuration, or a Hub id of the form org/name or org/name@revision."
        ) from None


def _cache(key: str) -> str:
    """Return the folder in the cache of `datasets` for files of one content.

    `datasets` 5.2 names a local folder's copy after the folder and its card, so that another corpus of that name, or
    files replaced in place, would be read from the copy of those before.
    """
    return str(Path(datasets.config.HF_DATASETS_CACHE) / "hf_bionerkd" / key)


def _load_folder(folder: Path, key: str, where: str) -> dict[str, list[Dataset]]:
    """Load a folder as `load_dataset` does; files whose schemas name their labels differently become several parts.

    Raises:
        ValueError: `datasets` finds no splits in the folder, as where several corpora lie in it.
    """
    folder = _without_patterns(folder, key)
    try:
        builder = load_dataset_builder(str(folder), cache_dir=_cache(key))
    except (ValueError, EmptyDatasetError) as error:
        inside = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
        hint = f" Did you mean one of its folders ({', '.join(inside[:5])})?" if inside else ""
        raise ValueError(
            f"{where}: its files are not the splits of one corpus ({' '.join(str(error).split())}).{hint} Files of "
            "other names are named with `splits: {train: …, test: …}`."
        ) from error
    files = {str(split): [str(file) for file in names] for split, names in (builder.config.data_files or {}).items()}
    if not names_data_files(folder, where):
        _refuse_several_corpora(files, folder, where)
    schemas = {file: _label_names(file) for names in files.values() for file in names}
    if len({names for names in schemas.values() if names is not None}) > 1:
        return {split: [_read("parquet", [file], key) for file in names] for split, names in files.items()}
    loaded = load_dataset(str(folder), cache_dir=_cache(key))
    return {split: [_keyed(rows, key, split)] for split, rows in loaded.items()}


def _refuse_several_corpora(files: Mapping[str, Sequence[str]], folder: Path, where: str) -> None:
    """Refuse a folder in which one split would be put together of files from several folders, a corpus each."""
    for split, names in files.items():
        # Parts of a split may lie in folders of their own below one that is named like the split.
        relative = [Path(name).relative_to(folder) for name in names if Path(name).is_relative_to(folder)]
        own = [path.parts[0] for path in relative if len(path.parts) > 1 and not is_split_name(path.parts[0])]
        tops = sorted(set(own))
        if len(tops) > 1 or (tops and len(own) < len(relative)):
            raise ValueError(
                f"{where}: files of several folders ({', '.join(tops[:5])}) would be its split {split!r}. If each is "
                f"a corpus, name one of them ({folder / tops[0]}); if they are one, say so in a card with `configs:`"
            )


def _without_patterns(folder: Path, key: str) -> Path:
    """Return a folder whose path `datasets` cannot mistake for a pattern: itself, or one of links to its files."""
    if not any(sign in str(folder.resolve()) for sign in _PATTERN_SIGNS):
        return folder
    links = Path(_cache(key)) / "links"
    if not links.exists():
        with atomic_folder(links) as made:
            for path in folder.rglob("*"):
                if path.is_file():
                    link = made / path.relative_to(folder)
                    link.parent.mkdir(parents=True, exist_ok=True)
                    link.symlink_to(path.resolve())
    return links


def _label_names(file: str) -> str | None:
    """Return the names of class labels that a Parquet file states, as one text; None where it states none."""
    if not file.endswith(".parquet"):
        return None
    features = Features.from_arrow_schema(pq.read_schema(file))
    names = {name: getattr(getattr(kind, "feature", None), "names", None) for name, kind in features.items()}
    return json.dumps({name: labels for name, labels in names.items() if labels}) or None


def _read(kind: str, files: Sequence[Path | str], key: str) -> Dataset:
    """Read files by themselves, under their own schema."""
    names = [str(file) for file in files]
    return _keyed(load_dataset(kind, data_files=names, split="train", cache_dir=_cache(key)), key, *names)


def _keyed(rows: Dataset, key: str, *names: str) -> Dataset:
    """Give rows a fingerprint of their content: what is derived from them is cached under it."""
    rows._fingerprint = hashlib.sha256("\0".join([key, *(Path(name).name for name in names)]).encode()).hexdigest()[
        :16
    ]
    return rows


def _saved_files(folder: Path, where: str) -> dict[str, list[Path]] | None:
    """Return the files of each split of a folder of `save_to_disk`; None for any other folder.

    Raises:
        DataFilesError: The folder's own lists name files outside it.
    """
    if (folder / _SPLITS).is_file():
        names = _json(folder / _SPLITS, where).get("splits")
        parts = {str(name): folder / _inside(name, folder / _SPLITS, where) for name in names or ()}
    elif (folder / _STATE).is_file():
        parts = {"train": folder}
    else:
        return None
    files = {}
    for split, part in parts.items():
        listed = _json(part / _STATE, where).get("_data_files") or []
        files[split] = [part / _inside(entry.get("filename"), part / _STATE, where) for entry in listed]
    return files


def _json(path: Path, where: str) -> dict:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataFilesError(f"{where}: {path} cannot be read ({error}); save the dataset anew") from None
    return values if isinstance(values, dict) else {}


def _inside(name: object, path: Path, where: str) -> str:
    """Return the name of a file or folder that lies right beside the list that names it."""
    if not isinstance(name, str) or not name or Path(name).name != name or name == ".." or "\\" in name:
        raise DataFilesError(f"{where}: {path} names {name!r}, which is no file beside it; nothing was read")
    return name

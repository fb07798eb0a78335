"""Files of published formats (CoNLL, PubTator, BioC, brat) as the splits of a corpus, without building it first."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from datasets import Dataset

from hf_bionerkd.corpora.files import CorpusError
from hf_bionerkd.corpora.formats import find_format, read_documents
from hf_bionerkd.data.features import corpus_features, document_to_row
from hf_bionerkd.documents import Document
from hf_bionerkd.labels import LabelSpace

logger = logging.getLogger(__name__)

FORMATS = ("conll", "pubtator", "bioc", "brat")  # those that hold mentions
# How people name the files and folders of splits.
_SPLIT_NAMES = {
    "train": ("train", "training", "trainingset"),
    "validation": ("validation", "valid", "val", "dev", "devel", "development", "developmentset"),
    "test": ("test", "testing", "testset", "eval", "evaluation"),
}
_PLAIN = re.compile(r"\.(parquet|arrow)$")


@dataclass(frozen=True)
class FormatOptions:
    """How files of a published format are read.

    Args:
        format (`str`, *optional*): One of `FORMATS`; by default found by how the files begin.
        options (`Mapping[str, object]`, *optional*): What the format's reader takes, such as ``{scheme: IOBES}``.
        type (`str`, *optional*): Type of tags of CoNLL that name none.
    """

    format: str | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    type: str | None = None


def split_files(path: Path, names: Iterable[str]) -> dict[str, Path]:
    """Find the file or folder of each split.

    Args:
        path (`Path`): A file, which is the split train; or a folder.
        names (`Iterable[str]`): What the user calls the splits, perhaps names of files in the folder.

    Returns:
        Split name, as the user calls it where that is a file, to its file; empty where nothing is named like a split.
    """
    if not path.is_dir():
        return {"train": path}
    named = {name: path / name for name in names if "/" not in name and name not in ("", ".", "..")}
    if named and all(file.exists() for file in named.values()):
        return named
    files: dict[str, Path] = {}
    for entry in sorted(path.iterdir()):
        split = _split_named(entry.name)
        if split is not None and not entry.name.startswith("."):
            files.setdefault(split, entry)
    return files


def is_split_name(name: str) -> bool:
    """Return whether a file or folder is named like a split, or like a folder of splits (``data``)."""
    return _split_named(name) is not None or name.lower() == "data"


def _split_named(name: str) -> str | None:
    words = re.split(r"[^a-z]+", name.lower())
    return next((split for split, own in _SPLIT_NAMES.items() if any(word in own for word in words)), None)


def documents_format(files: Mapping[str, Path], wanted: str | None) -> str | None:
    """Return the published format of some files; None where `datasets` is to read them.

    Raises:
        CorpusError: The format that is asked for holds no mentions.
    """
    if wanted is not None:
        if wanted not in FORMATS:
            raise CorpusError(f"format is {wanted!r}; expected one of {', '.join(FORMATS)}")
        return wanted
    for file in files.values():
        if _PLAIN.search(file.name) or not file.exists():
            return None
        try:
            format = find_format(file)
        except (CorpusError, UnicodeDecodeError):
            return None
        return format if format in FORMATS else None
    return None


def read_splits(files: Mapping[str, Path], format: str, options: FormatOptions, where: str) -> dict[str, Dataset]:
    """Read the splits of a corpus.

    Args:
        files (`Mapping[str, Path]`): Split name to its file or folder.
        format (`str`): One of `FORMATS`.
        options (`FormatOptions`): How they are read.
        where (`str`): The corpus, for messages.

    Raises:
        CorpusError: A file is malformed; the message names file and line.
        ValueError: No file holds a mention.
    """
    documents: dict[str, list[Document]] = {}
    set_aside: list[Mapping[str, object]] = []
    for split, file in files.items():
        more: dict[str, object] = {"on_set_aside": set_aside.append}
        if format == "conll":
            # A row that cannot be read is an error here, since people can mend their own files.
            more = {"name": split, "scheme": None, "type": options.type}
        documents[split] = list(read_documents(file, format, **{**more, **options.options}))
    types = sorted({mention.type for own in documents.values() for document in own for mention in document.mentions})
    if not types:
        raise ValueError(
            f"{where}: read as {format}, its files hold no mention; if they have another format, say it as in "
            f"`format: {FORMATS[0]}`"
        )
    space = LabelSpace(tuple(types))
    counts: Counter[str] = Counter({"entries set aside": len(set_aside)})
    splits = {}
    for split, own in documents.items():
        rows = []
        for document in own:
            if not document.words:
                counts["documents without words left out"] += 1
                continue
            row, flat = document_to_row(document, space)
            counts.update({name.replace("_", " "): number for name, number in flat.items()})
            rows.append(row)
        splits[split] = Dataset.from_list(rows, features=corpus_features(types))
    notes = [f"{number:,} {name}" for name, number in counts.items() if number]
    if notes:
        logger.warning(f"{where}: read as {format}; {'; '.join(notes)}")
    return splits

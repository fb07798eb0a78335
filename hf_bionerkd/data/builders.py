"""The building of a corpus: its documents are checked and written as Parquet with a card, in one atomic step.

The folder that :func:`build_corpus` makes loads with ``load_dataset(folder)`` and can be uploaded as it is.
"""

from __future__ import annotations

import hashlib
import json
import os
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hf_bionerkd.corpora.statistics import CorpusStatistics, digest
from hf_bionerkd.data.corpus_card import CorpusCard, Manifest, render_readme
from hf_bionerkd.data.features import SCHEMA_VERSION, Row, corpus_features, document_to_row
from hf_bionerkd.documents import Document
from hf_bionerkd.io import atomic_folder, file_sha256
from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.names import check_name

MANIFEST = "manifest.json"
SET_ASIDE = "set_aside.jsonl"
_BUILDER = "hf_bionerkd"
_ROWS_IN_MEMORY = 1000


class CorpusContractError(ValueError):
    """A document or a count breaks what every published corpus promises; nothing was written."""


def build_corpus(
    output_dir: str | os.PathLike[str],
    splits: Mapping[str, Iterable[Document]],
    types: Sequence[str],
    card: CorpusCard,
    sources: Sequence[str | os.PathLike[str]],
    *,
    settings: Mapping[str, object] | None = None,
    set_aside: Iterable[Mapping[str, object]] = (),
    counts: Mapping[str, int] | None = None,
    expected: Mapping[str, Mapping[str, int]] | None = None,
    overwrite: bool = False,
) -> Literal["built", "unchanged"]:
    """Check and write a corpus: one Parquet file per split, README.md, manifest.json and, if needed, set_aside.jsonl.

    All files are written into a temporary folder beside `output_dir`, which takes its name when it is complete. At
    most a thousand rows are in memory (and 16 bytes per document).

    Args:
        output_dir (`str` or `PathLike`): The folder to make.
        splits (`Mapping[str, Iterable[Document]]`): Split name to its documents; each is read once, in order.
        types (`Sequence[str]`): Types that the corpus annotates, in label order.
        card (`CorpusCard`): What a person states about the corpus.
        sources (`Sequence` of paths): The files that the corpus is made of, recorded by sha256 and name, with the
            folders that are needed to tell equal names apart. For an invented corpus, the program that invents it.
        settings (`Mapping[str, object]`, *optional*): How the documents were read from the sources (renaming, tag
            scheme, seed), in values that JSON can hold. They are recorded, and two builds are the same only if they
            agree.
        set_aside (`Iterable[Mapping]`, *optional*): Mentions or documents left out, one line each in set_aside.jsonl;
            read after the splits, so that readers may fill it meanwhile.
        counts (`Mapping[str, int]`, *optional*): Numbers of what the readers repaired; also read after the splits.
        expected (`Mapping[str, Mapping[str, int]]`, *optional*): Split name to the documented number of ``documents``
            and ``mentions``; other numbers are an error.
        overwrite (`bool`, *optional*, defaults to `False`): Replace whatever `output_dir` holds.

    Returns:
        `"built"`, or `"unchanged"` where `output_dir` already holds this corpus built from the same sources with the
        same types, card, settings and schema.

    Raises:
        CorpusContractError: An id occurs twice, a split has no document, a document has no words or a mention of an
            unknown type, a row does not match its text, or a count differs from the expected one.
        FileExistsError: `output_dir` holds something else.
        ValueError: A split has a name after which no file can be named.
    """
    # Do nothing where the same corpus lies already, so that builds can be repeated at no cost.
    for split in splits:
        check_name(split, "split")
    output_dir = Path(output_dir).resolve()
    identity = _identity(card, types, sources, settings or {})
    if not overwrite and (present := _present_corpus(output_dir, identity)):
        _check_expected(present["splits"], expected or {}, card.name)
        return "unchanged"
    with atomic_folder(output_dir, overwrite=True) as folder:
        statistics, flat_view, files = _write_splits(folder, splits, LabelSpace(tuple(types)), counts)
        # The manifest identifies the build and counts what it holds; the card is made of it.
        entries = {
            split: {"file": files[split], "sha256": file_sha256(folder / files[split]), **statistics[split].as_dict()}
            for split in statistics
        }
        _check_expected(entries, expected or {}, card.name)
        n_set_aside = _write_set_aside(folder / SET_ASIDE, set_aside)
        manifest = {
            **identity,
            "package_version": version(_BUILDER),
            "splits": entries,
            "counts": dict(sorted((+(Counter(counts or {}) + flat_view)).items())),
            "set_aside": n_set_aside,
        }
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        (folder / "README.md").write_text(render_readme(card, types, statistics, manifest), encoding="utf-8")
    return "built"


def _identity(
    card: CorpusCard,
    types: Sequence[str],
    sources: Sequence[str | os.PathLike[str]],
    settings: Mapping[str, object],
) -> dict[str, object]:
    """Return the values by which two builds are the same corpus."""
    stated = json.dumps(asdict(card), sort_keys=True, ensure_ascii=False).encode()
    return {
        "builder": _BUILDER,
        "schema_version": SCHEMA_VERSION,
        "name": card.name,
        "types": list(types),
        "card_sha256": hashlib.sha256(stated).hexdigest(),
        "settings": dict(settings),
        "sources": [
            {"file": name, "bytes": path.stat().st_size, "sha256": file_sha256(path)}
            for path, name in _told_apart(list(map(Path, sources))).items()
        ],
    }


def _told_apart(paths: Sequence[Path]) -> dict[Path, str]:
    """Return each path's name, with the folders above that are needed to tell equal names apart."""
    parts = dict.fromkeys(paths, 1)
    # Lengthen names that occur twice by one folder at a time.
    while True:
        names = {path: "/".join(path.parts[-number:]) for path, number in parts.items()}
        times = Counter(names.values())
        alike = [path for path, name in names.items() if times[name] > 1 and parts[path] < len(path.parts)]
        if not alike:
            return names
        for path in alike:
            parts[path] += 1


def _present_corpus(output_dir: Path, identity: Mapping[str, object]) -> Manifest | None:
    """Return the manifest if `output_dir` holds the same corpus, None if it holds nothing; refuse anything else."""
    if not output_dir.exists() or (output_dir.is_dir() and not any(output_dir.iterdir())):
        return None
    remedy = "Choose another folder, or say overwrite to replace it."
    manifest = _read_manifest(output_dir / MANIFEST)
    if manifest.get("builder") != _BUILDER:
        raise FileExistsError(f"{output_dir} exists and is no corpus built by {_BUILDER}. {remedy}")
    # Name every difference, since two builds often differ in a detail that nobody remembers.
    different = [key for key, value in identity.items() if manifest.get(key) != value]
    if different:
        details = "; ".join(f"{key}: {manifest.get(key)!r} there, {identity[key]!r} now" for key in different)
        raise FileExistsError(f"{output_dir} holds a corpus that differs in {details}. {remedy}")
    missing = [entry["file"] for entry in manifest["splits"].values() if not (output_dir / entry["file"]).is_file()]
    if missing:
        raise FileExistsError(f"{output_dir} holds this corpus, but {missing} are gone. {remedy}")
    return manifest


def _read_manifest(path: Path) -> Manifest:
    """Return the manifest, or an empty one where none can be read."""
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def _write_splits(
    folder: Path, splits: Mapping[str, Iterable[Document]], space: LabelSpace, counts: Mapping[str, int] | None
) -> tuple[dict[str, CorpusStatistics], Counter[str], dict[str, str]]:
    """Write one Parquet file per split; return statistics, counts of the flat view, and file names."""
    statistics: dict[str, CorpusStatistics] = {}
    files: dict[str, str] = {}
    flat_view: Counter[str] = Counter()
    ids = array("Q")
    schema = corpus_features(space.types).arrow_schema
    (folder / "data").mkdir()
    if not splits:
        raise CorpusContractError("the corpus has no split; give at least one, e.g. 'train'")
    for split, documents in splits.items():
        statistics[split] = CorpusStatistics()
        files[split] = f"data/{split}-00000-of-00001.parquet"
        # The rows are generated while they are written, so that the corpus is never whole in memory.
        rows = _rows(split, documents, space, statistics[split], flat_view, ids)
        with pq.ParquetWriter(folder / files[split], schema) as writer:
            while (table := pa.Table.from_pylist(list(islice(rows, _ROWS_IN_MEMORY)), schema=schema)).num_rows:
                writer.write_table(table)
        if not statistics[split].documents:
            # The readers' counts often show why: all documents were left out, say.
            details = "".join(f"; {name}: {number:,}" for name, number in sorted((counts or {}).items()) if number)
            raise CorpusContractError(
                f"split {split!r} has no document; leave the split out or look at its source{details}"
            )
    _check_unique(folder, files, ids)
    return statistics, flat_view, files


def _check_unique(folder: Path, files: Mapping[str, str], ids: array[int]) -> None:
    """Refuse ids that occur twice in the corpus."""
    # All ids are compared by digests of eight bytes; only where two agree are the ids themselves read again.
    values, times = np.unique(np.asarray(ids, dtype=np.uint64), return_counts=True)
    # `digest` may give two ids one value, so an equal digest is only a suspicion.
    repeated = set(values[times > 1].tolist())
    seen: dict[str, str] = {}
    for split, name in files.items() if repeated else ():
        for identifier in pq.read_table(folder / name, columns=["id"])["id"].to_pylist():
            if digest(identifier) in repeated and identifier in seen:
                raise CorpusContractError(
                    f"document id {identifier!r} of split {split!r} was used before, in split {seen[identifier]!r}; "
                    "ids must be unique in the whole corpus. Drop or rename one of the two."
                )
            if digest(identifier) in repeated:
                seen[identifier] = split


def _rows(
    split: str,
    documents: Iterable[Document],
    space: LabelSpace,
    statistics: CorpusStatistics,
    flat_view: Counter[str],
    ids: array[int],
) -> Iterator[Row]:
    """Yield the checked rows of one split, and count them on the way."""
    for document in documents:
        ids.append(digest(document.id))
        unknown = sorted({mention.type for mention in document.mentions} - set(space.types))
        if unknown:
            raise CorpusContractError(
                f"document {document.id!r} of split {split!r} mentions types {unknown}, but the corpus annotates "
                f"{list(space.types)}. Rename or leave out these types when reading, or add them to the card."
            )
        # The row is checked as it will be published, not the document that it is made of.
        row, left_out = document_to_row(document, space)
        check_row(row)
        statistics.add(document)
        flat_view.update(left_out)
        yield row


def check_row(row: Row) -> None:
    """Check that the tokens and mentions of a row stand in its text at their offsets.

    Raises:
        CorpusContractError: The row has no words, another number of tags than of tokens, or a token or mention that
            differs from the text at its offsets.
    """
    text = row["text"]
    if not row["tokens"]:
        raise CorpusContractError(
            f"document {row['id']!r} has no words (text: {text[:80]!r}); leave it out and count it"
        )
    # Tokens and mentions are checked alike: the text at their offsets must be what they claim.
    spans = [
        (start, start + len(token), token) for start, token in zip(row["token_starts"], row["tokens"], strict=True)
    ]
    spans += [(mention["start"], mention["end"], mention["text"]) for mention in row["mentions"]]
    for start, end, claimed in spans:
        if not claimed or text[start:end] != claimed:
            raise CorpusContractError(
                f"document {row['id']!r}: {claimed!r} should be at [{start}, {end}), where the text is "
                f"{text[start:end]!r}. Correct the reader."
            )
    if len(row["ner_tags"]) != len(row["tokens"]):
        raise CorpusContractError(
            f"document {row['id']!r} has {len(row['tokens'])} tokens and {len(row['ner_tags'])} tags. Correct the "
            "reader."
        )


def _check_expected(entries: Mapping[str, Manifest], expected: Mapping[str, Mapping[str, int]], name: str) -> None:
    """Compare the manifest's entries of the splits with the documented numbers."""
    for split, numbers in expected.items():
        if split not in entries:
            raise CorpusContractError(f"{name}: counts of split {split!r} are documented; the splits are {[*entries]}")
        built = {"documents": entries[split]["documents"], "mentions": sum(entries[split]["mentions"].values())}
        for key, number in numbers.items():
            if key not in built:
                raise CorpusContractError(f"{name}: split {split!r} expects a count of {key!r}; known: {[*built]}")
            if built[key] != number:
                raise CorpusContractError(
                    f"{name}: split {split!r} has {built[key]:,} {key}, but {number:,} are documented. The source is "
                    "another edition or incomplete; fetch it again, or build without checking the counts."
                )


def _write_set_aside(path: Path, entries: Iterable[Mapping[str, object]]) -> int:
    """Write one line per entry and return their number; leave no file if there is none."""
    written = 0
    with open(path, "w", encoding="utf-8") as handle:
        for entry in entries:
            handle.write(json.dumps(dict(entry), ensure_ascii=False) + "\n")
            written += 1
    if not written:
        path.unlink()
    return written

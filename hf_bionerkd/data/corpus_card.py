"""The card of a published corpus: what people write in ``card.yaml``, and the README.md made of it and of counts."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import DatasetCardData

from hf_bionerkd.corpora.statistics import CorpusStatistics, SplitOverlap, split_overlap


class CardError(ValueError):
    """A card.yaml with an unknown, missing or wrongly typed key."""


@dataclass(frozen=True)
class CorpusCard:
    """What a person states about a corpus.

    Args:
        name (`str`): Name of the corpus; it is also the corpus tag that models see.
        pretty_name (`str`): Title of the card.
        description (`str`): What was annotated, by whom, in what; Markdown.
        license (`str`): Licence identifier as the Hub writes it, e.g. ``cc-by-4.0``.
        homepage (`str`): Where the corpus is described.
        source_url (`str`): Where the files that it was built from are published.
        citation (`str`): BibTeX of the corpus and of the edition used.
        language (`str`, *optional*, defaults to `"en"`): Language code.
        tags (`tuple[str, ...]`, *optional*): Tags beside those every corpus gets.
    """

    name: str
    pretty_name: str
    description: str
    license: str
    homepage: str
    source_url: str
    citation: str
    language: str = "en"
    tags: tuple[str, ...] = ()


def load_card(path: str | os.PathLike[str]) -> tuple[CorpusCard, dict[str, Any]]:
    """Read a ``card.yaml``: the card, and its ``build`` section as it stands (empty where there is none).

    Raises:
        CardError: The file is not a mapping, or a key is unknown, missing or no string; names file and key.
    """
    values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    if not isinstance(values, dict):
        raise CardError(f"{path}: expected keys and values such as 'name: …'; found {type(values).__name__}")
    build = values.pop("build", None) or {}
    tags = values.pop("tags", None) or []
    check_keys(CorpusCard, {**values, "tags": tags}, path)
    for key, value in {**values, **{f"tags[{i}]": tag for i, tag in enumerate(tags)}}.items():
        if not isinstance(value, str):
            raise CardError(f"{path}: key {key!r} is {value!r}; expected a string")
    texts = {key: value.strip() for key, value in values.items()}
    return CorpusCard(**texts, tags=tuple(tags)), build


def check_keys(schema: type, values: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Compare the keys of a mapping with the fields of a dataclass.

    Raises:
        CardError: A key is unknown (the nearest known one is named) or a field without default is missing.
    """
    known = {field.name: field for field in fields(schema)}
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.0)
            raise CardError(f"{path}: unknown key {key!r}; the nearest known one is {near[0]!r}, of {sorted(known)}")
    for key, field in known.items():
        if key not in values and field.default is MISSING and field.default_factory is MISSING:
            raise CardError(f"{path}: key {key!r} is missing; expected {sorted(known)}")


def render_readme(
    card: CorpusCard,
    types: Sequence[str],
    statistics: Mapping[str, CorpusStatistics],
    manifest: Mapping[str, Any],
) -> str:
    """The dataset card: metadata that the Hub reads, then what a reader needs to judge the corpus.

    Args:
        card (`CorpusCard`): What a person states.
        types (`Sequence[str]`): Annotated types in label order.
        statistics (`Mapping[str, CorpusStatistics]`): Split name to its counts.
        manifest (`Mapping[str, Any]`): What :func:`hf_bionerkd.data.builders.build_corpus` recorded: ``splits`` with
            their files, ``sources``, ``counts``, ``set_aside``, ``schema_version`` and ``package_version``.

    Returns:
        The text of README.md. Sections with nothing to say are left out.
    """
    sections = [
        f"# {card.pretty_name}\n\n{card.description}",
        f"Annotated types: {', '.join(f'`{name}`' for name in types)}. Whatever else the text mentions is not "
        "annotated: `O` says no more than that a word is none of these.",
        "## Size\n\n" + _size_table(types, statistics),
        _overlap_section(statistics),
        _changes_section(manifest),
        _columns_section(manifest),
        _sources_section(card, manifest),
        f"## Licence\n\n`{card.license}`",
        f"## Citation\n\n```bibtex\n{card.citation}\n```",
    ]
    body = "\n\n".join(section for section in sections if section)
    return f"---\n{_metadata(card, types, manifest).to_yaml()}\n---\n\n{body}\n"


def _metadata(card: CorpusCard, types: Sequence[str], manifest: Mapping[str, Any]) -> DatasetCardData:
    data_files = [{"split": split, "path": entry["file"]} for split, entry in manifest["splits"].items()]
    # `load_dataset` keys its cache of a local folder by this configuration, not by what the files hold: without their
    # hash here, a corpus built anew under its old name would be read from the old one's cache (datasets 5.2).
    content = " ".join(f"{split} {entry['sha256'][:16]}" for split, entry in manifest["splits"].items())
    return DatasetCardData(
        language=card.language,
        license=card.license,
        pretty_name=card.pretty_name,
        task_categories=["token-classification"],
        task_ids=["named-entity-recognition"],
        tags=["biology", "medical", "biomedical-ner", "hf_bionerkd", *map(str.lower, types), *card.tags],
        configs=[{"config_name": "default", "description": f"sha256: {content}", "data_files": data_files}],
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] + ["---"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _size_table(types: Sequence[str], statistics: Mapping[str, CorpusStatistics]) -> str:
    header = ["split", "rows", "words"]
    for name in types:
        header += [f"{name} mentions", f"distinct {name} mentions"]
    rows = []
    for split, counts in statistics.items():
        row = [split, f"{counts.documents:,}", f"{counts.words:,}"]
        for name in types:
            row += [f"{counts.mentions.get(name, 0):,}", f"{counts.unique_mention_texts.get(name, 0):,}"]
        rows.append(row)
    return _table(header, rows)


def _overlap_section(statistics: Mapping[str, CorpusStatistics]) -> str:
    train = statistics.get("train")
    if train is None or len(statistics) < 2:
        return ""
    overlaps: dict[str, SplitOverlap] = {
        split: split_overlap(train, counts) for split, counts in statistics.items() if split != "train"
    }
    rows = [
        [split, f"{overlap.shared_documents:,} of {overlap.documents:,}", f"{overlap.unseen_share:.1%}"]
        for split, overlap in overlaps.items()
    ]
    table = _table(["split", "rows whose text is in train", "mentions whose text train never shows"], rows)
    return f"## Overlap with train\n\nWhite space and case are ignored.\n\n{table}"


def _changes_section(manifest: Mapping[str, Any]) -> str:
    rows = [[key.replace("_", " "), f"{value:,}"] for key, value in sorted(manifest["counts"].items())]
    if manifest["set_aside"]:
        rows.append(["entries in `set_aside.jsonl`", f"{manifest['set_aside']:,}"])
    if not rows:
        return "## Repaired or set aside\n\nNothing: every mention of the source is here, at its place."
    return "## Repaired or set aside\n\n" + _table(["what", "how many"], rows)


def _columns_section(manifest: Mapping[str, Any]) -> str:
    return (
        f"## Columns\n\nSchema {manifest['schema_version']} of hf_bionerkd {manifest['package_version']}. `mentions` "
        "(half-open offsets in code points of `text`, nested ones too) is the truth; `tokens`, `token_starts` and "
        "`ner_tags` (IOB2 class labels) are its flat view."
    )


def _sources_section(card: CorpusCard, manifest: Mapping[str, Any]) -> str:
    text = f"## Sources\n\nDescribed at <{card.homepage}>; files published at <{card.source_url}>."
    if manifest["sources"]:
        rows = [[entry["file"], f"{entry['bytes']:,}", f"`{entry['sha256']}`"] for entry in manifest["sources"]]
        text += "\n\n" + _table(["file", "bytes", "sha256"], rows)
    return text

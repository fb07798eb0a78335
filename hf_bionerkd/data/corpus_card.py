"""The card of a published corpus: the ``card.yaml`` that people write, and the README.md made of it and of counts."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import DatasetCardData

from hf_bionerkd.corpora.statistics import CorpusStatistics, SplitOverlap, split_overlap
from hf_bionerkd.hub.human_card import CardError as CardError
from hf_bionerkd.hub.human_card import check_keys, read_mapping, texts
from hf_bionerkd.io import write_text
from hf_bionerkd.markdown import Markdown, code, fenced, markdown_row, one_line, plain, prose, quoted

_LOAD = re.compile(r'^corpus = load_dataset\(".*"\)$', re.MULTILINE)
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s<>]+")
_SOURCES = {
    "gold": "as the makers of the corpus published it",
    "human": "annotated by people",
}
# What every card states, with an example.
_NEEDED = {"name": "my-corpus", "license": "cc-by-4.0", "source_url": "https://example.org/my-corpus"}
_SIZES = {"n<1K": 1_000, "1K<n<10K": 10_000, "10K<n<100K": 100_000, "100K<n<1M": 1_000_000, "1M<n<10M": 10_000_000}
Manifest = Mapping[str, Any]  # read from JSON: numbers, texts, lists and mappings side by side


@dataclass(frozen=True)
class CorpusCard:
    """The facts that a person states about a corpus: at least its name, its licence and where its files are from.

    Args:
        name (`str`): Name of the corpus; it is also the corpus tag that models see.
        pretty_name (`str`, *optional*): Title of the card; the name by default.
        description (`str`, *optional*): What was annotated, by whom, in which texts; Markdown.
        license (`str`): Licence identifier as the Hub writes it, such as ``cc-by-4.0``.
        homepage (`str`, *optional*): Address where the corpus is described; `source_url` by default.
        source_url (`str`): Address where the files are published that the corpus was built from.
        citation (`str`, *optional*): BibTeX of the corpus and of the edition used.
        language (`str`, *optional*, defaults to `"en"`): Language code.
        tags (`tuple[str, ...]`, *optional*): Tags beside those that every corpus gets.

    Raises:
        CardError: Name, licence or source is missing.

    Example:
        >>> CorpusCard("mine", license="cc-by-4.0", source_url="https://example.org/mine").pretty_name
        'mine'
    """

    name: str
    pretty_name: str = ""
    description: str = ""
    license: str = ""
    homepage: str = ""
    source_url: str = ""
    citation: str = ""
    language: str = "en"
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        missing = [key for key in _NEEDED if not getattr(self, key)]
        if missing:
            raise CardError(
                f"key {missing[0]!r} is missing; the card of a corpus needs at least {', '.join(_NEEDED)}, as in "
                f"`{missing[0]}: {_NEEDED[missing[0]]}`"
            )
        object.__setattr__(self, "pretty_name", self.pretty_name or self.name)
        object.__setattr__(self, "homepage", self.homepage or self.source_url)


def load_card(path: str | os.PathLike[str]) -> tuple[CorpusCard, dict[str, Any]]:
    """Read a ``card.yaml``: the card, and its ``build`` section as it stands (empty where there is none).

    Raises:
        CardError: The file is not a mapping, or a key is unknown, missing or not a string; the message names file and
            key.
    """
    values = read_mapping(path)
    build = values.pop("build", None) or {}
    check_keys(CorpusCard, {"name": "", **values}, path)
    try:
        return CorpusCard(**{"name": "", **texts(CorpusCard, values, path)}), build
    except CardError as error:
        raise CardError(f"{path}: {error}") from None


def render_readme(
    card: CorpusCard,
    types: Sequence[str],
    statistics: Mapping[str, CorpusStatistics],
    manifest: Manifest,
) -> str:
    """Return the dataset card: metadata that the Hub reads, then what a reader needs to judge the corpus.

    Args:
        card (`CorpusCard`): The facts that a person states.
        types (`Sequence[str]`): Annotated types in label order.
        statistics (`Mapping[str, CorpusStatistics]`): Split name to its counts.
        manifest (`Manifest`): The record of :func:`hf_bionerkd.data.builders.build_corpus`: ``splits`` with
            their files, ``sources``, ``counts``, ``set_aside``, ``schema_version`` and ``package_version``.

    Returns:
        The text of README.md, without empty sections.
    """
    # In the order in which a reader decides: what it is, how to load it, how much there is, how far to trust it.
    sections = [
        f"# {plain(card.pretty_name)}\n\n{prose(card.description)}".rstrip(),
        f"Annotated types: {', '.join(map(code, types))}. Whatever else the text mentions is not "
        "annotated: `O` says no more than that a word is none of these.",
        _usage_section(card.name),
        "## Size\n\n" + _size_table(types, statistics),
        _labels_section(types, statistics),
        _overlap_section(statistics),
        _changes_section(manifest),
        _columns_section(manifest),
        _sources_section(card, manifest),
        f"## Licence\n\n{code(card.license)}",
        f"## Citation\n\n{fenced(card.citation, 'bibtex')}" if card.citation else "",
    ]
    body = "\n\n".join(section for section in sections if section)
    return f"---\n{_metadata(card, types, statistics, manifest).to_yaml()}\n---\n\n{body}\n"


def name_corpus(folder: str | os.PathLike[str], repo_id: str) -> None:
    """Make the card of a built corpus load it by its name on the Hub.

    A README.md that does not say how to load the corpus, because people have written their own, stays as it is.

    Args:
        folder (`str` or `PathLike`): A corpus that `build_corpus` made.
        repo_id (`str`): Name on the Hub, ``org/name``.
    """
    path = Path(folder) / "README.md"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    # A function as replacement, because a string would have its backslashes interpreted.
    renamed = _LOAD.sub(lambda _: _load_line(repo_id), text)
    if renamed != text:
        write_text(path, renamed)


def _metadata(
    card: CorpusCard, types: Sequence[str], statistics: Mapping[str, CorpusStatistics], manifest: Manifest
) -> DatasetCardData:
    """Return the metadata of the card, which the Hub and `load_dataset` read."""
    data_files = [{"split": split, "path": entry["file"]} for split, entry in manifest["splits"].items()]
    # A work-around: with datasets 5.2 `load_dataset` keys its cache of a local folder by this configuration, not by
    # the contents of the files. Without their hash here, a corpus built anew under its old name would be read from the
    # old one's cache. A cache keyed by contents would make this needless.
    content = " ".join(f"{split} {entry['sha256'][:16]}" for split, entry in manifest["splits"].items())
    return DatasetCardData(
        language=card.language,
        license=one_line(card.license),
        pretty_name=one_line(card.pretty_name),
        task_categories=["token-classification"],
        task_ids=["named-entity-recognition"],
        size_categories=[_size_category(statistics)],
        tags=[
            "biology",
            "medical",
            "biomedical-ner",
            "hf_bionerkd",
            *map(one_line, (*map(str.lower, types), *card.tags)),
        ],
        configs=[{"config_name": "default", "description": f"sha256: {content}", "data_files": data_files}],
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    return "\n".join(map(markdown_row, [header, ["---"] * len(header), *rows]))


def _size_category(statistics: Mapping[str, CorpusStatistics]) -> str:
    """Return the Hub's word for a number of rows."""
    rows = sum(counts.documents for counts in statistics.values())
    return next((name for name, bound in _SIZES.items() if rows < bound), "n>10M")


def _load_line(name: str) -> str:
    """Return the line of Python that loads the corpus, which `_LOAD` recognises."""
    return f"corpus = load_dataset({quoted(name)})"


def _usage_section(name: str) -> str:
    """Return the section that shows how to load the corpus."""
    return (
        "## How to load\n\nBy its name on the Hub, or by the path of this folder:\n\n```python\n"
        f"from datasets import load_dataset\n\n{_load_line(name)}\n"
        'for mention in corpus["train"][0]["mentions"]:\n'
        '    print(mention["type"], mention["start"], mention["end"], mention["text"])\n```'
    )


def _size_table(types: Sequence[str], statistics: Mapping[str, CorpusStatistics]) -> str:
    """Return the counts that the papers' tables of corpora give (Zhou et al. 2021, Table 1), and rows and words."""
    # Documents are counted only where every split knows which document a row is from.
    documents = all(counts.source_documents is not None for counts in statistics.values())
    header = ["split", *(["documents"] if documents else []), "rows", "words"]
    for name in types:
        header += [f"{name} mentions", f"distinct {name} mentions"]
    rows = []
    for split, counts in statistics.items():
        row = [split, *([f"{counts.source_documents:,}"] if documents else [])]
        row += [f"{counts.documents:,}", f"{counts.words:,}"]
        for name in types:
            row += [f"{counts.mentions.get(name, 0):,}", f"{counts.unique_mention_texts.get(name, 0):,}"]
        rows.append(row)
    return _table(header, rows)


def _labels_section(types: Sequence[str], statistics: Mapping[str, CorpusStatistics]) -> str:
    """Return the section that counts mentions by who or what labelled them; empty where no mention says so."""
    by_split = {split: counts.mention_sources for split, counts in statistics.items()}
    rows = []
    for kind in types:
        for source in sorted({source for sources in by_split.values() for source in sources.get(kind, {})}):
            numbers = [f"{sources.get(kind, {}).get(source, 0):,}" for sources in by_split.values()]
            rows.append([kind, code(source), *numbers, _SOURCES.get(source, "")])
    if not rows:
        return ""
    # The column of meanings is left out where no source has one.
    glossary = any(row[-1] for row in rows)
    header = ["type", "source", *by_split, *(["meaning"] if glossary else [])]
    table = _table(header, rows if glossary else [row[:-1] for row in rows])
    return f"## Where the labels come from\n\nMentions by the `source` that each carries.\n\n{table}"


def _overlap_section(statistics: Mapping[str, CorpusStatistics]) -> str:
    """Return the section that tells how much of each other split train has shown already."""
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


def _changes_section(manifest: Manifest) -> str:
    """Return the section that counts what the readers repaired or left out."""
    rows = [[key.replace("_", " "), f"{value:,}"] for key, value in sorted(manifest["counts"].items())]
    if manifest["set_aside"]:
        rows.append([Markdown("entries in `set_aside.jsonl`"), f"{manifest['set_aside']:,}"])
    if not rows:
        return "## Repaired or set aside\n\nNothing: every mention of the source is here, at its place."
    return "## Repaired or set aside\n\n" + _table(["what", "how many"], rows)


def _columns_section(manifest: Manifest) -> str:
    """Return the section that explains the columns."""
    return (
        f"## Columns\n\nSchema {manifest['schema_version']} of hf_bionerkd {manifest['package_version']}. `mentions` "
        "(half-open offsets in code points of `text`, nested ones too) is the truth; `tokens`, `token_starts` and "
        "`ner_tags` (IOB2 class labels) are its flat view."
    )


def _link(address: str) -> str:
    """Return an address as a link, and a folder of this project as code: Markdown would take ``<a/b>`` for HTML."""
    return f"<{address}>" if _ADDRESS.fullmatch(address) else code(address)


def _sources_section(card: CorpusCard, manifest: Manifest) -> str:
    """Return the section that names the files that the corpus was built from."""
    text = f"## Sources\n\nDescribed at {_link(card.homepage)}; files published at {_link(card.source_url)}."
    if manifest["sources"]:
        rows = [[entry["file"], f"{entry['bytes']:,}", code(entry["sha256"])] for entry in manifest["sources"]]
        text += "\n\n" + _table(["file", "bytes", "sha256"], rows)
    return text

"""The files of a corpus's folder: what its card may name, and a key of their content."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import yaml
from huggingface_hub import metadata_load

from hf_bionerkd.io import file_sha256
from hf_bionerkd.yaml_files import read_yaml

CARD = "README.md"
STANDALONE = ".huggingface.yaml"  # metadata that `datasets` reads beside the card's
_PROSE = ("config_name", "description", "split")  # keys of a configuration that name no file


class DataFilesError(ValueError):
    """A corpus's card names files outside the corpus's folder, or cannot be read."""


def check_data_files(folder: Path, where: str) -> None:
    """Make sure that a corpus's card names files of its folder alone; nothing is opened or requested.

    A card comes with the corpus, so that whoever has published it could have any file read, or any address asked.

    Args:
        folder (`Path`): The folder.
        where (`str`): The corpus, for messages.

    Raises:
        DataFilesError: A path is absolute, climbs with ``..``, or is an address (``http://``, ``zip://…::``).
    """
    for name, metadata in _metadata(folder, where):
        configs = metadata.get("configs") or []
        for config in configs if isinstance(configs, list) else [configs]:
            entries = config.items() if isinstance(config, dict) else [("configs", config)]
            for key, value in entries:
                for text in _texts(value) if key not in _PROSE else ():
                    _check_text(text, key, folder / name, where)


def content_key(folder: Path) -> str:
    """Return a hash of the content of all files of a folder; hidden ones are not read, as `datasets` does not."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in relative.parts) and relative.name != STANDALONE
        if not hidden and path.is_file():
            digest.update(f"{relative.as_posix()}\0{file_sha256(path)}\0".encode(errors="surrogateescape"))
    return digest.hexdigest()[:32]


def names_data_files(folder: Path, where: str) -> bool:
    """Return whether a corpus's card says itself which files are its splits."""
    return any(metadata.get("configs") for _, metadata in _metadata(folder, where))


def licence_of(folder: Path, where: str) -> str:
    """Return the licence, or licences, that the metadata of a corpus's card state; empty when they state none."""
    metadata: dict[str, object] = dict(_metadata(folder, where)).get(CARD, {})
    licenses = metadata.get("license")
    # The Hub's word for a licence that it has no identifier for; its name stands in a key of its own.
    if licenses == "other":
        licenses = metadata.get("license_name") or licenses
    return ", ".join(str(one) for one in (licenses if isinstance(licenses, list) else [licenses]) if one)


def _metadata(folder: Path, where: str) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield the files of metadata that a folder has, and what they say."""
    for name in (CARD, STANDALONE):
        path = folder / name
        if not path.is_file():
            continue
        try:
            values = metadata_load(path) if name == CARD else read_yaml(path)
        except (ValueError, yaml.YAMLError) as error:  # the client of the Hub reads the card's own
            problem = " ".join(str(error).split())
            raise DataFilesError(f"{where}: the metadata in {path} cannot be read: {problem}") from None
        if values is not None and not isinstance(values, dict):
            raise DataFilesError(f"{where}: the metadata in {path} are no keys and values")
        yield name, values or {}


def _texts(value: object) -> Iterator[str]:
    """Yield the texts in lists and mappings; a name of a split in a mapping is no file."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in _PROSE:
                yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _check_text(text: str, key: str, card: Path, where: str) -> None:
    path = text.replace("\\", "/")
    problem = (
        "is an address"
        if "://" in path or "::" in path
        else "is absolute"
        if path.startswith(("/", "~")) or re.match("[A-Za-z]:", path)
        else "leaves the folder"
        if ".." in path.split("/")
        else None
    )
    if problem:
        raise DataFilesError(
            f"{where}: {card} names {text!r} under `{key}`, which {problem}; a corpus's card may name files of its "
            "own folder alone. Nothing was read. Correct the card if the corpus is yours, and do not trust it "
            "otherwise."
        )

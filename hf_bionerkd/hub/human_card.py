"""What people write for a card, in a ``card.yaml``: read, and refused where a key or value does not fit."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from hf_bionerkd.yaml_files import YamlError, read_yaml


class CardError(ValueError):
    """A card.yaml with an unknown, missing or wrongly typed key."""


@dataclass(frozen=True)
class HumanCard:
    """What people say of a model: judgement, which no run can measure. All of it may be left out.

    Args:
        description (`str`, *optional*): What the model is and how it came about (Markdown).
        intended_use (`str`, *optional*): What it is meant for, and what not (Markdown).
        limits (`str`, *optional*): Where it fails, and what its data say nothing of (Markdown).
        license (`str`, *optional*): Licence identifier as the Hub writes it, e.g. ``apache-2.0``.
        authors (`tuple[str, ...]`, *optional*): Who made it.
        contact (`str`, *optional*): Where questions go: an address, an issue tracker (Markdown).
        language (`str`, *optional*, defaults to `"en"`): ISO 639 code of the text that it reads.
        tags (`tuple[str, ...]`, *optional*): Tags beside those that every model gets.
        citation (`str`, *optional*): How to cite the model itself: BibTeX, or a sentence.
    """

    description: str = ""
    intended_use: str = ""
    limits: str = ""
    license: str = ""
    authors: tuple[str, ...] = ()
    contact: str = ""
    language: str = "en"
    tags: tuple[str, ...] = ()
    citation: str = ""


def load_human_card(path: str | os.PathLike[str]) -> HumanCard:
    """Read what people write of a model.

    Args:
        path (`str` or `PathLike`): A ``model_cards/<model>/card.yaml``.

    Raises:
        CardError: The file is no mapping, a key is unknown (the nearest known one is named) or a value is no text.
        FileNotFoundError: There is no such file.
    """
    values = read_mapping(path)
    check_keys(HumanCard, values, path)
    return HumanCard(**texts(HumanCard, values, path))


def read_mapping(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the keys and values of a YAML file.

    Raises:
        CardError: :func:`~hf_bionerkd.yaml_files.read_yaml` refuses the file, or it is no mapping.
        FileNotFoundError: There is no such file.
    """
    try:
        values = read_yaml(path)
    except YamlError as error:
        raise CardError(str(error)) from None
    if not isinstance(values, dict):
        raise CardError(f"{path}: expected keys and values such as 'license: …'; found {type(values).__name__}")
    return values


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
        if values.get(key) is None and field.default is MISSING and field.default_factory is MISSING:
            raise CardError(f"{path}: key {key!r} is missing; expected {sorted(known)}")


def texts(schema: type, values: Mapping[str, Any], path: str | os.PathLike[str]) -> dict[str, Any]:
    """The values for a dataclass of texts and tuples of texts, without white space around them.

    A key without a value (``authors:``) counts as left out.

    Raises:
        CardError: A value is something else.
    """
    lists = {field.name for field in fields(schema) if isinstance(field.default, tuple)}
    found: dict[str, Any] = {}
    for key, value in values.items():
        if value is None:
            continue
        if key not in lists:
            found[key] = _text(value, key, path)
        elif isinstance(value, list):
            found[key] = tuple(_text(item, f"{key}[{index}]", path) for index, item in enumerate(value))
        else:
            raise CardError(f"{path}: key {key!r} is {value!r}; expected a list of strings")
    return found


def _text(value: Any, key: str, path: str | os.PathLike[str]) -> str:
    if not isinstance(value, str):
        raise CardError(f"{path}: key {key!r} is {value!r}; expected a string (in quotes, if YAML reads it otherwise)")
    return value.strip()

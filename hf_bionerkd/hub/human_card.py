"""The part of a card that people write, in a ``card.yaml``: its reading, with a check of every key and value."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from hf_bionerkd.yaml_files import YamlError, read_yaml


class CardError(ValueError):
    """A card.yaml has an unknown, missing or wrongly typed key."""


@dataclass(frozen=True)
class HumanCard:
    """The judgement of people on a model, which no run can measure; all of it may be left out.

    Args:
        description (`str`, *optional*): What the model is and how it was made (Markdown).
        intended_use (`str`, *optional*): What the model is meant for, and what not (Markdown).
        limits (`str`, *optional*): Where the model fails, and what its data do not cover (Markdown).
        license (`str`, *optional*): Licence identifier as the Hub writes it, such as ``apache-2.0``.
        authors (`tuple[str, ...]`, *optional*): Authors of the model.
        contact (`str`, *optional*): Where to ask questions: an address, an issue tracker (Markdown).
        language (`str`, *optional*, defaults to `"en"`): ISO 639 code of the text that the model reads.
        tags (`tuple[str, ...]`, *optional*): Tags beside those that every model gets.
        citation (`str`, *optional*): Citation of the model itself: BibTeX, or a sentence.
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
    """Read the part of a model's card that people write.

    Args:
        path (`str` or `PathLike`): A ``model_cards/<model>/card.yaml``.

    Raises:
        CardError: The file is not a mapping, a key is unknown (the message names the nearest known one) or a value is
            not a text.
        FileNotFoundError: The file does not exist.
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
        CardError: A key is unknown (the message names the nearest known one), or a field without default is missing.
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
    """Return the values for a dataclass of texts and tuples of texts, without white space around them.

    A key without a value (``authors:``) counts as left out.

    Raises:
        CardError: A value is neither a text nor, where one is expected, a list of texts.
    """
    # A default that is a tuple marks the fields that take lists.
    lists = {field.name for field in fields(schema) if isinstance(field.default, tuple)}
    checked: dict[str, Any] = {}
    for key, value in values.items():
        if value is None:
            continue
        if key not in lists:
            checked[key] = _text(value, key, path)
        elif isinstance(value, list):
            checked[key] = tuple(_text(item, f"{key}[{index}]", path) for index, item in enumerate(value))
        else:
            raise CardError(f"{path}: key {key!r} is {value!r}; expected a list of strings")
    return checked


def _text(value: object, key: str, path: str | os.PathLike[str]) -> str:
    """Return a value that must be a text, without white space around it."""
    if not isinstance(value, str):
        raise CardError(f"{path}: key {key!r} is {value!r}; expected a string (in quotes, if YAML reads it otherwise)")
    return value.strip()

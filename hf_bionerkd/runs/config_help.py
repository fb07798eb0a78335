"""What the keys of a configuration mean: for ``--help``, and as a table for the documentation.

The `Args` of the dataclasses' docstrings are the single source of the meanings; types and defaults are the fields'.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import shutil
import textwrap
import types
import typing
from collections.abc import Iterator
from typing import Any, Literal

import yaml

from hf_bionerkd.runs.config_loading import is_required, to_dict

_ENTRY = re.compile(r"(?P<name>\w+) \((?P<type>.*?)\): (?P<meaning>.*)", re.DOTALL)
_ROLE = re.compile(r":\w+:`~?([\w.]+)`")
_NAMES = {dict: "mapping", list: "list", type(None): "null"}


@dataclasses.dataclass(frozen=True)
class Key:
    """A key that a configuration may have.

    Args:
        name (`str`): Its dotted name, such as ``loss.lam`` or ``teachers.N.path``; `N` stands for a position in a
            list, from 0 up.
        type (`str`): What its value may be, such as ``float or null``.
        default (`str`): Its default as YAML has it; empty for a key that must be given, and for one whose own keys
            have the defaults.
        required (`bool`): Whether it must be given wherever its section is.
        meaning (`str`): What it is for, in Markdown.
    """

    name: str
    type: str
    default: str
    required: bool
    meaning: str


def keys(cls: type) -> Iterator[Key]:
    """Go through the keys of a configuration: sections before the keys in them, required keys before the others.

    Args:
        cls (`type`): The dataclass of a configuration, such as :class:`~hf_bionerkd.runs.config.DistillConfig`.
    """
    yield from _keys(cls, "")


def meanings(cls: type) -> dict[str, str]:
    """Read what the docstring of a dataclass, and those of its bases, say of its fields.

    Args:
        cls (`type`): A dataclass with an `Args` section in its docstring.

    Returns:
        Field to meaning, in one line; where a class and its base both have an entry, that of the class.
    """
    entries: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        for entry in _entries(base.__dict__.get("__doc__") or ""):
            if match := _ENTRY.fullmatch(entry):
                entries[match["name"]] = " ".join(match["meaning"].split())
    return entries


def help_text(cls: type, width: int | None = None) -> str:
    """Write all keys of a configuration for a terminal.

    Args:
        cls (`type`): The dataclass of a configuration.
        width (`int`, *optional*, defaults to the terminal's): Columns of the text.
    """
    width = width or max(60, min(shutil.get_terminal_size().columns, 119) - 2)
    lines = ["keys of the configuration (N is a position in a list, from 0 up):"]
    for key in keys(cls):
        default = "required" if key.required else f"default: {key.default}" if key.default else ""
        lines.append(f"  {key.name}  ({', '.join(filter(None, (key.type, default)))})")
        meaning = _ROLE.sub(r"\1", key.meaning).replace("``", "`").replace("`", "")
        lines += textwrap.wrap(meaning, width, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return "\n".join(lines)


def reference(cls: type) -> str:
    """Write all keys of a configuration as a table in Markdown, for the documentation.

    Args:
        cls (`type`): The dataclass of a configuration.
    """
    lines = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for key in keys(cls):
        meaning = _ROLE.sub(r"`\1`", key.meaning).replace("``", "`")
        default = "required" if key.required else f"`{key.default}`" if key.default else ""
        cells = [f"`{key.name}`", key.type, default, meaning]
        lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def config_yaml(config: Any) -> str:
    """Write a configuration, defaults and all, as YAML that can be saved and used again."""
    return yaml.safe_dump(to_dict(config), sort_keys=False, allow_unicode=True, width=119)


def _keys(cls: type, prefix: str) -> Iterator[Key]:
    hints, documented = typing.get_type_hints(cls), meanings(cls)
    for entry in sorted(dataclasses.fields(cls), key=lambda entry: not is_required(entry)):
        name, section, required = f"{prefix}{entry.name}", _section(hints[entry.name]), is_required(entry)
        default = "" if required else _default(entry)
        yield Key(name, _type_name(hints[entry.name]), default, required, documented.get(entry.name, ""))
        if section is not None:
            yield from _keys(section, f"{name}.N." if typing.get_origin(hints[entry.name]) is list else f"{name}.")


def _section(hint: Any) -> type | None:
    """Return the dataclass that a field holds: itself, one or none, or a list of them."""
    parts = (hint, *typing.get_args(hint))
    return next((part for part in parts if dataclasses.is_dataclass(part) and isinstance(part, type)), None)


def _type_name(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return " or ".join(map(str, arguments))
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type_name(part) for part in arguments)
    if origin is list:
        return f"list of {_type_name(arguments[0])}"
    if origin is dict:
        return "mapping" if arguments[1] is Any else f"mapping to {_type_name(arguments[1])}"
    if dataclasses.is_dataclass(hint):
        return "section"
    return _NAMES.get(hint) or getattr(hint, "__name__", str(hint))


def _default(entry: dataclasses.Field[Any]) -> str:
    """Write a default as YAML would have it; nothing for a section, whose keys have their own."""
    factory = entry.default_factory
    value = entry.default if factory is dataclasses.MISSING else factory()
    if dataclasses.is_dataclass(value):
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _entries(docstring: str) -> Iterator[str]:
    """Split the `Args` of a docstring into its entries."""
    lines = inspect.cleandoc(docstring).splitlines()
    start = lines.index("Args:") + 1 if "Args:" in lines else len(lines)
    entry: list[str] = []
    for line in lines[start:]:
        if line and not line.startswith(" "):
            break  # the next section
        if line.startswith("    ") and not line.startswith("     "):
            if entry:
                yield "\n".join(entry)
            entry = []
        entry.append(line.strip())
    if entry:
        yield "\n".join(entry)

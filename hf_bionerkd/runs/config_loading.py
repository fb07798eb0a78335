"""Read a run's YAML file into its dataclass, and accept nothing that the dataclass does not name.

Unknown keys fail with the nearest known one; ``key=value`` arguments of the command line override (``loss.lam=0.5``,
``teachers.0.weight=2``).

The loader is our own since jsonargparse 4.53, tried on these dataclasses, answers less well: an unknown key gets 25
lines of usage without the file or the nearest key, ``--teachers.0.weight=2`` is refused, a duplicate key is accepted,
a rule of a dataclass fails with a traceback, help stops at lists, and an alias bomb runs for more than a minute.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from hf_bionerkd.hub.secrets import holds_token
from hf_bionerkd.runs.config_sections import ConfigError, no_configuration
from hf_bionerkd.runs.shipped import shipped
from hf_bionerkd.yaml_files import MAX_DEPTH, YamlError, parse_yaml, read_yaml, shortened, shown

T = typing.TypeVar("T")


def load_config(cls: type[T], path: str | Path, overrides: Sequence[str] = ()) -> T:
    """Read a YAML file, apply ``key=value`` overrides, and check every key and value.

    Args:
        cls (`type`): The dataclass of the run, such as :class:`~hf_bionerkd.runs.config.DistillConfig`.
        path (`str`): YAML file.
        overrides (`Sequence[str]`, *optional*): Such as ``loss.lam=0.5`` or ``teachers.0.path=org/name``; the value is
            read as YAML.

    Raises:
        ConfigError: The file is missing or no YAML mapping, a key or value does not fit, or a value is a token; the
            message is one line that names the file and the line or the key.
    """
    path = shipped(path)
    try:
        data = read_yaml(path)
    except FileNotFoundError:
        raise ConfigError(no_configuration(path)) from None
    except YamlError as error:
        raise ConfigError(str(error)) from None
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: expected a mapping of keys to values, found {type(data).__name__}")
    for override in overrides:
        _override(data, override)
    _refuse_tokens(data, str(path))
    return from_dict(cls, data, str(path))


def from_dict(cls: type[T], data: Mapping[str, Any], where: str) -> T:
    """Build a configuration dataclass from plain values, checking every key and value.

    Raises:
        ConfigError: A key is unknown or missing, or a value has the wrong type.
    """
    try:
        return typing.cast(T, _build(cls, data, where, ""))
    except _UnknownKeyError as error:
        # A key of the run itself, given within a section: a near name there would be wrong.
        if error.name in {entry.name for entry in dataclasses.fields(cls)}:
            raise ConfigError(
                f"{where}: unknown key `{error.key}`; `{error.name}` is a key of the run itself: write it as "
                f"`{error.name}`"
            ) from None
        raise


def to_dict(config: Any) -> dict[str, Any]:
    """Return the plain values of a configuration, as they are written beside a run."""
    return dataclasses.asdict(config)


def is_required(entry: dataclasses.Field[Any]) -> bool:
    """Return whether a field of a configuration has no default."""
    return entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING


class _UnknownKeyError(ConfigError):
    """A key that a section does not have."""

    def __init__(self, where: str, key: str, name: str, hint: str) -> None:
        super().__init__(f"{where}: unknown key `{shortened(key)}`; {hint}")
        self.key, self.name = key, name


def _refuse_tokens(value: Any, where: str, key: str = "") -> None:
    """Refuse access tokens: a configuration is written beside the run and published with its model."""
    for leaf_key, leaf in _leaves(value, key):
        if isinstance(leaf, str) and holds_token(leaf):
            raise ConfigError(
                f"{where}: `{leaf_key}` holds an access token; configurations are published. Take it out, and log in "
                "with `hf auth login` or set HF_TOKEN instead"
            )


def _override(data: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    override = shown(override)
    if not equals or not key:
        raise ConfigError(f"override {override}: expected key=value, such as loss.lam=0.5")
    try:
        value = parse_yaml(text)
    except YamlError as error:
        raise ConfigError(f"override {override}: {error.problem}") from None
    node: Any = data
    *parents, last = key.split(".")
    if len(parents) > MAX_DEPTH:
        raise ConfigError(f"override {override}: the key has more than {MAX_DEPTH} levels")
    for name in parents:
        if isinstance(node, list):
            node = node[_index(name, node, override)]
        elif isinstance(node, dict):
            if not isinstance(node.get(name), dict | list):
                node[name] = {}
            node = node[name]
        else:
            raise ConfigError(f"override {override}: {shown(name)} stands under a plain value")
    if isinstance(node, list):
        node[_index(last, node, override)] = value
    elif isinstance(node, dict):
        node[last] = value
    else:
        raise ConfigError(f"override {override}: {shown(last)} stands under a plain value")


def _index(name: str, node: list[Any], override: str) -> int:
    if not name.isdecimal() or len(name) > 6 or int(name) >= len(node):
        raise ConfigError(f"override {override}: {shown(name)} is not an index into a list of {len(node)} entries")
    return int(name)


def _build(cls: Any, data: Any, where: str, key: str) -> Any:
    if not isinstance(data, Mapping):
        raise ConfigError(f"{where}: `{key or 'the file'}` must be a mapping, not {shown(data)}")
    fields = {entry.name: entry for entry in dataclasses.fields(cls)}
    hints = typing.get_type_hints(cls)
    for name in data:
        if name not in fields:
            close = difflib.get_close_matches(str(name), fields, n=1)
            hint = f"did you mean `{close[0]}`?" if close else f"known keys: {', '.join(fields)}"
            raise _UnknownKeyError(where, _join(key, str(name)), str(name), hint)
    missing = [name for name, entry in fields.items() if name not in data and is_required(entry)]
    if missing:
        raise ConfigError(f"{where}: `{key or 'the file'}` lacks {', '.join(f'`{name}`' for name in missing)}")
    values = {name: _convert(hints[name], value, where, _join(key, name)) for name, value in data.items()}
    try:
        return cls(**values)
    except ConfigError as error:
        raise ConfigError(f"{where}: {f'`{key}`: ' if key else ''}{error}") from None


def _convert(hint: Any, value: Any, where: str, key: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        _refuse_infinity(value, where, key)
        return value
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        return _convert(next(a for a in arguments if a is not type(None)), value, where, key)
    if origin is Literal:
        if value not in arguments:
            raise ConfigError(f"{where}: `{key}` is {shown(value)}; use one of {', '.join(map(str, arguments))}")
        return value
    if origin is list:
        if not isinstance(value, list):
            raise ConfigError(f"{where}: `{key}` must be a list, not {shown(value)}")
        return [_convert(arguments[0], item, where, f"{key}.{i}") for i, item in enumerate(value)]
    if origin is dict:
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where}: `{key}` must be a mapping, not {shown(value)}")
        for name in value:
            if not isinstance(name, str):
                raise ConfigError(f"{where}: `{key}` has the key {shown(name)}, which is no text; write it in quotes")
        return {name: _convert(arguments[1], item, where, _join(key, name)) for name, item in value.items()}
    if dataclasses.is_dataclass(hint):
        return _build(hint, value, where, key)
    return _scalar(hint, value, where, key)


def _scalar(hint: type, value: Any, where: str, key: str) -> Any:
    if hint is float and isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            number = float(value)  # YAML reads 2e-5 as text
        except ValueError:
            pass
        else:
            _refuse_infinity(number, where, key)
            return number
    elif isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
        return value
    raise ConfigError(f"{where}: `{key}` must be of type {hint.__name__}, not {shown(value)}")


def _refuse_infinity(value: Any, where: str, key: str) -> None:
    """Refuse numbers that are not finite, also within values that something else will check."""
    for leaf_key, leaf in _leaves(value, key):
        if isinstance(leaf, float) and not math.isfinite(leaf):
            raise ConfigError(f"{where}: `{leaf_key}` must be a finite number, not {leaf}")


def _leaves(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Yield every value below a key that is no mapping and no list, with its dotted key."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _leaves(item, _join(key, str(name)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{key}.{index}")
    else:
        yield key, value


def _join(key: str, name: str) -> str:
    name = " ".join(name.split())[:60]  # or a message would not stay on one line
    return f"{key}.{name}" if key else name

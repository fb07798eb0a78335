"""The one reader of YAML: plain values from a small file, or one clear line that says where it is wrong.

PyYAML's `SafeLoader` accepts more than a configuration should hold: of two equal keys it drops one in silence, and a
few lines can stand for billions of values, for a list that contains itself, or for a number that Python refuses to
print. All of that is refused here, while the file is read and before any value is made of it.
"""

from __future__ import annotations

import os
from typing import Any

import yaml
from yaml.reader import Reader

MAX_BYTES = 256 * 2**10  # PyYAML reads about 150 kB per second, and a mistake should answer within two seconds
MAX_DEPTH = 40
MAX_ALIASED = 10_000
MAX_DIGITS = 20  # 64-bit numbers have up to 20
_TAG = "tag:yaml.org,2002:"
_PLAIN = {_TAG + name for name in ("null", "bool", "int", "float", "str", "timestamp", "seq", "map")}
_MERGE = f"{_TAG}merge"


class YamlError(ValueError):
    """A text that is not YAML, or holds more than plain values.

    Args:
        problem (`str`): What is wrong.
        line (`int`, *optional*): Where, from 1 up.
        path (`str`, *optional*): The file.
    """

    def __init__(self, problem: str, line: int | None = None, path: str = "") -> None:
        parts = [path, str(line or "")] if path else [f"line {line}" if line else ""]
        super().__init__(": ".join(filter(None, [":".join(filter(None, parts)), problem])))
        self.problem = problem
        self.line = line


def read_yaml(path: str | os.PathLike[str]) -> Any:
    """Read the values of a YAML file.

    Args:
        path (`str` or `PathLike`): A file of up to `MAX_BYTES` bytes, in UTF-8.

    Returns:
        Mappings, lists, texts, numbers, booleans, dates and None; what :func:`parse_yaml` returns.

    Raises:
        FileNotFoundError: There is no such file.
        YamlError: See :func:`parse_yaml`; or the file is too large, or not in UTF-8.
    """
    with open(path, "rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise YamlError(f"more than {MAX_BYTES:,} bytes, which is too long for a file of settings", path=str(path))
    try:
        return parse_yaml(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = f"not valid YAML: the byte 0x{content[error.start]:02x} is not UTF-8"
        raise YamlError(problem, line, str(path)) from None
    except YamlError as error:
        raise YamlError(error.problem, error.line, str(path)) from None


def parse_yaml(text: str) -> Any:
    r"""Read the values of a YAML text.

    Args:
        text (`str`): One YAML document.

    Returns:
        Mappings, lists, texts, numbers, booleans, dates and None. No two of them are the same object, whatever
        aliases the text holds: changing one place changes no other.

    Raises:
        YamlError: The text is not valid YAML; a key comes twice or is no plain value; a tag asks for another type;
            values are nested deeper than `MAX_DEPTH`; aliases stand for more than `MAX_ALIASED` values or for
            themselves; or an integer has more than `MAX_DIGITS` digits.

    Example:
        >>> parse_yaml("seed: 13")
        {'seed': 13}
        >>> parse_yaml("seed: 13\nseed: 14")
        Traceback (most recent call last):
        ...
        hf_bionerkd.yaml_files.YamlError: line 2: the key 'seed' comes twice, also in line 1
    """
    if match := Reader.NON_PRINTABLE.search(text):
        problem = f"not valid YAML: the character U+{ord(match[0]):04X} is not allowed"
        raise YamlError(problem, text.count("\n", 0, match.start()) + 1)
    loader = _StrictLoader(text)
    try:
        return _unshared(loader.get_single_data())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = ", ".join(" ".join(part.split()) for part in (error.context, error.problem) if part)
        raise YamlError(f"not valid YAML: {reason[:200]}", mark.line + 1 if mark else None) from None
    except YamlError:
        raise
    except (ValueError, OverflowError):  # of chr(): PyYAML does not look at the number of an escape like \UFFFFFFFF
        raise YamlError("not valid YAML: an escaped character that does not exist", loader.line + 1) from None
    finally:
        loader.dispose()


def shown(value: Any) -> str:
    """Write a value for a message, cut short where it is long."""
    return shortened(repr(value))


def shortened(text: str) -> str:
    """Cut a text for a message where it is long."""
    return text if len(text) <= 60 else f"{text[:57]}…"


def _refusal(problem: str, where: yaml.Node | yaml.Event) -> YamlError:
    return YamlError(problem, where.start_mark.line + 1 if where.start_mark else None)


class _StrictLoader(yaml.SafeLoader):
    """A `SafeLoader` that refuses what a configuration should not hold while it composes the tree of nodes."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._aliased = 0
        self._extents: dict[yaml.Node, tuple[int, int]] = {}  # how many values a node stands for, and how deep

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _refusal(f"values are nested deeper than {MAX_DEPTH} levels", event)
        node = super().compose_node(parent, index)
        if isinstance(event, yaml.AliasEvent) and node is not None:
            self._check_alias(event, node)
        elif isinstance(node, yaml.ScalarNode):
            self._check_scalar(node)
        elif node is not None:
            self._check_tag(node)
        if isinstance(node, yaml.CollectionNode) and node not in self._extents:
            self._extents[node] = self._extent(node)
        self._depth -= 1
        return node

    def _check_alias(self, event: yaml.AliasEvent, node: yaml.Node) -> None:
        if isinstance(node, yaml.CollectionNode) and node not in self._extents:
            raise _refusal(f"the alias *{event.anchor[:40]} stands inside what it names, without end", event)
        values, depth = self._extents.get(node, (1, 1))
        self._aliased += values
        if self._aliased > MAX_ALIASED:
            raise _refusal(f"aliases stand for more than {MAX_ALIASED:,} values", event)
        if self._depth + depth - 1 > MAX_DEPTH:
            raise _refusal(f"values are nested deeper than {MAX_DEPTH} levels", event)

    def _check_scalar(self, node: yaml.ScalarNode) -> None:
        if node.tag == _MERGE:
            return
        self._check_tag(node)
        if match := Reader.NON_PRINTABLE.search(node.value):  # "\\0" or half of a surrogate pair, by its escape
            raise _refusal(f"the character U+{ord(match[0]):04X} is not allowed", node)
        if node.tag == f"{_TAG}int" and sum(map(str.isalnum, node.value)) > MAX_DIGITS:
            raise _refusal(f"an integer of more than {MAX_DIGITS} digits", node)
        try:
            self.construct_object(node)
        except (ValueError, LookupError, AttributeError, TypeError):  # such as the date 2001-99-99, or !!int x
            kind = node.tag.removeprefix(_TAG)
            raise _refusal(f"{shown(node.value)} is no {kind}; write a text in quotes", node) from None

    def _check_tag(self, node: yaml.Node) -> None:
        if node.tag not in _PLAIN:
            name = node.tag.replace(_TAG, "!!")[:80]
            raise _refusal(f"the tag {name} is not read; write plain values", node)

    def _extent(self, node: yaml.CollectionNode) -> tuple[int, int]:
        """Count the values under a finished node, and its levels; compare the keys of a mapping."""
        children = node.value
        if isinstance(node, yaml.MappingNode):
            self._check_keys(node)
            children = [part for pair in node.value for part in pair]
        extents = [self._extents.get(child, (1, 1)) for child in children]
        return 1 + sum(values for values, _ in extents), 1 + max((depth for _, depth in extents), default=0)

    def _check_keys(self, node: yaml.MappingNode) -> None:
        lines: dict[Any, int] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise _refusal("a key is a list or mapping; write a plain one", key_node)
            if key_node.tag == _MERGE:
                self._check_merged(value_node)
                continue
            key, line = self.construct_object(key_node), key_node.start_mark.line + 1 if key_node.start_mark else 1
            if key in lines:
                raise _refusal(f"the key {shown(key)} comes twice, also in line {lines[key]}", key_node)
            lines[key] = line

    def _check_merged(self, node: yaml.Node) -> None:
        parts = node.value if isinstance(node, yaml.SequenceNode) else [node]
        if not all(isinstance(part, yaml.MappingNode) for part in parts):
            raise _refusal("`<<` takes a mapping, or a list of mappings", node)


def _unshared(value: Any) -> Any:
    """Copy what aliases made one object, so that a change of one place reaches no other."""
    if isinstance(value, dict):
        return {key: _unshared(item) for key, item in value.items()}
    return [_unshared(item) for item in value] if isinstance(value, list) else value

"""Where models and corpora come from, as a card may say it: a name on the Hub, never a path of one machine."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # left out of its __all__

from hf_bionerkd.hub.references import parse_reference

_LOCAL = "local: "
_HOME_OR_UP = re.compile(r"(~|\.\.?)([/\\]|$)")


def public_source(path: str, commit: str | None = None) -> str:
    """How a card names what was loaded from `path`.

    Args:
        path (`str`): ``org/name``, ``org/name@revision``, or a folder or file of this machine.
        commit (`str`, *optional*): The commit on the Hub that was read, where one was: there is no doubt then, even
            if there is a folder of that name here.

    Returns:
        ``org/name`` for a name on the Hub (its commit stands elsewhere on the card); ``local: name``, with the last
        component alone, for what lies on this machine. What this returned before comes back as it is.

    Example:
        >>> public_source("runs/demo/teachers/disease"), public_source("org/teacher@v1")
        ('local: disease', 'org/teacher')
    """
    if path.startswith(_LOCAL):
        return path
    try:
        reference = parse_reference(path if commit is None or "@" in path else f"{path}@{commit}")
    except FileNotFoundError:
        reference = None
    return reference.repo_id if reference else _LOCAL + _last_component(path)


def is_hub_id(text: str) -> bool:
    """Whether a text has the form of a repository's name on the Hub. A relative path of two parts has it, too.

    Example:
        >>> is_hub_id("org/student"), is_hub_id("local: student")
        (True, False)
    """
    try:
        validate_repo_id(text)
    except HFValidationError:
        return False
    return True


def is_public_source(text: str) -> bool:
    """Whether a text names a source as :func:`public_source` does."""
    return is_hub_id(text) or (text.startswith(_LOCAL) and not re.search(r"[/\\]", text))


def without_paths(value: Any) -> Any:
    """Settings in which every path that leads through a machine's root or home is replaced by ``local: name``.

    Args:
        value (`Any`): Plain values, nested or not, such as training arguments.

    Example:
        >>> without_paths({"optim": "adamw_torch", "deepspeed": "/srv/configs/zero2.json"})
        {'optim': 'adamw_torch', 'deepspeed': 'local: zero2.json'}
    """
    if isinstance(value, Mapping):
        return {key: without_paths(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [without_paths(item) for item in value]
    if isinstance(value, str) and (_is_absolute(value) or _HOME_OR_UP.match(value)):
        return _LOCAL + _last_component(value)
    return value


def _is_absolute(text: str) -> bool:
    return PurePosixPath(text).is_absolute() or PureWindowsPath(text).is_absolute()


def _last_component(path: str) -> str:
    name = re.split(r"[/\\]", path.rstrip("/\\"))[-1]
    return name if name.strip(".~") else "folder"  # ".", ".." and "~" would have to be looked up on this machine

"""The sources of models and corpora as a card may name them: by a name on the Hub, never by a path of one machine."""

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
    """Return how a card names a model or corpus that was loaded from `path`.

    Args:
        path (`str`): ``org/name``, ``org/name@revision``, or a folder or file of this machine.
        commit (`str`, *optional*): The commit that was read, for a name on the Hub; it decides where a folder of the
            same name exists here.

    Returns:
        ``org/name`` for a name on the Hub (the card names its commit elsewhere); ``local: name``, with the last
        component only, for a path of this machine. An earlier result of this function is returned unchanged.

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
    """Tell whether a text has the form of a repository's name on the Hub; a relative path of two parts also has it.

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
    """Tell whether a text names a source in a form that :func:`public_source` returns."""
    return is_hub_id(text) or (text.startswith(_LOCAL) and not re.search(r"[/\\]", text))


def without_paths(value: Any) -> Any:
    """Return settings in which every path through a machine's root or home is replaced by ``local: name``.

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
    # Settings may have been written on either kind of system, so both kinds of paths are looked for.
    if isinstance(value, str) and (
        PurePosixPath(value).is_absolute() or PureWindowsPath(value).is_absolute() or _HOME_OR_UP.match(value)
    ):
        return _LOCAL + _last_component(value)
    return value


def _last_component(path: str) -> str:
    """Return the last component of a path of any system."""
    name = re.split(r"[/\\]", path.rstrip("/\\"))[-1]
    return name if name.strip(".~") else "folder"  # ".", ".." and "~" would have to be looked up on this machine

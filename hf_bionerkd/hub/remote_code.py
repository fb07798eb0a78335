"""Code that a model's repository brings: it runs only where the user says so, and the refusal says where to say it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MAPS = ("config.json", "tokenizer_config.json")


class RemoteCodeError(ValueError):
    """A model needs code of its own repository, and nobody allowed it to run."""


@contextmanager
def explaining_refusals(folder: str | Path, what: str, trusted: bool) -> Iterator[None]:
    """Load a model or tokenizer within; where `transformers` refuses its code, say so in the words of our settings.

    Pass `trust_remote_code=trusted` to what is loaded: left out, `transformers` would ask at the terminal and wait.

    Args:
        folder (`str` or `Path`): The model's local folder.
        what (`str`): How the user knows it, e.g. ``"teacher 'genes' at org/genes"``.
        trusted (`bool`): Whether its code may run.

    Raises:
        RemoteCodeError: The model needs its own code, and may not run it.
    """
    try:
        yield
    except ValueError as error:
        if trusted or not brings_code(folder):
            raise
        files = ", ".join(sorted(path.name for path in Path(folder).glob("*.py")))
        raise RemoteCodeError(
            f"{what} needs code of its own{f' ({files})' if files else ''}, which is not run unasked. Read it; if you "
            "trust it, set `trust_remote_code` to true where the model is named."
        ) from error


def brings_code(folder: str | Path) -> bool:
    """Whether a model's or tokenizer's configuration names classes of its own repository, or of another one."""
    for name in _MAPS:
        try:
            values = json.loads((Path(folder) / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(values, dict) and values.get("auto_map"):
            return True
    return False

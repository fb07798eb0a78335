"""The code that a model's repository contains: it runs only where the user allows it, and refusals say how to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MAPS = ("config.json", "tokenizer_config.json")


class RemoteCodeError(ValueError):
    """A model needs code of its own repository, which the user has not allowed to run."""


@contextmanager
def explaining_refusals(folder: str | Path, what: str, trusted: bool) -> Iterator[None]:
    """Explain, in terms of our settings, why `transformers` refuses the code of a model loaded within the block.

    Pass `trust_remote_code=trusted` to the loading call: without it, `transformers` would ask at the terminal and
    wait.

    Args:
        folder (`str` or `Path`): The model's local folder.
        what (`str`): Name of the model in messages, such as ``"teacher 'genes' at org/genes"``.
        trusted (`bool`): Whether its code may run.

    Raises:
        RemoteCodeError: The model needs its own code, and may not run it.
    """
    try:
        yield
    except ValueError as error:
        # The refusal is a plain ValueError (transformers 5.23); a class of its own would make this check needless.
        if trusted or not brings_code(folder):
            raise
        files = ", ".join(sorted(path.name for path in Path(folder).glob("*.py")))
        raise RemoteCodeError(
            f"{what} needs code of its own{f' ({files})' if files else ''}, which is not run unasked. Read it; if you "
            "trust it, set `trust_remote_code` to true where the model is named."
        ) from error


def brings_code(folder: str | Path) -> bool:
    """Tell whether a model's or tokenizer's configuration names classes of its own repository, or of another one."""
    for name in _MAPS:
        try:
            values = json.loads((Path(folder) / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(values, dict) and values.get("auto_map"):
            return True
    return False

"""The recognition of access tokens, so that none gets into a card, a configuration, a log or a repository."""

from __future__ import annotations

import os
import re
from pathlib import Path

# Tokens of applications, which are short-lived and joined by dots, those of users, and older ones of organisations.
_TOKEN = re.compile(r"hf_(?:oauth|jwt)_[\w.-]{20,}|hf_[A-Za-z0-9]{20,}|api_org_[A-Za-z0-9]{20,}", re.ASCII)
# Another Hub than huggingface.co may issue tokens of any form, so the token in use is recognised by its value.
_VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
_SHORTEST = 12  # characters; a shorter value could be a common word
_SAMPLE = 8192  # bytes at the start of a file that tell text from data


class SecretError(ValueError):
    """A value on its way into a file or repository looks like an access token of the Hub."""


def holds_token(text: str) -> bool:
    """Tell whether a text holds a Hub token (``hf_`` and twenty or more letters or digits), or that of ``HF_TOKEN``.

    Example:
        >>> holds_token("hf_bionerkd/data/corpus.py")
        False
    """
    return _TOKEN.search(text) is not None or any(value in text for value in _values())


def redact(text: str) -> str:
    """The text with every token replaced by ``hf_***``, for messages that quote what others wrote."""
    for value in _values():
        text = text.replace(value, "hf_***")
    return _TOKEN.sub("hf_***", text)


def find_token(path: str | os.PathLike[str]) -> int | None:
    """Return the first line of a text file that holds a token, counted from 1; None for no token, or no text file."""
    with open(path, "rb") as file:
        if b"\0" in file.read(_SAMPLE):
            return None
    with open(path, encoding="utf-8", errors="replace") as lines:
        return next((number for number, line in enumerate(lines, 1) if holds_token(line)), None)


def refuse_tokens(folder: str | os.PathLike[str], files: list[str]) -> None:
    """Refuse to publish files of which one holds a token.

    Args:
        folder (`str` or `PathLike`): The folder that is published.
        files (`list[str]`): The files that are published, as paths within the folder.

    Raises:
        SecretError: A file holds a token; the message names file and line, not the token.
    """
    for name in files:
        line = find_token(Path(folder) / name)
        if line is not None:
            raise SecretError(
                f"{name}, line {line}, holds an access token: nothing was sent. Take it out, and make the token "
                "worthless at the Hub (Settings, Access Tokens) if others may have seen it."
            )


def _values() -> list[str]:
    """Return the tokens that the environment holds."""
    values = (os.environ.get(name, "").strip() for name in _VARIABLES)
    return [value for value in values if len(value) >= _SHORTEST]

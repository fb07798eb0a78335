"""Access tokens: recognised, so that none ends in a card, a configuration, a log or a repository."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"hf_(?:oauth_|jwt_)?[A-Za-z0-9]{20,}")


class SecretError(ValueError):
    """A value on its way into a file or repository looks like an access token of the Hub."""


def holds_token(text: str) -> bool:
    """Whether a text holds what looks like a Hub token: ``hf_`` and twenty or more letters or digits.

    Example:
        >>> holds_token("hf_bionerkd/data/corpus.py")
        False
    """
    return _TOKEN.search(text) is not None


def redact(text: str) -> str:
    """The text with every token replaced by ``hf_***``, for messages that quote what others wrote."""
    return _TOKEN.sub("hf_***", text)

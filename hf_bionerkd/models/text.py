"""What any text needs before a tokenizer may have it."""

from __future__ import annotations

import re

_SURROGATE = re.compile("[\ud800-\udfff]")
REPLACEMENT = "\ufffd"


def without_surrogates(text: str) -> str:
    r"""Return a text in which U+FFFD, the replacement character, stands for every lone surrogate.

    Surrogates come from damaged files and from JSON that was cut in the middle of a pair; no tokenizer takes them. One
    character replaces one, so that all offsets hold.

    Example:
        >>> len(without_surrogates("a\ud800b")), without_surrogates("a\ud800b") == "a\ufffdb"
        (3, True)
    """
    return _SURROGATE.sub(REPLACEMENT, text)

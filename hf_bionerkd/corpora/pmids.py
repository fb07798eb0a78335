"""What a PMID is: one rule for every reader."""

from __future__ import annotations

import re

# PubMed's numbers have eight digits now; far longer ones are no PMIDs, and would not go into a table.
_PMID = re.compile(r"[0-9]{1,9}")


def parse_pmid(text: str) -> int | None:
    """The PMID that a text is; None where it is none.

    Args:
        text (`str`): Digits, with or without zeros before and white space around.

    Returns:
        A number from 1 to 999,999,999, or None.

    Example:
        >>> parse_pmid(" 0227508"), parse_pmid("PMC5"), parse_pmid("0")
        (227508, None, None)
    """
    stated = text.strip()
    return (int(stated) or None) if _PMID.fullmatch(stated) else None

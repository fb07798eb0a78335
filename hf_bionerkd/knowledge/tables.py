"""What the tables of knowledge bases have in common: web pages saved in their place, and signs spelt as in a web page.

=================================  ====================================================================================
a web page in place of the file    error that says so: servers answer with one where they refuse a download or want to
                                   see a person first
``&apos;``, ``&#246;``, ``&amp;``  the signs they stand for, once; an ``&`` that begins no entity stays
=================================  ====================================================================================
"""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterator
from html.entities import html5

from hf_bionerkd.corpora.files import CorpusError, read_lines

_PAGE = re.compile(r"\s*<(?:!doctype\s+html|!--|(?:html|head|body|title|meta|script|style|div|p)\b)", re.IGNORECASE)
_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*>")
_ENTITY = re.compile(r"&(#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")


def read_table_lines(path: str | os.PathLike[str], owner: str) -> Iterator[tuple[int, str]]:
    """Stream the lines of a table with their numbers, as :func:`~hf_bionerkd.corpora.files.read_lines` does.

    Args:
        path (`str` or `PathLike`): The file, plain or ``.gz``.
        owner (`str`): Whose table it should be, for the error.

    Raises:
        CorpusError: The file is a web page.
    """
    begins = True
    for number, line in read_lines(path):
        if begins and line.strip():
            # A page that is XML says so behind the declaration, or in the next line.
            is_page = _PAGE.match(_DECLARATION.sub("", line))
            begins = not is_page and line.lstrip().startswith("<?xml")
            if is_page:
                raise CorpusError(
                    f"{path}:{number}: this is a web page, not {owner}'s table: {line.strip()[:80]!r}. The server "
                    "sent it in place of the file: open the address in a browser, and save what it offers there."
                )
        yield number, line


def unescape(text: str) -> str:
    """Return a text with the entities of HTML as the signs they stand for.

    Example:
        >>> unescape("Musician&apos;s Dystonia, Sj&#246;gren, R&D, AT&T;")
        "Musician's Dystonia, Sjögren, R&D, AT&T;"
    """
    return _ENTITY.sub(_sign, text) if "&" in text else text


def _sign(entity: re.Match[str]) -> str:
    known = entity[1].startswith("#") or f"{entity[1]};" in html5
    return html.unescape(entity[0]) if known else entity[0]

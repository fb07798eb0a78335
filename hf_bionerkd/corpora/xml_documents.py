"""The XML documents of a file that were appended to each other, one after another."""

from __future__ import annotations

import re
from typing import BinaryIO

# The declaration that begins a document, after the tag (or what else ends in >) that ends the one before it. Within a
# document it could only stand in a comment or CDATA section.
_NEXT = re.compile(rb">\s*(<\?xml\s)")
_AT_ONCE = re.compile(rb"\s*(<\?xml\s)")
_HELD_BACK = 5  # bytes at the end of what is in memory that may begin a declaration


class XMLDocuments:
    """A stream of several documents, which ends where the next one begins until that one is asked for.

    Args:
        stream (`BinaryIO`): The bytes of the file, in an encoding that has ASCII as ASCII: others are one document.

    Attributes:
        lines_before (`int`): Line ends before the present document.

    Example:
        >>> import io
        >>> documents = XMLDocuments(io.BytesIO(b"<?xml version='1.0'?><r/><?xml version='1.0'?><s/>"))
        >>> [documents.read(99) for _ in range(2) if documents.begin_next()]
        [b"<?xml version='1.0'?><r/>", b"<?xml version='1.0'?><s/>"]
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        # What was read and not given on, whether the file has ended, and the last byte given that is no white space.
        self._held, self._ended, self._last = b"", False, b""
        self._begun, self._lines = False, 0
        self.lines_before = 0

    def begin_next(self) -> bool:
        """Go on to the next document and return whether there is one; the present one must be read to its end."""
        more = not self._begun or bool(self._held)
        self.lines_before = self._lines
        self._begun, self._last = True, b""
        return more

    def read(self, size: int) -> bytes:
        """Return the next bytes of the present document; none at its end."""
        while not self._ended and len(self._held) <= _HELD_BACK:
            self._fill(size)
        end = len(self._held) if self._ended else len(self._held) - _HELD_BACK
        following = _AT_ONCE.match(self._held) if self._last == b">" else None
        if following := following or _NEXT.search(self._held):
            end = min(end, following.start(1))
        content, self._held = self._held[:end], self._held[end:]
        self._last = content.rstrip()[-1:] or self._last
        self._lines += content.count(b"\n")
        return content

    def _fill(self, size: int) -> None:
        chunk = self._stream.read(max(size, 1))
        self._ended = not chunk
        self._held += chunk

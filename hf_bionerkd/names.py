"""Names that become names of files and folders: of teachers, corpora, splits and values of a sweep.

:func:`check_name` is for names that people choose, when they are read; :func:`file_name` for texts that are no names,
such as the value of an option, and for names that other code hands over.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

MOST_BYTES = 120  # file systems take 255; what is put before and behind a name needs the rest
_PLAIN = re.compile(r"[^\w.,=+@-]")
_SHOWN = 60


def check_name(name: str, what: str) -> str:
    r"""Refuse a name that as a part of a path would lead elsewhere, or that a file system would refuse.

    Args:
        name (`str`): The name.
        what (`str`): What it is the name of, for the message: ``"teacher"``.

    Returns:
        The name as it was given.

    Raises:
        ValueError: The name is empty, ``.`` or ``..``, holds a separator of paths or a sign that cannot be seen, or is
            longer than 120 bytes. The message is one line.

    Example:
        >>> check_name("../../evil", "teacher")
        Traceback (most recent call last):
        ValueError: a teacher is named '../../evil', but folders are named after it: a name holds no / and no \
    """
    problem = _problem(name)
    if problem:
        shown = repr(name) if len(name) <= _SHOWN else f"{name[:_SHOWN]!r}…"
        article = "an" if what[0] in "aeiou" else "a"
        raise ValueError(f"{article} {what} is named {shown}, but folders are named after it: {problem}")
    return name


def file_name(text: str) -> str:
    """Return a name for a file or folder that is made of a text, different texts giving different names.

    Letters, digits and ``. , = + @ - _`` stay, other signs are written as in an address (``%2F``), and of a long text
    the beginning is kept and a hash added.

    Example:
        >>> file_name("loss.lam=0.5"), file_name("student.path=org/model"), file_name("..")
        ('loss.lam=0.5', 'student.path=org%2Fmodel', '%2E%2E')
    """
    encoded = _PLAIN.sub(lambda sign: _percent(sign[0]), text)
    if not encoded.strip("."):
        encoded = "".join(map(_percent, text)) or "%"
    if len(encoded.encode()) <= MOST_BYTES:
        return encoded
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    kept = encoded.encode()[: MOST_BYTES - len(digest) - 1].decode(errors="ignore")
    return f"{kept}-{digest}"


def _problem(name: str) -> str:
    """Say why a name cannot be that of a folder; empty where it can."""
    if not name.strip():
        return "a name holds at least one letter"
    if name in (".", ".."):
        return "that is a folder's name for itself or the one above; choose a word"
    if "/" in name or "\\" in name:
        return "a name holds no / and no \\"
    if any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in name):
        return "a name holds no line break, NUL or other sign that cannot be seen"
    size = len(name.encode())
    return f"it has {size:,} bytes, and a name has at most {MOST_BYTES}" if size > MOST_BYTES else ""


def _percent(sign: str) -> str:
    return "".join(f"%{byte:02X}" for byte in sign.encode("utf-8", "surrogatepass"))

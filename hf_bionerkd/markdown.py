r"""Names and texts of others in Markdown: shown as they are, and never read as markup.

Types come from the labels of published models, names from configurations, citations and descriptions from people: all
of them may hold bars, line breaks, backticks or HTML. Cards and tables pass every one of them through here.

References: GitHub Flavored Markdown, https://github.github.com/gfm; its table cells end at a ``|`` that no backslash
stands before, also within code.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable

# What would begin emphasis, code, a link, a formula or HTML in running text. An underscore within a word does nothing.
_SIGNS = re.compile(r"[\\`*\[\]$~|]|^#|^[-+](?= |$)|(?<![^\W_])_|_(?![^\W_])")
_NUMBERED = re.compile(r"^(\d{1,9})([.)])(?= |$)")  # at its beginning a text could open a list, too
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# HTML that swallows or runs what follows it; other elements are people's to use.
_HTML = re.compile(
    r"<(?=/?(?:script|style|iframe|object|embed|textarea|title|xmp|plaintext|noembed|noframes|template|svg|math|h[1-6])\b|[!?])",
    re.IGNORECASE,
)
_HEADING = re.compile(r" {0,3}#{1,6}(?:[ \t]+(.*?))?(?:[ \t]+#*)?[ \t]*")
# In a list or a quotation; fences that open there end where the list does.
_NESTED = re.compile(r"((?:[ \t]*(?:>|[-+*][ \t]|\d{1,9}[.)][ \t]))+[ \t]*)(#{1,6}(?:[ \t].*)?|(?:`{3}|~{3}).*)")
_UNDERLINE = re.compile(r" {0,3}(?:=+|-+)[ \t]*")
_FENCE = re.compile(r"( {0,3})(`{3,}|~{3,})(.*)")
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # they turn the text around them


class Markdown(str):
    """A text that is Markdown already and is not to be escaped."""


def one_line(text: object) -> str:
    r"""Return a text on one line: white space runs together, and signs that steer a terminal become ``U+FFFD``.

    Example:
        >>> one_line("Gene\n# Protein")
        'Gene # Protein'
    """
    joined = " ".join(str(text).split())
    return "".join("\ufffd" if _is_steering(sign) else sign for sign in joined)


def plain(text: object) -> Markdown:
    r"""Return a text as Markdown that shows it: on one line, every sign that Markdown or HTML would read escaped.

    Example:
        >>> plain("<b>DNA|RNA</b>")
        '&lt;b&gt;DNA\\|RNA&lt;/b&gt;'
    """
    if isinstance(text, Markdown):
        return text
    escaped = _NUMBERED.sub(r"\1\\\2", _SIGNS.sub(r"\\\g<0>", one_line(text)))
    return Markdown(re.sub("[&<>]", lambda sign: _ENTITIES[sign[0]], escaped))


def code(text: object) -> Markdown:
    """Return a text as inline code, on one line.

    Between backticks where they can hold it, and otherwise in an HTML element with every sign as an entity, since
    neither a backtick nor, in a table, a bar can be escaped between backticks.

    Example:
        >>> code("<all> $A </all>"), code("a|b")
        ('`<all> $A </all>`', '<code>a&#124;b</code>')
    """
    line = one_line(text)
    if line and not re.search(r"[`|]", line) and not _HTML.search(line) and not line.endswith("\\"):
        return Markdown(f"`{line}`")
    entities = re.sub(r"[^\w .,:=-]|_", lambda sign: f"&#{ord(sign[0])};", line)
    return Markdown(f"<code>{entities}</code>")


def fenced(text: str, language: str = "") -> Markdown:
    """Return a text as a block of code, between fences that it cannot close."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return Markdown(f"{fence}{language}\n{_printable(text)}\n{fence}")


def quoted(text: object) -> str:
    """Return a text, or a list of texts, as a literal of Python on one line, for a block of code."""
    if isinstance(text, list | tuple):
        return f"[{', '.join(map(quoted, text))}]"
    return _HTML.sub(r"\\u003c", json.dumps(str(text)))


def prose(text: str) -> Markdown:
    """Return Markdown that people wrote, as a part of a longer text that it must not break out of.

    Headings become bold lines, since the sections are the longer text's own; HTML that would swallow or run what
    follows is shown; a fence that is left open is closed. Code between fences stays as it is.

    Args:
        text (`str`): Markdown, as in a ``card.yaml``.
    """
    lines: list[str] = []
    margin, fence = "", ""
    for line in _printable(text).splitlines():
        mark = _FENCE.fullmatch(line)
        # A fence that stands in a list ends with it, and one that does not goes on: closed, it ends for every reader.
        if fence and line.strip() and not line.startswith(margin):
            lines.append(f"{margin}{fence}")
            fence = ""
        if fence:
            lines.append(line)
            if mark and mark[2].startswith(fence) and not mark[3].strip():
                fence = ""
        elif mark and not (mark[2][0] == "`" and "`" in mark[3]):
            margin, fence = mark[1], mark[2]
            lines += ["", _HTML.sub("&lt;", line)]  # HTML goes on to the next empty line, fences or not
        else:
            lines.append(_without_heading(_HTML.sub("&lt;", line), bool(lines and lines[-1].strip())))
    return Markdown("\n".join([*lines, f"{margin}{fence}"] if fence else lines).lstrip("\n"))


def markdown_row(cells: Iterable[object]) -> str:
    r"""Join one line of a GitHub table; what is no :class:`Markdown` is escaped.

    Example:
        >>> markdown_row(["a|b", Markdown("**all**"), 3])
        '| a\\|b | **all** | 3 |'
    """
    return f"| {' | '.join(map(plain, cells))} |"


def _is_steering(sign: str) -> bool:
    """Return whether a sign is shown by nothing, and does something to a terminal, a file or the text around it."""
    return unicodedata.category(sign) in ("Cc", "Cs") or sign in _BIDI


def _printable(text: str) -> str:
    """Return a text of several lines without signs that steer."""
    lines = text.splitlines()
    return "\n".join("".join("\ufffd" if _is_steering(s) and s != "\t" else s for s in line) for line in lines)


def _without_heading(line: str, has_text_above: bool) -> str:
    # An underline makes a heading of the paragraph above it.
    if has_text_above and _UNDERLINE.fullmatch(line):
        return f"\\{line.strip()}"
    if nested := _NESTED.fullmatch(line):
        return f"{nested[1]}\\{nested[2]}"
    heading = _HEADING.fullmatch(line)
    if not heading:
        return line
    return f"**{heading[1].strip()}**" if heading[1] and heading[1].strip() else ""

"""Annotations as HTML, in which all text from people and from models is escaped."""

from __future__ import annotations

import base64
import re
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from annotation import Annotation
from colours import colour_rules
from comparison import Comparison, Key, key
from exports import Export

from hf_bionerkd.documents import Mention
from hf_bionerkd.encoding.tag_pairs import NEUTRAL

MOST_ROWS = 500  # rows of a table on the page; the downloads hold every mention
_BLOCK = 2000  # characters; a browser lays out only the blocks in view


def style_sheet() -> str:
    """Return the page's own rules and those for the colours of types."""
    return Path(__file__).with_name("style.css").read_text(encoding="utf-8") + colour_rules() + "\n"


def panel(
    annotation: Annotation,
    colours: Mapping[str, int],
    exports: Iterable[Export] = (),
    letter: str = "",
    alone: Collection[Key] = (),
) -> str:
    """Return the panel of one model: a legend, the text with its mentions, links to download, a table.

    Args:
        annotation (`Annotation`): Text, mentions, scores.
        colours (`Mapping[str, int]`): Type to colour, as :func:`colours.colours_of` returns them.
        exports (`Iterable[Export]`, *optional*): Files to offer.
        letter (`str`, *optional*): Letter of the student where two are compared.
        alone (`Collection[Key]`, *optional*): Mentions that only this one of the two found.
    """
    # The neutral tag is how a model is read by default, so it need not be named.
    asides = [
        f"guidelines of {annotation.tag}" if annotation.tag not in (None, NEUTRAL) else "",
        f"version {annotation.commit[:7]}" if annotation.commit else "",
    ]
    aside = escape(" · ".join(filter(None, asides)))
    name = escape(annotation.model + (f"@{annotation.revision}" if annotation.revision else ""))
    return _page(
        f'<section aria-label="{name}">'
        f'<h2>{f"{letter} · " if letter else ""}{name} <span class="bn-aside">{aside}</span></h2>'
        + _legend(annotation, colours)
        + f'<div class="bn-text" role="region" tabindex="0" dir="auto" aria-label="Text with mentions by {name}">'
        + highlighted(annotation, colours, letter, alone)
        + "</div>"
        + '<p class="bn-downloads">'
        + "".join(_download(export) for export in exports)
        + "</p>"
        + _left_out(annotation.left_out)
        + _mention_table(annotation, colours)
        + "</section>"
    )


def highlighted(
    annotation: Annotation, colours: Mapping[str, int], letter: str = "", alone: Collection[Key] = ()
) -> str:
    """Return the text with every mention marked, followed by its type and score.

    Outside the ``small`` elements, which hold type and score, the HTML's text is the annotated text. A long text is
    divided into blocks, of which a browser lays out only those in view.
    """
    text = annotation.document.text
    scored = annotation.scored
    parts = []
    position = done = 0
    for end in _block_ends(text, annotation.document.mentions):
        # No mention crosses the end of a block, so those that end in it are all of it.
        parts.append('<div class="bn-block">')
        while done < len(scored) and scored[done][0].end <= end:
            mention, score = scored[done]
            extra = f" · only {letter}" if key(mention) in alone else ""
            parts += [
                escape(text[position : mention.start], quote=False),
                f'<mark class="bn-c{colours[mention.type]}{" bn-alone" if extra else ""}">',
                f"{escape(mention.text, quote=False)}<small> {escape(mention.type)} {score:.2f}{extra}</small></mark>",
            ]
            position = mention.end
            done += 1
        parts += [escape(text[position:end], quote=False), "</div>"]
        position = end
    return "".join(parts)


def _block_ends(text: str, mentions: Sequence[Mention]) -> Iterator[int]:
    """Yield where to divide a text: at line breaks or, in very long lines, at white space; never in a mention."""
    starts = [mention.start for mention in mentions]
    begin = 0
    for match in re.finditer(r"\s", text):
        if match.end() - begin >= (_BLOCK if match[0] == "\n" else 4 * _BLOCK):
            before = bisect_left(starts, match.end()) - 1
            if before < 0 or mentions[before].end <= match.end():
                yield match.end()
                begin = match.end()
    if begin < len(text) or not text:
        yield len(text)


def differences(comparison: Comparison, types: Sequence[Collection[str]], colours: Mapping[str, int]) -> str:
    """Return the section that shows where two students, called A and B, agree and where they differ.

    Args:
        comparison (`Comparison`): Mentions that each found.
        types (`Sequence[Collection[str]]`): Types that each of them knows.
        colours (`Mapping[str, int]`): Type to colour.
    """
    counts = [
        (comparison.both, "found by both"),
        (len(comparison.only_first), "only by A"),
        (len(comparison.only_second), "only by B"),
    ]
    summary = "".join(f"<li><b>{count:,}</b> {what}</li>" for count, what in counts)
    # A model that does not know a type cannot have missed its mentions; the page says so.
    unknown = (("A", set(types[1]) - set(types[0])), ("B", set(types[0]) - set(types[1])))
    notes = [
        f"<p>{letter} does not look for {escape(', '.join(sorted(kinds)))}.</p>" for letter, kinds in unknown if kinds
    ]
    rows = [
        [*_cells(mention, colours), "A" if other is None else "B", _number(score if other is None else other)]
        for mention, score, other in comparison.rows
        if score is None or other is None
    ]
    if rows:
        details = _table("What only one of them found", ("Mention", "Type", "Characters", "Found by", "Score"), rows)
    else:
        details = f"<p>{'They agree on every mention' if comparison.rows else 'Neither found anything'}.</p>"
    return _page(
        '<section aria-label="Comparison of A and B"><h2>Where they differ</h2>'
        f'<ul class="bn-counts">{summary}</ul>{"".join(notes)}{details}</section>'
    )


def message(text: str, *, problem: bool = False) -> str:
    """Return a sentence to the person at the page; screen readers announce one about a problem."""
    role = "alert" if problem else "status"
    return _page(f'<p class="bn-message{" bn-problem" if problem else ""}" role="{role}">{escape(text)}</p>')


def _page(content: str) -> str:
    """Return content to which the style sheet's rules apply."""
    return f'<div class="bn-page">{content}</div>'


def _legend(annotation: Annotation, colours: Mapping[str, int]) -> str:
    """Return the legend: every type that the student knows, with its colour and number of mentions."""
    kinds = [mention.type for mention in annotation.document.mentions]
    entries = "".join(
        f'<li><span class="bn-type bn-c{colours[kind]}">{escape(kind)}</span> {kinds.count(kind)}</li>'
        for kind in annotation.types
    )
    return f'<ul class="bn-legend" aria-label="Mentions of each type">{entries}</ul>'


def _left_out(number: int) -> str:
    """Return a remark on the mentions that somebody chose not to see."""
    words = "1 mention is" if number == 1 else f"{number:,} mentions are"
    return f'<p class="bn-note">{words} hidden by your choices.</p>' if number else ""


def _mention_table(annotation: Annotation, colours: Mapping[str, int]) -> str:
    """Return all mentions as a table that is folded at first."""
    count = len(annotation.scored)
    if not count:
        return "<p>Nothing to mark was found.</p>" if not annotation.left_out else ""
    rows = [[*_cells(mention, colours), _number(score)] for mention, score in annotation.scored]
    words = f"{count:,} mention{'s' if count > 1 else ''}"
    table = _table(words, ("Mention", "Type", "Characters", "Score"), rows)
    return f"<details><summary>{words} as a table</summary>{table}</details>"


def _cells(mention: Mention, colours: Mapping[str, int]) -> list[str]:
    """Return a mention's text, type and offsets as cells of a table."""
    kind = f'<span class="bn-type bn-c{colours[mention.type]}">{escape(mention.type)}</span>'
    return [escape(mention.text), kind, f"{mention.start}–{mention.end}"]


def _number(score: float | None) -> str:
    """Return a score as the page shows it."""
    return "" if score is None else f"{score:.2f}"


def _table(caption: str, heads: Iterable[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of cells that are HTML already."""
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows[:MOST_ROWS])
    more = f"<p>… and {len(rows) - MOST_ROWS:,} more, in the downloads.</p>" if len(rows) > MOST_ROWS else ""
    return (
        f'<div class="bn-scroll" role="region" tabindex="0" aria-label="{caption}"><table><caption>{caption}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{more}"
    )


def _download(export: Export) -> str:
    """Return a link that contains the file, so that the server keeps no copy of anybody's text."""
    content = base64.b64encode(export.content.encode()).decode()
    kind = {"text/plain": "PubTator", "application/json": "JSON"}[export.media_type]
    return (
        f'<a class="bn-download" download="{escape(export.name)}" '
        f'href="data:{export.media_type};charset=utf-8;base64,{content}">Download {kind}</a> '
    )

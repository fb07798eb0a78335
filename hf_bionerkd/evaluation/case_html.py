"""The case studies as one self-contained HTML page: no script, nothing fetched, readable without colours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from hf_bionerkd.evaluation.case_study import (
    SIGNS,
    Case,
    Reading,
    describe,
    letters_of,
    pieces,
    title_of,
    types_of,
)

# Degrees on the colour wheel, for types in the order of their names: far apart, so that most eyes distinguish them.
_HUES = (212, 8, 140, 40, 285, 330, 180, 62)
_MOST_OPEN = 8  # words whose probabilities are unfolded
_SIGN_NAMES = {"+": "added", "~": "changed", "-": "removed"}
_STYLE = """
:root { color-scheme: light dark; --back: 90%; --ink: 14%; --line: 32%; --rule: #8885; }
@media (prefers-color-scheme: dark) { :root { --back: 20%; --ink: 92%; --line: 72%; } }
body { font: 16px/1.75 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.05rem; margin: 2.5rem 0 .5rem; }
.legend { font-size: .9rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .4rem 1rem; margin: 0; }
dt { font-weight: 600; } dd { margin: 0; overflow-wrap: anywhere; }
mark { background: hsl(var(--hue) 80% var(--back)); color: hsl(var(--hue) 60% var(--ink)); padding: .1em .25em;
  border-bottom: 2px solid hsl(var(--hue) 70% var(--line)); border-radius: .2em; }
mark b { font-size: .8em; margin-right: .3em; white-space: nowrap; }
.added { outline: 2px solid hsl(var(--hue) 70% var(--line)); }
.changed { outline: 2px dashed hsl(var(--hue) 70% var(--line)); }
.removed { outline: 2px dotted hsl(var(--hue) 70% var(--line)); }
.changes { font-size: .9rem; margin: .1rem 0 0; padding: 0; list-style: none; }
.changes li { display: inline; } .changes li + li::before { content: "; "; }
details { margin-top: 1rem; } .scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .1rem .6rem; border-bottom: 1px solid var(--rule); }
th { text-align: left; font-weight: 600; } td.p { text-align: right; min-width: 5rem;
  background: linear-gradient(to right, #5b8fc980 var(--p), transparent var(--p)); }
th.p { text-align: right; } tbody th[rowspan] { vertical-align: top; }
"""


def case_page(cases: Sequence[Case], title: str) -> str:
    """Lay case studies out as a page.

    Args:
        cases (`Sequence[Case]`): The cases in the order in which they are shown.
        title (`str`): The heading of the page.

    Returns:
        The HTML document; every text given is escaped.
    """
    types = types_of(cases)
    letters = letters_of(types)
    hues = "".join(f".t{number} {{ --hue: {_HUES[number % len(_HUES)]}; }}\n" for number in range(len(types)))
    kinds = " ".join(
        f'<mark class="t{number}"><b>{escape(letters[kind])}</b>{escape(kind)}</mark>'
        for number, kind in enumerate(types)
    )
    signs = "; ".join(f"<b>{sign}</b> {escape(meaning)}" for sign, meaning in SIGNS.items())
    sections = "".join(_section(case, types, letters) for case in cases)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}{hues}</style></head>\n"
        f'<body><h1>{escape(title)}</h1><p class="legend">{kinds}. {signs}.</p>\n{sections}</body></html>\n'
    )


def _section(case: Case, types: Sequence[str], letters: Mapping[str, str]) -> str:
    parts = []
    for index, reading in enumerate(case.readings):
        # The first reading is what the others are compared with; it has no changes of its own.
        changes = describe(case.document, case.changes(reading)) if index else []
        listed = "".join(f"<li>{escape(line)}</li>" for line in changes)
        below = f'<ul class="changes">{listed}</ul>' if listed else ""
        parts.append(f"<dt>{escape(reading.name)}</dt><dd>{_marked(case, index, types, letters)}{below}</dd>\n")
    table = _table(case) if any(reading.probabilities is not None for reading in case.readings) else ""
    return f"<section><h2>{escape(title_of(case.document))}</h2><dl>\n{''.join(parts)}</dl>{table}</section>\n"


def _marked(case: Case, index: int, types: Sequence[str], letters: Mapping[str, str]) -> str:
    """Return a reading's text with its mentions marked."""
    signs = case.signs(index)
    parts = []
    for text, span in pieces(case.document, signs):
        if span is None:
            parts.append(escape(text))
            continue
        # The sign stands in the text, too: colours and outlines only repeat it.
        sign = signs[span]
        names = f"t{types.index(span[2])} {_SIGN_NAMES.get(sign, '')}".strip()
        parts.append(f'<mark class="{names}"><b>{sign}{escape(letters[span[2]])}</b>{escape(text)}</mark>')
    return "".join(parts)


def _table(case: Case) -> str:
    """Lay out the probabilities of the words in question, one row per reading."""
    columns = case.label_columns()
    head = "".join(f'<th scope="col">{name}</th>' for name in ("word", "reading", "tag"))
    head += "".join(f'<th scope="col" class="p">{escape(name)}</th>' for name in columns)
    words = case.words_in_question()
    body = "".join(row for word in words for row in _rows(case, word, columns))
    # A long table starts folded: the sentences are what a reader comes for.
    summary = f"Label probabilities of {len(words)} word{'' if len(words) == 1 else 's'}, percent"
    return (
        f"<details{' open' if len(words) <= _MOST_OPEN else ''}><summary>{summary}</summary>"
        f'<div class="scroll"><table aria-label="{summary}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div></details>"
    )


def _rows(case: Case, word: int, columns: Sequence[str]) -> Iterator[str]:
    span = f' rowspan="{len(case.readings)}"'
    for index, reading in enumerate(case.readings):
        # The word stands once, beside the rows of all its readings.
        name = "" if index else f'<th scope="rowgroup"{span}>{escape(case.document.tokens[word])} ({word})</th>'
        cells = "".join(_cell(case, reading, word, label) for label in columns)
        yield f"<tr>{name}<td>{escape(reading.name)}</td><td>{escape(reading.tags[word])}</td>{cells}</tr>\n"


def _cell(case: Case, reading: Reading, word: int, label: str) -> str:
    value = case.probability(reading, word, label)  # None: the model does not know the label
    return "<td></td>" if value is None else f'<td class="p" style="--p: {100 * value:.2f}%">{100 * value:.2f}</td>'

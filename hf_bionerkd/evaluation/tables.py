"""The tables of what a run measured, for terminals and for cards: percent, macro averages at the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from hf_bionerkd.evaluation.entities import Average, Counts
from hf_bionerkd.evaluation.report import Result, macro_averages
from hf_bionerkd.evaluation.significance import Interval
from hf_bionerkd.markdown import Markdown, markdown_row, one_line

NO_GOLD = "–: no gold mention, so neither recall nor F1; left out of the macro average."

_WIDTH = 100  # of a common terminal
_INTERVAL_WIDTH = 16
_NONE = "–"


def text_table(
    results: Iterable[Result],
    caption: str = "strict, percent",
    intervals: Mapping[str, Interval] | None = None,
    level: float = 0.95,
) -> str:
    """Lay results out for a terminal of 100 columns: one block per corpus and type, one line per model, one decimal.

    Args:
        results (`Iterable[Result]`): Rows in any order; corpora, types and models keep the order of their first row.
            There is a column of intervals if one of them has one.
        caption (`str`, *optional*, defaults to `"strict, percent"`): The heading over the names.
        intervals (`Mapping[str, tuple[float, float]]`, *optional*): Those of the macro averages, by name.
        level (`float`, *optional*, defaults to 0.95): The level of the intervals, for their column's name.

    Returns:
        The table, without a final line break. The last column is the number of gold mentions and, under the macro
        average, of rows averaged.

    Raises:
        ValueError: There are no results, or two for one model, corpus and type.
    """
    results = list(results)
    blocks = _blocks(results)
    averages = macro_averages(results, intervals)
    shown = _has_intervals(results, averages)
    # The column of names is as wide as the longest one, within what a terminal has room for.
    numbers = 32 + (_INTERVAL_WIDTH if shown else 0)
    names = [caption, *(one_line(f"{corpus} / {kind}") for corpus, kind in blocks)]
    names += [f"  {one_line(model)}" for model in (*averages, *(result.model for result in results))]
    width = min(_WIDTH - numbers, max(map(len, names)))

    def line(name: str, ratios: Iterable[str] = ("", "", ""), interval: str = "", last: str = "") -> str:
        cells = "".join(cell.rjust(8) for cell in ratios) + (interval.rjust(_INTERVAL_WIDTH) if shown else "")
        return (_shorten(name, width).ljust(width) + cells + last.rjust(8)).rstrip()

    # A block per corpus and type, then the macro averages.
    lines = [line(caption, ("P", "R", "F1"), f"{100 * level:.4g} % interval", "gold"), "-" * (width + numbers)]
    for (corpus, kind), rows in blocks.items():
        lines.append(line(one_line(f"{corpus} / {kind}")))
        for result in rows:
            name, ends = f"  {one_line(result.model)}", _ends(result.interval, 1)
            lines.append(line(name, percent(result.counts, 1), ends, str(result.counts.support)))
        lines.append("")
    lines.append(line("macro average", last="rows"))
    for model, mean in averages.items():
        name, ends = f"  {one_line(model)}", _ends(mean.interval, 1)
        lines.append(line(name, percent(mean, 1), ends, mean.described))
    return "\n".join([*lines, *_note(averages)])


def markdown_table(
    results: Iterable[Result], level: float = 0.95, intervals: Mapping[str, Interval] | None = None
) -> str:
    """Lay results out as a GitHub table with two decimals, in the order of :func:`text_table`.

    Args:
        results (`Iterable[Result]`): Rows in any order. There is a column of intervals if one of them has one.
        level (`float`, *optional*, defaults to 0.95): The level of the intervals, for their column's name.
        intervals (`Mapping[str, tuple[float, float]]`, *optional*): Those of the macro averages, by name.

    Raises:
        ValueError: There are no results, or two for one model, corpus and type.
    """
    results = list(results)
    averages = macro_averages(results, intervals)
    # No interval, no column for them.
    shown = _has_intervals(results, averages)
    header, rule = ["corpus", "type", "model", "P", "R", "F1"], ["---"] * 3 + ["---:"] * 3
    if shown:
        header, rule = [*header, f"{100 * level:.4g} % interval"], [*rule, ":---:"]
    lines = [markdown_row([*header, "gold"]), f"|{'|'.join([*rule, '---:'])}|"]
    for (corpus, kind), rows in _blocks(results).items():
        for result in rows:
            cells = [corpus, kind, result.model, *percent(result.counts, 2)]
            ends = [_ends(result.interval, 2)] if shown else []
            lines.append(markdown_row([*cells, *ends, result.counts.support]))
    # Averages close the table; they count rows in place of mentions.
    for model, mean in averages.items():
        cells = [Markdown("**macro average**"), f"rows: {mean.described}", model, *percent(mean, 2)]
        ends = [_ends(mean.interval, 2)] if shown else []
        lines.append(markdown_row([*cells, *ends, ""]))
    return "\n".join([*lines, *_note(averages)])


def _blocks(results: Sequence[Result]) -> dict[tuple[str, str], list[Result]]:
    """Group rows by (corpus, type), the types of one corpus next to each other, in order of first appearance."""
    if not results:
        raise ValueError("there are no results to lay out: score at least one model on one corpus")
    corpora = list(dict.fromkeys(result.corpus for result in results))
    blocks: dict[tuple[str, str], list[Result]] = {}
    # Sorting is stable: within a corpus, types and models keep their order.
    for result in sorted(results, key=lambda r: corpora.index(r.corpus)):
        rows = blocks.setdefault((result.corpus, result.type), [])
        if any(row.model == result.model for row in rows):
            raise ValueError(
                f"two results for model {result.model!r} on type {result.type!r} of corpus {result.corpus!r}: give "
                "every model its own name"
            )
        rows.append(result)
    return blocks


def _has_intervals(results: Iterable[Result], averages: Mapping[str, Average]) -> bool:
    return any(result.interval for result in results) or any(mean.interval for mean in averages.values())


def percent(scores: Counts | Average, decimals: int) -> Iterator[str]:
    """Write precision, recall and F1 in percent, and a dash for what is not known."""
    has_gold = scores.rows > 0 if isinstance(scores, Average) else scores.support > 0
    # What is predicted where there is nothing to find is wrong: that much is known.
    has_precision = has_gold or (isinstance(scores, Counts) and scores.fp > 0)
    values = ((scores.precision, has_precision), (scores.recall, has_gold), (scores.f1, has_gold))
    return (f"{100 * value:.{decimals}f}" if is_known else _NONE for value, is_known in values)


def _ends(interval: Interval | None, decimals: int) -> str:
    return " – ".join(f"{100 * end:.{decimals}f}" for end in interval or ())


def _note(averages: Mapping[str, Average]) -> list[str]:
    """Return the lines that explain the dashes of a table, where it has some."""
    return ["", NO_GOLD] if any(mean.left_out for mean in averages.values()) else []


def _shorten(name: str, width: int) -> str:
    """Cut the middle out of a long name, since its ends tell it from others."""
    if len(name) <= width:
        return name
    tail = (width - 1) // 2
    return f"{name[: width - 1 - tail]}…{name[len(name) - tail :]}"

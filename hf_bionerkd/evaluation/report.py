"""The measurements of a run: one row per model, corpus and type; tables of them; and `metrics.json`.

Tables show percent, the file holds fractions in [0, 1]. Both end with one macro average per model, the mean over its
(corpus, type) rows. Teachers, each of which answers for one corpus, are averaged together as ``mean teacher``: every
model named ``teacher`` or ``teacher …`` is one. Where rows were resampled, each result carries the bootstrap interval
of its F1; macro averages have none, because their rows come from corpora of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from hf_bionerkd.evaluation.entities import Counts
from hf_bionerkd.evaluation.significance import Bootstrap
from hf_bionerkd.io import write_json
from hf_bionerkd.labels import SCHEMES, Scheme

MEAN_TEACHER = "mean teacher"

_NAME_WIDTH = 68  # with four columns of eight characters: 100, a common terminal


@dataclass(frozen=True, slots=True)
class Result:
    """The counts of one model on one type of one corpus.

    Args:
        model (`str`): The model's name in tables: ``"student"``, ``"merged"``, ``"partial"``, ``"teacher disease"``.
        corpus (`str`): The name of the corpus.
        type (`str`): A type that the corpus annotates.
        counts (`Counts`): The right, spurious and missed mentions.
        interval (`tuple[float, float]`, *optional*): The bootstrap interval of F1, as fractions in [0, 1].
    """

    model: str
    corpus: str
    type: str
    counts: Counts
    interval: tuple[float, float] | None = None

    @property
    def is_teacher(self) -> bool:
        """Return whether the row belongs to a teacher."""
        return self.model.split(" ")[0] == "teacher"


@dataclass(frozen=True, slots=True)
class Average:
    """The means over `rows` results, as fractions in [0, 1]."""

    precision: float
    recall: float
    f1: float
    rows: int

    def as_dict(self) -> dict[str, Any]:
        """Return the means and the number of rows as plain JSON numbers."""
        return {"precision": self.precision, "recall": self.recall, "f1": self.f1, "rows": self.rows}


@dataclass(frozen=True, slots=True)
class Metrics:
    """The measurements of a run, as `metrics.json` holds them.

    Args:
        strict (`tuple[Result, ...]`): The strict scores; see :func:`~hf_bionerkd.evaluation.entities.score_tags`.
        lenient (`tuple[Result, ...]`, *optional*): Lenient (conlleval) scores of the same predictions.
        scheme (`str`, *optional*, defaults to `"BIO"`): Tag scheme of the scored tags.
        bootstrap (`Bootstrap`, *optional*): How the results' intervals were computed.

    Raises:
        ValueError: Results have intervals, but `bootstrap` does not say how they were computed.
    """

    strict: tuple[Result, ...]
    lenient: tuple[Result, ...] = ()
    scheme: Scheme = "BIO"
    bootstrap: Bootstrap | None = None

    def __post_init__(self) -> None:
        if self.bootstrap is None and any(row.interval for row in (*self.strict, *self.lenient)):
            raise ValueError("results have intervals, but bootstrap does not say how they were computed; give it too")

    def __add__(self, other: Metrics) -> Metrics:
        """Join the rows of both, these first.

        Raises:
            ValueError: Their intervals were computed in different ways.
        """
        if self.bootstrap and other.bootstrap and self.bootstrap != other.bootstrap:
            raise ValueError(
                f"one table cannot hold intervals of {self.bootstrap} and of {other.bootstrap}; score both alike"
            )
        # One of the two may have no intervals.
        bootstrap = self.bootstrap or other.bootstrap
        return Metrics(self.strict + other.strict, self.lenient + other.lenient, self.scheme, bootstrap)

    def of(self, *models: str) -> Metrics:
        """Select the rows of some models."""
        return Metrics(
            tuple(row for row in self.strict if row.model in models),
            tuple(row for row in self.lenient if row.model in models),
            self.scheme,
            self.bootstrap,
        )


def macro_averages(results: Iterable[Result]) -> dict[str, Average]:
    """Compute the mean precision, recall and F1 of every model over its (corpus, type) rows.

    Args:
        results (`Iterable[Result]`): Rows in any order.

    Returns:
        The means by model, in order of first appearance; all teachers together under ``mean teacher``. Models may
        cover different numbers of rows: compare `rows` before comparing means.

    Example:
        >>> teacher = Result("teacher gene", "BC2GM", "Gene", Counts(tp=1, fp=1, fn=1))
        >>> rows = [teacher, Result("student", "BC2GM", "Gene", Counts(tp=2))]
        >>> {model: average.f1 for model, average in macro_averages(rows).items()}
        {'mean teacher': 0.5, 'student': 1.0}
    """
    # All teachers share one entry.
    rows: dict[str, list[Counts]] = {}
    for result in results:
        rows.setdefault(MEAN_TEACHER if result.is_teacher else result.model, []).append(result.counts)
    return {
        model: Average(
            sum(c.precision for c in counts) / len(counts),
            sum(c.recall for c in counts) / len(counts),
            sum(c.f1 for c in counts) / len(counts),
            len(counts),
        )
        for model, counts in rows.items()
    }


def text_table(results: Iterable[Result], caption: str = "strict, percent") -> str:
    """Lay results out for a terminal of 100 columns: one block per corpus and type, one line per model, one decimal.

    Intervals are left to :func:`markdown_table`: there is no room for them beside names.

    Args:
        results (`Iterable[Result]`): Rows in any order; corpora, types and models keep the order of their first row.
        caption (`str`, *optional*, defaults to `"strict, percent"`): The heading over the names.

    Returns:
        The table, without a final line break. The last column is the number of gold mentions and, under the macro
        average, of rows averaged.

    Raises:
        ValueError: There are no results, or two for one model, corpus and type.
    """
    results = list(results)
    blocks = _blocks(results)
    # The column of names is as wide as the longest one, within what a terminal has room for.
    averages = macro_averages(results)
    names = [caption, *(f"{corpus} / {kind}" for corpus, kind in blocks)]
    names += [f"  {model}" for model in (*averages, *(result.model for result in results))]
    width = min(_NAME_WIDTH, max(len(name) for name in names))

    def line(name: str, *cells: str) -> str:
        return (_shorten(name, width).ljust(width) + "".join(cell.rjust(8) for cell in cells)).rstrip()

    # A block per corpus and type, then the macro averages.
    lines = [line(caption, "P", "R", "F1", "gold"), "-" * (width + 32)]
    for (corpus, kind), rows in blocks.items():
        lines.append(line(f"{corpus} / {kind}"))
        for result in rows:
            lines.append(line(f"  {result.model}", *_percent(result.counts, 1), str(result.counts.support)))
        lines.append("")
    lines.append(line("macro average", "", "", "", "rows"))
    lines += [line(f"  {model}", *_percent(mean, 1), str(mean.rows)) for model, mean in averages.items()]
    return "\n".join(lines)


def markdown_table(results: Iterable[Result], level: float = 0.95) -> str:
    """Lay results out as a GitHub table with two decimals, in the order of :func:`text_table`.

    Args:
        results (`Iterable[Result]`): Rows in any order. There is a column of intervals if one of them has one.
        level (`float`, *optional*, defaults to 0.95): The level of the intervals, for their column's name.

    Raises:
        ValueError: There are no results, or two for one model, corpus and type.
    """
    results = list(results)
    # No interval, no column for them.
    shown = any(result.interval for result in results)
    header, rule = ["corpus", "type", "model", "P", "R", "F1"], ["---"] * 3 + ["---:"] * 3
    if shown:
        header, rule = [*header, f"{100 * level:.4g} % interval"], [*rule, ":---:"]
    lines = [markdown_row([*header, "gold"]), f"|{'|'.join([*rule, '---:'])}|"]
    for (corpus, kind), rows in _blocks(results).items():
        for result in rows:
            cells = [corpus, kind, result.model, *_percent(result.counts, 2)]
            if shown:
                cells.append(" – ".join(f"{100 * end:.2f}" for end in result.interval or ()))
            lines.append(markdown_row([*cells, result.counts.support]))
    # Averages close the table; they have no intervals and count rows in place of mentions.
    for model, mean in macro_averages(results).items():
        cells = ["**macro average**", f"rows: {mean.rows}", model, *_percent(mean, 2)]
        lines.append(markdown_row([*cells, *([""] if shown else []), ""]))
    return "\n".join(lines)


def markdown_row(cells: Iterable[object]) -> str:
    """Join one line of a GitHub table; bars are escaped and line breaks become spaces."""
    return "| " + " | ".join(" ".join(str(cell).split()).replace("|", r"\|") for cell in cells) + " |"


def write_metrics(path: str | Path, metrics: Metrics) -> None:
    """Write `metrics.json` atomically: counts and ratios of every row, and the macro averages."""
    # The order of the keys is that in which people read the file: how it was scored, then what came out.
    content: dict[str, Any] = {"scheme": metrics.scheme}
    if metrics.bootstrap:
        content["bootstrap"] = metrics.bootstrap.as_dict()
    content["strict"] = _section(metrics.strict)
    if metrics.lenient:
        content["lenient"] = _section(metrics.lenient)
    write_json(path, content)


def read_metrics(path: str | Path) -> Metrics:
    """Read what :func:`write_metrics` wrote, files without intervals included; ratios follow again from the counts.

    Raises:
        ValueError: The file is not such JSON. The message names the file and the key.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not JSON ({error}); write it with write_metrics") from error
    scheme = _get(content, "scheme", str, f"{path}: ")
    if scheme not in SCHEMES:
        raise ValueError(f"{path}: scheme is {scheme!r}; expected one of {', '.join(SCHEMES)}")
    lenient = _read_section(content, "lenient", path) if "lenient" in content else ()
    strict, bootstrap = _read_section(content, "strict", path), _read_bootstrap(content, path)
    try:
        return Metrics(strict, lenient, cast(Scheme, scheme), bootstrap)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


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


def _percent(scores: Counts | Average, decimals: int) -> Iterator[str]:
    return (f"{100 * value:.{decimals}f}" for value in (scores.precision, scores.recall, scores.f1))


def _shorten(name: str, width: int) -> str:
    """Cut the middle out of a long name, since its ends tell it from others."""
    if len(name) <= width:
        return name
    tail = (width - 1) // 2
    return f"{name[: width - 1 - tail]}…{name[len(name) - tail :]}"


def _section(results: Sequence[Result]) -> dict[str, Any]:
    rows = []
    for result in results:
        row = {"model": result.model, "corpus": result.corpus, "type": result.type, **result.counts.as_dict()}
        rows.append(row if result.interval is None else {**row, "f1_interval": list(result.interval)})
    return {
        "results": rows,
        "macro": {model: mean.as_dict() for model, mean in macro_averages(results).items()},
    }


def _read_section(content: Mapping[str, Any], name: str, path: str | Path) -> tuple[Result, ...]:
    rows = _get(_get(content, name, dict, f"{path}: "), "results", list, f"{path}: {name}.")
    results = []
    for index, row in enumerate(rows):
        where = f"{path}: {name}.results[{index}]."
        model, corpus, kind = (_get(row, key, str, where) for key in ("model", "corpus", "type"))
        # Ratios and macro averages follow from the counts; those of the file are not read.
        tp, fp, fn = (_get(row, key, int, where) for key in ("tp", "fp", "fn"))
        results.append(Result(model, corpus, kind, Counts(tp, fp, fn), _read_interval(row, where)))
    return tuple(results)


def _read_interval(row: Mapping[str, Any], where: str) -> tuple[float, float] | None:
    # Files of runs that did not resample have none. `bool` is an `int` in Python, but no end of an interval.
    ends = row.get("f1_interval")
    if ends is None:
        return None
    if not isinstance(ends, list) or len(ends) != 2 or not all(type(end) in (int, float) for end in ends):
        raise ValueError(f"{where}f1_interval is {ends!r}; expected two numbers. Write the file with write_metrics.")
    return float(ends[0]), float(ends[1])


def _read_bootstrap(content: Mapping[str, Any], path: str | Path) -> Bootstrap | None:
    if "bootstrap" not in content:
        return None
    settings, where = _get(content, "bootstrap", dict, f"{path}: "), f"{path}: bootstrap."
    level, unit = _get(settings, "level", float, where), _get(settings, "unit", str, where)
    samples, seed = (_get(settings, key, int, where) for key in ("samples", "seed"))
    try:
        return Bootstrap(level, samples, seed, unit)
    except ValueError as error:
        raise ValueError(f"{path}: bootstrap: {error}") from None


def _get(mapping: object, key: str, kind: type, where: str) -> Any:
    value = mapping.get(key) if isinstance(mapping, dict) else None
    if not isinstance(value, kind):
        raise ValueError(f"{where}{key} is {value!r}; expected {kind.__name__}. Write the file with write_metrics.")
    return value

"""The measurements of a run: one row per model, corpus and type, their macro averages, and `metrics.json`.

A macro average is the mean over a model's (corpus, type) rows. Teachers, each of which answers for one corpus, are
averaged together as ``mean teacher``: every model named ``teacher`` or ``teacher …`` is one. A row whose corpus has no
gold mention of the type has neither recall nor F1: the averages leave it out and say so. Where rows were resampled,
each result and each average carries the bootstrap interval of its F1. :mod:`.tables` lays all of it out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from hf_bionerkd.evaluation.entities import Average, Counts, average
from hf_bionerkd.evaluation.significance import Bootstrap, Interval
from hf_bionerkd.io import JsonFileError, read_json, write_json
from hf_bionerkd.labels import SCHEMES, Scheme

MEAN_TEACHER = "mean teacher"


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
    interval: Interval | None = None


@dataclass(frozen=True, slots=True)
class Metrics:
    """The measurements of a run, as `metrics.json` holds them.

    Args:
        strict (`tuple[Result, ...]`): The strict scores; see :func:`~hf_bionerkd.evaluation.entities.score_tags`.
        lenient (`tuple[Result, ...]`, *optional*): Lenient (conlleval) scores of the same predictions.
        scheme (`str`, *optional*, defaults to `"BIO"`): Tag scheme of the scored tags.
        bootstrap (`Bootstrap`, *optional*): How the results' intervals were computed.
        strict_intervals (`Mapping[str, tuple[float, float]]`, *optional*): The bootstrap intervals of the macro
            averages of `strict`, by model as :func:`macro_averages` names them.
        lenient_intervals (`Mapping[str, tuple[float, float]]`, *optional*): The same of `lenient`.

    Raises:
        ValueError: Results have intervals, but `bootstrap` does not say how they were computed.
    """

    strict: tuple[Result, ...]
    lenient: tuple[Result, ...] = ()
    scheme: Scheme = "BIO"
    bootstrap: Bootstrap | None = None
    strict_intervals: Mapping[str, Interval] = field(default_factory=dict)
    lenient_intervals: Mapping[str, Interval] = field(default_factory=dict)

    def __post_init__(self) -> None:
        of_rows = any(row.interval for row in (*self.strict, *self.lenient))
        if self.bootstrap is None and (of_rows or self.strict_intervals or self.lenient_intervals):
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
        # One of the two may have no intervals. That of an average holds only for the rows that it was made of.
        strict, lenient = self.strict + other.strict, self.lenient + other.lenient
        return Metrics(
            strict,
            lenient,
            self.scheme,
            self.bootstrap or other.bootstrap,
            _unchanged(self.strict_intervals, self.strict, strict)
            | _unchanged(other.strict_intervals, other.strict, strict),
            _unchanged(self.lenient_intervals, self.lenient, lenient)
            | _unchanged(other.lenient_intervals, other.lenient, lenient),
        )

    def of(self, *models: str) -> Metrics:
        """Select the rows of some models."""
        strict = tuple(row for row in self.strict if row.model in models)
        lenient = tuple(row for row in self.lenient if row.model in models)
        return Metrics(
            strict,
            lenient,
            self.scheme,
            self.bootstrap,
            _unchanged(self.strict_intervals, self.strict, strict),
            _unchanged(self.lenient_intervals, self.lenient, lenient),
        )


def averaged_as(model: str) -> str:
    """Return under which name the rows of a model are averaged: its own, or that of all teachers together."""
    return MEAN_TEACHER if model.split(" ")[0] == "teacher" else model


def macro_averages(results: Iterable[Result], intervals: Mapping[str, Interval] | None = None) -> dict[str, Average]:
    """Compute the mean precision, recall and F1 of every model over its (corpus, type) rows with gold mentions.

    Args:
        results (`Iterable[Result]`): Rows in any order.
        intervals (`Mapping[str, tuple[float, float]]`, *optional*): The bootstrap intervals of the averages, by name.

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
        rows.setdefault(averaged_as(result.model), []).append(result.counts)
    return {model: average(counts, (intervals or {}).get(model)) for model, counts in rows.items()}


def write_metrics(path: str | Path, metrics: Metrics) -> None:
    """Write `metrics.json` atomically: counts and ratios of every row, and the macro averages."""
    # The order of the keys is that in which people read the file: how it was scored, then what came out.
    content: dict[str, Any] = {"scheme": metrics.scheme}
    if metrics.bootstrap:
        content["bootstrap"] = metrics.bootstrap.as_dict()
    content["strict"] = _section(metrics.strict, metrics.strict_intervals)
    if metrics.lenient:
        content["lenient"] = _section(metrics.lenient, metrics.lenient_intervals)
    write_json(path, content)


def read_metrics(path: str | Path) -> Metrics:
    """Read what :func:`write_metrics` wrote, files without intervals included; ratios follow again from the counts.

    Raises:
        ValueError: The file is not such JSON. The message names the file and the key.
    """
    try:
        content = read_json(path)
    except JsonFileError as error:
        raise ValueError(f"{error}; write it with write_metrics") from None
    scheme = _get(content, "scheme", str, f"{path}: ")
    if scheme not in SCHEMES:
        raise ValueError(f"{path}: scheme is {scheme!r}; expected one of {', '.join(SCHEMES)}")
    strict, of_strict = _read_section(content, "strict", path)
    lenient, of_lenient = _read_section(content, "lenient", path) if "lenient" in content else ((), {})
    bootstrap = _read_bootstrap(content, path)
    try:
        return Metrics(strict, lenient, cast(Scheme, scheme), bootstrap, of_strict, of_lenient)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _unchanged(
    intervals: Mapping[str, Interval], before: Sequence[Result], after: Sequence[Result]
) -> dict[str, Interval]:
    """Return the intervals of the averages that have as many rows after as before."""
    then, now = (Counter(averaged_as(row.model) for row in rows) for rows in (before, after))
    return {model: ends for model, ends in intervals.items() if then[model] == now[model]}


def _section(results: Sequence[Result], intervals: Mapping[str, Interval]) -> dict[str, Any]:
    rows = []
    for result in results:
        row = {"model": result.model, "corpus": result.corpus, "type": result.type, **result.counts.as_dict()}
        rows.append(row if result.interval is None else {**row, "f1_interval": list(result.interval)})
    return {
        "results": rows,
        "macro": {model: mean.as_dict() for model, mean in macro_averages(results, intervals).items()},
    }


def _read_section(
    content: Mapping[str, Any], name: str, path: str | Path
) -> tuple[tuple[Result, ...], dict[str, Interval]]:
    """Return the results of a section, and the intervals of its macro averages."""
    section = _get(content, name, dict, f"{path}: ")
    results = []
    for index, row in enumerate(_get(section, "results", list, f"{path}: {name}.")):
        where = f"{path}: {name}.results[{index}]."
        model, corpus, kind = (_get(row, key, str, where) for key in ("model", "corpus", "type"))
        # Ratios and macro averages follow from the counts; those of the file are not read.
        tp, fp, fn = (_get(row, key, int, where) for key in ("tp", "fp", "fn"))
        results.append(Result(model, corpus, kind, Counts(tp, fp, fn), _read_interval(row, where)))
    # Intervals alone do not follow from counts.
    intervals = {}
    macro = _get(section, "macro", dict, f"{path}: {name}.") if "macro" in section else {}
    for model in macro:
        where = f"{path}: {name}.macro.{model}"
        if ends := _read_interval(_get(macro, model, dict, f"{path}: {name}.macro."), f"{where}."):
            intervals[model] = ends
    return tuple(results), intervals


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

"""The rounds of a re-correction as GitHub tables, for the terminal, READMEs and cards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hf_bionerkd.evaluation.entities import Counts
from hf_bionerkd.evaluation.similarity import bin_names
from hf_bionerkd.markdown import Markdown, markdown_row
from hf_bionerkd.weak.rounds import Outcome, Round


def scores_table(outcome: Outcome) -> str:
    """Lay out precision, recall and F1 of both models of every round on D and on test, in percent.

    The best round is bold. A model that was not trained, because no further round would have read its labels, has no
    row.
    """
    header = ["round", "model", *(f"{split} {ratio}" for split in ("D", "test") for ratio in "PRF")]
    rows = []
    # Two rows per round: the model of its labels, and the corrector made of it.
    for entry in outcome.rounds:
        for name, scores in (("weak model", entry.weak), ("corrector", entry.corrector)):
            if scores is not None:
                cells = [str(entry.number), name, *ratios(scores.validation.micro), *ratios(scores.test.micro)]
                rows.append([Markdown(f"**{cell}**") for cell in cells] if entry.number == outcome.best else cells)
    return _table(header, rows)


def changes_table(rounds: Iterable[Round]) -> str:
    """Lay out what every relabelling changed, by type; empty where there was none."""
    rows, header = [], ["round", "type"]
    for entry in rounds:
        counts = entry.changes["mentions"] if entry.changes else {}
        # Rounds count the same things, so that the header of the last one serves all.
        header = ["round", "type", *(f"mentions {name}" for name in counts)] if counts else header
        for kind in counts.get("after", ()):
            rows.append([str(entry.number), kind, *(f"{of_types[kind]:,}" for of_types in counts.values())])
    return _table(header, rows) if rows else ""


def relabelling_report(rounds: Sequence[Round]) -> str:
    """Say what relabelling did, with both of its tables; empty where there was none."""
    if not (changes := changes_table(rounds)):
        return ""
    return (
        "What each round's labels changed of those before (changed: the same place, but other words or another type):"
        f"\n\n{changes}\n\nLabel similarity, the share of an abstract's words whose label stayed the same: the mean, "
        f"and abstracts by tenths:\n\n{similarity_table(rounds)}"
    )


def similarity_table(rounds: Iterable[Round]) -> str:
    """Lay out label similarity to the round before: the mean over abstracts, and the abstracts by tenths.

    Returns:
        The table; empty where nothing was labelled anew.
    """
    rows = []
    for entry in rounds:
        if entry.changes:
            similarity = entry.changes["label_similarity"]
            rows.append([str(entry.number), f"{similarity['mean']:.4f}", *(f"{n:,}" for n in similarity["histogram"])])
    tenths = bin_names()
    return _table(["round", "mean", *tenths], rows) if rows else ""


def ratios(counts: Counts) -> list[str]:
    """Return precision, recall and F1 in percent, as text."""
    return [f"{100 * value:.2f}" for value in (counts.precision, counts.recall, counts.f1)]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Join a table in which everything but the names of types and models is aligned to the right."""
    rule = "|".join("---" if name in ("type", "model") else "---:" for name in header)
    return "\n".join([markdown_row(header), f"|{rule}|", *map(markdown_row, rows)])

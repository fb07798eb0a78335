"""What a comparison of models measured, as a table with its notes and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_bionerkd.evaluation.comparison import ALL_TYPES, Compared, comparison_table
from hf_bionerkd.evaluation.entities import Counts
from hf_bionerkd.evaluation.significance import Bootstrap
from hf_bionerkd.evaluation.tables import NO_GOLD

if TYPE_CHECKING:
    import numpy as np

    from hf_bionerkd.data.corpus import Corpus


@dataclass(frozen=True)
class ScoredCorpus:
    """A corpus of a comparison, with what the models found in it.

    Args:
        corpus (`Corpus`): The corpus.
        split (`str`): The split that was scored.
        rows (`int`): Rows of the split.
        documents (`int`): Documents that they come from.
        unit (`str`): What is resampled and paired: `"document"`, or `"row"` where the corpus names no documents.
        counts (`Mapping[str, np.ndarray]`): Model to (documents, types, 3) counts.
    """

    corpus: Corpus
    split: str
    rows: int
    documents: int
    unit: str
    counts: Mapping[str, np.ndarray]

    @property
    def described(self) -> str:
        """The corpus's path and split, and how large it is."""
        sizes = (
            f"{self.documents:,} documents of {self.rows:,} rows" if self.unit == "document" else f"{self.rows:,} rows"
        )
        return f"{self.corpus.path} {self.split}: {sizes}"

    def as_dict(self) -> dict[str, Any]:
        """Return what is known of the corpus as plain JSON values."""
        return {
            "corpus": self.corpus.name,
            "split": self.split,
            "fingerprint": self.corpus.fingerprints[self.split],
            "types": list(self.corpus.types),
            "rows": self.rows,
            "documents": self.documents,
            "unit": self.unit,
        }


@dataclass(frozen=True)
class Comparison:
    """What a comparison measured.

    Args:
        corpora (`list[ScoredCorpus]`): The corpora in order.
        bootstrap (`Bootstrap`): How intervals were made.
        models (`dict`): Path and revision of each model, by its name.
        results (`list[Compared]`): One per corpus, model and type; then the averages.
        json (`Path`, *optional*): The file that it is written to.
    """

    corpora: list[ScoredCorpus]
    bootstrap: Bootstrap
    models: dict[str, dict[str, str | None]]
    results: list[Compared]
    json: Path | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON values; a corpus that stands alone also at the top."""
        corpora = [corpus.as_dict() for corpus in self.corpora]
        return {
            **(corpora[0] if len(corpora) == 1 else {}),
            "corpora": corpora,
            "bootstrap": self.bootstrap.as_dict(),
            "models": self.models,
            "results": [result.as_dict() for result in self.results],
        }

    def report(self) -> str:
        """Return a heading, the table, and what a reader must know to take the numbers for what they are."""
        measures = f"strict, percent · {self.bootstrap.samples:,} resamples"
        *before, last = (corpus.described for corpus in self.corpora)
        parts = ["", *before, f"{last} · {measures}\n", comparison_table(self.results, self.bootstrap)]
        parts += [f"\n{note}" for note in notes(self.results, self.corpora)]
        parts += [f"\n{self.json}"] if self.json else []
        return "\n".join(parts)


def notes(results: Sequence[Compared], corpora: Sequence[ScoredCorpus]) -> list[str]:
    """Say what a reader must know to take the numbers for what they are."""
    lines = []
    if nameless := [one.corpus.name for one in corpora if one.unit == "row"]:
        which = "The corpus names" if len(corpora) == 1 else f"{', '.join(nameless)}:"
        lines.append(
            f"{which} no documents (column document_id): rows are resampled and paired, as if sentences of "
            "one\nabstract had nothing to do with one another. Intervals and p are somewhat too small."
        )
    if any(result.t_test for result in results):
        lines.append(
            f"Differences are from {results[0].model}. t: paired two-tailed t-test of the F1 of each "
            f"{' or '.join(dict.fromkeys(one.unit for one in corpora))}, over {_pairs(results, corpora)};\n"
            "those without a mention, gold or predicted, are left out. * p < 0.05, ** p < 0.01."
        )
    without = [
        f"{result.type} of {result.corpus}"
        for result in results
        if isinstance(result.counts, Counts) and not result.counts.support and result.model == results[0].model
    ]
    if without:
        lines.append(f"{NO_GOLD} ({', '.join(without)})")
    return lines


def _pairs(results: Sequence[Compared], corpora: Sequence[ScoredCorpus]) -> str:
    """Say how many pairs the t-tests of every corpus have, with its types pooled where there are several."""
    parts = []
    for one in corpora:
        tested = [result for result in results if result.t_test and result.corpus == one.corpus.name]
        pooled = [result for result in tested if result.type == ALL_TYPES] or tested
        pairs = ", ".join(sorted({f"{result.t_test.pairs:,}" for result in pooled if result.t_test}))
        where = f" ({one.corpus.name})" if len(corpora) > 1 else ""
        parts.append(f"{pairs or '0'} of {one.documents:,} pairs{where}")
    return ", ".join(parts)

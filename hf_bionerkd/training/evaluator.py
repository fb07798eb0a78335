"""Mention-level evaluation of a model on joined corpora, shared among processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hf_bionerkd.evaluation.entities import Counts
from hf_bionerkd.evaluation.report import Result
from hf_bionerkd.evaluation.significance import Bootstrap, f1_interval
from hf_bionerkd.inference.word_tagger import WordTagger
from hf_bionerkd.labels import LabelSpace, Orphans, WordSpan, tags_to_spans

Tagging = Callable[[Sequence[Sequence[str]]], list[np.ndarray]]  # words of sentences to label ids of their words
_ORPHANS: dict[str, Orphans] = {"strict": "drop", "lenient": "start"}


class MentionEvaluator:
    """Counts right, spurious and missed mentions per corpus and type, on the types that each corpus annotates.

    Args:
        rows (`Dataset`): From :func:`hf_bionerkd.data.corpus.join_corpora`.
        space (`LabelSpace`): The run's label space.
        corpora (`Sequence[tuple[str, Sequence[str]]]`): Name and annotated types of each corpus, in index order.
    """

    def __init__(self, rows: Any, space: LabelSpace, corpora: Sequence[tuple[str, Sequence[str]]]) -> None:
        self.rows = rows
        self.space = space
        self.corpora = [(name, tuple(types)) for name, types in corpora]

    def __call__(
        self,
        model_name: str,
        tagging: Tagging | Sequence[Tagging],
        space: LabelSpace | None = None,
        *,
        process_index: int = 0,
        num_processes: int = 1,
        reduce: Callable[[np.ndarray], np.ndarray] = lambda counts: counts,
        chunk: int = 1024,
        bootstrap: Bootstrap | None = None,
    ) -> dict[str, list[Result]]:
        """Score a model.

        Args:
            model_name (`str`): Its name in the results.
            tagging (`Callable` or a list of them): Words of sentences to one array of label ids each; a list has one
                per corpus (each under its own tag pair).
            space (`LabelSpace`, *optional*): What those ids stand for; the run's by default. Corpora none of whose
                types it holds are passed over.
            process_index (`int`, *optional*, defaults to 0): This process.
            num_processes (`int`, *optional*, defaults to 1): How many share the rows.
            reduce (`Callable`, *optional*): Adds an integer array over all processes; called once a corpus.
            chunk (`int`, *optional*, defaults to 1024): Sentences at a time.
            bootstrap (`Bootstrap`, *optional*): How to compute the interval of every F1; none by default, as each
                epoch's evaluation has no use for them.

        Returns:
            `{"strict": [...], "lenient": [...]}`, one result a corpus and type.
        """
        space = space or self.space
        corpus_of = np.asarray(self.rows.with_format("numpy")["corpus"][:])
        results: dict[str, list[Result]] = {mode: [] for mode in _ORPHANS}
        for index, (corpus, types) in enumerate(self.corpora):
            rows = np.flatnonzero(corpus_of == index)
            answered = [kind for kind in types if kind in space.types]
            if not answered or not len(rows):
                continue  # a corpus without rows in this split has no score, rather than one of zero
            asked = tagging if callable(tagging) else tagging[index]
            counts = np.zeros((len(_ORPHANS), len(rows), len(answered), 3), dtype=np.int32)
            mine = np.arange(len(rows))[process_index::num_processes]
            for start in range(0, len(mine), chunk):
                part = mine[start : start + chunk]
                counts[:, part] = self.count_rows(rows[part], asked, space, answered)
            if bootstrap is None:
                counts = counts.sum(axis=1, keepdims=True, dtype=np.int64)
            for mode, of_rows in zip(_ORPHANS, reduce(counts), strict=True):
                for column, kind in enumerate(answered):
                    own = of_rows[:, column]
                    total = Counts(*map(int, own.sum(axis=0)))
                    interval = f1_interval(own, bootstrap) if bootstrap else None
                    results[mode].append(Result(model_name, corpus, kind, total, interval))
        return results

    def count_rows(
        self, rows: Sequence[int] | np.ndarray, tagging: Tagging, space: LabelSpace, types: Sequence[str]
    ) -> np.ndarray:
        """Right, spurious and missed mentions of some rows: (modes, rows, types, 3), strict first, then lenient."""
        batch = self.rows[[int(row) for row in rows]]
        gold_names, own_names = self.space.labels, space.labels
        counts = np.zeros((len(_ORPHANS), len(rows), len(types), 3), dtype=np.int32)
        for row, (gold, tags) in enumerate(zip(batch["labels"], tagging(batch["tokens"]), strict=True)):
            predicted = [own_names[tag] for tag in tags]
            gold_spans = tags_to_spans([gold_names[label] for label in gold], orphans="start")
            for mode, orphans in enumerate(_ORPHANS.values()):
                _add(counts[mode, row], gold_spans, tags_to_spans(predicted, space.scheme, orphans), types)
        return counts


def _add(counts: np.ndarray, gold: Sequence[WordSpan], predicted: Sequence[WordSpan], types: Sequence[str]) -> None:
    """Count one row's mentions into (types, 3); those of other types are neither right nor wrong."""
    here, there = set(gold), set(predicted)
    for column, spans in enumerate((here & there, there - here, here - there)):
        for _, _, kind in spans:
            if kind in types:
                counts[types.index(kind), column] += 1


def model_tagging(
    model: Any, tokenizer: Any, space: LabelSpace, encoding: Any, around: Any, batch_size: int
) -> Tagging:
    """A model under training as a callable for :class:`MentionEvaluator`."""
    return WordTagger(
        model,
        tokenizer,
        space.outside,
        max_length=encoding.max_length,
        overlap=encoding.overlap,
        batch_size=batch_size,
        around=around,
    ).tags

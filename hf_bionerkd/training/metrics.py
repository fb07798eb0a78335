"""Mention-level evaluation of a model on joined corpora, shared among processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hf_bionerkd.data.prediction import WordTagger
from hf_bionerkd.evaluation.entities import Counts, EntityScorer
from hf_bionerkd.evaluation.report import Result
from hf_bionerkd.labels import LabelSpace, Orphans, tags_to_spans

Tagging = Callable[[Sequence[Sequence[str]]], list[np.ndarray]]
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
        log_probs: Tagging | Sequence[Tagging],
        space: LabelSpace | None = None,
        *,
        process_index: int = 0,
        num_processes: int = 1,
        reduce: Callable[[np.ndarray], np.ndarray] = lambda counts: counts,
        chunk: int = 1024,
    ) -> dict[str, list[Result]]:
        """Score a model.

        Args:
            model_name (`str`): Its name in the results.
            log_probs (`Callable` or a list of them): Words of sentences to one (words, labels) array each; a list has
                one per corpus (each under its own tag pair).
            space (`LabelSpace`, *optional*): Labels of those arrays; the run's by default. Corpora none of whose types
                it holds are passed over.
            process_index (`int`, *optional*, defaults to 0): This process.
            num_processes (`int`, *optional*, defaults to 1): How many share the rows.
            reduce (`Callable`, *optional*): Adds an integer array over all processes.
            chunk (`int`, *optional*, defaults to 1024): Sentences at a time.

        Returns:
            `{"strict": [...], "lenient": [...]}`, one result a corpus and type.
        """
        space = space or self.space
        corpus_of = np.asarray(self.rows.with_format("numpy")["corpus"][:])
        answered = [
            # a corpus without rows in this split has no score, rather than one of zero
            tuple(kind for kind in types if kind in space.types) if index in corpus_of else ()
            for index, (_, types) in enumerate(self.corpora)
        ]
        scorers = {mode: [EntityScorer(types) if types else None for types in answered] for mode in _ORPHANS}
        names, own_names = self.space.labels, space.labels
        for index, types in enumerate(answered):
            if not types:
                continue
            tagging = log_probs if callable(log_probs) else log_probs[index]
            mine = np.flatnonzero(corpus_of == index)[process_index::num_processes]
            for start in range(0, len(mine), chunk):
                batch = self.rows[[int(row) for row in mine[start : start + chunk]]]
                for gold, scores in zip(batch["labels"], tagging(batch["tokens"]), strict=True):
                    predicted = [own_names[best] for best in scores.argmax(axis=1)]
                    gold_spans = tags_to_spans([names[label] for label in gold], orphans="start")
                    for mode, orphans in _ORPHANS.items():
                        scorers[mode][index].add(gold_spans, tags_to_spans(predicted, space.scheme, orphans))
        return {mode: self._results(model_name, scorers[mode], answered, reduce) for mode in _ORPHANS}

    def _results(
        self,
        model_name: str,
        scorers: Sequence[EntityScorer | None],
        answered: Sequence[Sequence[str]],
        reduce: Callable[[np.ndarray], np.ndarray],
    ) -> list[Result]:
        keys = [(index, kind) for index, types in enumerate(answered) for kind in types]
        counts = np.zeros((len(keys), 3), dtype=np.int64)
        for row, (index, kind) in enumerate(keys):
            scorer = scorers[index]
            assert scorer is not None  # `keys` holds only corpora with a scorer
            own = scorer.scores().per_type[kind]
            counts[row] = own.tp, own.fp, own.fn
        counts = reduce(counts)
        return [
            Result(model_name, self.corpora[index][0], kind, Counts(*map(int, row)))
            for (index, kind), row in zip(keys, counts, strict=True)
        ]


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
    ).log_probs

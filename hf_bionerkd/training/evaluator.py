"""Mention-level evaluation of a model on joined corpora, shared among processes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from hf_bionerkd.data.corpus import Corpus
from hf_bionerkd.data.features import MASKED, decode_tags
from hf_bionerkd.data.joining import join_corpora
from hf_bionerkd.encoding.tag_pairs import TagPairs
from hf_bionerkd.evaluation.entities import Counts, EntityScores, average, count_spans
from hf_bionerkd.evaluation.metric import EntityF1
from hf_bionerkd.evaluation.report import Metrics, Result, averaged_as
from hf_bionerkd.evaluation.significance import Bootstrap, Interval, f1_interval, macro_interval
from hf_bionerkd.inference.outputs import SentenceSpans
from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.processes import ALONE, Processes

if TYPE_CHECKING:
    from datasets import Dataset

MODES = SentenceSpans._fields  # "strict" and "lenient"


class SpanTagger(Protocol):
    """Whatever finds mentions in sentences: a :class:`WordTagger`, a :class:`Teacher`."""

    @property
    def types(self) -> tuple[str, ...]:
        """The types that it finds."""

    def spans(self, sentences: Sequence[Sequence[str]]) -> list[SentenceSpans]:
        """Find the mentions of every sentence, as word spans."""


class MentionEvaluator:
    """Counts right, spurious and missed mentions per corpus and type, on the types that each corpus annotates.

    Spans are compared as sets, so nested ones are welcome on either side.

    Args:
        rows (`Dataset`): From :func:`hf_bionerkd.data.joining.join_corpora`.
        space (`LabelSpace`): The run's label space, in which the rows' gold labels are.
        corpora (`Sequence[tuple[str, Sequence[str]]]`): Name and annotated types of each corpus, in index order.
    """

    def __init__(self, rows: Dataset, space: LabelSpace, corpora: Sequence[tuple[str, Sequence[str]]]) -> None:
        self.rows = rows
        self.space = space
        self.corpora = [(name, tuple(types)) for name, types in corpora]

    @classmethod
    def of(cls, corpora: Sequence[Corpus], split: str, space: LabelSpace) -> MentionEvaluator:
        """Make the evaluator of one split of some corpora."""
        return cls(join_corpora(corpora, split, space), space, [(corpus.name, corpus.types) for corpus in corpora])

    @property
    def has_mentions(self) -> bool:
        """Whether there is a gold mention; without one no model has a score."""
        return any(label >= 0 and label != self.space.outside for labels in self.rows["labels"] for label in labels)

    def __call__(
        self,
        model_name: str,
        tagger: SpanTagger | Sequence[SpanTagger],
        *,
        processes: Processes = ALONE,
        chunk: int = 1024,
        bootstrap: Bootstrap | None = None,
    ) -> Metrics:
        """Score a model.

        Args:
            model_name (`str`): Its name in the results.
            tagger (`SpanTagger` or a list of them): The model; a list has one tagger per corpus (each under its own
                tag pair). Corpora none of whose types it finds are passed over.
            processes (`Processes`, *optional*): Who shares the rows; each process gets all results.
            chunk (`int`, *optional*, defaults to 1024): Sentences at a time.
            bootstrap (`Bootstrap`, *optional*): How to compute the interval of every F1; none by default, as each
                epoch's evaluation has no use for them.

        Returns:
            One result per corpus and type, strict and lenient.
        """
        return self.together({model_name: tagger}, processes=processes, chunk=chunk, bootstrap=bootstrap)

    def together(
        self,
        taggers: Mapping[str, SpanTagger | Sequence[SpanTagger]],
        *,
        processes: Processes = ALONE,
        chunk: int = 1024,
        bootstrap: Bootstrap | None = None,
    ) -> Metrics:
        """Score several models, so that what is averaged over all of them, as teachers are, has an interval.

        Args:
            taggers (`Mapping[str, SpanTagger]`): Each model by its name in the results; the rest is as in a call.
            processes (`Processes`, *optional*): Who shares the rows.
            chunk (`int`, *optional*, defaults to 1024): Sentences at a time.
            bootstrap (`Bootstrap`, *optional*): How to compute intervals.
        """
        corpus_of = np.asarray(self.rows.with_format("numpy")["corpus"][:])
        results: dict[str, list[Result]] = {mode: [] for mode in MODES}
        # The counts of the rows behind every average, those of one corpus side by side.
        averaged: dict[tuple[str, str], dict[int, list[np.ndarray]]] = {}
        for name, tagger in taggers.items():
            for index, (corpus, types) in enumerate(self.corpora):
                # A teacher of one type is scored on that type, also in a corpus that annotates more.
                asked = tagger[index] if isinstance(tagger, Sequence) else tagger
                rows = np.flatnonzero(corpus_of == index)
                answered = [kind for kind in types if kind in asked.types]
                if not answered or not len(rows):
                    continue  # a corpus without rows in this split has no score, rather than one of zero
                counts = self._count_shared(rows, asked, answered, processes, chunk)
                # The bootstrap resamples rows; without it their sum is all that has to travel between processes.
                if bootstrap is None:
                    counts = counts.sum(axis=1, keepdims=True, dtype=np.int64)
                for mode, of_rows in zip(MODES, processes.reduce(counts), strict=True):
                    results[mode] += _results(name, corpus, answered, of_rows, bootstrap)
                    averaged.setdefault((mode, averaged_as(name)), {}).setdefault(index, []).append(of_rows)
        intervals: dict[str, dict[str, Interval]] = {mode: {} for mode in MODES}
        for (mode, name), of_corpora in averaged.items() if bootstrap else ():
            blocks = [np.concatenate(parts, axis=1) for parts in of_corpora.values()]
            if bootstrap and (ends := macro_interval(blocks, bootstrap)):
                intervals[mode][name] = ends
        strict, lenient = (tuple(results[mode]) for mode in MODES)
        return Metrics(
            strict,
            lenient,
            bootstrap=bootstrap,
            strict_intervals=intervals["strict"],
            lenient_intervals=intervals["lenient"],
        )

    def _count_shared(
        self, rows: np.ndarray, asked: SpanTagger, types: Sequence[str], processes: Processes, chunk: int
    ) -> np.ndarray:
        """Count this process's share of some rows: (modes, rows, types, 3), zero where others count."""
        # Each process fills in the rows it has read; the sum over processes has them all.
        counts = np.zeros((len(MODES), len(rows), len(types), 3), dtype=np.int32)
        mine = np.fromiter(processes.share(range(len(rows))), dtype=np.int64)
        for start in range(0, len(mine), chunk):
            part = mine[start : start + chunk]
            counts[:, part] = self.count_rows(rows[part], asked, types)
        return counts

    def count_rows(self, rows: Sequence[int] | np.ndarray, tagger: SpanTagger, types: Sequence[str]) -> np.ndarray:
        """Count right, spurious and missed mentions of some rows.

        Returns:
            (modes, rows, types, 3), strict first, then lenient.
        """
        batch = self.rows[[int(row) for row in rows]]
        counts = np.zeros((len(MODES), len(rows), len(types), 3), dtype=np.int32)
        for row, (labels, spans) in enumerate(zip(batch["labels"], tagger.spans(batch["tokens"]), strict=True)):
            # Nobody knows what masked words are: mentions that touch one are neither right nor wrong.
            masked = {word for word, label in enumerate(labels) if label == MASKED}
            gold = [span for span in decode_tags(self.space, labels) if masked.isdisjoint(range(*span[:2]))]
            for mode, predicted in enumerate(spans):
                known = [span for span in predicted if masked.isdisjoint(range(*span[:2]))] if masked else predicted
                counts[mode, row] = count_spans(gold, known, types)
        return counts


def _results(
    model: str, corpus: str, types: Sequence[str], counts: np.ndarray, bootstrap: Bootstrap | None
) -> Iterator[Result]:
    """Make one result per type of (rows, types, 3) counts."""
    for column, kind in enumerate(types):
        own = counts[:, column]
        total = Counts(*map(int, own.sum(axis=0)))
        # Where there is nothing to find there is no F1, and so no interval of it.
        yield Result(model, corpus, kind, total, f1_interval(own, bootstrap) if bootstrap and total.support else None)


def asked_by_corpus(
    taggers: Mapping[str, SpanTagger], tags: TagPairs, corpora: Sequence[tuple[str, Sequence[str]]]
) -> list[SpanTagger]:
    """Return how a model is asked about each corpus: under ``<all>`` or, where there is no such tag, the corpus's own.

    Args:
        taggers (`Mapping[str, SpanTagger]`): One per tag of the model, from :meth:`WordTagger.by_tag`.
        tags (`TagPairs`): Its tags. A corpus that has none is asked about under the default one.
        corpora (`Sequence[tuple[str, Sequence[str]]]`): Name and types of each corpus, as of a
            :class:`MentionEvaluator`.
    """
    default = taggers[tags.default or ""]
    return [default if tags.neutral else taggers.get(name, default) for name, _ in corpora]


def trainer_metrics(results: Sequence[Result], prefix: str) -> dict[str, float]:
    """Name the strict results of an evaluation as a Trainer logs them, through the public `evaluate` metric.

    Args:
        results (`Sequence[Result]`): Of one model.
        prefix (`str`): Such as ``eval``.

    Returns:
        ``<prefix>_f1``, the macro average over the corpora and types that have a gold mention;
        ``<prefix>_<corpus>_<type>_precision``, ``_recall`` and ``_f1``; and ``<prefix>_left_out``, the number of
        corpora and types without a gold mention, where there is one.
    """
    by_corpus: dict[str, dict[str, Counts]] = {}
    for result in results:
        by_corpus.setdefault(result.corpus, {})[result.type] = result.counts
    mean = average(result.counts for result in results)
    metrics: dict[str, float] = {f"{prefix}_f1": mean.f1}
    if mean.left_out:
        metrics[f"{prefix}_left_out"] = mean.left_out
    for corpus, counts in by_corpus.items():
        scores: Mapping[str, float] = EntityF1(types=list(counts)).results(EntityScores(counts))
        keys = [f"{kind}_{ratio}" for kind in counts for ratio in ("precision", "recall", "f1")]
        metrics |= {f"{prefix}_{corpus}_{key}": scores[key] for key in keys}
    return metrics

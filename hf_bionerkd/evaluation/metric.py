"""The entity scores as a metric of the `evaluate` library, which needs no Hub and no script.

`evaluate.load("seqeval")` always asks the Hub for its script; this class is the metric itself. It is kept apart from
:mod:`hf_bionerkd.evaluation.entities` because importing `evaluate` loads torch wherever torch is installed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import evaluate
from datasets import Features, List, Value

from hf_bionerkd.evaluation.entities import EntityScores, Mode, score_tags
from hf_bionerkd.labels import Scheme

_DESCRIPTION = "Entity-level precision, recall and F1: a mention counts only with its exact span and type."
_INPUTS = """
Args:
    predictions: predicted tags of every row, e.g. [["B-Gene", "I-Gene", "O"]]
    references: gold tags of the same rows

Returns:
    overall_precision, overall_recall, overall_f1 (all types pooled), overall_macro_f1 (the mean over the types that
    have a gold mention), overall_left_out (the number of types that have none), overall_other_types (mentions
    predicted of types that are not scored) and, for every type, <type>_precision, <type>_recall, <type>_f1 and
    <type>_support. Fractions in [0, 1].
"""


class EntityF1(evaluate.Metric):  # type: ignore[misc]  # `evaluate` ships no types
    """The entity scores as an `evaluate` metric that works without network.

    Args:
        mode (`str`, *optional*, defaults to `"strict"`): `"strict"` or `"lenient"`, see
            :func:`~hf_bionerkd.evaluation.entities.score_tags`.
        scheme (`str`, *optional*, defaults to `"BIO"`): `"BIO"` (IOB2), `"IO"` or `"IOBES"`.
        types (`Sequence[str]`, *optional*): The types to score, those that the corpus annotates. Without them every
            type that occurs in the references or the predictions is scored.
        **kwargs: Arguments of `evaluate.Metric`, e.g. `num_process`, `process_id`, `experiment_id`. One process keeps
            its rows in memory; several share them through files.

    Example:
        >>> EntityF1().compute(predictions=[["B-Gene", "O"]], references=[["B-Gene", "O"]])["Gene_f1"]
        1.0
    """

    def __init__(
        self, mode: Mode = "strict", scheme: Scheme = "BIO", types: Sequence[str] | None = None, **kwargs: Any
    ) -> None:
        self.mode = mode
        self.scheme = scheme
        self.types = types
        # `evaluate` writes rows to files by default, which only several processes need.
        kwargs.setdefault("keep_in_memory", kwargs.get("num_process", 1) == 1)
        super().__init__(**kwargs)

    def _info(self) -> evaluate.MetricInfo:
        tags = List(Value("string"))
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation="",
            inputs_description=_INPUTS,
            features=Features({"predictions": tags, "references": tags}),
        )

    def _compute(self, predictions: list[list[str]], references: list[list[str]]) -> dict[str, float]:
        # Without `types`, score those that occur on either side.
        types = self.types or sorted(
            {tag.partition("-")[2] for tags in predictions + references for tag in tags} - {""}
        )
        if not types:
            raise ValueError(
                "neither references nor predictions hold an entity, so there is no type to score: pass "
                "`types=` with those that the corpus annotates"
            )
        return self.results(score_tags(references, predictions, types, self.mode, self.scheme))

    def results(self, scores: EntityScores) -> dict[str, float]:
        """Name scores that have been counted elsewhere, such as those of nested spans, as :meth:`compute` does."""
        # `evaluate` wants one flat dictionary of numbers.
        result: dict[str, float] = {}
        for name, counts in scores.per_type.items():
            result |= {f"{name}_{key}": getattr(counts, key) for key in ("precision", "recall", "f1", "support")}
        for key in ("precision", "recall", "f1"):
            result[f"overall_{key}"] = getattr(scores.micro, key)
        return result | {
            "overall_macro_f1": scores.macro_f1,
            "overall_left_out": len(scores.without_gold),
            "overall_other_types": scores.other_types,
        }

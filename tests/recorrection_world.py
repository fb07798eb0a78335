"""A weak corpus with misses and a human one, so small that re-correction takes seconds."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny

from hf_bionerkd.data.builders import build_corpus
from hf_bionerkd.data.corpus_card import CorpusCard
from hf_bionerkd.documents import ConceptRef, Document
from hf_bionerkd.evaluation.entities import Counts, EntityScores
from hf_bionerkd.evaluation.report import Metrics, Result, write_metrics
from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.runs.recorrect_config import RecorrectConfig
from hf_bionerkd.weak.rounds import ModelScores, Outcome

TYPES = ("Chemical", "Disease")
BILSTM = {
    "model_type": "bionerkd_bilstm_crf",
    "word_embedding_size": 16,
    "character_embedding_size": 4,
    "character_filters": 6,
    "hidden_size": 16,
    "head_size": 16,
    "dropout": 0.0,
}
QUICK = {
    "num_train_epochs": 5,
    "per_device_train_batch_size": 4,
    "learning_rate": 3e-2,
    "use_cpu": True,
    "bf16": False,
    "disable_tqdm": True,
}


def weak_documents(count: int, missed: float = 0.5) -> Iterator[Document]:
    """Sentences of abstracts, four each, in which mentions are missing; those that are there have a concept."""
    draw = random.Random(5)
    for number, document in enumerate(tiny.documents(TYPES, count, "weak")):
        found = [
            replace(mention, concepts=(ConceptRef("MESH", f"D{len(mention.text)}"),), source="dictionary")
            for mention in document.mentions
            if draw.random() >= missed
        ]
        yield replace(document, mentions=tuple(found), metadata={"document_id": str(900 + number // 4)})


def write_world(folder: Path, sentences: int = 64) -> dict[str, Any]:
    """Both corpora; gives the values of a run on them, without `output_dir`."""
    card = CorpusCard("weak", "weak", "Made for tests.", "cc0-1.0", "-", "-", "-")
    build_corpus(folder / "weak", {"train": weak_documents(sentences)}, TYPES, card, [__file__])
    return {
        "weak": {"name": "weak", "path": str(folder / "weak")},
        "human": {"name": "human", "path": tiny.write_corpus(folder, "human", TYPES)},
        "model": {"architecture": dict(BILSTM)},
        "encoding": {"max_length": 64},
        "weak_training": QUICK | {"num_train_epochs": 3, "eval_strategy": "no"},
        "training": dict(QUICK),
        "max_rounds": 2,
        "patience": 9,
        "rows_per_part": 24,
    }


def run_of(values: Mapping[str, Any], folder: Path, **changes: Any) -> RecorrectConfig:
    """A run's configuration."""
    from hf_bionerkd.runs.config_loading import from_dict

    return from_dict(RecorrectConfig, {**values, "output_dir": str(folder), **changes}, "a test")


def name_chemicals(sentences: Sequence[Sequence[str]]) -> list[np.ndarray]:
    """A model that knows some chemicals of one word, and no disease."""
    space = LabelSpace(TYPES)
    chemical = space.label2id["B-Chemical"]
    known = ("aspirin", "ibuprofen", "zinc")
    return [np.array([chemical if word in known else space.outside for word in words]) for words in sentences]


def without_training(config: RecorrectConfig, right: Sequence[int] = (50, 60, 40)) -> Outcome:
    """A run in which every step is real, but for models: W_r finds so many of 100 mentions, C_r knows chemicals."""
    from hf_bionerkd.runs import recorrect as recorrection
    from hf_bionerkd.runs import recorrect_result, recorrect_steps

    def scores(_: Any, number: int) -> ModelScores:
        counts = Counts(right[number], 0, 100 - right[number])
        found = EntityScores({"Chemical": counts, "Disease": Counts()})
        return ModelScores(found, found)

    def publish(steps: Any, folder: Path, *_: Any) -> None:
        folder.mkdir()
        write_metrics(folder / "metrics.json", Metrics((Result(folder.name, "human", "Chemical", Counts(1)),)))

    with pytest.MonkeyPatch.context() as patch:
        for name in ("train", "correct"):
            patch.setattr(recorrect_steps.TrainedSteps, name, scores)
        patch.setattr(recorrect_steps.TrainedSteps, "_tagging", lambda self, folder: name_chemicals)
        patch.setattr(recorrect_result, "_publish_model", publish)
        return recorrection.recorrect(config).outcome

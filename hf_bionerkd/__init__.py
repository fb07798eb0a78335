"""hf_bionerkd: one small, fast model for many biomedical entity types, by multi-teacher knowledge distillation.

Importing the package loads neither torch nor transformers; the names below are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_WHERE = {
    "Aggregator": "hf_bionerkd.teachers.aggregation",
    "Document": "hf_bionerkd.documents",
    "LabelSpace": "hf_bionerkd.labels",
    "Mention": "hf_bionerkd.documents",
    "MultiTeacherTrainer": "hf_bionerkd.training.distillation_trainer",
    "TagPairs": "hf_bionerkd.encoding.tag_pairs",
    "Teacher": "hf_bionerkd.teachers.teacher",
    "TeacherSpec": "hf_bionerkd.teachers.teacher",
    "TokenClassificationTrainer": "hf_bionerkd.training.trainer",
    "WordTagger": "hf_bionerkd.inference.word_tagger",
    "read_conll": "hf_bionerkd.corpora.conll",
    "read_pubtator": "hf_bionerkd.corpora.pubtator",
    "set_default_tag": "hf_bionerkd.encoding.tag_pairs",
}

__all__ = ["__version__", *_WHERE]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

"""hf_bionerkd: one small, fast model for many biomedical entity types, by multi-teacher knowledge distillation.

Importing the package loads neither torch nor transformers; the names below are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hf_bionerkd.lazy import attach

if TYPE_CHECKING:
    from hf_bionerkd.corpora.conll import read_conll as read_conll
    from hf_bionerkd.corpora.formats import read_documents as read_documents
    from hf_bionerkd.corpora.pubtator import read_pubtator as read_pubtator
    from hf_bionerkd.data.corpus import Corpus as Corpus
    from hf_bionerkd.data.corpus import load_corpus as load_corpus
    from hf_bionerkd.documents import Document as Document
    from hf_bionerkd.documents import Mention as Mention
    from hf_bionerkd.encoding.tag_pairs import TagPairs as TagPairs
    from hf_bionerkd.encoding.tag_pairs import set_default_tag as set_default_tag
    from hf_bionerkd.inference.word_tagger import WordTagger as WordTagger
    from hf_bionerkd.labels import LabelSpace as LabelSpace
    from hf_bionerkd.teachers.aggregation import Aggregator as Aggregator
    from hf_bionerkd.teachers.teacher import Teacher as Teacher
    from hf_bionerkd.training.distillation_trainer import MultiTeacherTrainer as MultiTeacherTrainer
    from hf_bionerkd.training.preparation import WindowSettings as WindowSettings
    from hf_bionerkd.training.trainer import TokenClassificationTrainer as TokenClassificationTrainer

__version__ = "0.1.0"

__getattr__, __dir__, _names = attach(
    __name__,
    {
        "Aggregator": "teachers.aggregation",
        "Corpus": "data.corpus",
        "Document": "documents",
        "LabelSpace": "labels",
        "Mention": "documents",
        "MultiTeacherTrainer": "training.distillation_trainer",
        "TagPairs": "encoding.tag_pairs",
        "Teacher": "teachers.teacher",
        "TokenClassificationTrainer": "training.trainer",
        "WindowSettings": "training.preparation",
        "WordTagger": "inference.word_tagger",
        "load_corpus": "data.corpus",
        "read_conll": "corpora.conll",
        "read_documents": "corpora.formats",
        "read_pubtator": "corpora.pubtator",
        "set_default_tag": "encoding.tag_pairs",
    },
)
__all__ = ["__version__", *_names]

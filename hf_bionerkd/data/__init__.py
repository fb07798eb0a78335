"""Corpora as datasets: their schema, their building and cards, and their loading for a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hf_bionerkd.lazy import attach

if TYPE_CHECKING:
    from .builders import CorpusContractError as CorpusContractError
    from .builders import build_corpus as build_corpus
    from .builders import check_row as check_row
    from .corpus import Corpus as Corpus
    from .corpus import load_corpus as load_corpus
    from .corpus_card import CorpusCard as CorpusCard
    from .corpus_card import load_card as load_card
    from .corpus_card import name_corpus as name_corpus
    from .corpus_card import render_readme as render_readme
    from .features import annotated_types as annotated_types
    from .features import corpus_features as corpus_features
    from .features import document_to_row as document_to_row
    from .features import row_to_document as row_to_document
    from .joining import join_corpora as join_corpora
    from .rows import content_fingerprint as content_fingerprint
    from .rows import document_keys as document_keys

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Corpus": "corpus",
        "CorpusCard": "corpus_card",
        "CorpusContractError": "builders",
        "annotated_types": "features",
        "build_corpus": "builders",
        "check_row": "builders",
        "content_fingerprint": "rows",
        "corpus_features": "features",
        "document_keys": "rows",
        "document_to_row": "features",
        "join_corpora": "joining",
        "load_card": "corpus_card",
        "load_corpus": "corpus",
        "name_corpus": "corpus_card",
        "render_readme": "corpus_card",
        "row_to_document": "features",
    },
)

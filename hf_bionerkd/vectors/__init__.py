"""Word vectors: their training, the file formats of others, and the store that models read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hf_bionerkd.lazy import attach

if TYPE_CHECKING:
    from .skip_gram import SkipGramSettings as SkipGramSettings
    from .skip_gram import read_ids as read_ids
    from .skip_gram import train_word_vectors as train_word_vectors
    from .word_vector_files import open_word_vectors as open_word_vectors
    from .word_vector_files import read_word_vectors as read_word_vectors
    from .word_vectors import WordVectors as WordVectors
    from .word_vectors import WordVectorsError as WordVectorsError
    from .word_vectors import load_word_vectors as load_word_vectors

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "SkipGramSettings": "skip_gram",
        "WordVectors": "word_vectors",
        "WordVectorsError": "word_vectors",
        "load_word_vectors": "word_vectors",
        "open_word_vectors": "word_vector_files",
        "read_ids": "skip_gram",
        "read_word_vectors": "word_vector_files",
        "train_word_vectors": "skip_gram",
    },
)

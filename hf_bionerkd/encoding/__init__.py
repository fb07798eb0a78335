"""The encoding of text for models: words to sub-word windows, tag pairs, and vocabularies of models from scratch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hf_bionerkd.lazy import attach

if TYPE_CHECKING:
    from .encoding import EncodedWindow as EncodedWindow
    from .encoding import EncodingError as EncodingError
    from .encoding import WordEncoder as WordEncoder
    from .tag_pairs import TagPairs as TagPairs
    from .tag_pairs import add_tag_tokens as add_tag_tokens
    from .tag_pairs import save_tokenizer as save_tokenizer
    from .tag_pairs import set_default_tag as set_default_tag
    from .word_reading import reading_words as reading_words
    from .word_reading import special_ids as special_ids
    from .word_reading import with_prefix_space as with_prefix_space
    from .word_vocabulary import WordVocabulary as WordVocabulary
    from .word_vocabulary import build_word_vocabulary as build_word_vocabulary
    from .wordpiece import learn_wordpiece as learn_wordpiece
    from .wordpiece import read_wordpiece as read_wordpiece

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "EncodedWindow": "encoding",
        "EncodingError": "encoding",
        "TagPairs": "tag_pairs",
        "WordEncoder": "encoding",
        "WordVocabulary": "word_vocabulary",
        "add_tag_tokens": "tag_pairs",
        "build_word_vocabulary": "word_vocabulary",
        "learn_wordpiece": "wordpiece",
        "read_wordpiece": "wordpiece",
        "reading_words": "word_reading",
        "save_tokenizer": "tag_pairs",
        "set_default_tag": "tag_pairs",
        "special_ids": "word_reading",
        "with_prefix_space": "word_reading",
    },
)

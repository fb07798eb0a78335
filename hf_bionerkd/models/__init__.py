"""Token classifiers for words, and their loading: files that travel to the Hub with the weights of custom models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hf_bionerkd.lazy import attach

if TYPE_CHECKING:
    from .auto import CodeError as CodeError
    from .auto import build_token_classifier as build_token_classifier
    from .auto import carry_code as carry_code
    from .auto import load_token_classifier as load_token_classifier
    from .bilstm_crf import BiLstmCrfForTokenClassification as BiLstmCrfForTokenClassification
    from .char_cnn import CharacterCnn as CharacterCnn
    from .configuration import BiLstmCrfConfig as BiLstmCrfConfig
    from .configuration import TransformerCrfConfig as TransformerCrfConfig
    from .crf import LinearChainCrf as LinearChainCrf
    from .crf import forbidden_transitions as forbidden_transitions
    from .lstm import BidirectionalLstm as BidirectionalLstm
    from .pipelines import WordTaggingPipeline as WordTaggingPipeline
    from .registration import register as register
    from .transformer_crf import TransformerCrfForTokenClassification as TransformerCrfForTokenClassification
    from .windows import Window as Window
    from .windows import plan_windows as plan_windows
    from .word_embedding import WordEmbedding as WordEmbedding
    from .word_level import WordLevelModel as WordLevelModel
    from .word_outputs import WordTaggerOutput as WordTaggerOutput
    from .word_outputs import read_words as read_words
    from .word_pieces import PieceTables as PieceTables

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "BiLstmCrfConfig": "configuration",
        "BiLstmCrfForTokenClassification": "bilstm_crf",
        "BidirectionalLstm": "lstm",
        "CharacterCnn": "char_cnn",
        "CodeError": "auto",
        "LinearChainCrf": "crf",
        "PieceTables": "word_pieces",
        "TransformerCrfConfig": "configuration",
        "TransformerCrfForTokenClassification": "transformer_crf",
        "Window": "windows",
        "WordEmbedding": "word_embedding",
        "WordLevelModel": "word_level",
        "WordTaggerOutput": "word_outputs",
        "WordTaggingPipeline": "pipelines",
        "build_token_classifier": "auto",
        "carry_code": "auto",
        "forbidden_transitions": "crf",
        "load_token_classifier": "auto",
        "plan_windows": "windows",
        "read_words": "word_outputs",
        "register": "registration",
    },
)

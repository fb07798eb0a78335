"""Small models that label words, with weights that tell words apart: for tests that run them."""

from __future__ import annotations

from typing import Any

import tiny
import torch

from hf_bionerkd.encoding.word_reading import reading_words
from hf_bionerkd.encoding.word_vocabulary import build_word_vocabulary
from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.models import registration
from hf_bionerkd.models.bilstm_crf import BiLstmCrfForTokenClassification
from hf_bionerkd.models.configuration import BiLstmCrfConfig, TransformerCrfConfig
from hf_bionerkd.models.transformer_crf import TransformerCrfForTokenClassification

SPACE = LabelSpace(("Chemical", "Disease"))
_LABELS = {"id2label": SPACE.id2label, "label2id": SPACE.label2id}

registration.register()


def make_bilstm(**changes: Any) -> tuple[Any, Any]:
    """A BiLSTM-CRF and its tokenizer."""
    vocabulary = build_word_vocabulary(tiny.tokens(60))
    torch.manual_seed(4)
    model = BiLstmCrfForTokenClassification(BiLstmCrfConfig(**_LABELS, hidden_size=8, head_size=8, **changes))
    model.set_vocabulary(vocabulary.tables)
    with torch.no_grad():  # as it comes, a random model says the same of every word
        for weight in model.encoder.layers.parameters():
            weight.mul_(4)
        for weight in model.classifier.parameters():
            weight.normal_(std=1.5)
    return model.eval(), vocabulary.tokenizer


def make_transformer(tokenizer: Any = None, **changes: Any) -> tuple[Any, Any]:
    """A transformer-CRF and its tokenizer; `changes` are to the encoder's configuration."""
    tokenizer = reading_words(tokenizer or tiny.wordpiece())
    encoder = {**tiny.ARCHITECTURE, "vocab_size": len(tokenizer), **changes}
    torch.manual_seed(1)
    model = TransformerCrfForTokenClassification(TransformerCrfConfig(encoder, **_LABELS))
    model.set_tokenizer(tokenizer)
    with torch.no_grad():
        model.classifier[-1].weight.mul_(60)
    return model.eval(), tokenizer

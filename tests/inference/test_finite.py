"""Models whose outputs are no numbers are refused; NaN at padding alone is nobody's."""

import math

import numpy as np
import pytest
import torch
from transformers import pipeline

from hf_bionerkd.inference.finite import NonFiniteError, check_finite, check_weights
from hf_bionerkd.inference.word_tagger import WordTagger

LABELS = ("B-Gene", "I-Gene", "O")
SENTENCES = [["TP53", "and", "IL-2"], ["aspirin"], ["deficiency", "of", "colon", "aspirin", "TP53"]]


def test_outputs_that_are_no_numbers_name_words_and_weights(wordpiece, make_bert):
    model = make_bert(len(wordpiece), LABELS)
    with torch.no_grad():
        model.classifier.bias[0] = math.nan
    tagger = WordTagger(model, wordpiece)
    for ask in (tagger.outputs, tagger.log_probs, tagger.tags, tagger.spans):
        with pytest.raises(NonFiniteError, match=r"nan \(\w+\) for the words \[.aspirin.\].*`classifier.bias`"):
            ask(SENTENCES)
    with pytest.raises(NonFiniteError, match=r"the model is not kept: `classifier.bias` holds NaN"):
        check_weights(model)


def test_finite_weights_that_overflow_are_told_from_broken_ones(wordpiece, make_bert):
    model = make_bert(len(wordpiece), LABELS)
    with torch.no_grad():
        model.classifier.weight.fill_(3e38)
        model.classifier.weight[1] = -3e38
    check_weights(model)
    with pytest.raises(NonFiniteError, match="its weights are finite, so they overflow"):
        WordTagger(model, wordpiece).tags(SENTENCES)


def test_nan_at_padding_alone_changes_nothing(wordpiece, make_bert):
    model = make_bert(len(wordpiece), LABELS)
    expected = WordTagger(model, wordpiece).log_probs(SENTENCES)

    def spoil(_, args, kwargs, output):
        output.logits[kwargs["attention_mask"] == 0] = math.nan
        return output

    model.register_forward_hook(spoil, with_kwargs=True)
    for own, other in zip(WordTagger(model, wordpiece).log_probs(SENTENCES), expected, strict=True):
        np.testing.assert_allclose(own, other, atol=1e-6)


def test_infinity_is_named_and_whole_numbers_are_fine():
    check_finite({"tags": np.array([1, 2]), "log_probs": np.array([-30.0])}, ["a"], "teacher 'x'")
    with pytest.raises(NonFiniteError, match=r"^teacher 'x' gives infinity \(log_probs\) for the words \['a'\]$"):
        check_finite({"log_probs": np.array([-np.inf])}, ["a"], "teacher 'x'")


@pytest.mark.parametrize("kind", ["bilstm", "transformer"])
def test_the_pipeline_of_word_models_refuses_too(kind):
    import word_models

    model, tokenizer = word_models.make_bilstm() if kind == "bilstm" else word_models.make_transformer()
    ask = pipeline("token-classification", model=model, tokenizer=tokenizer, pipeline_class=model.pipeline_class)
    assert isinstance(ask("aspirin for asthma"), list)
    with torch.no_grad():
        model.crf.transitions[0, 0] = math.nan
    with pytest.raises(ValueError, match="scores are NaN"):
        ask("aspirin for asthma")

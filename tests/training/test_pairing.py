"""What a model and its tokenizer disagree on is settled in the tokenizer, or refused on one line."""

from __future__ import annotations

import pytest
import tiny
import torch
from transformers import AutoTokenizer

from hf_bionerkd.encoding.tag_pairs import TagPairs
from hf_bionerkd.encoding.word_reading import EncodingError
from hf_bionerkd.inference.word_tagger import WordTagger
from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.training.pairing import PairingError, pair, stated_length
from hf_bionerkd.training.preparation import prepare_student
from hf_bionerkd.training.student import save_student

NONE = TagPairs("none", {})
LABELS = tiny.bio("Gene")


@pytest.mark.parametrize(
    ("own", "wanted", "stated"),
    [(10**30, None, 64), (512, None, 64), (32, None, 32), (32, 48, 48), (32, 512, 64), (0, None, 64), (-1, 16, 64)],
)
def test_the_length_is_what_the_model_reads_unless_the_tokenizer_has_less(own, wanted, stated):
    tokenizer = tiny.wordpiece(own)
    assert stated_length(tiny.build_model(LABELS, tokenizer), tokenizer, wanted) == stated


def test_a_model_without_bound_reads_512_unless_more_is_asked_for():
    tokenizer = tiny.wordpiece(10**30)
    model = tiny.build_model(LABELS, tokenizer)
    model.bert.embeddings.position_embeddings = torch.nn.Identity()
    model.config.max_position_embeddings = -1
    assert stated_length(model, tokenizer) == 512 and stated_length(model, tokenizer, 1024) == 1024


def test_the_given_tokenizer_stays_as_it_is_and_a_pair_is_tried_once(monkeypatch):
    tokenizer = tiny.wordpiece(10**30)
    model, paired = pair(tiny.build_model(LABELS, tokenizer), tokenizer, NONE)
    assert tokenizer.model_max_length == 10**30 and "token_type_ids" in tokenizer.model_input_names
    assert paired.model_max_length == 64 and paired.model_input_names == ["input_ids", "attention_mask"]
    monkeypatch.setattr(AutoTokenizer, "from_pretrained", lambda *_: pytest.fail("it was tried again"))
    assert prepare_student(model, paired, LabelSpace(("Gene",)), NONE) == (model, paired)


def test_padding_is_that_which_positions_are_counted_by(tmp_path):
    """RoBERTa's positions depend on its padding id: a tokenizer that pads with another token is put right."""
    tokenizer = tiny.byte_level_bpe()
    roberta = {"model_type": "roberta", "max_position_embeddings": 66}
    model = tiny.build_model(LABELS, tokenizer, **roberta).eval()
    assert model.config.pad_token_id == 1
    tokenizer.pad_token = "</s>"
    model, paired = pair(model, tokenizer, NONE)
    assert (paired.pad_token, paired.pad_token_id) == ("<pad>", 1)
    save_student(tmp_path, model, paired, NONE)
    loaded = type(model).from_pretrained(tmp_path).eval()
    words = tiny.tokens(4)
    for here, there in zip(
        WordTagger(model, paired).log_probs(words), WordTagger(loaded, paired).log_probs(words), strict=True
    ):
        assert (here == there).all()


def test_a_tokenizer_of_another_model_is_refused():
    tokenizer = tiny.byte_level_bpe()
    model = tiny.build_model(LABELS, tokenizer, model_type="roberta", max_position_embeddings=90)
    model.roberta.embeddings.position_embeddings.padding_idx = 20
    with pytest.raises(
        PairingError, match=r"counts positions by the padding id 20, which is the ordinary piece"
    ) as error:
        pair(model, tokenizer, NONE)
    assert "\n" not in str(error.value)


def test_a_model_that_takes_no_mask_is_refused():
    from transformers import FNetConfig, FNetForTokenClassification

    model = FNetForTokenClassification(
        FNetConfig(vocab_size=200, hidden_size=32, num_hidden_layers=1, intermediate_size=32)
    )
    with pytest.raises(
        PairingError, match="FNetForTokenClassification takes no attention_mask .* padding would change"
    ):
        pair(model, tiny.wordpiece(), NONE)


def test_a_slow_tokenizer_is_refused():
    from transformers import CanineTokenizer

    with pytest.raises(EncodingError, match="CanineTokenizer is not a fast tokenizer"):
        pair(tiny.build_model(LABELS, tiny.wordpiece()), CanineTokenizer(), NONE)


def test_what_the_model_cannot_read_is_refused_with_its_reason():
    tokenizer = tiny.wordpiece()
    model = tiny.build_model(LABELS, tokenizer)
    model.config.max_position_embeddings = 64
    model.bert.embeddings.position_ids = model.bert.embeddings.position_ids[:, :20]  # a bound that nothing states
    with pytest.raises(PairingError, match=r"cannot read \['input_ids', 'attention_mask'\] of 64 pieces: ") as error:
        pair(model, tokenizer, NONE)
    assert "\n" not in str(error.value)


def test_weights_that_give_no_numbers_are_refused():
    tokenizer = tiny.wordpiece()
    model = tiny.build_model(LABELS, tokenizer)
    with torch.no_grad():
        model.classifier.bias[0] = float("nan")
    with pytest.raises(PairingError, match="outputs are not finite"):
        pair(model, tokenizer, NONE)

"""A CRF on any encoder: which pieces are words, saving, resizing, checkpointing."""

from __future__ import annotations

import pytest
import tiny
import torch
from transformers import AutoModel, AutoModelForTokenClassification

from hf_bionerkd.encoding.encoding import WordEncoder
from hf_bionerkd.encoding.tag_pairs import TagPairs, add_tag_tokens
from hf_bionerkd.encoding.word_reading import reading_words
from hf_bionerkd.inference.word_tagger import WordTagger
from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.models import registration
from hf_bionerkd.models.auto import build_token_classifier, load_token_classifier
from hf_bionerkd.models.configuration import TransformerCrfConfig
from hf_bionerkd.models.crf import UNKNOWN
from hf_bionerkd.models.positions import longest_input_of
from hf_bionerkd.models.transformer_crf import TransformerCrfForTokenClassification

SPACE = LabelSpace(("Chemical", "Disease"))
ENCODERS = {
    "bert": {},
    "roberta": {"max_position_embeddings": 66},
    "electra": {"embedding_size": 32},
    "distilbert": {"dim": 32, "n_layers": 1, "n_heads": 2, "hidden_dim": 32},
}

registration.register()


@pytest.fixture(scope="module")
def tokenizer():
    return reading_words(tiny.wordpiece())


def encoder_values(tokenizer, model_type="bert"):
    values = ENCODERS[model_type] if model_type == "distilbert" else {**tiny.ARCHITECTURE, **ENCODERS[model_type]}
    return {**values, "model_type": model_type, "vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id}


def make(tokenizer, model_type="bert", seed=0, **changes):
    torch.manual_seed(seed)
    config = TransformerCrfConfig(
        encoder_values(tokenizer, model_type), id2label=SPACE.id2label, label2id=SPACE.label2id, **changes
    )
    model = TransformerCrfForTokenClassification(config)
    model.set_tokenizer(tokenizer)
    with torch.no_grad():
        model.classifier[-1].weight.mul_(40)
    return model.eval()


def batch_of(tokenizer, *texts):
    return tokenizer(list(texts), padding=True, return_tensors="pt")


@pytest.mark.parametrize("model_type", ENCODERS)
def test_emissions_are_those_of_the_first_pieces_of_words(tokenizer, model_type):
    model = make(tokenizer, model_type)
    texts = ("aspirin-induced hyperthermia", "fever", "")
    batch = batch_of(tokenizer, *texts)
    batch.pop("token_type_ids")
    output = model(**batch)
    vectors = model.encoder(**batch).last_hidden_state
    for row in range(len(texts)):
        words = batch.word_ids(row)
        heads = [i for i, word in enumerate(words) if word is not None and word != words[i - 1]]
        expected = model.classifier(vectors[row, heads])
        assert output.word_mask[row].sum() == len(heads)
        assert torch.allclose(output.emissions[row, : len(heads)], expected, atol=1e-5)
        index = [-1 if word is None else word for word in words]
        assert output.word_index[row].tolist() == index
    marginals = model.crf.marginals(output.emissions, output.word_mask)
    assert torch.allclose(output.logits[0, 1].softmax(-1), marginals[0, 0].exp(), atol=1e-6)


def test_told_word_starts_say_the_same_as_the_tokenizers_marks(tokenizer):
    model = make(tokenizer)
    batch = batch_of(tokenizer, "aspirin-induced hyperthermia", "fever")
    told = torch.zeros_like(batch["input_ids"], dtype=torch.bool)
    for row in range(2):
        words = batch.word_ids(row)
        for i, word in enumerate(words):
            told[row, i] = word is not None and word != words[i - 1]
    expected = model(**batch).logits
    assert torch.equal(model(**batch, word_starts=told).logits, expected)
    model.piece_kinds.fill_(1)  # a tokenizer that tells nothing
    assert model(**batch).emissions.shape[1] > model(**batch, word_starts=told).emissions.shape[1]


def test_without_a_tokenizers_word_every_piece_that_is_not_special_is_a_position():
    from tokenizers import Tokenizer, models, pre_tokenizers
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.WordLevel({"<s>": 0, "<pad>": 1, "<unk>": 2, "a": 3, "b": 4}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    silent = PreTrainedTokenizerFast(tokenizer_object=backend, cls_token="<s>", pad_token="<pad>", unk_token="<unk>")
    model = make(silent)
    assert model(**batch_of(silent, "a b a", "b")).word_index.tolist() == [[-1, 0, 1, 2], [-1, 0, -1, -1]]


def test_byte_level_tokenizers(tokenizer):
    bpe = reading_words(tiny.byte_level_bpe())
    model = make(bpe, "roberta")
    batch = batch_of(bpe, "aspirin-induced fever")
    assert model(**batch).word_mask.sum() == 4
    assert longest_input_of(model) == 64  # two of RoBERTa's positions are not for text


def test_the_existing_tagger_reads_it_without_knowing_it(tokenizer):
    model = make(tokenizer)
    words = [["aspirin", "-", "induced", "hyperthermia", "in", "lung", "cancer", "."] * 6, ["fever"]]
    found = WordTagger(model, tokenizer).log_probs(words)
    assert [len(rows) for rows in found] == [48, 1]
    assert len(WordEncoder(tokenizer, 64)(words)[0]) > 1
    [alone] = WordTagger(model, tokenizer).log_probs([["fever"]])
    output = model(**batch_of(tokenizer, "fever"))
    assert torch.allclose(torch.tensor(alone[0]), output.logits[0, 1].clamp(min=-30), atol=1e-4)


@pytest.mark.parametrize("model_type", ENCODERS)
def test_trained_and_saved_every_weight_takes_part(tokenizer, tmp_path, model_type):
    model = make(tokenizer, model_type, head_size=9).train()
    batch = batch_of(tokenizer, "aspirin-induced hyperthermia", "fever")
    batch.pop("token_type_ids")
    labels = torch.full_like(batch["input_ids"], UNKNOWN)
    labels[:, 1] = SPACE.label2id["B-Disease"]
    output = model(**batch, labels=labels)
    assert output.logits is None
    output.loss.backward()
    without = [name for name, weight in model.named_parameters() if weight.grad is None]
    assert not without  # DDP would wait for them
    model.eval().save_pretrained(tmp_path)
    assert [path.name for path in tmp_path.glob("*.safetensors")] == ["model.safetensors"]
    loaded = AutoModelForTokenClassification.from_pretrained(tmp_path)
    assert type(loaded) is TransformerCrfForTokenClassification
    assert loaded.config.encoder.model_type == model_type
    assert tiny.largest_difference(model.state_dict(), loaded.state_dict()) == 0
    assert torch.equal(loaded(**batch).logits, model(**batch).logits)


def test_a_published_encoder_keeps_its_weights_under_a_new_head(tokenizer, tmp_path):
    values = encoder_values(tokenizer)
    torch.manual_seed(0)
    from transformers import AutoConfig

    encoder = AutoModel.from_config(AutoConfig.for_model(**values))
    encoder.save_pretrained(tmp_path)
    tagged = add_tag_tokens(tokenizer, TagPairs("corpus", {"A": ("Chemical",)}))
    model = TransformerCrfForTokenClassification.from_encoder(str(tmp_path), tagged, SPACE.id2label, head_size=7)
    assert not model.training and model.config.num_labels == 5 and model.encoder.pooler is None
    assert len(model.piece_kinds) == len(tagged) == model.config.vocab_size
    for name, weight in model.encoder.state_dict().items():
        expected = encoder.state_dict()[name]
        assert torch.equal(weight[: len(expected)], expected), name
    opening, closing = (tagged.convert_tokens_to_ids(tag) for tag in ("<A>", "</A>"))
    ids = torch.tensor([[2, opening, *tokenizer("fever", add_special_tokens=False)["input_ids"], closing, 3]])
    assert model(ids).word_index.tolist()[0][:2] == [-1, -1] and model(ids).word_mask.sum() == 1


def test_resizing_reaches_configuration_embeddings_and_kinds(tokenizer, tmp_path):
    model = make(tokenizer)
    model.resize_token_embeddings(len(tokenizer) + 3)
    size = len(tokenizer) + 3
    assert model.get_input_embeddings().num_embeddings == size == len(model.piece_kinds)
    assert model.config.vocab_size == model.config.encoder.vocab_size == model.encoder.config.vocab_size == size
    assert model(torch.tensor([[2, size - 1, 9, 3]])).word_index.tolist() == [[-1, -1, 0, -1]]
    model.save_pretrained(tmp_path)
    loaded = AutoModelForTokenClassification.from_pretrained(tmp_path)
    assert loaded.get_input_embeddings().num_embeddings == size
    with pytest.raises(ValueError, match=r"the tokenizer has \d+ pieces, the encoder 5 embeddings"):
        model.resize_token_embeddings(5)
        model.set_tokenizer(tokenizer)


def test_gradient_checkpointing_reaches_the_encoder_and_changes_nothing(tokenizer):
    model = make(tokenizer).train()
    model.dropout.p = 0.0
    batch = batch_of(tokenizer, "aspirin-induced hyperthermia")
    labels = torch.full_like(batch["input_ids"], UNKNOWN)
    labels[:, 1] = 0

    def gradient():
        model.zero_grad()
        model(**batch, labels=labels).loss.backward()
        return model.encoder.encoder.layer[0].attention.self.query.weight.grad.clone()

    plain = gradient()
    model.activation_checkpointing_enable()
    assert model.is_activation_checkpointing
    assert torch.allclose(gradient(), plain, atol=1e-6)


def test_embeddings_may_stand_in_for_input_ids(tokenizer):
    model = make(tokenizer)
    batch = batch_of(tokenizer, "aspirin-induced hyperthermia")
    embeddings = model.get_input_embeddings()(batch["input_ids"])
    assert torch.allclose(model(**batch, inputs_embeds=embeddings).logits, model(**batch).logits, atol=1e-6)


def test_the_attention_implementation_reaches_the_encoder(tokenizer, tmp_path):
    make(tokenizer).save_pretrained(tmp_path)
    loaded = AutoModelForTokenClassification.from_pretrained(tmp_path, attn_implementation="eager")
    assert loaded.encoder.config._attn_implementation == "eager"


def test_other_labels_get_a_new_head_and_crf_on_the_same_encoder(tokenizer, tmp_path):
    model = make(tokenizer)
    model.save_pretrained(tmp_path)
    for labels in (LabelSpace(("Gene",)), LabelSpace(("Gene", "Species"))):
        loaded = load_token_classifier(str(tmp_path), labels.id2label)
        assert loaded.crf.labels == labels.labels
        assert tiny.largest_difference(model.encoder.state_dict(), loaded.encoder.state_dict()) == 0
        assert torch.isfinite(loaded(**batch_of(tokenizer, "fever")).logits).all()


def test_built_from_configuration_values_alone(tokenizer):
    architecture = {"model_type": "bionerkd_transformer_crf", "encoder": encoder_values(tokenizer), "dropout": 0.3}
    model = build_token_classifier(architecture, SPACE.id2label, len(tokenizer) + 2, 0)
    assert model.get_input_embeddings().num_embeddings == len(tokenizer) + 2 and model.dropout.p == 0.3
    assert TransformerCrfConfig().encoder.model_type == "bert"
    with pytest.raises(ValueError, match=r"`encoder` needs `model_type` \(such as bert\) among \['hidden_size'\]"):
        TransformerCrfConfig({"hidden_size": 8})


@pytest.mark.gpu
def test_a_gpu_gives_the_same(tokenizer):
    model = make(tokenizer)
    batch = batch_of(tokenizer, "aspirin-induced hyperthermia", "fever")
    here = model(**batch).logits
    there = model.cuda()(**batch.to("cuda")).logits
    assert torch.allclose(here, there.cpu(), atol=1e-3)

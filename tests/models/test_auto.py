import pytest
import torch

from hf_bionerkd.models.auto import build_token_classifier, load_token_classifier

TINY = {
    "model_type": "bert",
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
}
LABELS = {0: "O", 1: "B-Gene", 2: "I-Gene"}


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    model = build_token_classifier(TINY, LABELS, vocab_size=50, pad_token_id=3)
    model.save_pretrained(tmp_path / "model")
    return model, tmp_path / "model"


def same_encoder(one, other):
    pairs = zip(one.base_model.parameters(), other.base_model.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_from_scratch_has_the_architecture_the_vocabulary_and_the_labels():
    model = build_token_classifier(TINY, LABELS, vocab_size=50, pad_token_id=3)
    assert type(model).__name__ == "BertForTokenClassification"  # a stock class: no remote code for users
    assert model.config.hidden_size == 16 and model.config.num_hidden_layers == 1
    assert model.get_input_embeddings().num_embeddings == 50 and model.config.pad_token_id == 3
    assert model.config.id2label == LABELS and model.config.label2id == {"O": 0, "B-Gene": 1, "I-Gene": 2}
    assert model(input_ids=torch.tensor([[1, 2]])).logits.shape == (1, 2, 3)


@pytest.mark.parametrize("model_type", ["roberta", "distilbert", "electra"])
def test_any_model_type_that_transformers_knows(model_type):
    values = {"model_type": model_type}
    if model_type == "distilbert":
        values |= {"dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 16}
    else:
        values |= {key: value for key, value in TINY.items() if key != "model_type"}
    model = build_token_classifier(values, LABELS, vocab_size=50, pad_token_id=1)
    assert model.config.model_type == model_type and model.config.num_labels == 3


def test_the_seed_decides_the_weights():
    torch.manual_seed(5)
    one = build_token_classifier(TINY, LABELS, 50, 0)
    torch.manual_seed(5)
    assert same_encoder(one, build_token_classifier(TINY, LABELS, 50, 0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_sise": 16}, r"\['hidden_sise'\] are not configuration values of bert; .*'hidden_size'"),
        ({"model_type": None}, r"needs `model_type` \(such as bert\)"),
        ({"model_type": "brt"}, "Unrecognized model identifier: brt"),
        ({"vocab_size": 9}, r"leave \['vocab_size'\] out of `architecture`"),
        ({"id2label": {}, "num_labels": 4}, r"leave \['id2label', 'num_labels'\] out"),
    ],
)
def test_unknown_and_decided_configuration_values_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        build_token_classifier({**TINY, **change}, LABELS, 50, 0)


def test_a_saved_classifier_comes_back_with_its_own_labels(saved):
    model, folder = saved
    loaded = load_token_classifier(str(folder))
    assert loaded.config.id2label == LABELS and same_encoder(loaded, model)
    assert torch.equal(loaded.classifier.weight, model.classifier.weight)


def test_weights_are_published_and_read_in_safetensors_only_pain_23(saved):
    model, folder = saved
    assert [path.name for path in folder.glob("*.safetensors")] == ["model.safetensors"]
    assert not list(folder.glob("*.bin"))
    (folder / "model.safetensors").unlink()
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    for labels in (None, LABELS):
        with pytest.raises(OSError, match="safetensors"):
            load_token_classifier(str(folder), labels)


def test_the_same_labels_keep_the_head(saved):
    model, folder = saved
    loaded = load_token_classifier(str(folder), LABELS)
    assert torch.equal(loaded.classifier.weight, model.classifier.weight) and not loaded.training


@pytest.mark.parametrize(
    "labels",
    [
        {0: "B-Gene", 1: "I-Gene", 2: "O", 3: "B-Cell", 4: "I-Cell"},
        {0: "B-Gene", 1: "I-Gene", 2: "O"},  # as many labels, but every row would stand for another one
        {0: "O", 1: "B-Cell", 2: "I-Cell"},
    ],
)
def test_other_labels_get_a_new_head_on_the_same_encoder(saved, labels):
    model, folder = saved
    loaded = load_token_classifier(str(folder), labels)
    assert loaded.config.id2label == labels and loaded.config.num_labels == len(labels)
    assert same_encoder(loaded, model) and not loaded.training
    assert loaded.classifier.weight.shape == (len(labels), 16)
    assert not torch.equal(loaded.classifier.weight[:3], model.classifier.weight)
    assert loaded(input_ids=torch.tensor([[1, 2]])).logits.shape == (1, 2, len(labels))


def test_a_missing_model_is_named(tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        load_token_classifier(str(tmp_path / "nowhere"))

import importlib
import itertools
import json
import re
from pathlib import Path

import pytest
import torch

from hf_bionerkd.models import auto
from hf_bionerkd.models.auto import CodeError, build_token_classifier, carry_code, load_token_classifier

TRUST = True  # these tests run code that they have written themselves

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


def test_a_stock_model_carries_no_code(saved):
    model, folder = saved
    assert carry_code(model) == ()
    model.save_pretrained(folder / "again")
    assert sorted(path.name for path in (folder / "again").iterdir()) == ["config.json", "model.safetensors"]
    assert "auto_map" not in json.loads((folder / "again" / "config.json").read_text())


CONFIGURATION = """
from transformers import PretrainedConfig

class OwnConfig(PretrainedConfig):
    model_type = "own"
"""
MODEL = """
import math
import torch
from transformers import PreTrainedModel
from .configuration import OwnConfig
from .parts import part

class OwnModel(PreTrainedModel):
    config_class = OwnConfig

    def __init__(self, config):
        super().__init__(config)
        self.classifier = torch.nn.Linear(2, config.num_labels)
        self.post_init()
"""
PARTS = "import torch\nfrom .deeper import depth\n\ndef part():\n    return depth()\n"
DEEPER = "def depth():\n    return 1\n"


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Makes a package with a model of its own, with some of its files changed, and gives an instance."""
    monkeypatch.syspath_prepend(tmp_path)
    names = itertools.count()

    def make(changes=()):
        package = f"own_package_{next(names)}_{tmp_path.name}"
        (tmp_path / package).mkdir()
        files = {"configuration.py": CONFIGURATION, "model.py": MODEL, "parts.py": PARTS, "deeper.py": DEEPER}
        files |= {"__init__.py": "", "unused.py": "import nothing_that_exists\n", "sub.py": "", **dict(changes)}
        for name, text in files.items():
            (tmp_path / package / name).write_text(text.replace("own_package", package))
        model = importlib.import_module(f"{package}.model").OwnModel
        return model(model.config_class(num_labels=3))

    return make


def test_a_model_of_ones_own_takes_along_the_files_it_needs_and_no_others(own, tmp_path):
    model = own()
    files = ["configuration.py", "deeper.py", "model.py", "parts.py"]
    assert carry_code(model) == tuple(files)
    model.save_pretrained(tmp_path / "saved")
    assert sorted(path.name for path in (tmp_path / "saved").glob("*.py")) == files
    assert json.loads((tmp_path / "saved" / "config.json").read_text())["auto_map"] == {
        "AutoConfig": "configuration.OwnConfig",
        "AutoModelForTokenClassification": "model.OwnModel",
    }


@pytest.mark.parametrize(
    ("name", "line", "message"),
    [
        ("parts.py", "import hf_bionerkd", "parts.py:1 `import hf_bionerkd`: .* runs there without hf_bionerkd"),
        ("deeper.py", "from hf_bionerkd.labels import LabelSpace", "deeper.py:1 .* without hf_bionerkd"),
        ("deeper.py", "def late():\n    import hf_bionerkd.labels", "deeper.py:2 .* without hf_bionerkd"),
        ("deeper.py", "def late():\n    from own_package import sub", "deeper.py:2 .* without own_package"),
        ("deeper.py", "def late():\n    import sub", "deeper.py:2 `import sub`: .*write `from .module import name`"),
        ("parts.py", "from . import deeper", "parts.py:1 `from . import deeper`: .*write `from .module import name`"),
        ("parts.py", "def late():\n    from .none import x", "parts.py:2 .*for a file beside it"),
        ("parts.py", "def late():\n    from ..above import x", "parts.py:2 .*one folder of files"),
    ],
)
def test_code_that_could_not_run_alone_is_refused_before_anything_is_saved(own, name, line, message):
    rest = {"parts.py": PARTS, "deeper.py": DEEPER}[name]
    with pytest.raises(CodeError, match=message):
        carry_code(own({name: f"{line}\n{rest}"}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"configuration.py": CONFIGURATION.replace('"own"', '"bert"')},
            r"OwnModel with OwnConfig \(model_type 'bert'",
        ),
        ({"configuration.py": CONFIGURATION.replace('"own"', '""')}, "a model_type of its own"),
        (
            {"model.py": MODEL.replace(".configuration import", "transformers import BertConfig as")},
            "OwnModel with BertConfig .*a configuration class of its own",
        ),
    ],
)
def test_a_model_that_would_pass_for_a_stock_one_is_refused(own, changes, message):
    with pytest.raises(CodeError, match=message):
        carry_code(own(changes))


def test_code_from_nowhere_is_refused(own):
    model = own()
    nowhere = type("Nowhere", (type(model),), {"__module__": "__main__"})
    with pytest.raises(CodeError, match="Nowhere is defined in __main__, which is no file"):
        carry_code(nowhere(model.config))


def test_two_files_of_one_name_are_refused(own, tmp_path):
    configuration, model = own({"configuration.py": f"{CONFIGURATION}\nVERSION = 2\n"}), own()
    model.config = configuration.config
    with pytest.raises(CodeError, match="configuration.py is two files"):
        carry_code(model)


def test_a_model_loaded_with_its_code_can_be_published_again(own, tmp_path):
    model = own()
    files = carry_code(model)
    model.save_pretrained(tmp_path / "saved")
    loaded = load_token_classifier(str(tmp_path / "saved"), {0: "O", 1: "B-X"}, trust_remote_code=TRUST)
    assert type(loaded).__module__.startswith("transformers_modules.")
    assert carry_code(loaded) == files
    loaded.save_pretrained(tmp_path / "again")
    saved, again = ({p.name: p.read_text() for p in (tmp_path / n).glob("*.py")} for n in ("saved", "again"))
    assert saved == again and set(saved) == set(files)


def test_what_cannot_be_published_is_refused_before_it_is_trained(own, tmp_path):
    """Not after hours, when the finished model is to be written."""
    # Another configuration: for one that it has loaded before, transformers takes the model class it knows.
    model = own({"configuration.py": f"{CONFIGURATION}\nVERSION = 3\n"})
    carry_code(model)
    model.save_pretrained(tmp_path / "saved")
    (tmp_path / "saved" / "deeper.py").write_text(f"try:\n    import hf_bionerkd\nexcept ImportError: ...\n{DEEPER}")
    with pytest.raises(CodeError, match="without hf_bionerkd"):
        load_token_classifier(str(tmp_path / "saved"), {0: "O", 1: "B-X"}, trust_remote_code=TRUST)
    assert load_token_classifier(str(tmp_path / "saved"), trust_remote_code=TRUST)  # a teacher is never published


def test_a_head_cannot_be_replaced_where_no_encoder_is_named(own, tmp_path):
    model = own()
    carry_code(model)
    model.save_pretrained(tmp_path / "saved")
    with pytest.raises(ValueError, match="OwnModel names no encoder .*'B-Cell'"):
        load_token_classifier(str(tmp_path / "saved"), {0: "O", 1: "B-Cell", 2: "I-Cell"}, trust_remote_code=TRUST)


@pytest.mark.parametrize("entry", ["configuration", "transformer_crf", "bilstm_crf", "pipelines"])
def test_a_file_of_ours_names_all_that_it_needs_for_transformers_4_to_copy_it(entry):
    folder = Path(auto.__file__).parent

    def named(module):
        return set(re.findall(r"^\s*from\s+\.(\S+)\s+import", (folder / f"{module}.py").read_text(), re.MULTILINE))

    needed = named(entry)
    assert set().union(*map(named, needed)) <= needed

import json
import shutil
from pathlib import Path

import pytest
import tiny
import torch
from datasets import load_dataset
from transformers import AutoModelForTokenClassification

from hf_bionerkd.encoding.tag_pairs import TagPairs
from hf_bionerkd.hub.remote_code import RemoteCodeError
from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.runs.config_sections import BuildConfig, ConfigError, CorpusConfig, ModelConfig
from hf_bionerkd.runs.loading import (
    check_model,
    label_space,
    load_corpora,
    make_model,
    make_tags,
    make_tokenizer,
    named_types,
)
from hf_bionerkd.training.adapters import AdapterError, add_adapters

SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
import tiny

def build(output, name, calls):
    Path(calls).open("a").write(name + " ")
    tiny.write_corpus(Path(output), name, ("Gene",))
"""
GENES = LabelSpace(("Gene",))


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "build.py"
    path.write_text(SCRIPT.format(tests=str(Path(tiny.__file__).parent)))
    return path


def built(script, name, path=None, **options):
    output = script.parent / "data"
    options = {"name": name, "calls": str(script.parent / "calls")} | options
    return CorpusConfig(name, path or str(output / name), build=BuildConfig(str(script), str(output), options))


def test_missing_corpora_are_built_once(script):
    configs = [built(script, "a"), built(script, "b")]
    for _ in range(2):
        assert named_types(load_corpora(configs)) == [("a", ("Gene",)), ("b", ("Gene",))]
    assert (script.parent / "calls").read_text() == "a b "


def test_a_corpus_built_anew_under_its_old_name_is_read_anew(tmp_path):
    for count, parent in ((5, "a"), (7, "b"), (9, "a")):
        shutil.rmtree(tmp_path / parent, ignore_errors=True)
        path = tiny.write_corpus(tmp_path / parent, "same", ("Gene",), {"train": count})
        assert len(load_corpora([CorpusConfig("c", path)])[0].splits["train"]) == count
        assert len(load_dataset(path)["train"]) == count  # for users who load it by themselves


def test_corpora_that_cannot_be_had_are_named(script, tmp_path):
    with pytest.raises(FileNotFoundError, match="'c'.*absent.*build.py"):
        load_corpora([CorpusConfig("c", str(tmp_path / "absent"))])
    with pytest.raises(ConfigError, match="'c'.*no build script .*nowhere.py"):
        load_corpora([CorpusConfig("c", str(tmp_path / "absent"), build=BuildConfig("nowhere.py", "x"))])
    with pytest.raises(ConfigError, match="'c'.*left no folder .*elsewhere"):
        load_corpora([built(script, "c", str(tmp_path / "elsewhere"))])
    for configs in ([], [CorpusConfig("c", "x"), CorpusConfig("c", "y")]):
        with pytest.raises(ConfigError, match="distinct names"):
            load_corpora(configs)


def test_label_space_follows_the_configuration_or_the_corpora(corpora):
    assert label_space([], corpora).types == ("Disease", "Chemical", "Gene")
    assert label_space(["Gene", "Disease", "Chemical"], corpora).types == ("Gene", "Disease", "Chemical")
    for types in (["Gene"], ["Gene", "Disease", "Chemical", "Species"]):
        with pytest.raises(ConfigError, match="the corpora annotate .*'Disease', 'Chemical', 'Gene'"):
            label_space(types, corpora)


def test_only_distilled_students_know_the_neutral_tag(corpora):
    assert make_tags("corpus", corpora, neutral=True, end_tag=True).names == ("dis", "chem", "both", "all")
    assert make_tags("corpus", corpora, neutral=False, end_tag=True).names == ("dis", "chem", "both")
    assert make_tags("none", corpora, neutral=True, end_tag=True).names == ()


def test_a_learned_vocabulary_is_bounded_and_repeatable(corpora):
    config = ModelConfig(architecture=tiny.ARCHITECTURE, vocab_size=150)
    first, second = (make_tokenizer(config, corpora, 64) for _ in range(2))
    assert len(first) <= 150 and first.model_max_length == 64
    assert first.get_vocab() == second.get_vocab()


def test_a_vocabulary_never_sees_validation_or_test_text_pain_18(tmp_path):
    (corpus,) = tiny.make_corpora(tmp_path, {"c": ("Gene",)})
    seen = []

    class Recorded(dict):
        def __getitem__(self, split):
            seen.append(split)
            return super().__getitem__(split)

    object.__setattr__(corpus, "splits", Recorded(corpus.splits))
    make_tokenizer(ModelConfig(architecture=tiny.ARCHITECTURE, vocab_size=200), [corpus], 64)
    assert seen == ["train"]


def test_tokenizers_from_file_and_folder(tmp_path, corpora):
    pieces = sorted(tiny.wordpiece().get_vocab().items(), key=lambda item: item[1])
    (tmp_path / "vocab.txt").write_text("".join(f"{piece}\n" for piece, _ in pieces))
    from_file = ModelConfig(architecture=tiny.ARCHITECTURE, tokenizer=str(tmp_path / "vocab.txt"))
    assert (
        make_tokenizer(from_file, corpora, 32)("TP53 in gout")["input_ids"]
        == tiny.wordpiece()("TP53 in gout")["input_ids"]
    )
    tiny.wordpiece().save_pretrained(tmp_path / "folder")
    from_folder = ModelConfig(architecture=tiny.ARCHITECTURE, tokenizer=str(tmp_path / "folder"))
    assert make_tokenizer(from_folder, corpora, 32).get_vocab() == tiny.wordpiece().get_vocab()


def test_a_pretrained_encoder_gets_a_new_head_and_tag_embeddings(tmp_path):
    encoder = AutoModelForTokenClassification.from_config(tiny.build_model(["a", "b"], tiny.wordpiece()).config).bert
    encoder.save_pretrained(tmp_path / "encoder")
    tiny.wordpiece().save_pretrained(tmp_path / "encoder")
    tags = TagPairs("corpus", {"c": ("Gene",)})
    config = ModelConfig(path=str(tmp_path / "encoder"))
    model, tokenizer = make_model(config, make_tokenizer(config, [], 64), tags, GENES)
    assert model.config.id2label == GENES.id2label and model.classifier.out_features == 3
    assert model.config.bionerkd_tag_pairs == tags.as_config()
    old, new = encoder.embeddings.word_embeddings.weight, model.get_input_embeddings().weight
    assert len(new) == len(tokenizer) == len(old) + 2
    assert torch.equal(new[: len(old)], old)


def test_a_model_that_is_not_there_or_only_pickled_is_an_os_error_pain_23(tmp_path):
    tiny.build_model(["O", "I-x"], tiny.wordpiece()).config.save_pretrained(tmp_path)
    torch.save({}, tmp_path / "pytorch_model.bin")
    for path, message in ((tmp_path, "no weights in safetensors"), (tmp_path / "absent", "no folder or file")):
        config = ModelConfig(path=str(path))
        for use in (check_model, lambda config: make_model(config, tiny.wordpiece(), TagPairs("none", {}), GENES)):
            with pytest.raises(OSError, match=message):
                use(config)


def test_models_that_can_be_had_pass_the_check(tmp_path, corpora):
    tiny.save_teacher(tmp_path / "model", tiny.bio("Gene"))
    (tmp_path / "vocab.txt").write_text("[UNK]\n")
    check_model(ModelConfig(path=str(tmp_path / "model")))
    for tokenizer in (None, str(tmp_path / "vocab.txt"), str(tmp_path / "model")):
        check_model(ModelConfig(architecture=tiny.ARCHITECTURE, tokenizer=tokenizer))


def test_code_of_a_model_is_refused_before_training_and_never_asked_about(tmp_path, monkeypatch):
    folder = Path(tiny.save_teacher(tmp_path / "own", tiny.bio("Gene")))
    values = json.loads((folder / "config.json").read_text())
    values |= {"model_type": "own", "auto_map": {"AutoConfig": "configuration_own.Own"}}
    (folder / "config.json").write_text(json.dumps(values))
    (folder / "configuration_own.py").write_text("raise SystemExit('this code must not run')")
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("the terminal was asked"))
    config = ModelConfig(path=str(folder))
    for use in (check_model, lambda config: make_model(config, tiny.wordpiece(), TagPairs("none", {}), GENES)):
        with pytest.raises(
            RemoteCodeError, match=r"own needs code .*configuration_own\.py.*`trust_remote_code` to true"
        ):
            use(config)


def test_adapters_leave_head_and_tags_trainable_and_merge_away():
    tags = TagPairs("corpus", {"c": ("Gene",)})
    config = ModelConfig(architecture=tiny.ARCHITECTURE)
    model, tokenizer = make_model(config, tiny.wordpiece(), tags, GENES)
    names = set(model.state_dict())
    adapted = add_adapters(model, r=2, alpha=32, dropout=0.1, tag_ids=tokenizer.convert_tokens_to_ids(tags.tokens))
    trainable = {name for name, value in adapted.named_parameters() if value.requires_grad}
    assert any("classifier" in name for name in trainable) and any("lora_A" in name for name in trainable)
    assert any("trainable_tokens" in name for name in trainable)
    assert not any(name.endswith("base_layer.weight") for name in trainable)
    with torch.no_grad():
        for name, value in adapted.named_parameters():
            if name in trainable:
                value.add_(0.05 * torch.randn_like(value))
    inputs = tokenizer("<c> TP53 in gout </c>", return_tensors="pt")
    inputs = {key: inputs[key] for key in ("input_ids", "attention_mask")}
    adapted.eval()
    before = adapted(**inputs).logits
    merged = adapted.merge_and_unload()
    assert set(merged.state_dict()) == names
    torch.testing.assert_close(merged(**inputs).logits, before, atol=1e-5, rtol=1e-5)


def test_layers_that_the_model_lacks_get_no_adapters_and_those_it_has_are_named():
    model = tiny.build_model(tiny.bio("Gene"), tiny.wordpiece())
    # peft adapts what it finds and says nothing of the rest.
    with pytest.raises(AdapterError, match=r"no layers \['q_proj'\]; .*'dense', 'key', 'query', 'value'"):
        add_adapters(model, r=2, alpha=4, dropout=0.0, target_modules=["query", "q_proj"])
    adapted = add_adapters(model, r=2, alpha=4, dropout=0.0, target_modules=["query", "output.dense"])
    names = {name.split(".lora_A")[0] for name, _ in adapted.named_parameters() if "lora_A" in name}
    assert {name.rpartition("layer.0.")[2] for name in names} == {
        "attention.self.query",
        "attention.output.dense",
        "output.dense",
    }

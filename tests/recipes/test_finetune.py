import contextlib
import io
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from datasets import load_dataset
from fresh import run_fresh
from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

from hf_bionerkd.data.corpus import load_corpus
from hf_bionerkd.data.features import row_to_document
from hf_bionerkd.documents import join_words
from hf_bionerkd.evaluation.report import read_metrics
from hf_bionerkd.evaluation.tables import text_table
from hf_bionerkd.inference.word_tagger import WordTagger
from hf_bionerkd.labels import LabelSpace, spans_to_mentions, tags_to_spans
from hf_bionerkd.runs import finetune as finetuning
from hf_bionerkd.runs import run, training_run
from hf_bionerkd.runs.config import FinetuneConfig
from hf_bionerkd.runs.config_loading import from_dict
from hf_bionerkd.runs.config_sections import ConfigError
from hf_bionerkd.teachers.teacher import Teacher

PUBLISHED = {
    "README.md",
    "config.json",
    "metrics.json",
    "model.safetensors",
    "provenance.json",
    "validation.json",
    "digests.json",
    "run.yaml",
    "tokenizer.json",
    "tokenizer_config.json",
}


@pytest.fixture(scope="module")
def finetune():
    """Fine-tune as the recipe does; gives what it prints."""

    def run_and_print(config):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            print(finetuning.finetune(config).report())
        return printed.getvalue()

    return run_and_print


@pytest.fixture
def configured(tiny_run, tmp_path):
    """A run on the gene corpus; `tmp_path / "run"` is its folder."""

    def make(**changes):
        values = {
            "output_dir": str(tmp_path / "run"),
            "corpora": tiny_run["corpora"][2:],
            "model": tiny_run["student"],
            "encoding": tiny_run["encoding"],
            "training": tiny_run["training"],
        }
        return from_dict(FinetuneConfig, {**values, **changes}, "test")

    return make


def files(folder):
    return {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file()}


def predictions(model, tokenizer, sentences):
    return WordTagger(model, tokenizer, max_length=64).log_probs(sentences)


@pytest.mark.slow
def test_a_teacher_is_published_whole_and_teaches_pain_23(configured, finetune, tmp_path):
    printed = finetune(configured())
    metrics = read_metrics(tmp_path / "run" / "metrics.json")
    assert files(tmp_path / "run") == PUBLISHED
    assert (
        text_table(metrics.strict, intervals=metrics.strict_intervals) in printed
        and f"model: {tmp_path / 'run'}" in printed
    )
    assert [(r.model, r.corpus, r.type) for r in metrics.strict] == [("run", "gene", "Gene")]
    teacher = Teacher(str(tmp_path / "run"), student_types=("Gene", "Disease"))
    assert teacher.space.labels == ("B-Gene", "I-Gene", "O")
    (validation,) = read_metrics(tmp_path / "run" / "validation.json").strict
    gold = load_dataset(configured().corpora[0].path, split="validation")
    names = gold.features["ner_tags"].feature.names
    spans = [set(tags_to_spans([names[tag] for tag in tags])) for tags in gold["ner_tags"]]
    found = [set(tags_to_spans([teacher.space.labels[tag] for tag in tags])) for tags in teacher.tags(gold["tokens"])]
    assert validation.counts.tp == sum(len(a & b) for a, b in zip(spans, found, strict=True))
    assert [len(found) for found in teacher.log_probs(tiny.tokens(4))] == [len(words) for words in tiny.tokens(4)]


@pytest.mark.slow
def test_plain_pipeline_finds_what_was_measured_pain_7(configured, finetune, tiny_run, tmp_path):
    """A model that has learned its sentences finds whole words and mentions, hyphens included."""
    training = {**tiny_run["training"], "num_train_epochs": 60, "eval_strategy": "no", "save_strategy": "no"}
    finetune(configured(training=training, encoding={"max_length": 64, "tag_pair": "corpus"}))
    folder = str(tmp_path / "run")
    model, tokenizer = AutoModelForTokenClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    assert tokenizer.convert_ids_to_tokens(tokenizer("x")["input_ids"])[1] == "<gene>"
    pipe = pipeline("token-classification", folder, aggregation_strategy="simple", device="cpu")
    space, right, gold = LabelSpace(("Gene",)), 0, 0
    for row in load_corpus(tiny_run["corpora"][2]["path"], "gene").splits["train"]:
        document = row_to_document(row)
        (scores,) = predictions(model, tokenizer, [document.tokens])
        measured = {(m.start, m.end) for m in spans_to_mentions(space.decode(scores.argmax(1).tolist()), document)}
        answer = pipe(document.text)
        assert {(e["start"], e["end"]) for e in answer} == measured, document.text
        right += len(measured & {(m.start, m.end) for m in document.mentions})
        gold += len(document.mentions)
    assert right == gold > 10


@pytest.mark.slow
def test_lora_is_merged_and_needs_no_peft(configured, finetune, tmp_path, monkeypatch):
    before, sentences = [], tiny.tokens(10)
    train = training_run.train

    def trained(job, model, tokenizer, *rest, **options):
        trainer = train(job, model, tokenizer, *rest, **options)
        frozen = [name for name, value in trainer.model.named_parameters() if not value.requires_grad]
        assert any("encoder" in name for name in frozen)
        before.append(predictions(trainer.model, tokenizer, sentences))
        return trainer

    monkeypatch.setattr(training_run, "train", trained)
    finetune(configured(lora={"r": 4}, encoding={"max_length": 64, "tag_pair": "none"}))
    assert files(tmp_path / "run") == PUBLISHED
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "peft", None)
        model = AutoModelForTokenClassification.from_pretrained(tmp_path / "run")
    assert not [name for name in model.state_dict() if "lora" in name or "modules_to_save" in name]
    after = predictions(model, AutoTokenizer.from_pretrained(tmp_path / "run"), sentences)
    np.testing.assert_allclose(np.concatenate(after), np.concatenate(before[0]), atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("lora", [None, {"r": 2}])
def test_a_pretrained_encoder_with_another_tokenizer_and_tags(configured, finetune, tmp_path, lora):
    tokenizer = tiny.byte_level_bpe()
    encoder = tiny.build_model(["O", "x"], tokenizer).bert
    encoder.save_pretrained(tmp_path / "encoder")
    tokenizer.save_pretrained(tmp_path / "encoder")
    encoding = {"max_length": 64, "tag_pair": "type"}
    finetune(configured(model={"path": str(tmp_path / "encoder")}, encoding=encoding, lora=lora))
    published = AutoTokenizer.from_pretrained(tmp_path / "run")
    model = AutoModelForTokenClassification.from_pretrained(tmp_path / "run")
    assert published.convert_ids_to_tokens(published("TP53")["input_ids"])[:2] == ["<s>", "<Gene>"]
    assert model.get_input_embeddings().num_embeddings == len(published) == len(tokenizer) + 2
    old, new = encoder.embeddings.word_embeddings.weight, model.get_input_embeddings().weight[: len(tokenizer)]
    assert torch.allclose(old, new) == (lora is not None)  # adapters leave the words' embeddings alone
    pipe = pipeline("token-classification", str(tmp_path / "run"), aggregation_strategy="simple", device="cpu")
    for found in pipe("zinc lowers TP53"):
        assert found["word"].strip() and found["entity_group"] == "Gene"


@pytest.mark.slow
def test_finished_killed_and_other_runs(configured, finetune, tmp_path, monkeypatch):
    publish = run.publish

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "publish", killed)
    with pytest.raises(KeyboardInterrupt):
        finetune(configured())
    monkeypatch.setattr(run, "publish", publish)
    with pytest.raises(ConfigError, match="unfinished; give resume=true"):
        finetune(configured())
    assert "metrics.json" not in files(tmp_path / "run")
    first = finetune(configured(resume=True))
    assert files(tmp_path / "run") == PUBLISHED
    monkeypatch.setattr(training_run, "make_trainer", killed)
    again = finetune(configured())
    assert again == first[first.index("strict") :]
    with pytest.raises(ConfigError, match="differs in `seed`"):
        finetune(configured(seed=99))


@pytest.mark.slow
def test_a_resumed_teacher_is_the_uninterrupted_one_pain_18(configured, finetune, tiny_run, tmp_path, monkeypatch):
    training = {**tiny_run["training"], "num_train_epochs": 3}
    dropout = {"architecture": tiny.ARCHITECTURE | {"hidden_dropout_prob": 0.2}, "vocab_size": 200}
    whole = configured(training=training, model=dropout, output_dir=str(tmp_path / "whole"))
    finetune(whole)

    def killed(job, model, tokenizer, checkpoints, **options):
        tiny.train_and_kill(training_run.make_trainer(job, model, tokenizer, checkpoints), 7)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(training_run, "train", killed)
        finetune(configured(training=training, model=dropout))
    finetune(configured(training=training, model=dropout, resume=True))
    models = [AutoModelForTokenClassification.from_pretrained(tmp_path / name) for name in ("whole", "run")]
    assert tiny.largest_difference(*map(tiny.weights, models)) < 1e-6
    vocabularies = [AutoTokenizer.from_pretrained(tmp_path / name).get_vocab() for name in ("whole", "run")]
    assert vocabularies[0] == vocabularies[1]


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"training": {"zzz": 1}}, ConfigError, "`training.zzz`"),
        ({"model": {"path": "absent/folder/x"}}, OSError, "absent/folder/x"),
        ({"model": {"architecture": {"hidden_size": 8}}}, ValueError, "model_type"),
        ({"model": {"architecture": {"model_type": "bert", "hidden_sise": 8}}}, ValueError, "hidden_sise"),
        ({"corpora": [{"name": "c", "path": "./absent"}]}, FileNotFoundError, "no folder './absent'"),
        ({"encoding": {"max_length": 3}}, ValueError, "max_length 3 leaves room"),
    ],
)
def test_mistakes_are_named(configured, finetune, changes, error, words):
    with pytest.raises(error, match=words):
        finetune(configured(**changes))


def test_splits_that_are_missing_are_named_before_training(configured, finetune, tmp_path):
    for sizes, words in (({"train": 4, "validation": 4}, "test split"), ({"train": 4, "test": 4}, "validation split")):
        corpus = {"name": "c", "path": tiny.write_corpus(tmp_path / words[:4], "c", ("Gene",), sizes)}
        with pytest.raises(ConfigError, match=f"none of the corpora .*{words}"):
            finetune(configured(corpora=[corpus], overwrite=True))


@pytest.mark.slow
@pytest.mark.parametrize("lora", [None, {"r": 2}])
def test_a_published_encoder_gets_a_crf_from_the_configuration_alone(configured, finetune, tmp_path, lora):
    """Zhou's BioBERT-CRF: published with its code, which the plain pipeline runs where it is trusted."""
    tokenizer = tiny.wordpiece()
    encoder = tiny.build_model(["O", "x"], tokenizer).bert
    encoder.save_pretrained(tmp_path / "encoder")
    tokenizer.save_pretrained(tmp_path / "encoder")
    model = {"path": str(tmp_path / "encoder"), "head": "crf", "head_size": 6}
    finetune(configured(model=model, encoding={"max_length": 64, "tag_pair": "corpus"}, lora=lora))
    published = tmp_path / "run"
    assert {path.name for path in published.glob("*.py")} >= {"transformer_crf.py", "crf.py", "pipelines.py"}
    model = AutoModelForTokenClassification.from_pretrained(published)
    tokenizer = AutoTokenizer.from_pretrained(published)
    assert (type(model).__name__, model.config.head_size) == ("TransformerCrfForTokenClassification", 6)
    assert not [name for name in model.state_dict() if "lora" in name or "modules_to_save" in name]
    words = model.get_input_embeddings().weight[: len(encoder.get_input_embeddings().weight)]
    assert torch.allclose(words, encoder.get_input_embeddings().weight) == (lora is not None)
    sentences = [words for words in tiny.tokens(8) if words]
    text = " ".join(sentences[0])
    program = (
        "import json, sys\n"
        "sys.modules['hf_bionerkd'] = None\n"
        "from transformers import pipeline\n"
        "options = {'trust_remote_code': True, 'aggregation_strategy': 'first'}\n"
        "tagger = pipeline('token-classification', sys.argv[1], **options)\n"
        "print(json.dumps([[e['start'], e['end'], e['entity_group']] for e in tagger(sys.argv[2])]))\n"
    )
    done = run_fresh(program, os.environ, tmp_path, str(published), text)
    _, places = join_words(sentences[0])
    tagger = WordTagger(model, tokenizer)
    own = [[places[a][0], places[b - 1][1], kind] for a, b, kind in tagger.spans(sentences[:1])[0].lenient]
    assert json.loads(done.stdout.splitlines()[-1]) == own
    # The same model is a teacher, and an encoder to go on from.
    assert Teacher(str(published), student_types=("Gene",)).kind == "marginal"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"path": "org/m", "head_size": 4}, "`head_size` 4 is a width from 0 up, and of `head: crf` alone"),
        ({"path": "org/m", "head": "crf", "head_size": -1}, "`head_size` -1 is a width from 0 up"),
        ({"path": "org/m", "head": "crv"}, "`model.head` is 'crv'; use one of softmax, crf"),
        ({"architecture": tiny.WORDS, "head": "crf"}, "bionerkd_bilstm_crf has a CRF of its own"),
    ],
)
def test_heads_that_would_do_nothing_are_refused(configured, model, message):
    with pytest.raises(ConfigError, match=message):
        configured(model=model)


def test_what_does_not_fit_is_known_before_the_folder_is_claimed(configured, finetune, tmp_path):
    long = {"max_length": 128, "tag_pair": "none"}
    for changes, message in (
        ({"encoding": long}, "model: max_length is 128, but the model reads at most 64 pieces"),
        ({"lora": {"target_modules": ["q_proj"]}}, r"model: target_modules: BertForTokenClassification has no layers"),
    ):
        with pytest.raises(ConfigError, match=message) as error:
            finetune(configured(**changes))
        assert "\n" not in str(error.value) and not (tmp_path / "run").exists()

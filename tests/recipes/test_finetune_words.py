"""Models that label words, with a CRF, through the recipes: trained, published with their code, teaching, tagging."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny
from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

from hf_bionerkd.inference.word_tagger import WordTagger
from hf_bionerkd.runs.config import DistillConfig, FinetuneConfig
from hf_bionerkd.runs.config_loading import from_dict
from hf_bionerkd.runs.config_sections import ConfigError
from hf_bionerkd.runs.distill import distill
from hf_bionerkd.runs.finetune import finetune
from hf_bionerkd.teachers.teacher import Teacher
from hf_bionerkd.vectors.word_vectors import WordVectors, load_word_vectors

BILSTM = {
    "model_type": "bionerkd_bilstm_crf",
    "word_embedding_size": 8,
    "character_embedding_size": 4,
    "character_filters": 6,
    "hidden_size": 16,
    "head_size": 8,
}
QUICK = {
    "num_train_epochs": 3,
    "per_device_train_batch_size": 8,
    "learning_rate": 1e-2,
    "use_cpu": True,
    "bf16": False,
    "disable_tqdm": True,
}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("words")


@pytest.fixture(scope="module")
def corpora(place):
    kinds = {"dis": "Disease", "gene": "Gene"}
    return [
        {"name": name, "path": tiny.write_corpus(place / "corpora", name, (kind,))} for name, kind in kinds.items()
    ]


@pytest.fixture(scope="module")
def teacher(place, corpora):
    """A BiLSTM-CRF trained on one corpus, with pretrained vectors; its folder."""
    words = sorted({word for sentence in tiny.tokens(20) for word in sentence} | {"unheard"})
    vectors = WordVectors(tuple(words), np.random.default_rng(0).normal(size=(len(words), 8)))
    vectors.save(place / "vectors")
    values = {
        "output_dir": str(place / "teacher"),
        "corpora": corpora[:1],
        "model": {"architecture": BILSTM, "vectors": str(place / "vectors")},
        "encoding": {"max_length": 64},
        "training": QUICK,
    }
    finetune(from_dict(FinetuneConfig, values, "test"))
    return place / "teacher"


def test_it_is_published_with_its_code_and_read_by_the_auto_classes(teacher):
    config = json.loads((teacher / "config.json").read_text())
    assert config["auto_map"]["AutoModelForTokenClassification"].startswith("bilstm_crf.")
    assert {"bilstm_crf.py", "crf.py", "model.safetensors", "tokenizer.json"} <= {p.name for p in teacher.iterdir()}
    assert "trust_remote_code" in (teacher / "README.md").read_text()
    model = AutoModelForTokenClassification.from_pretrained(teacher)
    assert type(model).__name__ == "BiLstmCrfForTokenClassification" and not model.training


def test_words_outside_the_training_text_keep_their_vectors(teacher, place):
    given = load_word_vectors(place / "vectors")
    model, tokenizer = AutoModelForTokenClassification.from_pretrained(teacher), AutoTokenizer.from_pretrained(teacher)

    def trained(word):
        (piece,) = tokenizer(word)["input_ids"]
        return model.get_input_embeddings()(model.encoder.reader.rows[piece].long()).detach().numpy()

    assert np.array_equal(trained("unheard"), given.matrix[given.index("unheard")])
    assert not np.array_equal(trained("was"), given.matrix[given.index("was")])  # words that training shows learn


def test_a_published_model_is_trained_on_without_trusting_foreign_code(teacher, corpora, place):
    """In a process of its own, because importing the models registers them."""
    values = {
        "output_dir": str(place / "again"),
        "corpora": corpora[:1],
        "model": {"path": str(teacher)},
        "encoding": {"max_length": 64},
        "training": QUICK | {"num_train_epochs": 1, "learning_rate": 0.0},
    }
    (place / "again.yaml").write_text(json.dumps(values))
    script = Path(__file__).parents[2] / "recipes" / "finetune.py"
    done = subprocess.run(
        [sys.executable, str(script), "--config", str(place / "again.yaml")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    old, new = (AutoModelForTokenClassification.from_pretrained(folder) for folder in (teacher, place / "again"))
    assert tiny.largest_difference(tiny.weights(old), tiny.weights(new)) == 0


def test_it_tags_as_its_best_path_says_through_the_pipeline(teacher):
    model, tokenizer = AutoModelForTokenClassification.from_pretrained(teacher), AutoTokenizer.from_pretrained(teacher)
    text = "aspirin was given for feverish asthma"
    tagger = WordTagger(model, tokenizer)
    (tags,) = tagger.tags([text.split()])
    (found,) = tagger.outputs([text.split()])
    batch = tokenizer(text, return_tensors="pt")
    output = model(**batch)
    best = model.crf.decode(output.emissions, output.word_mask)[0][0]
    assert tags.tolist() == best.tolist()
    np.testing.assert_allclose(np.exp(found.log_probs).sum(1), 1, atol=1e-4)
    assert not np.allclose(found.log_probs, found.emissions, atol=1e-3)  # marginals are not what the CRF was given
    mentions = pipeline("token-classification", model=model, tokenizer=tokenizer, aggregation_strategy="simple")(text)
    assert all(text[m["start"] : m["end"]] == m["word"] for m in mentions)


def test_it_teaches_a_transformer_and_a_bilstm_that_reads_gold_labels_in_part(teacher, corpora, place):
    stock = tiny.save_teacher(place / "gene", tiny.bio("Gene"))
    for name, student in (("bert", tiny.ARCHITECTURE), ("words", BILSTM)):
        values = {
            "output_dir": str(place / name),
            "corpora": corpora,
            "teachers": [{"name": "dis", "path": str(teacher)}, {"name": "gene", "path": stock}],
            "student": {"architecture": dict(student), "vocab_size": 200},
            "encoding": {"max_length": 64},
            "training": QUICK | {"num_train_epochs": 1},
            "loss": {"lam": 0.5, "gold_outside": "partial"},
        }
        distill(from_dict(DistillConfig, values, "test"))
        student = Teacher(str(place / name / "student"), student_types=("Disease", "Gene"))
        assert [len(tags) for tags in student.tags(tiny.tokens(3))] == [len(words) for words in tiny.tokens(3)]


def test_vectors_of_another_width_are_refused_by_their_key(corpora, place):
    WordVectors(("a", "b"), np.eye(2)).save(place / "narrow")
    values = {
        "output_dir": str(place / "never"),
        "corpora": corpora[:1],
        "model": {"architecture": BILSTM, "vectors": str(place / "narrow")},
        "training": QUICK,
    }
    with pytest.raises(ConfigError, match="are 2 wide, the model's word vectors 8: set `architecture.word_embedding"):
        finetune(from_dict(FinetuneConfig, values, "test"))
    with pytest.raises(ConfigError, match="`vectors` are for an architecture with model_type: bionerkd_bilstm_crf"):
        from_dict(FinetuneConfig, {**values, "model": {"path": "org/encoder", "vectors": "v"}}, "test")

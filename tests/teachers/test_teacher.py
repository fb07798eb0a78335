import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from fresh import run_fresh
from loopback_hub import TOKENS
from loopback_upload import upload

from hf_bionerkd.labels import LabelError, LabelSpace, spans_to_tags
from hf_bionerkd.teachers.aggregation import Aggregator
from hf_bionerkd.teachers.teacher import Teacher

BOTH = ("Disease", "Gene")


@pytest.fixture(scope="module")
def make(tmp_path_factory):
    """A teacher with these labels; folders are made once."""
    root = tmp_path_factory.mktemp("teachers")

    def teacher(labels, student_types=BOTH, **spec):
        folder = root / "_".join(labels)
        if not folder.exists():
            tiny.save_teacher(folder, labels)
        return Teacher(str(folder), name="t", student_types=student_types, **spec)

    return teacher


def random_log_probs(words, labels, seed=0):
    scores = 4 * np.random.default_rng(seed).standard_normal((words, labels))
    return scores - np.logaddexp.reduce(scores, axis=1)[:, None]


def test_labels_in_any_order_give_the_same_columns(make):
    teacher = make(["I-Gene", "O", "B-Disease", "B-Gene", "I-Disease"])
    own = random_log_probs(7, 5)
    assert teacher.space.labels == ("B-Gene", "I-Gene", "B-Disease", "I-Disease", "O")
    np.testing.assert_allclose(teacher.mapping.log_probs(own), own[:, [3, 0, 2, 4, 1]], rtol=1e-6)


@pytest.mark.parametrize("last_and_single", ["ES", "LU"])
def test_iobes_and_bilou_become_bio(make, last_and_single):
    last, single = last_and_single
    labels = [f"{p}-{kind}" for kind in BOTH for p in (last, "B", single, "I")] + ["O"]
    teacher = make(labels)
    own = random_log_probs(50, len(labels))
    p = {label: np.exp(own[:, i]) for i, label in enumerate(labels)}
    expected = [p[f"{a}-{kind}"] + p[f"{b}-{kind}"] for kind in BOTH for a, b in (("B", single), ("I", last))]
    found = np.exp(teacher.mapping.log_probs(own).astype(np.float64))
    np.testing.assert_allclose(found, np.stack([*expected, p["O"]], axis=1), rtol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)


def test_io_becomes_bio_as_all_io_sequences_do(make):
    """Words are independent under IO: add up the probabilities of all IO sequences whose BIO reading has the tag."""
    labels = ["I-Gene", "O", "I-Disease"]
    own = random_log_probs(5, 3, seed=3)
    teacher = make(labels)
    expected = np.zeros((5, 5))
    for sequence in itertools.product(range(3), repeat=5):
        probability = np.exp(sum(own[word, label] for word, label in enumerate(sequence)))
        kinds = [labels[label].partition("-")[2] for label in sequence]
        ends = [*(i for i in range(1, 5) if kinds[i] != kinds[i - 1]), 5]
        spans = [(a, b, kinds[a]) for a, b in zip([0, *ends], ends, strict=False) if kinds[a]]
        for word, tag in enumerate(spans_to_tags(spans, 5)):
            expected[word, teacher.space.label2id[tag]] += probability
    np.testing.assert_allclose(np.exp(teacher.mapping.log_probs(own)), expected, atol=1e-6)


def test_io_that_is_certain_gives_no_nan(make):
    own = np.array([[0.0, -np.inf], [0.0, -np.inf], [-np.inf, 0.0]])
    found = np.exp(make(["I-Gene", "O"]).mapping.log_probs(own))
    np.testing.assert_allclose(found, [[1, 0, 0], [0, 1, 0], [0, 0, 1]], atol=1e-12)


def test_types_left_out_become_outside_and_names_are_mapped(make):
    teacher = make(["O", "B-Gene", "I-Gene", "B-Disease", "I-Disease"], ("Protein",), types={"Gene": "Protein"})
    own = random_log_probs(9, 5)
    assert teacher.space.types == ("Protein",) == teacher.covers.types
    p = np.exp(own)
    expected = np.stack([p[:, 1], p[:, 2], p[:, 0] + p[:, 3] + p[:, 4]], axis=1)
    np.testing.assert_allclose(np.exp(teacher.mapping.log_probs(own)), expected, rtol=1e-5)


def test_log_probs_are_what_the_model_says_of_each_first_piece(make):
    teacher = make(["O", "B-Gene", "I-Gene"])
    words = ["L-dopa", "lowers", "EGFR", "."]
    (found,) = teacher.log_probs([words])
    tokenizer = teacher.tagger.encoder.tokenizer
    encoded = tokenizer(words, is_split_into_words=True, return_tensors="pt")
    with torch.no_grad():
        model = teacher.tagger.model
        expected = model(encoded["input_ids"], encoded["attention_mask"]).logits.log_softmax(-1)[0].numpy()
    first = [encoded.word_ids(0).index(word) for word in range(4)]
    np.testing.assert_allclose(found, expected[first][:, [1, 2, 0]], atol=1e-5)


def test_a_teacher_with_another_tokenizer_speaks_of_the_same_words_pain_3(tmp_path):
    folder = tiny.save_teacher(tmp_path / "bpe", tiny.bio("Gene"), tiny.byte_level_bpe())
    sentences = [*tiny.tokens(5), ["a", "\u200b", "type-2", "\N{GREEK SMALL LETTER ALPHA}-chain"], ["IL-2"] * 100, []]
    found = Teacher(folder, name="bpe", student_types=("Gene",)).log_probs(sentences)
    assert [len(array) for array in found] == [len(words) for words in sentences]
    for array in found:
        np.testing.assert_allclose(np.exp(array).sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("labels", "spec", "words"),
    [
        (["LABEL_0", "LABEL_1"], {}, ["'t'", "'LABEL_0'", "id2label"]),
        (["B-Gene", "O"], {}, ["'t'", "no known tag scheme"]),
        (["B-Gene", "I-Gene"], {}, ["'t'", "no 'O'"]),
        (["O", "B-Gene", "I-Gene"], {"types": {"Genes": "Gene"}}, ["'t'", "['Genes']", "['Gene']"]),
        (["O", "B-Drug", "I-Drug"], {}, ["'t'", "['Drug']", "['Disease', 'Gene']", "`types:`"]),
    ],
)
def test_labels_that_do_not_fit_are_named(make, labels, spec, words):
    with pytest.raises(LabelError) as error:
        make(labels, **spec)
    assert all(word in str(error.value) for word in words), error.value


def test_types_of_one_name_add_up(tmp_path):
    """B with B and I with I; what else the teacher knows goes to O."""
    labels = ("O", "B-DNA", "I-DNA", "B-protein", "I-protein", "B-cell", "I-cell")
    path = tiny.save_teacher(tmp_path / "jnlpba", labels)
    types = {"protein": "Gene", "DNA": "Gene"}
    teacher = Teacher(path, name="t", types=types, student_types=("Gene", "Disease"))
    assert teacher.types == ("Gene",) and teacher.covers.types == ("Gene",)
    assert teacher.space.labels == ("B-Gene", "I-Gene", "O")
    sentences = tiny.tokens(6)
    own = teacher.tagger.log_probs(sentences)
    for found, values in zip(teacher.outputs(sentences), own, strict=True):
        p = np.exp(values)
        expected = np.stack([p[:, 1] + p[:, 3], p[:, 2] + p[:, 4], p[:, 0] + p[:, 5] + p[:, 6]], axis=1)
        np.testing.assert_allclose(np.exp(found.log_probs), expected, atol=1e-6)
    tags = "B-DNA I-DNA B-protein O B-cell I-cell I-protein I-protein".split()
    mapped = teacher.mapping.tags(np.array([labels.index(tag) for tag in tags]))
    assert [teacher.space.labels[tag] for tag in mapped] == "B-Gene I-Gene B-Gene O O O I-Gene I-Gene".split()
    # It teaches beside a teacher of another type, and the sum is what the target has.
    aggregate = Aggregator(LabelSpace(("Gene",)), [teacher.covers])
    targets, _ = aggregate([np.concatenate(teacher.log_probs(sentences))])
    every = np.exp(np.concatenate(own))
    np.testing.assert_allclose(targets[:, 0], every[:, 1] + every[:, 3], atol=1e-5)


def test_io_types_of_one_name_add_up_and_keep_their_borders(make):
    teacher = make(["I-DNA", "O", "I-protein"], types={"DNA": "Gene", "protein": "Gene"})
    mapped = teacher.mapping.tags(np.array([0, 0, 2, 2, 1, 2]))
    assert [teacher.space.labels[tag] for tag in mapped] == "B-Gene I-Gene B-Gene I-Gene O B-Gene".split()
    for found in teacher.log_probs(tiny.tokens(4)):
        np.testing.assert_allclose(np.exp(found).sum(axis=1), 1, atol=1e-5)


def test_a_path_that_is_neither_folder_nor_hub_id():
    with pytest.raises(FileNotFoundError, match="'no/such/folder'.*org/name"):
        Teacher("no/such/folder", name="t", student_types=BOTH)


def test_opening_a_teacher_loads_no_weights(make):
    assert "tagger" not in vars(make(["O", "B-Gene", "I-Gene"]))


def test_revision_follows_weights_and_tokenizer_and_nothing_else(tmp_path):
    def revision():
        return Teacher(str(tmp_path), name="t", student_types=("Gene",)).revision

    tiny.save_teacher(tmp_path, tiny.bio("Gene"))
    first = revision()
    (tmp_path / "README.md").write_text("a card")
    (tmp_path / "metrics.json").write_text("{}")
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "config.json").write_text("{}")
    assert revision() == first

    weights = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    assert revision() != first
    (tmp_path / "model.safetensors").write_bytes(weights)
    assert revision() == first

    tokenizer = json.loads((tmp_path / "tokenizer.json").read_text())
    tokenizer["normalizer"]["lowercase"] = True
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert revision() != first


def test_settings_hold_what_outputs_depend_on(make):
    labels = ["O", "B-Gene", "I-Gene", "B-Disease", "I-Disease"]
    plain = make(labels).settings()
    assert make(labels, batch_size=1, weight=2.0).settings() == plain
    for change in ({"max_length": 32}, {"overlap": 3}, {"types": {"Gene": "Gene"}}):
        assert make(labels, **change).settings() != plain


def test_pickled_weights_are_never_read_pain_23(tmp_path):
    folder = Path(tiny.save_teacher(tmp_path / "t", tiny.bio("Gene")))
    model = tiny.build_model(tiny.bio("Gene"), tiny.wordpiece())
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(OSError, match="safetensors"):
        Teacher(str(folder), name="t", student_types=("Gene",)).log_probs([["a"]])


ASK = """
import json, sys
from hf_bionerkd.teachers.teacher import Teacher

words, specs = json.loads(sys.argv[1])
for spec in specs:
    try:
        teacher = Teacher(name="genes", student_types=("Gene",), **spec)
        said = [teacher.commit, teacher.revision, teacher.log_probs([words])[0].tolist()]
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
    print(json.dumps(said))
"""
OWN = """
from transformers import BertConfig, BertForTokenClassification

class OwnConfig(BertConfig):
    model_type = "own-bert"

class OwnModel(BertForTokenClassification):
    config_class = OwnConfig

    def forward(self, *args, **kwargs):
        outputs = super().forward(*args, **kwargs)
        outputs.logits = -outputs.logits
        return outputs
"""


def test_teachers_of_the_hub_answer_as_their_folders_do(hub, tmp_path):
    folders = [Path(tiny.save_teacher(tmp_path / str(seed), tiny.bio("Gene"), seed=seed)) for seed in (1, 2)]
    old = upload(hub, "org/genes", folders[0], tag="v1", private=True)
    new = upload(hub, "org/genes", folders[1])
    config = json.loads((folders[0] / "config.json").read_text()) | {"model_type": "own-bert"}
    config["auto_map"] = {"AutoConfig": "own.OwnConfig", "AutoModelForTokenClassification": "own.OwnModel"}
    upload(hub, "ann/secret", folders[0], private=True)
    upload(hub, "org/own", folders[0])
    own = upload(hub, "org/own", {"config.json": json.dumps(config), "own.py": OWN})
    specs = [
        {"path": "org/genes@v1"},
        {"path": "org/genes"},
        {"path": "org/own"},
        {"path": "org/own", "trust_remote_code": True},
        {"path": "org/genes@v2"},
        {"path": "org/none"},
        {"path": "ann/secret"},
    ]
    words = ["L-dopa", "lowers", "EGFR", "."]
    env = hub.environment(tmp_path / "home", TOKENS["rita"])
    done = run_fresh(ASK, env, tmp_path, json.dumps([words, specs]))
    said = [json.loads(line) for line in done.stdout.splitlines()]
    tagged, newest, refused, trusted, revision, missing, secret = said

    local = [Teacher(str(folder), name="genes", student_types=("Gene",)) for folder in folders]
    for found, commit, teacher in ((tagged, old, local[0]), (newest, new, local[1])):
        assert found[:2] == [commit, teacher.revision]  # so that one cache of outputs serves both
        np.testing.assert_allclose(found[2], teacher.log_probs([words])[0], atol=1e-6)
    assert refused.startswith("RemoteCodeError: teacher 'genes' at org/own needs code of its own (own.py)")
    assert "`trust_remote_code` to true" in refused
    logits = local[0].tagger.log_probs([words])[0]
    expected = -logits - np.logaddexp.reduce(-logits, axis=1)[:, None]
    assert trusted[0] == own
    np.testing.assert_allclose(trusted[2], expected[:, local[0].mapping.layer.order], atol=1e-5)
    assert revision.startswith("HubError: teacher 'genes': model org/genes has no branch, tag or commit 'v2'")
    assert missing.startswith("HubError: teacher 'genes': there is no model org/none")
    assert (
        secret.startswith("HubError: teacher 'genes': there is no model ann/secret") and "or it is private" in secret
    )


def test_a_teacher_without_its_tokenizer_is_refused(tmp_path):
    """transformers 5 would make one up, to which every word is unknown."""
    folder = tiny.save_teacher(tmp_path / "t", tiny.bio("Gene"))
    (tmp_path / "t" / "tokenizer.json").unlink()
    with pytest.raises(FileNotFoundError, match="'genes' at .*there is no tokenizer beside the model"):
        Teacher(folder, name="genes", student_types=("Gene",))


@pytest.mark.parametrize(
    ("labels", "own", "expected"),
    [
        (("O", "B-G", "I-G", "B-X", "I-X"), "O I-G B-G I-G B-X I-X O", "O I-Gene B-Gene I-Gene O O O"),
        (("B-G", "I-G", "E-G", "S-G", "O"), "S-G S-G B-G I-G E-G O", "B-Gene B-Gene B-Gene I-Gene I-Gene O"),
        (("I-G", "O", "I-X"), "I-G I-G O I-G I-X I-G", "B-Gene I-Gene O B-Gene O B-Gene"),
    ],
)  # fmt: skip
def test_a_teachers_own_decoding_in_the_students_names(labels, own, expected, tmp_path):
    teacher = Teacher(tiny.save_teacher(tmp_path, labels), name="t", types={"G": "Gene"}, student_types=("Gene",))
    ids = np.array([labels.index(tag) for tag in own.split()])
    assert [teacher.space.labels[tag] for tag in teacher.mapping.tags(ids)] == expected.split()
    assert teacher.mapping.tags(ids[:0]).shape == (0,)
    sentences = tiny.tokens(5)
    for found, words in zip(teacher.outputs(sentences), teacher.log_probs(sentences), strict=True):
        assert np.array_equal(found.log_probs, words) and np.array_equal(found.emissions, words)
    for found, scores in zip(teacher.tags(sentences), teacher.tagger.log_probs(sentences), strict=True):
        assert np.array_equal(found, teacher.mapping.tags(scores.argmax(axis=1)))

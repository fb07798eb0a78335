"""Students of recipes/space: what they find is what the plain pipeline and the package's own tagger find."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import shared_space
import students
from annotation import Student, StudentError
from sentences import split_sentences
from students import Shelf

from hf_bionerkd.documents import split_words
from hf_bionerkd.encoding.tag_pairs import set_default_tag
from hf_bionerkd.inference.word_tagger import WordTagger
from hf_bionerkd.labels import LabelSpace

SENTENCES = (
    "aspirin was given for lung cancer.",
    "IL-2 is induced by sodium chloride in type-2 diabetes, although <all> doses were high!",
    "TP53.",
)
# The longest sentence takes several windows of 64 pieces.
LONG = " ".join([*SENTENCES, "No effect", *["of aspirin-induced asthma on EGFR"] * 40, "was seen. Thus.\n\nfever"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return shared_space.save_student(tmp_path_factory.mktemp("student") / "student")


@pytest.fixture(scope="module")
def student(folder):
    return Student(folder)


def found_in(annotation):
    return [(m.start, m.end, m.type, pytest.approx(score, abs=1e-4)) for m, score in annotation.scored]


@pytest.mark.parametrize("text", SENTENCES)
@pytest.mark.parametrize("tag", [None, "chem", "gene"])
def test_a_short_text_gets_what_the_plain_pipeline_gives(student, folder, text, tag):
    from transformers import pipeline

    plain = pipeline("token-classification", folder, aggregation_strategy="first", device="cpu")
    if tag:
        plain.tokenizer = set_default_tag(plain.tokenizer, tag)
    expected = [(e["start"], e["end"], e["entity_group"], float(e["score"])) for e in plain(text)]
    found = student.annotate(text, tag)
    assert expected == found_in(found) and (expected or text == "TP53.")
    assert found.tag == (tag or "all") and found.document.text == text


def test_tags_make_a_difference(student):
    answers = {tag: [m for m, _ in student.annotate(LONG, tag).scored] for tag in student.tags}
    assert set(answers) == {"all", "chem", "gene"} and student.default_tag == "all"
    assert answers["all"] != answers["chem"] != answers["gene"]


def test_a_long_text_gets_what_the_tagger_gives_sentence_by_sentence(student, folder):
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    space = LabelSpace(shared_space.TYPES)
    tagger = WordTagger(AutoModelForTokenClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder))
    words = split_words(LONG)
    expected = []
    ranges = split_sentences(LONG, words)
    assert len(ranges) == 6
    sentences = [[LONG[start:end] for start, end in words[first:last]] for first, last in ranges]
    assert max(map(len, tagger.encoder(sentences))) > 2  # windows
    for (offset, _), values in zip(ranges, tagger.log_probs(sentences), strict=True):
        for first, last, kind in space.decode(values.argmax(-1)):
            start, end = words[offset + first][0], words[offset + last - 1][1]
            expected.append((start, end, kind, np.exp(values.max(-1)[first:last]).mean()))
    assert expected == found_in(student.annotate(LONG))


@pytest.mark.parametrize(
    "text", ["🧬 aspirin 🧬🧬 asthma", "阿司匹林 TP53，asthma", "e\u0301 IL-2 \u200b gout\ufeff", LONG]
)
def test_offsets_count_code_points(student, text):
    found = student.annotate(text).document
    assert found.mentions and found.text == text
    for mention in found.mentions:
        assert text[mention.start : mention.end] == mention.text and mention.source == student.name


def test_half_characters_become_whole_ones(student):
    found = student.annotate("aspirin \ud83e asthma \udda6")
    assert found.document.text == "aspirin \ufffd asthma \ufffd"
    found.document.text.encode()


@pytest.mark.parametrize("text", ["", " \n\t ", "\u200b"])
def test_nothing_is_found_in_nothing(student, text):
    found = student.annotate(text)
    assert (found.scored, found.document.text) == ([], text)


def test_progress_is_told_to_the_end(student):
    told = []
    student.annotate(LONG * 10, on_progress=lambda done, total: told.append((done, total)))
    assert len(told) > 1 and told[-1][0] == told[-1][1] and told == sorted(told)


def test_many_may_ask_at_once(folder):
    """The Rust tokenizer refuses to be changed in one thread while another uses it."""
    student = Student(folder)
    jobs = [(LONG * size, tag) for size in (1, 2, 5) for tag in student.tags] * 3
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda job: student.annotate(*job).document.mentions, jobs))
    assert together == [student.annotate(*job).document.mentions for job in jobs]


def test_a_tokenizer_has_its_settings_before_anyone_asks(tmp_path):
    """They are written at its first use, and only when they differ: two first uses at once would collide."""
    path = tmp_path / "m"
    shared_space.save_student(path, tags=None)
    limit = {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}
    rewritten(path, "tokenizer.json", truncation=limit, padding=None)
    rewritten(path, "tokenizer_config.json", split_special_tokens=False)
    backend = Student(str(path))._tagger(None).encoder.tokenizer.backend_tokenizer
    assert backend.truncation is None and backend.encode_special_tokens is True


@pytest.mark.parametrize(
    "labels",
    [
        ("O", "I-Gene", "B-Gene"),
        ("I-Gene", "O", "I-Disease"),
        ("E-Gene", "O", "S-Gene", "B-Gene", "I-Gene"),
        ("L-Gene", "U-Gene", "O", "B-Gene", "I-Gene"),
    ],
    ids=["BIO", "IO", "IOBES", "BILOU"],
)
def test_models_without_tags_and_of_other_schemes_work(labels, tmp_path):
    from transformers import pipeline

    path = shared_space.save_student(tmp_path / "m", labels, tags=None, seed=3)
    student = Student(path)
    assert (student.tags, student.default_tag) == ((), None)
    found = student.annotate(SENTENCES[1])
    assert found.scored and found.tag is None and set(found.types) == {label[2:] for label in labels} - {""}
    # Word by word, with no scheme in between: every word of a mention has a tag of its type, all others have O.
    plain = pipeline("token-classification", path, aggregation_strategy=None, ignore_labels=[], device="cpu")
    heads = {entity["start"]: entity["entity"] for entity in reversed(plain(SENTENCES[1]))}
    inside = {
        start: mention.type
        for mention in found.document.mentions
        for start, end in found.document.words
        if mention.start <= start < mention.end
    }
    assert inside == {start: heads[start][2:] for start, _ in found.document.words if heads[start] != "O"}


def test_a_tag_that_the_student_lacks_is_named_with_those_it_has(student, tmp_path):
    with pytest.raises(StudentError, match="has no tag 'disease'; it knows all, chem, gene"):
        student.annotate("x", "disease")
    plain = Student(shared_space.save_student(tmp_path / "m", tags=None))
    with pytest.raises(StudentError, match="has no tag 'all'; it has none"):
        plain.annotate("x", "all")


# What cannot be loaded


def rewritten(folder, name, **changes):
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def other_labels(folder):
    rewritten(folder, "config.json", id2label={str(i): f"LABEL_{i}" for i in range(7)})


def own_code(folder):
    classes = {"AutoConfig": "code.Config", "AutoModelForTokenClassification": "code.Model"}
    rewritten(folder, "config.json", model_type="own", auto_map=classes)
    (folder / "code.py").write_text("raise SystemExit('this code must not run')\n")


def unknown_architecture(folder):
    rewritten(folder, "config.json", model_type="of_tomorrow")


def no_configuration(folder):
    (folder / "config.json").unlink()


def no_safetensors(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def cut_weights(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])


def no_tokenizer(folder):
    for path in folder.glob("tokenizer*"):
        path.unlink()


def broken_tag_pairs(folder):
    rewritten(folder, "tokenizer_config.json", bionerkd_tag_pairs={"all": "<all>"})


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (other_labels, "is no tagger of mentions: label 'LABEL_0' is neither 'O' nor"),
        (own_code, "needs code of its own, and this page runs none"),
        (unknown_architecture, "could not be loaded: .*of_tomorrow"),
        (no_configuration, r"is no model for transformers: it has no config\.json"),
        (no_safetensors, "holds no weights in safetensors"),
        (cut_weights, "is damaged: "),
        (no_tokenizer, "has no tokenizer: save one"),
        (broken_tag_pairs, "could not be loaded: "),
    ],
)
def test_what_is_wrong_with_a_model_is_said_in_one_sentence(harm, words, tmp_path):
    path = shared_space.save_student(tmp_path / "m")
    harm(tmp_path / "m")
    with pytest.raises(StudentError, match=words) as raised:
        Student(path)
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 700


def test_what_is_neither_here_nor_on_the_hub_is_said():
    with pytest.raises(StudentError, match="no folder or file './nowhere'"):
        Student("./nowhere")
    with pytest.raises(StudentError, match="offline mode is on"):  # as all tests are
        Student("org/nowhere")


# The shelf


@pytest.fixture
def loads(monkeypatch):
    """Every load, with a stand-in for the student."""
    loaded = []

    class Stub:
        def __init__(self, name):
            loaded.append(name)
            if name == "broken" and loaded.count(name) == 1:
                raise StudentError("not now")
            self.name = name

    monkeypatch.setattr(students, "Student", Stub)
    return loaded


def test_the_last_few_stay_loaded(loads):
    shelf = Shelf(["a", "b", "c", "a"], capacity=2)
    assert shelf.names == ["a", "b", "c"] and not loads
    assert [shelf.get(name).name for name in "abacab"] == list("abacab")
    assert loads == ["a", "b", "c", "b"]  # of a and b, b was asked for longer ago when c came
    with pytest.raises(KeyError):
        shelf.get("d")


def test_a_load_that_failed_is_tried_again(loads):
    shelf = Shelf(["broken"])
    with pytest.raises(StudentError, match="not now"):
        shelf.get("broken")
    assert shelf.get("broken") is shelf.get("broken") and len(loads) == 2


def test_two_who_want_one_student_load_it_once(monkeypatch):
    begun, go_on, loaded = threading.Event(), threading.Event(), []

    class Slow:
        def __init__(self, name):
            loaded.append(name)
            begun.set()
            assert go_on.wait(10)

    monkeypatch.setattr(students, "Student", Slow)
    shelf = Shelf(["a", "b"])
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(shelf.get, "a")
        assert begun.wait(10)
        second = pool.submit(shelf.get, "a")
        go_on.set()
        assert first.result(10) is second.result(10) and loaded == ["a"]

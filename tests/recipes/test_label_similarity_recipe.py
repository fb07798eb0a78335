"""recipes/label_similarity.py: two models, and two labellings of one corpus, against words counted one by one."""

import json
from dataclasses import replace

import pytest
import tiny
from datasets import load_dataset
from lxml import etree

from hf_bionerkd.data.builders import build_corpus
from hf_bionerkd.data.corpus_card import CorpusCard
from hf_bionerkd.documents import Document
from hf_bionerkd.runs import label_similarity
from hf_bionerkd.teachers.teacher import Teacher

TYPES = ("Chemical", "Disease")
SENTENCES, A_DOCUMENT = 30, 3


def write(folder, name, change=lambda mentions: mentions, types=TYPES, rows=range(SENTENCES), seed="weak"):
    """A weak corpus: train alone, three sentences a document; ids do not depend on the seed of the words."""
    whole = [replace(one, id=f"weak-{place}") for place, one in enumerate(tiny.documents(types, SENTENCES, seed))]
    found = [(place, whole[place]) for place in rows]
    train = (
        Document(one.id, one.text, change(one.mentions), one.words, (), {"document_id": f"pmid{place // A_DOCUMENT}"})
        for place, one in found
    )
    card = CorpusCard(name, name, "Made for tests.", "cc0-1.0", "-", "-", "-")
    build_corpus(folder / name, {"train": train}, types, card, [__file__])
    return str(folder / name)


@pytest.fixture(scope="module")
def weak(tmp_path_factory):
    """The corpus as it is; without the first mention of each sentence; with a type more; shortened; in other words."""
    folder = tmp_path_factory.mktemp("weak")
    write(folder, "cdwc")
    write(folder, "cdrc", lambda mentions: mentions[1:])
    write(folder, "genes", types=(*TYPES, "Gene"))
    write(folder, "short", lambda mentions: mentions[1:], rows=[*range(17, 2, -1), 20])
    write(folder, "reworded", seed="other words")
    tiny.write_corpus(folder, "others", TYPES, {"train": SENTENCES})
    tiny.save_teacher(folder / "first", tiny.bio(*TYPES), seed=1)
    tiny.save_teacher(folder / "second", tiny.bio("Disease", "Gene", "Chemical"), seed=2)
    return folder


def counted(documents, first, second):
    """Same and all words of each document."""
    found = {}
    for name, one, other in zip(documents, first, second, strict=True):
        same, words = found.get(name, (0, 0))
        found[name] = (same + sum(a == b for a, b in zip(one, other, strict=True)), words + len(one))
    return found


def labels_of(weak, name):
    rows = load_dataset(str(weak / name))["train"]
    names = rows.features["ner_tags"].feature.names
    return rows["document_id"][:], [[names[tag] for tag in tags] for tags in rows["ner_tags"]]


def run(recipe, output, *words):
    recipe("label_similarity").main([*words, "--output", str(output)])
    return json.loads((output / "similarity.json").read_text())


def test_two_labelled_corpora(recipe, weak, tmp_path, capsys):
    found = run(recipe, tmp_path / "a" / "b", "--corpora", str(weak / "cdwc"), str(weak / "cdrc"))
    documents, before = labels_of(weak, "cdwc")
    expected = counted(documents, before, labels_of(weak, "cdrc")[1])
    assert (found["same_words"], found["words"]) == tuple(map(sum, zip(*expected.values(), strict=True)))
    assert found["documents"] == 10 == sum(found["histogram"].values()) and found["identical"] < 10
    assert found["mean"] == pytest.approx(sum(same / words for same, words in expected.values()) / 10)
    assert found["sentences_without_counterpart"] == [0, 0]
    assert found["types"] == list(TYPES) and found["first"].endswith("cdwc") and found["second"].endswith("cdrc")
    text = (tmp_path / "a" / "b" / "similarity.txt").read_text()
    assert text in capsys.readouterr().out and f"mean of 10 documents: {found['mean']:.4f}" in text
    svg = etree.parse(tmp_path / "a" / "b" / "similarity.svg").getroot()
    assert svg.get("aria-label") == f"Label similarity of {weak / 'cdwc'} and {weak / 'cdrc'}"
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == [
        "similarity.json",
        "similarity.svg",
        "similarity.txt",
    ]


@pytest.mark.parametrize(("first", "second", "alone"), [("cdwc", "short", [14, 0]), ("short", "cdwc", [0, 14])])
def test_sentences_are_paired_by_id_and_those_of_one_corpus_counted(
    recipe, weak, tmp_path, monkeypatch, capsys, first, second, alone
):
    """As after a re-correction of the first abstracts, from which sentences of gold sets were left out."""
    monkeypatch.setattr(label_similarity, "CHUNK", 4)
    found = run(recipe, tmp_path, "--corpora", str(weak / first), str(weak / second))
    documents, before = labels_of(weak, "cdwc")
    after, rows = labels_of(weak, "cdrc")[1], [*range(3, 18), 20]
    chosen = ([column[row] for row in rows] for column in (documents, before, after))
    expected = counted(*chosen)
    assert (found["same_words"], found["words"]) == tuple(map(sum, zip(*expected.values(), strict=True)))
    assert found["least_alike"] == pytest.approx({name: same / words for name, (same, words) in expected.items()})
    assert found["documents"] == 6 and found["sentences_without_counterpart"] == alone
    line = f"Sentences without a counterpart, left out: 14 of {weak / 'cdwc'}\n"
    assert (tmp_path / "similarity.txt").read_text().endswith(line) and line in capsys.readouterr().out


def test_only_types_that_both_know_are_compared(recipe, weak, tmp_path):
    found = run(recipe, tmp_path, "--corpora", str(weak / "cdwc"), str(weak / "genes"))
    assert found["types"] == list(TYPES) and found["identical"] == 10 and found["mean"] == 1.0


def test_two_models_on_the_first_abstracts(recipe, weak, tmp_path, monkeypatch):
    monkeypatch.setattr(label_similarity, "CHUNK", 5)
    words = ("--corpus", str(weak / "cdwc"), "--first", f"T_c={weak / 'first'}", "--second", str(weak / "second"))
    found = run(recipe, tmp_path, *words, "--limit", "4")
    rows = load_dataset(str(weak / "cdwc"))["train"].select(range(4 * A_DOCUMENT))
    tagged = []
    for folder in ("first", "second"):
        model = Teacher(str(weak / folder), types={kind: kind for kind in TYPES})
        tagged.append([[model.space.labels[tag] for tag in tags] for tags in model.tags(rows["tokens"][:])])
    expected = counted(rows["document_id"][:], *tagged)
    assert found["least_alike"] == pytest.approx({name: same / words for name, (same, words) in expected.items()})
    assert (found["first"], found["second"]) == ("T_c", str(weak / "second"))
    assert found["documents"] == 4 == found["limit"] and found["mean"] < 1.0


def test_a_model_is_like_itself(recipe, weak, tmp_path):
    model = str(weak / "first")
    found = run(recipe, tmp_path, "--corpus", str(weak / "cdwc"), "--first", model, "--second", model)
    assert found["identical"] == found["documents"] == 10


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("cdwc", "reworded", r"sentence weak-\d+ is '.*' in .*cdwc and '.*' in .*reworded: give two labellings"),
        ("cdwc", "others", r"cdwc and .*others have no sentence id in common, such as \['weak-0', 'weak-1'\] of"),
        ("cdwc", "missing", "no folder"),
    ],
)
def test_other_sentences_are_refused_and_nothing_is_written(recipe, weak, tmp_path, first, second, message):
    with pytest.raises(SystemExit, match=message):
        run(recipe, tmp_path / "out", "--corpora", str(weak / first), str(weak / second))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("flag", ["--limit", "--batch-size"])
def test_counts_below_one_are_refused(recipe, tmp_path, capsys, flag):
    with pytest.raises(SystemExit, match="2"):
        run(recipe, tmp_path, "--corpora", "c", "d", flag, "-1")
    assert f"argument {flag}: expected a whole number from 1 up, found '-1'" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--corpus", "c", "--first", "m"], ["--corpora", "c", "d", "--second", "m"], []])
def test_command_lines_that_ask_for_neither_are_refused(recipe, tmp_path, words):
    with pytest.raises(SystemExit, match="2"):
        run(recipe, tmp_path, *words)

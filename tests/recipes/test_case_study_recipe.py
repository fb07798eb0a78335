"""recipes/case_study.py: the right sentences, the right labels and probabilities, the same on page and terminal."""

import numpy as np
import pytest
import tiny
from lxml import html

from hf_bionerkd.data.builders import build_corpus
from hf_bionerkd.data.corpus_card import CorpusCard
from hf_bionerkd.documents import Document, Mention
from hf_bionerkd.runs import show_cases
from hf_bionerkd.teachers.teacher import Teacher

TYPES = ("Chemical", "Disease")
BEFORE = ["Aspirin for gout", "Fever, no gout", "Zinc and fever", "No finding"]
MENTIONS = {"Aspirin": "Chemical", "Zinc": "Chemical", "gout": "Disease", "Fever": "Disease", "fever": "Disease"}


def write(folder, name, left_out=(), texts=BEFORE):
    """A corpus of four sentences of two documents; mentions left out by (sentence, text)."""
    sentences = []
    for number, text in enumerate(texts):
        mentions = tuple(
            Mention(text.index(word), text.index(word) + len(word), kind)
            for word, kind in MENTIONS.items()
            if word in text and (number, word) not in left_out
        )
        sentences.append(Document(f"s:{number}", text, mentions, metadata={"document_id": f"pmid{number // 2}"}))
    card = CorpusCard(name, name, "Made for tests.", "cc0-1.0", "-", "-", "-")
    build_corpus(folder / name, {"train": sentences}, TYPES, card, [__file__])
    return str(folder / name)


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """Labels before and after, and models."""
    folder = tmp_path_factory.mktemp("cases")
    write(folder, "before", [(0, "Aspirin"), (2, "Zinc"), (2, "fever")])
    write(folder, "after", [(0, "gout")])
    tiny.write_corpus(folder, "tiny", TYPES, {"train": 4, "test": 40})
    tiny.save_teacher(folder / "T_c", tiny.bio(*TYPES), seed=1)
    tiny.save_teacher(folder / "T_a", tiny.bio("Disease", "Gene", "Chemical"), seed=2)
    return folder


def corpora(recipe, material, *words):
    pair = ("--before", str(material / "before"), "--after", str(material / "after"))
    recipe("case_study").main(["corpora", *pair, *words])


def titles(printed):
    return [line.split()[0] for line in printed.splitlines() if line.startswith("s:")]


def test_the_most_changed_sentences_come_first_and_unchanged_ones_never(recipe, material, capsys):
    corpora(recipe, material, "--most-changed", "9")
    printed = capsys.readouterr().out
    assert titles(printed) == ["s:0", "s:2"]  # two changes each: in the order of the corpus
    assert "[+C: Aspirin] for gout\n" in printed and "Aspirin for [-D: gout]\n" in printed
    assert "+ Aspirin (Chemical); - gout (Disease)" in printed
    assert "[+C: Zinc] and [+D: fever]" in printed
    corpora(recipe, material, "--most-changed", "1")
    assert titles(capsys.readouterr().out) == ["s:0"]


def test_sentences_and_documents_are_found_by_id_and_shown_once(recipe, material, capsys, tmp_path):
    corpora(
        recipe, material, "--id", "pmid1", "--id", "s:2", "--most-changed", "1", "--html", str(tmp_path / "a/b.html")
    )
    printed = capsys.readouterr().out
    assert titles(printed) == ["s:2", "s:3", "s:0"]
    page = html.parse(tmp_path / "a" / "b.html").getroot()
    assert [heading.text.split()[0] for heading in page.iter("h2")] == ["s:2", "s:3", "s:0"]
    marks = [[mark.text_content() for mark in dd.iter("mark")] for dd in page.iter("dd")]
    assert marks == [[], ["+CZinc", "+Dfever"], [], [], ["-Dgout"], ["+CAspirin"]]
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.html"]


def test_the_same_labels_are_no_case(recipe, material, capsys):
    pair = ("--before", str(material / "after"), "--after", str(material / "after"))
    recipe("case_study").main(["corpora", *pair, "--most-changed", "3"])
    assert "There is no such sentence." in capsys.readouterr().out


def models(recipe, material, *words, corpus="before", names=("T_c", "T_a", "T_c")):
    chosen = [word for place, name in enumerate(names) for word in ("--model", f"m{place}={material / name}")]
    split = "test" if corpus == "tiny" else "train"
    recipe("case_study").main(["models", "--corpus", str(material / corpus), "--split", split, *chosen, *words])


def test_models_show_their_tags_and_the_softmax_of_their_emissions(recipe, material, capsys, tmp_path):
    models(recipe, material, "--id", "s:1", "--html", str(tmp_path / "page.html"), names=("T_c", "T_a"))
    printed = capsys.readouterr().out
    page = html.parse(tmp_path / "page.html").getroot()
    body = [[cell.text_content() for cell in row][-7:] for row in page.find(".//tbody").iter("tr")]
    columns = [cell.text_content() for cell in page.find(".//thead").iter("th")][3:]
    words = ["Fever", ",", "no", "gout"]
    for place, folder in enumerate(("T_c", "T_a")):
        model = Teacher(str(material / folder), name=folder, types={kind: kind for kind in TYPES})
        (found,) = model.outputs([words])
        rows = [row for row in body if row[0] == f"m{place}"]
        shown = [words.index(cell.text_content().rsplit(" ", 1)[0]) for cell in page.iter("th") if cell.get("rowspan")]
        assert len(rows) == len(shown) > 0
        for word, row in zip(shown, rows, strict=True):
            assert row[1] == model.space.labels[found.tags[word]]
            by_label = dict(zip(columns, map(float, row[2:]), strict=True))
            expected = dict(zip(model.space.labels, 100 * np.exp(found.emissions[word]), strict=True))
            assert by_label == pytest.approx(expected, abs=0.006)
            assert all(cell in printed for cell in row[2:])
    assert "  corpus  " in printed and "B-Chemical  I-Chemical" in printed


def test_marginals_may_be_shown_instead(recipe, material, capsys):
    models(recipe, material, "--id", "s:0", "--scores", "marginals")
    assert "; probabilities: marginals of the CRF\n" in capsys.readouterr().out


def test_disagreements_are_those_where_the_student_is_right(recipe, material, capsys, monkeypatch):
    """A student that knows the corpus's labels, between teachers that do not."""
    from hf_bionerkd.inference.word_tagger import WordOutputs

    rows = show_cases.load_split(str(material / "tiny"), "test")
    own = {tuple(row["tokens"]): row["ner_tags"] for row in rows}
    wrong = set(list(own)[:5])

    class Oracle:
        name = "student"
        space = Teacher(str(material / "T_c")).space

        def outputs(self, sentences):
            for words in sentences:
                tags = np.array([4] * len(words) if tuple(words) in wrong else own[tuple(words)])
                yield WordOutputs(np.zeros((len(words), 5)), tags, np.log(np.full((len(words), 5), 0.2)))

    opened = show_cases.open_model
    monkeypatch.setattr(
        show_cases, "open_model", lambda text, *rest: Oracle() if "m2" in text else opened(text, *rest)
    )
    models(recipe, material, "--disagreements", "3", corpus="tiny")
    printed = capsys.readouterr().out
    blocks = [line.split() for line in printed.splitlines() if line.startswith("tiny-test-")]
    teachers = [opened(str(material / name), TYPES, script_arguments()) for name in ("T_c", "T_a")]
    scores = {}
    for row in rows:
        if tuple(row["tokens"]) not in wrong or not any(tag != 4 for tag in row["ner_tags"]):
            first, second = ([t.space.labels[tag] for tag in t.tags([row["tokens"]])[0]] for t in teachers)
            scores[row["id"]] = sum(a != b for a, b in zip(first, second, strict=True))
    best = sorted(scores, key=lambda name: -scores[name])[:3]
    assert [block[0] for block in blocks] == best and scores[best[2]] > 0


def script_arguments():
    import argparse

    return argparse.Namespace(batch_size=32, trust_remote_code=False)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--id", "s:9"], "has no sentence or document of id 's:9'; its ids are like .'s:0'"),
        (["--id", "s:0", "--split", "dev"], "dev"),
    ],
)
def test_mistakes_are_named(recipe, material, words, message):
    for show in (corpora, models):
        with pytest.raises(SystemExit, match=message):
            show(recipe, material, *words)


def test_too_few_models_to_disagree_and_corpora_of_other_sentences(recipe, material):
    with pytest.raises(SystemExit, match="give --model three times"):
        models(recipe, material, "--disagreements", "3", names=("T_c", "T_a"))
    with pytest.raises(SystemExit, match="no sentence id in common"):
        pair = ("--before", str(material / "before"), "--after", str(material / "tiny"))
        recipe("case_study").main(["corpora", *pair, "--most-changed", "3"])
    with pytest.raises(SystemExit, match="2"):
        corpora(recipe, material)


@pytest.mark.parametrize("wrong", ["-1", "0", "1.5", "many"])
def test_counts_below_one_are_refused(recipe, material, capsys, wrong):
    for show, flag in ((corpora, "--most-changed"), (models, "--disagreements"), (models, "--batch-size")):
        with pytest.raises(SystemExit, match="2"):
            show(recipe, material, "--id", "s:0", f"{flag}={wrong}")
        assert f"argument {flag}: expected a whole number from 1 up, found '{wrong}'" in capsys.readouterr().err


def test_sentences_of_one_id_and_other_words_are_refused(recipe, material, tmp_path):
    write(tmp_path, "reworded", texts=[text.replace("gout", "pain") for text in BEFORE])
    pair = ("--before", str(material / "before"), "--after", str(tmp_path / "reworded"))
    recipe("case_study").main(["corpora", *pair, "--id", "s:3"])
    with pytest.raises(SystemExit, match=r"sentence s:0 is 'Aspirin for gout' in .*before and 'Aspirin for pain' in "):
        recipe("case_study").main(["corpora", *pair, "--id", "s:0"])

"""recipes/compare.py on tiny models, against the Trainer's own evaluation."""

import json

import pytest
import tiny
from datasets import load_dataset

from hf_bionerkd.data.builders import build_corpus
from hf_bionerkd.data.corpus import load_corpus
from hf_bionerkd.data.corpus_card import CorpusCard
from hf_bionerkd.data.joining import join_corpora
from hf_bionerkd.documents import Document
from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.teachers.teacher import Teacher
from hf_bionerkd.training.evaluator import MentionEvaluator

TYPES = ("Chemical", "Disease")


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """A corpus, the same with the document of every sentence, and two models of which one knows a type more."""
    folder = tmp_path_factory.mktemp("compare")
    tiny.write_corpus(folder, "plain", TYPES, {"train": 4, "test": 40})
    card = CorpusCard("named", "named", "Made for tests.", "cc0-1.0", "-", "-", "-")
    splits = {}
    for split, size in {"train": 4, "test": 40}.items():
        found = enumerate(tiny.documents(TYPES, size, f"plain-{split}"))
        splits[split] = (
            Document(one.id, one.text, one.mentions, one.words, (), {"document_id": f"pmid{place // 5}"})
            for place, one in found
        )
    build_corpus(folder / "named", splits, TYPES, card, [__file__])
    tiny.save_teacher(folder / "first", tiny.bio(*TYPES), seed=1)
    tiny.save_teacher(folder / "second", tiny.bio("Disease", "Gene", "Chemical"), seed=2)
    return folder


def run(recipe, material, *words, corpus="named"):
    output = material / "out" / "comparison.json"
    models = ("--model", f"T_c={material / 'first'}", "--model", str(material / "second"))
    recipe("compare").main(["--corpus", str(material / corpus), *models, "--json", str(output), *words])
    return json.loads(output.read_text())


def test_scores_are_those_of_the_trainers_evaluation(recipe, material, capsys):
    found = run(recipe, material, "--samples", "100")
    printed = capsys.readouterr().out
    assert found["documents"] == 8 and found["rows"] == 40 and found["bootstrap"]["unit"] == "document"
    assert f"{material / 'named'} test: 8 documents of 40 rows · strict, percent · 100 resamples" in printed
    assert "names no documents" not in printed
    corpus, space = load_corpus(str(material / "named"), "named"), LabelSpace(TYPES)
    evaluator = MentionEvaluator(join_corpora([corpus], "test", space), space, [("named", TYPES)])
    for name, folder in (("T_c", "first"), (str(material / "second"), "second")):
        teacher = Teacher(str(material / folder), name=name)
        for expected in evaluator(name, teacher).strict:
            (row,) = (r for r in found["results"] if (r["model"], r["type"]) == (name, expected.type))
            assert {key: row[key] for key in ("tp", "fp", "fn", "f1")} == {
                key: value for key, value in expected.counts.as_dict().items() if key in ("tp", "fp", "fn", "f1")
            }
            assert found["models"][name]["revision"] == teacher.revision
    pooled = [row for row in found["results"] if row["type"] == "all types"]
    assert len(pooled) == 2 and "t_test" not in pooled[0]
    assert pooled[1]["t_test"]["pairs"] <= 8
    assert pooled[1]["f1_difference"]["difference"] == pytest.approx(pooled[1]["f1"] - pooled[0]["f1"])


def test_a_corpus_without_documents_is_compared_row_by_row_and_that_is_said(recipe, material, capsys):
    assert not any(load_dataset(str(material / "plain"))["test"]["document_id"])
    found = run(recipe, material, "--samples", "100", corpus="plain")
    printed = capsys.readouterr().out
    assert found["documents"] == found["rows"] == 40 and found["bootstrap"]["unit"] == "row"
    assert "The corpus names no documents" in printed and "F1 of each row" in printed
    by_document = run(recipe, material, "--samples", "100")
    assert [r["f1"] for r in by_document["results"]] == [r["f1"] for r in found["results"]]
    assert [r["f1_interval"] for r in by_document["results"]] != [r["f1_interval"] for r in found["results"]]


def test_types_are_chosen(recipe, material):
    found = run(recipe, material, "--samples", "100", "--types", "Disease")
    assert found["types"] == ["Disease"] and {row["type"] for row in found["results"]} == {"Disease"}


def test_several_corpora_are_compared_one_by_one_and_on_average(recipe, material, capsys):
    """Each corpus as if it stood alone; the average is the mean over its types, of the same counts."""
    found = run(recipe, material, "--samples", "200", "--corpus", f"again={material / 'plain'}")
    printed = capsys.readouterr().out
    alone = run(recipe, material, "--samples", "200")
    assert [one["corpus"] for one in found["corpora"]] == ["named", "again"]
    assert [one["unit"] for one in found["corpora"]] == ["document", "row"] and "fingerprint" not in found
    assert [row for row in found["results"] if row["corpus"] == "named"] == [
        row for row in alone["results"] if row["corpus"] == "named"
    ]
    first, second = (row for row in found["results"] if row["type"] == "macro average")
    of_types = [row for row in found["results"] if row["type"] in TYPES and row["model"] == first["model"]]
    assert first["rows"] == len(of_types) == 4
    assert first["f1"] == pytest.approx(sum(row["f1"] for row in of_types) / 4)
    assert first["f1_interval"][0] <= first["f1"] <= first["f1_interval"][1]
    assert second["f1_difference"]["difference"] == pytest.approx(second["f1"] - first["f1"])
    assert "t_test" not in second and "f1_difference" not in first
    assert "named / Chemical" in printed and "again / all types" in printed and "\nmacro average\n" in printed
    assert "again: no documents" in printed and "pairs (named)" in printed


def test_types_are_chosen_among_all_corpora(recipe, material):
    words = ["--samples", "100", "--corpus", f"again={material / 'plain'}", "--types", "Disease"]
    found = run(recipe, material, *words)
    assert [one["types"] for one in found["corpora"]] == [["Disease"], ["Disease"]]
    with pytest.raises(SystemExit, match="asked for types .'Gene'., but what is annotated is .'Chemical', 'Disease'"):
        run(recipe, material, *words, "Gene")


def test_two_corpora_of_one_name_are_refused(recipe, material):
    with pytest.raises(SystemExit, match="two corpora have one name in .*: name them apart with --corpus NAME=PATH"):
        run(recipe, material, "--corpus", str(material / "named"))


def test_a_type_without_gold_mentions_is_marked_and_no_part_of_the_average(recipe, material, capsys):
    card = CorpusCard("bare", "bare", "Made for tests.", "cc0-1.0", "-", "-", "-")
    splits = {
        split: tiny.documents(("Chemical",), size, f"bare-{split}") for split, size in (("train", 4), ("test", 30))
    }
    build_corpus(material / "bare", splits, TYPES, card, [__file__])
    found = run(recipe, material, "--samples", "100", corpus="bare")
    printed = capsys.readouterr().out
    disease = [row for row in found["results"] if row["type"] == "Disease"]
    assert {row["support"] for row in disease} == {0} and {row["f1_interval"] for row in disease} == {None}
    assert not [row for row in found["results"] if row["type"] == "macro average"]  # of one type
    assert "left out of the macro average. (Disease of bare)" in printed


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--split", "dev"], "has no split 'dev'; it has"),
        (["--types", "Gene"], "asked for types"),
        (
            ["--types", "Disease=Illness"],
            "model T_c knows the types .* but .'Illness'. of the corpus are to be scored",
        ),
        (["--model", "T_c=elsewhere"], "elsewhere"),
    ],
)
def test_mistakes_are_named(recipe, material, words, message):
    with pytest.raises(SystemExit, match=message):
        run(recipe, material, *words)


def test_two_models_of_one_name_are_refused(recipe, material):
    with pytest.raises(SystemExit, match="two models have one name in .'T_c', .*, 'T_c'.: name them apart"):
        run(recipe, material, "--model", f"T_c={material / 'second'}")


def test_a_batch_size_below_one_is_refused(recipe, material, capsys):
    with pytest.raises(SystemExit, match="2"):
        run(recipe, material, "--batch-size", "0")
    assert "argument --batch-size: expected a whole number from 1 up, found '0'" in capsys.readouterr().err

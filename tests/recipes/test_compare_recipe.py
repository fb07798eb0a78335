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

"""The `evaluate` metric: same numbers as the scorer, offline, in batches."""

import socket

import huggingface_hub
import pytest

from hf_bionerkd.evaluation.entities import score_tags
from hf_bionerkd.evaluation.metric import EntityF1

GOLD = [["B-Gene", "I-Gene", "O", "B-Disease"], [], ["I-Gene", "O"]]
PREDICTED = [["B-Gene", "I-Gene", "O", "B-Gene"], [], ["I-Gene", "B-Species"]]


@pytest.mark.parametrize("mode", ["strict", "lenient"])
def test_equals_the_scorer(mode):
    types = ["Disease", "Gene"]
    result = EntityF1(mode=mode, types=types).compute(predictions=PREDICTED, references=GOLD)
    scores = score_tags(GOLD, PREDICTED, types, mode)
    assert result == {
        "Disease_precision": 0.0,
        "Disease_recall": 0.0,
        "Disease_f1": 0.0,
        "Disease_support": 1,
        "Gene_precision": scores.per_type["Gene"].precision,
        "Gene_recall": scores.per_type["Gene"].recall,
        "Gene_f1": scores.per_type["Gene"].f1,
        "Gene_support": 1 if mode == "strict" else 2,
        "overall_precision": scores.micro.precision,
        "overall_recall": scores.micro.recall,
        "overall_f1": scores.micro.f1,
        "overall_macro_f1": scores.macro_f1,
        "overall_left_out": 0,
        "overall_other_types": 1,
    }


def test_types_without_gold_mentions_are_left_out_of_the_macro_average_and_counted():
    metric = EntityF1(types=["Disease", "Gene", "Chemical"])
    result = metric.compute(predictions=PREDICTED, references=GOLD)
    assert result["overall_left_out"] == 1 and result["Chemical_support"] == 0
    both = EntityF1(types=["Disease", "Gene"]).compute(predictions=PREDICTED, references=GOLD)
    assert result["overall_macro_f1"] == both["overall_macro_f1"] > 0


def test_without_types_every_type_seen_is_scored():
    result = EntityF1().compute(predictions=PREDICTED, references=GOLD)
    assert {key for key in result if key.endswith("_f1")} == {
        "Disease_f1",
        "Gene_f1",
        "Species_f1",
        "overall_f1",
        "overall_macro_f1",
    }
    assert result["overall_other_types"] == 0


def test_batches_equal_one_call_and_the_metric_is_reusable():
    metric = EntityF1()
    at_once = metric.compute(predictions=PREDICTED, references=GOLD)
    for predicted, gold in zip(PREDICTED, GOLD, strict=True):
        metric.add_batch(predictions=[predicted], references=[gold])
    assert metric.compute() == at_once
    metric.add(prediction=["B-Gene"], reference=["B-Gene"])
    assert metric.compute()["Gene_support"] == 1


def test_scheme_is_passed_on():
    tags = [["B-Gene", "E-Gene", "S-Gene"]]
    assert EntityF1(scheme="IOBES").compute(predictions=tags, references=tags)["Gene_support"] == 2


def test_tags_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="row 1: 1 gold tags but 2 predicted tags"):
        EntityF1().compute(predictions=[["O"], ["B-Gene", "O"]], references=[["O"], ["B-Gene"]])
    with pytest.raises(ValueError, match="no type to score: pass `types="):
        EntityF1().compute(predictions=[["O"]], references=[["O"]])


def test_works_without_any_connection_pain_16(monkeypatch):
    def refuse(*_):
        raise AssertionError("the metric opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert huggingface_hub.constants.HF_HUB_OFFLINE
    assert EntityF1().compute(predictions=[["B-Gene"]], references=[["B-Gene"]])["overall_f1"] == 1.0

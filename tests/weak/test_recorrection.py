"""Rounds of label re-correction around scripted steps: which is the best, when they end, and going on after a kill."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_rounds import Killed, Scripted, changes, scores

from hf_bionerkd.documents import Document, Mention
from hf_bionerkd.io import write_json
from hf_bionerkd.weak.recorrection import first_documents, run_rounds, sentence_keys
from hf_bionerkd.weak.rounds import Outcome, RecorrectionError, Round, RoundLog, read_outcome


def expected(values, max_rounds, patience):
    """The best round and the last one, said once more: the first round after which `patience` ones do not rise."""
    for last in range(len(values)):
        best = values.index(max(values[: last + 1]))
        if last - best >= patience or last == max_rounds:
            return best, last
    raise AssertionError("the script is too short")


@pytest.mark.parametrize(
    ("values", "best", "last"),
    [
        ([86, 90, 91, 92, 91], 3, 4),  # CDWC in the paper's Table 3
        ([78, 90, 91, 91], 2, 3),  # CDWA: equal is no rise
        ([80, 70], 0, 1),
        ([0, 0], 0, 1),
    ],
)
def test_rounds_go_on_while_f_on_d_rises(tmp_path, values, best, last):
    steps = Scripted(values)
    said = []
    outcome = run_rounds(steps, RoundLog(tmp_path), say=said.append)
    assert (outcome.best, len(outcome.rounds), outcome.select_by) == (best, last + 1, "weak")
    assert outcome.reason == f"F on D did not rise in round {last}" and outcome.reason in said[-1]
    each = [(step, number) for number in range(last) for step in ("train", "correct", "relabel")]
    assert steps.calls == [*each, ("train", last)]  # nothing would read a corrector of the last round
    assert outcome.rounds[last].corrector is None and outcome.rounds[best].corrector is not None


@given(
    st.lists(st.integers(0, 4), min_size=9, max_size=9), st.integers(0, 6), st.integers(1, 3), st.booleans(), st.data()
)
def test_the_best_round_is_the_first_of_the_highest_and_a_kill_anywhere_changes_nothing(
    tmp_path_factory, values, max_rounds, patience, by_corrector, data
):
    options = {"max_rounds": max_rounds, "patience": patience, "select_by": "corrector" if by_corrector else "weak"}
    other = [50] * len(values)
    scripts = (other, values) if by_corrector else (values, other)
    whole = Scripted(*scripts)
    found = run_rounds(whole, RoundLog(tmp_path_factory.mktemp("whole")), **options)
    assert (found.best, len(found.rounds) - 1) == expected(values, max_rounds, patience)

    killed_at = data.draw(st.lists(st.sampled_from(whole.calls), unique=True))
    killed, folder = Scripted(*scripts, killed_at=killed_at), tmp_path_factory.mktemp("killed")
    for _ in killed_at:
        with pytest.raises(Killed):
            run_rounds(killed, RoundLog(folder), **options)
    again = run_rounds(killed, RoundLog(folder), **options)
    assert again.as_dict() == found.as_dict()
    assert killed.calls == whole.calls  # every step once, in the same order
    assert set(killed.discarded) == set(whole.discarded)
    assert found.best not in whole.discarded


def test_the_corrector_may_decide(tmp_path):
    steps = Scripted(weak=[50, 60, 70], corrector=[80, 79, 99])
    outcome = run_rounds(steps, RoundLog(tmp_path), select_by="corrector")
    assert outcome.best == 0 and steps.calls[-1] == ("correct", 1)
    assert run_rounds(Scripted([50, 60, 70, 60]), RoundLog(tmp_path / "weak")).best == 2


def test_models_of_rounds_that_are_not_the_best_are_discarded_when_no_one_will_ask_for_them(tmp_path):
    steps = Scripted([50, 60, 55, 56, 57])
    assert run_rounds(steps, RoundLog(tmp_path), patience=3).best == 1
    assert set(steps.discarded) == {0, 2, 3}


def test_a_corpus_in_which_the_model_finds_nothing_ends_it_and_the_last_good_round_stays(tmp_path):
    steps = Scripted([50, 60, 70], collapses_after=1)
    outcome = run_rounds(steps, RoundLog(tmp_path))
    assert (outcome.best, len(outcome.rounds)) == (1, 3)
    assert outcome.reason.startswith("the corrector of round 1 finds 0 mentions in the whole corpus")
    given_up = outcome.rounds[2]
    assert given_up.collapsed and given_up.corpus is None and given_up.weak is None
    record = json.loads((tmp_path / "rounds" / "2" / "round.json").read_text())
    assert record["changes"]["mentions"]["removed"] == {"Disease": 100} and record["weak_model"] is None
    again = Scripted([])  # a run that is started again trains nothing on the corpus that was given up
    assert run_rounds(again, RoundLog(tmp_path)).as_dict() == outcome.as_dict() and again.calls == []


def test_the_record_of_a_round_holds_what_was_measured(tmp_path):
    run_rounds(Scripted([50, 40]), RoundLog(tmp_path))
    record = json.loads((tmp_path / "rounds" / "0" / "round.json").read_text())
    assert record["weak_model"]["validation"]["per_type"]["Disease"] == {
        **{"tp": 50, "fp": 0, "fn": 50},
        **{"precision": 1.0, "recall": 0.5, "f1": 2 / 3, "support": 100},
    }
    assert record["weak_model"]["validation"]["micro"]["tp"] == 51  # over all mentions, of whatever type
    assert record["corrector"]["test"]["per_type"]["Disease"]["fn"] == 50
    assert json.loads((tmp_path / "rounds" / "1" / "round.json").read_text())["corpus"] == {"documents": 7}


def test_a_process_that_does_not_write_leaves_no_trace(tmp_path):
    outcome = run_rounds(Scripted([50, 40]), RoundLog(tmp_path, writes=False))
    assert outcome.best == 0 and not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["{", "[]", '{"round": 0}', '{"round": 0, "corpus": 1, "weak_model": {}}', "null"])
def test_an_unreadable_record_is_named(tmp_path, text):
    place = tmp_path / "rounds" / "3"
    place.mkdir(parents=True)
    (place / "round.json").write_text(text)
    with pytest.raises(RecorrectionError, match=r"rounds/3/round\.json is no record of a round .*delete it"):
        RoundLog(tmp_path)
    (tmp_path / "rounds.json").write_text(text)
    with pytest.raises(RecorrectionError, match=r"rounds\.json is no summary of rounds"):
        read_outcome(tmp_path)


def test_the_summary_is_read_as_it_was_written(tmp_path):
    assert read_outcome(tmp_path) is None
    rounds = (Round(0, {"documents": 1}, None, scores(3), scores(4)), Round(1, None, changes(0)))
    outcome = Outcome(0, "why", "corrector", rounds)
    write_json(tmp_path / "rounds.json", outcome.as_dict())
    assert read_outcome(tmp_path) == outcome


def test_held_out_sentences_are_left_out_whatever_their_spaces_and_case():
    held_out = sentence_keys([["Gout", "hurts", "."], ["IL", "-", "2"]])
    texts = ["GOUT  hurts.", "Gout hurts", "il-2", "IL-2 binds"]
    counts = Counter()
    documents = [Document(str(number), text) for number, text in enumerate(texts)]
    kept = list(first_documents(documents, types={"Disease": "Disease"}, held_out=held_out, counts=counts))
    assert [document.id for document in kept] == ["1", "3"]
    assert counts == {"sentences_left_out_as_held_out": 2}


def test_types_are_those_of_the_run():
    gout, aspirin = Mention(0, 4, "DISO", source="dictionary"), Mention(9, 16, "CHEM")
    (found,) = first_documents([Document("1", "Gout and aspirin", (gout, aspirin))], types={"DISO": "Disease"})
    assert [(m.type, m.text, m.source) for m in found.mentions] == [("Disease", "Gout", "dictionary")]

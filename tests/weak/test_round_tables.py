"""The tables of a re-correction: GitHub tables with the numbers of the rounds, the best in bold."""

from scripted_rounds import Scripted, changes, scores

from hf_bionerkd.weak.recorrection import run_rounds
from hf_bionerkd.weak.round_tables import changes_table, relabelling_report, scores_table, similarity_table
from hf_bionerkd.weak.rounds import Outcome, Round, RoundLog


def cells(table):
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert all(set(rule) <= set("-:") for rule in lines[1]) and len({len(line) for line in lines}) == 1
    return lines[:1] + lines[2:]


def test_scores_of_every_model_that_was_trained_the_best_round_in_bold(tmp_path):
    outcome = run_rounds(Scripted([50, 60, 40]), RoundLog(tmp_path))
    header, *rows = cells(scores_table(outcome))
    assert header == ["round", "model", "D P", "D R", "D F", "test P", "test R", "test F"]
    names = [(row[0].strip("*"), row[1].strip("*")) for row in rows]
    assert names == [
        ("0", "weak model"),
        ("0", "corrector"),
        ("1", "weak model"),
        ("1", "corrector"),
        ("2", "weak model"),
    ]
    # 50 and 1 right of 106, 2 wrong: P 51/53, R 51/104.
    assert rows[0][2:5] == ["96.23", "49.04", "64.97"]
    assert all(cell.startswith("**") and cell.endswith("**") for row in rows[2:4] for cell in row)
    assert not any("*" in cell for row in (*rows[:2], rows[4]) for cell in row)


def test_a_corpus_that_was_given_up_has_changes_and_no_scores():
    rounds = (Round(0, {}, None, scores(3), scores(4)), Round(1, None, changes(0)))
    assert [row[0] for row in cells(scores_table(Outcome(0, "why", "weak", rounds)))[1:]] == ["**0**", "**0**"]
    header, row = cells(changes_table(rounds))
    assert header[:4] == ["round", "type", "mentions before", "mentions after"]
    assert row == ["1", "Disease", "100", "0", "0", "0", "0", "100"]
    header, row = cells(similarity_table(rounds))
    assert header[:3] == ["round", "mean", "0.0–0.1"] and header[-1] == "0.9–1.0"
    assert row == ["1", "0.5000", *"0000010000"]
    assert changes_table(rounds) in relabelling_report(rounds) and similarity_table(rounds) in relabelling_report(
        rounds
    )


def test_there_is_nothing_to_say_without_a_relabelling():
    assert changes_table([Round(0)]) == similarity_table([Round(0)]) == relabelling_report([Round(0)]) == ""

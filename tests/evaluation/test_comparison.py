"""Tables of models compared with the first of them, against numbers worked out by hand."""

import json
import math

import numpy as np
import pytest

from hf_bionerkd.evaluation.comparison import ALL_TYPES, compare_models, comparison_table
from hf_bionerkd.evaluation.entities import Counts
from hf_bionerkd.evaluation.significance import Bootstrap

BOOTSTRAP = Bootstrap(samples=200, unit="document")


@pytest.fixture
def counts():
    """Four documents, two types; the second model finds more chemicals and the same diseases."""
    base = np.array([[[1, 0, 1], [1, 1, 0]], [[0, 1, 1], [2, 0, 0]], [[2, 0, 2], [0, 0, 0]], [[0, 0, 0], [1, 0, 1]]])
    better = base.copy()
    better[:, 0] = [[2, 0, 0], [1, 0, 0], [3, 0, 1], [0, 0, 0]]
    return {"baseline": base, "student": better}


def test_every_type_and_all_of_them_are_scored_and_compared_with_the_first(counts):
    results = compare_models(counts, ["Chemical", "Disease"], BOOTSTRAP)
    assert [(result.type, result.model) for result in results] == [
        (kind, model) for kind in ("Chemical", "Disease", ALL_TYPES) for model in ("baseline", "student")
    ]
    by_name = {(result.type, result.model): result for result in results}
    assert by_name["Chemical", "student"].counts == Counts(6, 0, 1)
    assert by_name[ALL_TYPES, "baseline"].counts == Counts(7, 2, 5)
    assert by_name[ALL_TYPES, "baseline"].t_test is by_name[ALL_TYPES, "baseline"].difference is None
    chemical = by_name["Chemical", "student"]
    assert chemical.difference.difference == pytest.approx(Counts(6, 0, 1).f1 - Counts(3, 1, 4).f1)
    # F1 of the three documents with a chemical: 2/3, 0, 2/3 and 1, 1, 6/7, so d = 1/3, 1, 4/21
    d = [1 / 3, 1, 4 / 21]
    below = (3 * sum(x * x for x in d) - sum(d) ** 2) / 2
    assert chemical.t_test.pairs == 3
    assert chemical.t_test.t == pytest.approx(sum(d) / math.sqrt(below))
    disease = by_name["Disease", "student"]
    assert (disease.t_test.t, disease.t_test.p, disease.difference.p) == (0.0, 1.0, 1.0)


def test_one_type_is_not_pooled_with_itself_and_rare_ones_are_not_tested(counts):
    one = {name: found[:, :1] for name, found in counts.items()}
    assert {result.type for result in compare_models(one, ["Chemical"], BOOTSTRAP)} == {"Chemical"}
    rare = {name: found[2:] for name, found in one.items()}  # one document with a mention
    results = compare_models(rare, ["Chemical"], BOOTSTRAP)
    assert results[1].counts == Counts(3, 0, 1) and results[1].t_test is results[1].difference is None
    assert "ΔF1" not in comparison_table(results, BOOTSTRAP)


def test_the_table_shows_percent_and_marks(counts):
    table = comparison_table(compare_models(counts, ["Chemical", "Disease"], BOOTSTRAP), BOOTSTRAP)
    lines = table.splitlines()
    assert max(map(len, lines)) <= 120 and lines == [line.rstrip() for line in lines]
    chemical = next(line for line in lines if line.startswith("  student"))
    scores = Counts(6, 0, 1)
    assert chemical.split()[:4] == ["student", "100.00", f"{100 * scores.recall:.2f}", f"{100 * scores.f1:.2f}"]
    assert f"+{100 * (scores.f1 - Counts(3, 1, 4).f1):.2f}" in chemical
    certain = compare_models({"a": counts["baseline"], "b": counts["student"]}, ["Chemical", "Disease"], BOOTSTRAP)
    assert comparison_table(certain, BOOTSTRAP).count("\n") == table.count("\n")


def test_a_certain_difference_is_marked_in_both_columns():
    worse, better = np.array([[[2, 0, 1]]] * 30), np.array([[[3, 0, 0]]] * 30)
    results = compare_models({"worse": worse, "better": better}, ["Gene"], Bootstrap(samples=1000))
    line = comparison_table(results, Bootstrap()).splitlines()[-1]
    assert line.endswith("0.0020**      inf   <0.0001**") and "+20.00" in line and "+20.00 … +20.00" in line
    found = results[1].as_dict()
    assert found["t_test"] == {"t": "inf", "p": 0.0, "pairs": 30}
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert "f1_difference" not in results[0].as_dict() and results[0].as_dict()["f1"] == 0.8


def test_there_must_be_a_model():
    with pytest.raises(ValueError, match="give at least one"):
        compare_models({}, ["Gene"], BOOTSTRAP)

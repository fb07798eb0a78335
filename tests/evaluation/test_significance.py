"""Bootstrap intervals against resampling row by row, against every resample there is, and where they must give up."""

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hf_bionerkd.evaluation import significance
from hf_bionerkd.evaluation.entities import Counts
from hf_bionerkd.evaluation.significance import Bootstrap, f1_interval, macro_interval, resampled_totals

ROWS = arrays(np.int32, st.tuples(st.integers(1, 12), st.just(3)), elements=st.integers(0, 4))


def brute_force(rows, samples, seed=0):
    """Totals of resamples, each row drawn by its index."""
    draw = np.random.default_rng(seed)
    return np.array([rows[draw.integers(len(rows), size=len(rows))].sum(axis=0) for _ in range(samples)])


def some_rows(n, seed=1):
    draw = np.random.default_rng(seed)
    return np.stack([draw.poisson(0.9, n), draw.poisson(0.2, n), draw.poisson(0.3, n)], axis=1)


def test_totals_have_the_distribution_of_all_resamples_there_are():
    rows = np.array([[1, 0, 0], [1, 0, 0], [0, 2, 1], [0, 0, 0]])
    every = Counter(tuple(rows[list(chosen)].sum(axis=0)) for chosen in itertools.product(range(4), repeat=4))
    samples = 50_000
    found = Counter(map(tuple, resampled_totals(rows, Bootstrap(samples=samples)).tolist()))
    assert set(found) <= set(every)
    for totals, ways in every.items():
        share = ways / 4**4
        assert abs(found[totals] / samples - share) < 5 * np.sqrt(share * (1 - share) / samples), totals


def test_interval_is_that_of_a_resampler_that_draws_row_by_row():
    rows = some_rows(300)
    scores = [Counts(*map(int, totals)).f1 for totals in brute_force(rows, 20_000)]
    found = f1_interval(rows, Bootstrap(samples=20_000))
    assert found == pytest.approx(np.quantile(scores, [0.025, 0.975]), abs=2e-3)
    assert found[0] < Counts(*map(int, rows.sum(axis=0))).f1 < found[1]


def test_the_true_score_is_inside_as_often_as_the_level_says():
    """Over many test sets from one source, a 90 % interval holds the source's own F1 in about 90 of 100."""
    truth = 2 * 0.9 / (2 * 0.9 + 0.2 + 0.3)
    intervals = [f1_interval(some_rows(400, seed), Bootstrap(level=0.9, samples=400)) for seed in range(300)]
    covered = np.mean([low <= truth <= high for low, high in intervals])
    assert 0.85 < covered < 0.95


def test_mentions_of_one_row_stay_together():
    """The same counts in fewer, larger rows are less certain."""
    spread = np.array([[1, 0, 0]] * 80 + [[0, 1, 0]] * 20)
    lumped = np.array([[40, 0, 0]] * 2 + [[0, 10, 0]] * 2)
    narrow, wide = f1_interval(spread), f1_interval(lumped)
    assert wide[1] - wide[0] > 3 * (narrow[1] - narrow[0])


@pytest.mark.parametrize("rows", [np.zeros((0, 3), int), np.zeros((5, 3), int)])
def test_without_rows_or_mentions_there_is_no_interval(rows):
    assert f1_interval(rows) is None


def test_certain_scores_have_no_width_even_where_mentions_are_rare():
    rare = np.zeros((200, 3), int)
    rare[7] = 2, 0, 0  # every third resample or so draws no mention at all
    assert f1_interval(rare) == (1.0, 1.0)
    rare[7] = 0, 1, 2
    assert f1_interval(rare) == (0.0, 0.0)
    assert f1_interval(np.array([[3, 1, 0]])) == (6 / 7, 6 / 7)


def test_every_call_draws_alike_and_another_seed_differently():
    rows = some_rows(60)
    assert f1_interval(rows) == f1_interval(rows.copy()) == f1_interval(rows, Bootstrap(seed=13))
    assert f1_interval(rows) != f1_interval(rows, Bootstrap(seed=14))


def test_drawing_in_parts_changes_nothing(monkeypatch):
    rows = some_rows(60)
    whole = resampled_totals(rows, Bootstrap())
    monkeypatch.setattr(significance, "_DRAWN_AT_ONCE", 7 * len(np.unique(rows, axis=0)) + 3)
    assert (resampled_totals(rows, Bootstrap()) == whole).all()


def test_a_column_more_leaves_columns_on_the_same_draws():
    """What a comparison of two models needs: both scored on the same resamples."""
    rows = some_rows(50)
    doubled = resampled_totals(np.hstack([rows, rows]), Bootstrap())
    assert (doubled[:, :3] == doubled[:, 3:]).all() and (doubled[:, :3] == resampled_totals(rows, Bootstrap())).all()


def test_the_interval_of_an_average_is_that_of_a_resampler_that_draws_row_by_row():
    """Two corpora, of which the first annotates two types: drawn together within a corpus, apart between corpora."""
    first = np.stack([some_rows(150), some_rows(150, 2) + some_rows(150)], axis=1)
    second = some_rows(90, 3)[:, None]
    drawn = [brute_force(block.reshape(len(block), -1), 20_000, seed) for seed, block in enumerate((first, second))]
    f1 = [Counts(*map(int, totals)).f1 for part in drawn for totals in part.reshape(-1, 3)]
    means = np.concatenate([np.reshape(f1[:40_000], (-1, 2)), np.reshape(f1[40_000:], (-1, 1))], axis=1).mean(axis=1)
    found = macro_interval([first, second], Bootstrap(samples=20_000))
    assert found == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=2e-3)


def test_types_of_one_corpus_vary_together_and_corpora_by_themselves():
    rows = some_rows(200)
    alone = f1_interval(rows, Bootstrap(samples=4000))
    together = macro_interval([np.stack([rows, rows], axis=1)], Bootstrap(samples=4000))
    apart = macro_interval([rows[:, None], rows[:, None]], Bootstrap(samples=4000))
    assert together == alone
    assert (apart[1] - apart[0]) / (alone[1] - alone[0]) == pytest.approx(2**-0.5, rel=0.08)


def test_an_average_of_one_row_has_the_interval_of_that_row():
    rows = some_rows(40)
    assert macro_interval([rows[:, None]], Bootstrap()) == f1_interval(rows)


def test_what_has_no_gold_mention_is_no_part_of_the_interval():
    rows = some_rows(40)
    spurious = np.zeros_like(rows)
    spurious[:, 1] = 1
    assert macro_interval([np.stack([rows, spurious], axis=1)], Bootstrap()) == f1_interval(rows)
    assert macro_interval([rows[:, None], spurious[:, None]], Bootstrap()) == f1_interval(rows)
    assert macro_interval([spurious[:, None]], Bootstrap()) is macro_interval([], Bootstrap()) is None


def test_a_resample_without_a_rare_type_has_the_mean_of_the_others():
    rare, sure = np.zeros((60, 1, 3), int), np.array([[[1, 0, 0]]] * 60)
    rare[7, 0] = 0, 0, 1  # every third resample or so misses its only mention
    assert macro_interval([np.concatenate([sure, rare], axis=1)], Bootstrap()) == (0.5, 1.0)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.randoms(use_true_random=False))
def test_bounds_order_and_scale(rows, random):
    found = f1_interval(rows, Bootstrap(samples=200))
    shuffled = rows[random.sample(range(len(rows)), len(rows))]
    assert f1_interval(shuffled, Bootstrap(samples=200)) == found
    assert (found is None) == (not rows.any())
    if found is not None:
        assert 0.0 <= found[0] <= found[1] <= 1.0
        assert f1_interval(3 * rows, Bootstrap(samples=200)) == pytest.approx(found)  # F1 knows ratios alone


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_totals_are_sums_of_as_many_rows(rows):
    totals = resampled_totals(np.hstack([rows, np.ones((len(rows), 1), rows.dtype)]), Bootstrap(samples=100))
    assert (totals[:, 3] == len(rows)).all()
    assert (totals[:, :3] >= rows.min(axis=0) * len(rows)).all()
    assert (totals[:, :3] <= rows.max(axis=0) * len(rows)).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Bootstrap(level=95), "share between 0 and 1, such as 0.95; got 95"),
        (lambda: Bootstrap(samples=99), "99 resamples are too few"),
        (lambda: f1_interval(np.zeros((4, 2), int)), r"tp, fp and fn of every row; got shape \(4, 2\)"),
        (lambda: resampled_totals(np.zeros((0, 3), int), Bootstrap()), "at least one row"),
        (lambda: resampled_totals(np.array([[0.5]]), Bootstrap()), r"of counts.*float64"),
        (lambda: resampled_totals(np.array([[-1]]), Bootstrap()), "not below 0"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()

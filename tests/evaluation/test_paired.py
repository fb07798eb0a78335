"""Paired tests against published values, the paper's own formula, scipy, every resample there is, and their level."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hf_bionerkd.evaluation.entities import Counts
from hf_bionerkd.evaluation.paired import (
    TTest,
    document_f1,
    marks,
    paired_bootstrap,
    paired_macro_bootstrap,
    paired_t_test,
    pooled_by,
    rounded,
    two_tailed_probability,
)
from hf_bionerkd.evaluation.significance import Bootstrap

# Hours of sleep gained with one drug over another: Student 1908, The probable error of a mean, section IX.
SLEEP = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]


def two_models(documents, seed, gold=6, rates=(0.8, 0.8)):
    """Counts of two models that find each mention with these probabilities, and now and then one too many."""
    draw = np.random.default_rng(seed)
    mentions = draw.poisson(gold, documents)
    found = [draw.binomial(mentions, rate) for rate in rates]
    return [np.stack([tp, draw.poisson(1, documents), mentions - tp], axis=1) for tp in found]


def test_students_own_example():
    test = paired_t_test(SLEEP)
    assert test.pairs == 10
    assert test.t == pytest.approx(4.0621, abs=5e-5)
    assert test.p == pytest.approx(0.002833, abs=5e-7)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-1, 1).map(lambda d: round(d, 3)), min_size=2, max_size=40))
def test_statistic_is_the_formula_of_the_papers_footnote(d):
    n, total, squares = len(d), math.fsum(d), math.fsum(x * x for x in d)
    below = (n * squares - total**2) / (n - 1)
    assume(below > 1e-9)
    test, mirrored = paired_t_test(d), paired_t_test([-x for x in d])
    assert test.t == pytest.approx(total / math.sqrt(below), rel=1e-6, abs=1e-12)
    assert mirrored == TTest(-test.t, test.p, n)
    assert 0.0 <= test.p <= 1.0


@pytest.mark.parametrize(
    ("freedom", "five", "one"),
    [(1, 12.706, 63.657), (2, 4.303, 9.925), (10, 2.228, 3.169), (30, 2.042, 2.750), (120, 1.980, 2.617)],
)
def test_probabilities_are_those_of_printed_tables(freedom, five, one):
    half = 0.0005  # the tables' last digit is rounded
    for t, p in ((five, 0.05), (one, 0.01)):
        assert two_tailed_probability(t + half, freedom) < p < two_tailed_probability(half - t, freedom)


@pytest.mark.parametrize("t", [0.0, 1e-6, 0.3, 1.0, 2.5, 40.0, 1e6])
def test_probabilities_are_exact_where_there_is_a_closed_form(t):
    assert two_tailed_probability(t, 1) == pytest.approx(2 / math.pi * math.atan2(1, t), rel=1e-12)  # Cauchy
    tail = 2 / (math.sqrt(2 + t * t) * (math.sqrt(2 + t * t) + t))
    assert two_tailed_probability(t, 2) == pytest.approx(tail, rel=1e-12)


def test_probabilities_and_tests_are_scipys():
    stats = pytest.importorskip("scipy.stats", reason="scipy comes with seqeval, which only tests need")
    for freedom, t in itertools.product((1, 3, 9, 30, 499, 4796), (0.01, 0.4, 1.0, 1.96, 3.0, 8.0, 30.0)):
        assert two_tailed_probability(t, freedom) == pytest.approx(2 * stats.t.sf(t, freedom), rel=1e-9), (freedom, t)
    first, second = (document_f1(*two_models(80, 3))[:, side] for side in (0, 1))
    expected = stats.ttest_rel(second, first)
    assert paired_t_test(second - first).t == pytest.approx(expected.statistic)
    assert paired_t_test(second - first).p == pytest.approx(expected.pvalue)


def test_equal_models_are_not_different_and_a_constant_difference_is_certain():
    assert paired_t_test([0.0] * 5) == TTest(0.0, 1.0, 5)
    assert paired_t_test([0.25] * 5) == TTest(math.inf, 0.0, 5)
    assert paired_t_test([-0.25, -0.25]) == TTest(-math.inf, 0.0, 2)


def test_rows_of_a_document_are_summed():
    rows = np.arange(24, dtype=np.int32).reshape(4, 2, 3)
    pooled = pooled_by(["b", "a", "b", "c"], rows)
    assert pooled.tolist() == [(rows[0] + rows[2]).tolist(), rows[1].tolist(), rows[3].tolist()]
    assert pooled_by([], rows[:0]).shape == (0, 2, 3)


def test_documents_without_mentions_are_left_out_and_silence_there_is_right():
    first = np.array([[2, 1, 1], [0, 0, 0], [0, 2, 0], [0, 0, 0], [0, 0, 3]])
    second = np.array([[3, 0, 0], [0, 0, 0], [0, 0, 0], [0, 1, 0], [0, 1, 3]])
    assert document_f1(first, second).tolist() == [[Counts(2, 1, 1).f1, 1.0], [0.0, 1.0], [1.0, 0.0], [0.0, 0.0]]


def test_bootstrap_probability_is_that_of_all_resamples_there_are():
    first = np.array([[1, 0, 1], [2, 1, 0], [0, 1, 1], [3, 0, 0]])
    second = np.array([[2, 0, 0], [1, 1, 1], [1, 0, 0], [3, 1, 0]])

    def difference(chosen):
        return [Counts(*map(int, rows[list(chosen)].sum(axis=0))).f1 for rows in (first, second)]

    every = [difference(chosen) for chosen in itertools.product(range(4), repeat=4)]
    against = np.mean([after <= before for before, after in every])
    found = paired_bootstrap(first, second, Bootstrap(samples=50_000))
    assert found.difference == pytest.approx(Counts(7, 2, 1).f1 - Counts(6, 2, 2).f1)
    assert 0.05 < against < 0.45  # or the next line would compare nothing
    assert found.p == pytest.approx(2 * against, abs=0.01)
    ends = np.quantile([after - before for before, after in every], [0.025, 0.975])
    assert found.interval == pytest.approx(ends, abs=0.02)


def test_both_models_are_scored_on_the_same_resamples():
    """Two models that err in the same documents: each F1 is uncertain, their difference hardly."""
    hard = np.array([[0, 3, 9], [9, 0, 0]] * 20)
    better = hard + np.array([[1, 0, -1], [0, 0, 0]] * 20)
    found = paired_bootstrap(hard, better, Bootstrap())
    assert 0 < found.interval[0] < found.difference < found.interval[1] < 0.08
    assert found.p == pytest.approx(2 / 1001)


@settings(max_examples=60, deadline=None)
@given(arrays(np.int32, st.tuples(st.integers(1, 12), st.just(4)), elements=st.integers(0, 4)))
def test_bootstrap_turned_round_and_against_itself(drawn):
    assume(drawn[:, :2].any())
    tp, fp, other_fp = drawn[:, 0], drawn[:, 1], drawn[:, 2]
    gold = tp + drawn[:, 3]
    first = np.stack([tp, fp, gold - tp], axis=1)
    second = np.stack([gold - tp, other_fp, tp], axis=1)
    found, turned = paired_bootstrap(first, second, Bootstrap()), paired_bootstrap(second, first, Bootstrap())
    assert turned.difference == -found.difference
    assert 0.0 < found.p <= 1.0 and found.interval[0] <= found.interval[1]
    same = paired_bootstrap(first, first, Bootstrap())
    assert (same.difference, same.interval, same.p) == (0.0, (0.0, 0.0), 1.0)


def test_models_of_equal_quality_are_called_different_as_rarely_as_the_level_says():
    """Over many test sets, p < 0.05 in about 5 of 100 for equal models, and nearly always for unequal ones."""
    equal, unequal = [], []
    for seed in range(200):
        for found, rates in ((equal, (0.8, 0.8)), (unequal, (0.65, 0.8))):
            first, second = two_models(100, seed, rates=rates)
            test = paired_t_test(np.diff(document_f1(first, second), axis=1)[:, 0])
            found.append((test.p < 0.05, paired_bootstrap(first, second, Bootstrap(samples=200)).p < 0.05))
    for share in np.mean(equal, axis=0):
        assert 0.01 < share < 0.10
    for share in np.mean(unequal, axis=0):
        assert share > 0.9


def test_a_model_without_any_f1_gives_no_interval_of_use():
    silent, spurious = np.zeros((4, 3), int), np.array([[0, 1, 0]] * 4)
    found = paired_bootstrap(silent, spurious, Bootstrap())
    assert (found.difference, found.interval, found.p) == (0.0, (0.0, 0.0), 1.0)


def test_marks_and_rounding():
    assert [marks(p) for p in (0.0, 0.0099, 0.01, 0.0499, 0.05, 1.0)] == ["**", "**", "*", "*", "", ""]
    assert [rounded(p) for p in (0.0, 9.9e-5, 1e-4, 0.05, 1.0)] == ["<0.0001", "<0.0001", "0.0001", "0.0500", "1.0000"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: paired_t_test([]), "at least two pairs, got 0"),
        (lambda: paired_t_test([0.3]), "at least two pairs, got 1"),
        (lambda: paired_t_test([0.3, math.nan]), "pair 1 has no finite difference"),
        (lambda: pooled_by(["a"], np.zeros((2, 3), int)), "1 names of documents for 2 rows"),
        (lambda: document_f1(np.zeros((2, 3), int), np.zeros((3, 3), int)), r"shapes \(2, 3\) and \(3, 3\)"),
        (lambda: document_f1(np.zeros((2, 2), int), np.zeros((2, 2), int)), "with tp, fp and fn"),
        (
            lambda: paired_bootstrap(np.array([[1, 0, 0], [1, 0, 1]]), np.array([[1, 0, 0], [1, 0, 0]]), Bootstrap()),
            "document 1: the two models were scored against different numbers of gold mentions",
        ),
        (lambda: paired_bootstrap(*[np.zeros((2, 3), int)] * 2, Bootstrap()), "no document has a mention"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_averages_are_compared_as_by_a_resampler_that_draws_document_by_document():
    """Two corpora, of which the first has two types; both models on the same draws."""
    first, second = (
        [np.stack([some_documents(60, s), some_documents(60, s + 1)], axis=1) for s in (1, 5)] for _ in "ab"
    )
    second[0] = better(second[0])
    draw = np.random.default_rng(0)
    means = []
    for _ in range(4000):
        scores = []
        for one, other in zip(first, second, strict=True):
            rows = draw.integers(len(one), size=len(one))
            for counts in (one, other):
                scores.append([Counts(*map(int, total)).f1 for total in counts[rows].sum(axis=0)])
        means.append(np.mean([scores[1], scores[3]]) - np.mean([scores[0], scores[2]]))
    found = paired_macro_bootstrap(zip(first, second, strict=True), Bootstrap(samples=4000))
    assert found.interval == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=4e-3)
    f1 = [[Counts(*map(int, c)).f1 for part in model for c in part.sum(axis=0)] for model in (first, second)]
    assert found.difference == pytest.approx(np.mean(f1[1]) - np.mean(f1[0]))


def some_documents(n, seed):
    draw = np.random.default_rng(seed)
    return np.stack([draw.poisson(0.9, n), draw.poisson(0.2, n), draw.poisson(0.5, n)], axis=1)


def better(counts):
    """The same gold mentions, of which a missed one is found in every second document that has one."""
    found = counts.copy()
    moved = np.arange(len(counts))[:, None] % 2 * np.minimum(counts[:, :, 2], 1)
    found[:, :, 0] += moved
    found[:, :, 2] -= moved
    return found


def test_an_average_of_one_type_is_compared_as_that_type_and_types_without_gold_change_nothing():
    first = some_documents(50, 1)
    second = better(first[:, None])[:, 0]
    alone = paired_bootstrap(first, second, Bootstrap())
    assert paired_macro_bootstrap([(first[:, None], second[:, None])], Bootstrap()) == alone
    spurious = np.zeros_like(first)
    spurious[:, 1] = 1
    pair = (np.stack([first, 0 * first], axis=1), np.stack([second, spurious], axis=1))
    assert paired_macro_bootstrap([pair], Bootstrap()) == alone
    assert paired_macro_bootstrap([(0 * first[:, None], spurious[:, None])], Bootstrap()) is None

"""Entity scores against seqeval, against scores worked out by hand, and on illegal input."""

import random
import subprocess
import sys
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import precision_recall_fscore_support as seqeval_lenient
from seqeval.metrics.v1 import precision_recall_fscore_support as seqeval_strict
from seqeval.scheme import IOB1, IOB2, IOBES, Entities

from hf_bionerkd.evaluation.entities import Counts, EntityScorer, average, score_spans, score_tags
from hf_bionerkd.labels import LabelSpace, spans_to_tags, tags_to_spans

TYPES = ("Disease", "Gene", "Cell-Line")
# On tags without B-, IOB1 reads every run of I- tags of one type as a mention: that is IO.
SEQEVAL_SCHEMES = {"BIO": IOB2, "IO": IOB1, "IOBES": IOBES}


def random_rows(scheme: str, seed: int, rows: int = 1500) -> list[list[str]]:
    """Tags drawn one by one, so most rows hold illegal transitions; some rows are empty, few tags are `O`."""
    chance = random.Random(seed)
    labels = list(LabelSpace(TYPES, scheme).labels)
    lengths = [chance.randrange(13) for _ in range(rows)]
    return [chance.choices(labels, [1] * (len(labels) - 1) + [3], k=length) for length in lengths]


def disturb(rows: list[list[str]], scheme: str, seed: int) -> list[list[str]]:
    """Predictions that agree with the rows in three tags of four."""
    chance = random.Random(seed)
    labels = list(LabelSpace(TYPES, scheme).labels)
    return [[tag if chance.random() < 0.75 else chance.choice(labels) for tag in row] for row in rows]


def seqeval_scores(gold, predicted, mode, scheme, average=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if mode == "strict":
            return seqeval_strict(gold, predicted, average=average, scheme=SEQEVAL_SCHEMES[scheme])
        return seqeval_lenient(gold, predicted, average=average)


@pytest.mark.parametrize("scheme", ["BIO", "IO", "IOBES"])
@pytest.mark.parametrize("mode", ["strict", "lenient"])
@pytest.mark.parametrize("seed", [1, 2])
def test_equals_seqeval_on_random_sequences(mode, scheme, seed):
    gold = random_rows(scheme, seed)
    predicted = disturb(gold, scheme, seed + 100)
    scores = score_tags(gold, predicted, TYPES, mode, scheme)
    expected = seqeval_scores(gold, predicted, mode, scheme)
    for name, precision, recall, f1, support in zip(sorted(TYPES), *expected, strict=True):
        counts = scores.per_type[name]
        assert (counts.precision, counts.recall, counts.f1, counts.support) == (precision, recall, f1, support)
        assert 0 < counts.tp < support  # neither all right nor all wrong: the comparison can tell
    micro = scores.micro
    expected = seqeval_scores(gold, predicted, mode, scheme, "micro")
    assert (micro.precision, micro.recall, micro.f1, micro.support) == expected
    assert scores.macro_f1 == pytest.approx(seqeval_scores(gold, predicted, mode, scheme, "macro")[2], abs=1e-15)


@pytest.mark.parametrize("scheme", ["BIO", "IOBES"])
def test_strict_and_lenient_differ_on_these_sequences(scheme):
    gold = random_rows(scheme, 1, 200)
    assert score_tags(gold, gold, TYPES, "strict", scheme) != score_tags(gold, gold, TYPES, "lenient", scheme)


@settings(deadline=None)
@given(st.data(), st.sampled_from(["BIO", "IOBES"]))
def test_strict_spans_of_one_sequence_equal_seqevals(data, scheme):
    tags = data.draw(st.lists(st.sampled_from(LabelSpace(TYPES[:2], scheme).labels), max_size=12))
    expected = {(e.start, e.end, e.tag) for e in Entities([tags], SEQEVAL_SCHEMES[scheme]).entities[0]}
    assert set(tags_to_spans(tags, scheme, "drop")) == expected


@pytest.mark.corpora
def test_equals_seqeval_on_a_real_corpus(corpora_dir):
    text = (corpora_dir / "conll" / "NCBI-disease" / "test.tsv").read_text(encoding="utf-8")
    gold = [[line.split("\t")[-1] for line in block.splitlines()] for block in text.strip().split("\n\n")]
    chance = random.Random(3)
    predicted = [[chance.choice(["O", "I-Disease"]) if chance.random() < 0.05 else t for t in row] for row in gold]
    for mode in ("strict", "lenient"):
        counts = score_tags(gold, predicted, ["Disease"], mode).per_type["Disease"]
        expected = [column[0] for column in seqeval_scores(gold, predicted, mode, "BIO")]
        assert [counts.precision, counts.recall, counts.f1, counts.support] == expected
        assert counts.support == 960  # the published number of test mentions
        assert 0.5 < counts.f1 < 1


def test_worked_example():
    gold = [[(0, 2, "Disease"), (4, 5, "Gene")], [(1, 3, "Disease")]]
    predicted = [[(0, 2, "Disease"), (4, 5, "Disease")], [(1, 2, "Disease")]]
    scores = score_spans(gold, predicted, ["Disease", "Gene"])
    assert scores.per_type == {"Disease": Counts(1, 2, 1), "Gene": Counts(0, 0, 1)}
    assert scores.per_type["Disease"].precision == pytest.approx(1 / 3)
    assert scores.per_type["Disease"].recall == 0.5
    assert scores.per_type["Disease"].f1 == pytest.approx(0.4)
    assert scores.micro == Counts(1, 2, 2)
    assert scores.macro_f1 == pytest.approx(0.2)


def test_neighbours_that_only_touch_never_match():
    scores = score_spans([[(0, 5, "Gene")]], [[(5, 9, "Gene")]], ["Gene"])
    assert scores.micro == Counts(tp=0, fp=1, fn=1)


def test_the_same_span_in_another_row_does_not_match():
    assert score_spans([[(0, 1, "Gene")], []], [[], [(0, 1, "Gene")]], ["Gene"]).micro == Counts(0, 1, 1)


def test_predictions_of_types_that_a_corpus_does_not_annotate_are_counted_apart():
    gold = [[(0, 1, "Disease"), (2, 3, "Species")]]
    predicted = [[(0, 1, "Disease"), (1, 2, "Gene"), (2, 3, "Chemical"), (4, 5, "Gene")]]
    scores = score_spans(gold, predicted, ["Disease"])
    assert scores.micro == Counts(1, 0, 0)
    assert scores.other_types == 3


def test_zero_division_is_zero():
    nothing = Counts()
    assert (nothing.precision, nothing.recall, nothing.f1, nothing.support) == (0.0, 0.0, 0.0, 0)
    assert (Counts(fp=3).precision, Counts(fn=3).recall) == (0.0, 0.0)
    assert score_spans([], [], ["Gene"]).macro_f1 == 0.0


def test_as_dict_is_plain_json():
    assert score_spans([[(0, 1, "Gene")]], [[(0, 1, "Gene"), (1, 2, "Other")]], ["Gene"]).as_dict() == {
        "per_type": {"Gene": {"tp": 1, "fp": 0, "fn": 0, "precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 1}},
        "micro": {"tp": 1, "fp": 0, "fn": 0, "precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 1},
        "macro_f1": 1.0,
        "without_gold": [],
        "other_types": 1,
    }


def test_a_type_without_gold_mentions_is_no_part_of_the_macro_average():
    """As if it had never been asked for, whether something is predicted there or not."""
    gold = [[(0, 1, "Gene"), (2, 3, "Gene"), (4, 5, "Disease")]]
    predicted = [[(0, 1, "Gene"), (4, 5, "Disease"), (6, 7, "Species")]]
    asked = score_spans(gold, predicted, ["Gene", "Disease"])
    for more in (["Chemical"], ["Species"], ["Chemical", "Species"]):
        scores = score_spans(gold, predicted, ["Gene", "Disease", *more])
        assert scores.macro_f1 == asked.macro_f1 == pytest.approx((2 / 3 + 1) / 2)
        assert scores.without_gold == tuple(more) and scores.as_dict()["without_gold"] == more
    # A wrong prediction there still counts where mentions are pooled.
    assert score_spans(gold, predicted, ["Gene", "Species"]).micro.fp == 1


def test_an_average_says_what_it_left_out_and_of_nothing_tells_nothing():
    mean = average([Counts(1, 1, 1), Counts(fp=4), Counts(), Counts(fn=2)])
    assert (mean.precision, mean.recall, mean.f1) == (0.25, 0.25, 0.25)
    assert (mean.rows, mean.left_out, mean.described) == (2, 2, "2 of 4")
    assert average([Counts(1)]).described == "1" and "f1_interval" not in average([Counts(1)]).as_dict()
    nothing = average([Counts(fp=1)], (0.1, 0.2))
    assert (nothing.f1, nothing.rows, nothing.left_out) == (0.0, 0, 1)
    assert nothing.as_dict()["f1_interval"] == [0.1, 0.2]


spans = st.sets(
    st.tuples(st.integers(0, 5), st.integers(1, 3), st.sampled_from(TYPES)).map(lambda t: (t[0], t[0] + t[1], t[2]))
)


@settings(deadline=None)
@given(st.lists(st.tuples(spans, spans), max_size=6))
def test_adding_row_by_row_equals_scoring_at_once_and_brute_force(rows):
    scorer = EntityScorer(TYPES[:2])
    for gold, predicted in rows:
        scorer.add(gold, predicted)
    assert scorer.scores() == score_spans([g for g, _ in rows], [p for _, p in rows], TYPES[:2])
    for name in TYPES[:2]:
        pairs = [(g, p) for gold, predicted in rows for g in gold for p in predicted if g == p and g[2] == name]
        counts = scorer.scores().per_type[name]
        assert counts.tp == len(pairs)
        assert counts.support == sum(span[2] == name for gold, _ in rows for span in gold)
        assert counts.tp + counts.fp == sum(span[2] == name for _, predicted in rows for span in predicted)


def test_tags_and_spans_give_the_same_scores():
    gold, predicted = [(0, 2, "Gene"), (2, 3, "Gene")], [(0, 2, "Gene"), (2, 4, "Gene")]
    for scheme in ("BIO", "IOBES"):
        tags = ([spans_to_tags(gold, 5, scheme)], [spans_to_tags(predicted, 5, scheme)])
        assert score_tags(*tags, ["Gene"], scheme=scheme) == score_spans([gold], [predicted], ["Gene"])


@pytest.mark.parametrize(
    ("gold", "predicted", "message"),
    [
        ([["O"], ["O", "O"]], [["O"], ["O"]], "row 1: 2 gold tags but 1 predicted tags"),
        ([["O"]], [["O"], ["O"]], "row 1 has no gold side"),
        ([["O"], ["O"]], [["O"]], "row 1 has no predicted side"),
        ([["O", "B"]], [["O", "O"]], "row 0, gold, word 1: 'B' is not a tag of scheme BIO"),
        ([["O"]], [["E-Gene"]], "row 0, predicted, word 0: 'E-Gene' is not a tag of scheme BIO; expected O, B-<type>"),
        ([["O"]], [["O-Gene"]], "'O-Gene' is not a tag"),
        ([["B-"]], [["O"]], "'B-' is not a tag"),
    ],
)
def test_bad_rows_are_named(gold, predicted, message):
    with pytest.raises(ValueError, match=message):
        score_tags(gold, predicted, ["Gene"])


def test_bad_settings_are_named():
    with pytest.raises(ValueError, match="unknown scoring mode 'exact': use one of strict, lenient"):
        score_tags([], [], ["Gene"], mode="exact")
    with pytest.raises(ValueError, match="unknown tag scheme 'IOB'"):
        score_tags([], [], ["Gene"], scheme="IOB")
    for types in ([], ["Gene", "Gene"], "Gene"):
        with pytest.raises(ValueError, match="list of distinct entity types"):
            EntityScorer(types)


@pytest.mark.parametrize("module", ["hf_bionerkd.evaluation.entities", "hf_bionerkd.evaluation.report"])
def test_importing_loads_no_torch(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules or 'evaluate' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

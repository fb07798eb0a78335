import numpy as np
import pytest
import tiny
from datasets import Dataset

from hf_bionerkd.data.joining import join_corpora
from hf_bionerkd.evaluation.entities import Counts, score_spans
from hf_bionerkd.evaluation.report import Result, macro_averages
from hf_bionerkd.evaluation.significance import Bootstrap, f1_interval, macro_interval
from hf_bionerkd.inference.outputs import SentenceSpans
from hf_bionerkd.labels import LabelSpace, tags_to_spans
from hf_bionerkd.processes import Processes
from hf_bionerkd.runs.loading import named_types
from hf_bionerkd.training.evaluator import MentionEvaluator, trainer_metrics

SPACE = LabelSpace(("Disease", "Chemical", "Gene"))


@pytest.fixture(scope="module")
def evaluator(corpora):
    return MentionEvaluator(join_corpora(corpora, "train", SPACE), SPACE, named_types(corpora))


def guess(words, space=SPACE):
    """Scores that depend on the words and are often illegal as a sequence."""
    seeds = [sum(word.encode()) + len(space) for word in words]
    return np.array([np.random.default_rng(seed).random(len(space)) for seed in seeds]).reshape(-1, len(space))


class Guessing:
    """A tagger that decides by words alone; `tags` may decide otherwise."""

    def __init__(self, space=SPACE, tags=None):
        self.space, self.types = space, space.types
        self.tags = tags or (lambda words: guess(words, space).argmax(axis=1))

    def spans(self, sentences):
        labels = [[self.space.labels[tag] for tag in self.tags(words)] for words in sentences]
        readings = ("drop", "start")
        return [
            SentenceSpans(*(tags_to_spans(tags, self.space.scheme, orphans) for orphans in readings))
            for tags in labels
        ]


guessing = Guessing()


def expected(rows, corpora, mode, space=SPACE):
    """Corpus by corpus with `evaluation.score_spans`, written out independently."""
    found = {}
    for index, corpus in enumerate(corpora):
        types = [kind for kind in corpus.types if kind in space.types]
        gold, predicted = [], []
        for row in rows:
            if row["corpus"] == index and types:
                gold.append(tags_to_spans([SPACE.labels[i] for i in row["labels"]]))
                tags = [space.labels[i] for i in guess(row["tokens"], space).argmax(axis=1)]
                predicted.append(tags_to_spans(tags, space.scheme, "drop" if mode == "strict" else "start"))
        if types:
            scores = score_spans(gold, predicted, types).per_type
            found |= {(corpus.name, kind): scores[kind] for kind in types}
    return found


@pytest.mark.parametrize("mode", ["strict", "lenient"])
def test_counts_equal_those_of_score_spans_pain_17(evaluator, corpora, mode):
    found = getattr(evaluator("m", guessing, chunk=5), mode)
    assert {(r.corpus, r.type): r.counts for r in found} == expected(evaluator.rows, corpora, mode)
    assert [(r.model, r.corpus, r.type) for r in found] == [
        ("m", "dis", "Disease"),
        ("m", "chem", "Chemical"),
        ("m", "both", "Gene"),
        ("m", "both", "Chemical"),
    ]


def test_strict_and_lenient_differ_where_predictions_are_illegal_pain_17(evaluator):
    found = evaluator("m", guessing)
    assert [r.counts for r in found.strict] != [r.counts for r in found.lenient]


def test_a_teacher_is_scored_on_its_own_types_only(evaluator, corpora):
    space = LabelSpace(("Chemical",))
    found = evaluator("t", Guessing(space)).strict
    assert [(r.corpus, r.type) for r in found] == [("chem", "Chemical"), ("both", "Chemical")]
    assert {(r.corpus, r.type): r.counts for r in found} == expected(evaluator.rows, corpora, "strict", space)


def test_gold_labels_score_one(evaluator):
    by_words = {tuple(row["tokens"]): row["labels"] for row in evaluator.rows}
    gold = [Guessing(tags=lambda words: by_words[tuple(words)]) for _ in evaluator.corpora]
    rows = evaluator.rows.filter(lambda row: by_words[tuple(row["tokens"])] == row["labels"])
    found = MentionEvaluator(rows, SPACE, evaluator.corpora)("m", gold).strict
    assert all(r.counts == Counts(r.counts.support) and r.counts.support for r in found)


def test_each_corpus_may_be_asked_in_its_own_way(evaluator):
    asked = []

    def way(index):
        def tags(words):
            asked.append(index)
            return guess(words).argmax(axis=1)

        return Guessing(tags=tags)

    found = evaluator("m", [way(index) for index in range(3)])
    assert asked == sorted(evaluator.rows["corpus"])
    assert found == evaluator("m", guessing)


def shared(evaluator, processes, **options):
    """What several processes find together, one after the other here: each reduces to the sum of all their arrays."""
    recorded = []
    for index in range(processes):
        own = []
        evaluator(
            "m",
            guessing,
            processes=Processes(index, processes, reduce=lambda a, own=own: own.append(a.copy()) or a),
            **options,
        )
        recorded.append(own)
    sums = [sum(parts[1:], parts[0]) for parts in zip(*recorded, strict=True)]
    found = []
    for index in range(processes):
        left = iter(sums)
        found.append(
            evaluator(
                "m",
                guessing,
                processes=Processes(index, processes, reduce=lambda a, left=left: next(left)),
                **options,
            )
        )
    assert recorded[0][0].tolist() != sums[0].tolist()  # no process saw all rows
    return found


@pytest.mark.parametrize("bootstrap", [None, Bootstrap(samples=300)])
@pytest.mark.parametrize("processes", [2, 3, 11])
def test_processes_share_the_rows_and_find_the_same(evaluator, processes, bootstrap):
    whole = evaluator("m", guessing, bootstrap=bootstrap)
    for found in shared(evaluator, processes, bootstrap=bootstrap, chunk=2):
        assert found == whole  # counts and, where asked for, intervals, to the last bit


def test_intervals_are_those_of_the_rows_of_each_corpus(evaluator, corpora):
    """Counts row by row come from `score_spans`, one row at a time."""
    how = Bootstrap(samples=500)
    found = evaluator("m", guessing, bootstrap=how, chunk=5)
    for mode in ("strict", "lenient"):
        for result in getattr(found, mode):
            index = [corpus.name for corpus in corpora].index(result.corpus)
            rows = [evaluator.rows.select([i]) for i, c in enumerate(evaluator.rows["corpus"]) if c == index]
            of_rows = [expected(row, corpora[: index + 1], mode)[result.corpus, result.type] for row in rows]
            assert sum(of_rows, Counts()) == result.counts
            assert f1_interval(np.array([[c.tp, c.fp, c.fn] for c in of_rows]), how) == result.interval
            assert result.interval[0] <= result.counts.f1 <= result.interval[1]


def test_averages_have_intervals_over_the_rows_of_all_corpora(evaluator):
    how = Bootstrap(samples=500)
    found = evaluator("m", guessing, bootstrap=how)
    of = np.asarray(evaluator.rows["corpus"][:])
    for place, (mode, intervals) in enumerate(
        [("strict", found.strict_intervals), ("lenient", found.lenient_intervals)]
    ):
        blocks = [
            evaluator.count_rows(np.flatnonzero(of == index), guessing, types)[place]
            for index, (_, types) in enumerate(evaluator.corpora)
        ]
        assert intervals == {"m": macro_interval(blocks, how)}
        assert intervals["m"][0] <= macro_averages(getattr(found, mode))["m"].f1 <= intervals["m"][1]


def test_teachers_scored_together_have_an_interval_of_their_mean(evaluator):
    """Those of one corpus are drawn on the same rows: two equal ones vary as one alone."""
    how = Bootstrap(samples=500)
    one, other = (Guessing(LabelSpace((kind,))) for kind in ("Disease", "Chemical"))
    alone = evaluator("teacher a", one, bootstrap=how)
    twice = evaluator.together({"teacher a": one, "teacher b": one}, bootstrap=how)
    assert twice.strict_intervals == alone.strict_intervals and set(alone.strict_intervals) == {"mean teacher"}
    assert [r.model for r in twice.strict] == ["teacher a", "teacher b"]
    both = evaluator.together({"teacher a": one, "teacher c": other}, bootstrap=how)
    assert both.strict == alone.strict + evaluator("teacher c", other, bootstrap=how).strict
    low, high = both.strict_intervals["mean teacher"]
    assert low <= macro_averages(both.strict)["mean teacher"].f1 <= high


def test_what_selects_an_epoch_leaves_out_types_without_gold_mentions():
    results = [Result("m", "A", "Gene", Counts(1, 1, 1)), Result("m", "A", "Species", Counts(fp=2))]
    metrics = trainer_metrics(results, "eval")
    assert metrics["eval_f1"] == 0.5 and metrics["eval_left_out"] == 1
    assert "eval_left_out" not in trainer_metrics(results[:1], "eval")


def test_without_asking_there_are_no_intervals_and_little_is_exchanged(evaluator):
    sizes = []
    found = evaluator("m", guessing, processes=Processes(reduce=lambda counts: sizes.append(counts.size) or counts))
    assert {result.interval for results in (found.strict, found.lenient) for result in results} == {None}
    assert sizes == [6, 6, 12]  # two modes, three counts, one type or two


def test_a_document_of_20000_words_is_scored(corpora):
    words = [word for sentence in tiny.tokens(3000) for word in sentence][:20_000]
    rows = join_corpora(corpora, "test", SPACE).select(range(1))
    labels = [i % len(SPACE) for i in range(20_000)]
    long = rows.map(lambda _: {"tokens": words, "labels": labels})
    (result,) = MentionEvaluator(long, SPACE, named_types(corpora)[:1])("m", guessing).strict
    assert result.counts.support == labels.count(SPACE.label2id["B-Disease"])


def test_mentions_that_touch_masked_words_are_neither_right_nor_wrong():
    space = LabelSpace(("Gene",))
    begin, inside, outside, masked = 0, 1, 2, -100
    rows = Dataset.from_dict(
        {
            "id": ["x"],
            "tokens": [list("abcdefg")],
            "labels": [[begin, outside, masked, begin, masked, inside, begin]],
            "corpus": [0],
        }
    )

    class Tagger:
        types = ("Gene",)

        def spans(self, sentences):
            found = [(0, 1, "Gene"), (1, 3, "Gene"), (3, 4, "Gene"), (4, 5, "Gene"), (5, 6, "Gene")]
            return [SentenceSpans(found, found) for _ in sentences]

    (result,) = MentionEvaluator(rows, space, [("toy", ("Gene",))])("m", Tagger()).strict
    # (0, 1) is right, (6, 7) missed; of (1, 3) and (4, 5) nobody knows; gold (3, 6) goes on over a masked word.
    assert (result.counts.tp, result.counts.fp, result.counts.fn) == (1, 2, 1)

import itertools
import math
import subprocess
import sys
from decimal import Decimal, getcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hf_bionerkd.labels import LabelError, LabelSpace
from hf_bionerkd.teachers.aggregation import Aggregator, TeacherTypes

DISEASE, GENE, DRUG = "disease", "gene", "drug"
SPACE = LabelSpace((DISEASE, GENE, DRUG))
SINGLE = [TeacherTypes(f"T-{name}", (name,)) for name in SPACE.types]
PAPER = [[0.8, 0.1, 0.1], [0.05, 0.05, 0.9], [0.1, 0.1, 0.8]]
PRINTED = [0.684, 0.0855, 0.009, 0.0405, 0.019, 0.0855, 0.072]


def log(probabilities):
    with np.errstate(divide="ignore"):
        return np.log(np.asarray(probabilities, dtype=np.float64))


def one_word(distributions):
    return [log([distribution]) for distribution in distributions]


def random_distributions(rng, teachers, words):
    return [rng.dirichlet(np.full(2 * len(t.types) + 1, 0.6), size=words) for t in teachers]


def enumerate_joint(space, teachers, distributions, method):
    """One word: every combination of what the teachers say, its probability added to each event it belongs to."""
    result = dict.fromkeys(space.labels, 0.0)
    labels = [LabelSpace(t.types).labels for t in teachers]
    for said in itertools.product(*(range(len(names)) for names in labels)):
        probability = math.prod(d[k] for d, k in zip(distributions, said, strict=True))
        words = [names[k] for names, k in zip(labels, said, strict=True)]
        if set(words) == {"O"}:
            result["O"] += probability
        for position, label in enumerate(words):
            others = words[:position] + words[position + 1 :]
            clash = any(w[0] == label[0] for w in others) if method == "events" else any(w != "O" for w in others)
            if label != "O" and not clash:
                result[label] += probability
    return np.array([result[label] for label in space.labels])


def test_the_papers_worked_example():
    aggregate = Aggregator(SPACE, SINGLE, normalise="none")
    np.testing.assert_allclose(np.exp(aggregate.log_events(one_word(PAPER)))[0], PRINTED, atol=1e-9, rtol=0)
    targets, no_mass = aggregate(one_word(PAPER))
    assert targets.dtype == np.float32 and targets.shape == (1, 7) and no_mass == 0
    np.testing.assert_array_equal(targets[0], np.array(PRINTED, dtype=np.float32))


def test_normalisations_of_the_worked_example():
    printed = np.array(PRINTED)
    assert printed.sum() == pytest.approx(0.9955)
    by_sum, _ = Aggregator(SPACE, SINGLE)(one_word(PAPER))
    np.testing.assert_allclose(by_sum[0], printed / 0.9955, rtol=1e-6)
    by_softmax, _ = Aggregator(SPACE, SINGLE, normalise="softmax")(one_word(PAPER))
    np.testing.assert_allclose(by_softmax[0], np.exp(printed) / np.exp(printed).sum(), rtol=1e-6)


def test_softmax_caps_the_target_of_certain_teachers():
    certain = one_word([[0, 0, 1]] * 3)
    targets, _ = Aggregator(SPACE, SINGLE, normalise="softmax")(certain)
    assert targets[0, -1] == pytest.approx(math.e / (math.e + 6))
    assert Aggregator(SPACE, SINGLE)(certain)[0].tolist() == [[0, 0, 0, 0, 0, 0, 1]]


def test_exclusive_worked_by_hand():
    events = np.exp(Aggregator(SPACE, SINGLE, "exclusive").log_events(one_word(PAPER)))[0]
    expected = [0.8 * 0.9 * 0.8, 0.1 * 0.9 * 0.8, 0.1 * 0.05 * 0.8, 0.1 * 0.05 * 0.8, 0.1 * 0.9 * 0.1, 0.009, 0.072]
    np.testing.assert_allclose(events, expected, atol=1e-12)


TEACHER_SETS = {
    "single types": SINGLE,
    "one teacher of all": [TeacherTypes("all", (GENE, DRUG, DISEASE))],
    "two types and one": [TeacherTypes("two", (DRUG, DISEASE)), TeacherTypes("one", (GENE,))],
}


@pytest.mark.parametrize("teachers", TEACHER_SETS.values(), ids=TEACHER_SETS)
@pytest.mark.parametrize("method", ["events", "exclusive"])
def test_agrees_with_enumeration_of_joint_events(teachers, method):
    distributions = random_distributions(np.random.default_rng(3), teachers, words=40)
    aggregate = Aggregator(SPACE, teachers, method)
    events = np.exp(aggregate.log_events([log(d) for d in distributions]))
    targets, no_mass = aggregate([log(d) for d in distributions])
    assert no_mass == 0
    for word in range(40):
        expected = enumerate_joint(SPACE, teachers, [d[word] for d in distributions], method)
        np.testing.assert_allclose(events[word], expected, rtol=1e-10, atol=1e-15)
        np.testing.assert_allclose(targets[word], expected / expected.sum(), rtol=1e-6, atol=1e-9)


def test_enumeration_with_four_teachers_of_several_types():
    space = LabelSpace(tuple("abcdef"))
    teachers = [TeacherTypes("1", ("f", "a")), TeacherTypes("2", ("c",)), TeacherTypes("3", ("b", "e")),
                TeacherTypes("4", ("d",))]  # fmt: skip
    distributions = random_distributions(np.random.default_rng(5), teachers, words=6)
    for method in ("events", "exclusive"):
        events = np.exp(Aggregator(space, teachers, method).log_events([log(d) for d in distributions]))
        for word in range(6):
            expected = enumerate_joint(space, teachers, [d[word] for d in distributions], method)
            np.testing.assert_allclose(events[word], expected, rtol=1e-10, atol=1e-15)


def combined(combine, pairs):
    """(B, I, rest) of several teachers of one type, written out; `pairs` holds (distribution, weight)."""
    if combine == "geometric":
        product = [math.prod(d[k] for d, _ in pairs) ** (1 / len(pairs)) for k in range(3)]
        return [value / sum(product) for value in product]
    weights = [w if combine == "weights" else 1.0 for _, w in pairs]
    return [sum(d[k] * w for (d, _), w in zip(pairs, weights, strict=True)) / sum(weights) for k in range(3)]


@pytest.mark.parametrize("combine", ["mean", "geometric", "weights"])
@pytest.mark.parametrize("method", ["events", "exclusive"])
def test_several_teachers_of_one_type(combine, method):
    teachers = [TeacherTypes("d1", (DISEASE,), 0.9), TeacherTypes("g", (GENE,)), TeacherTypes("d2", (DISEASE,), 0.3),
                TeacherTypes("c", (DRUG,))]  # fmt: skip
    distributions = random_distributions(np.random.default_rng(7), teachers, words=20)
    events = np.exp(Aggregator(SPACE, teachers, method, combine=combine).log_events([log(d) for d in distributions]))
    for word in range(20):
        d1, gene, d2, drug = (d[word] for d in distributions)
        acting = [combined(combine, [(d1, 0.9), (d2, 0.3)]), gene, drug]
        expected = enumerate_joint(SPACE, SINGLE, acting, method)
        np.testing.assert_allclose(events[word], expected, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("combine", ["mean", "geometric", "weights"])
def test_overlap_reaches_through_a_third_teacher(combine):
    """ab and bc share b, so a, b and c each become a teacher of one type; de shares nothing and stays whole."""
    space = LabelSpace(tuple("abcde"))
    teachers = [TeacherTypes("ab", ("a", "b"), 2.0), TeacherTypes("de", ("d", "e")), TeacherTypes("bc", ("b", "c"))]
    distributions = random_distributions(np.random.default_rng(11), teachers, words=10)
    events = np.exp(Aggregator(space, teachers, combine=combine).log_events([log(d) for d in distributions]))
    acting_teachers = [TeacherTypes(n, (n,)) for n in "abc"] + [teachers[1]]
    for word in range(10):
        ab, de, bc = (d[word] for d in distributions)
        of_a = [ab[0], ab[1], ab[2:].sum()]
        of_b = combined(combine, [([ab[2], ab[3], 1 - ab[2] - ab[3]], 2.0), ([bc[0], bc[1], bc[2:].sum()], 1.0)])
        of_c = [bc[2], bc[3], 1 - bc[2] - bc[3]]
        expected = enumerate_joint(space, acting_teachers, [of_a, of_b, of_c, de], "events")
        np.testing.assert_allclose(events[word], expected, rtol=1e-9, atol=1e-15)


def test_weights_matter_only_when_asked_for():
    teachers = [TeacherTypes("a", (GENE,), 3.0), TeacherTypes("b", (GENE,), 1.0)]
    said = one_word([[1, 0, 0], [0, 0, 1]])
    space = LabelSpace((GENE,))
    np.testing.assert_allclose(Aggregator(space, teachers)(said)[0], [[0.5, 0, 0.5]])
    np.testing.assert_allclose(Aggregator(space, teachers, combine="weights")(said)[0], [[0.75, 0, 0.25]])


def test_teachers_of_equal_types_are_averaged_whole():
    """.45/.45/.10 of two types stay so; reduced to (B, I, rest) type by type they would become .31/.31/.38."""
    space = LabelSpace((DISEASE, GENE))
    said = log([[0.45, 0.0, 0.45, 0.0, 0.1]])
    one, two = TeacherTypes("one", (DISEASE, GENE)), TeacherTypes("two", (DISEASE, GENE))
    np.testing.assert_allclose(Aggregator(space, [one])([said])[0], np.exp(said))
    np.testing.assert_allclose(Aggregator(space, [one, two])([said, said])[0], np.exp(said))
    # The same types in another order, and another opinion: the mean of both.
    other = TeacherTypes("other", (GENE, DISEASE))
    targets, _ = Aggregator(space, [one, other])([said, log([[0.1, 0.2, 0.3, 0.0, 0.4]])])
    np.testing.assert_allclose(targets, [[0.375, 0.0, 0.275, 0.1, 0.25]], rtol=1e-6)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_the_same_teacher_twice_changes_no_target(data):
    """Whatever the teachers share, and also where they contradict each other."""
    types = tuple("abcd"[: data.draw(st.integers(1, 4))])
    subsets = st.lists(st.sampled_from(types), min_size=1, unique=True).map(tuple)
    covered = data.draw(st.lists(subsets, min_size=1, max_size=4)) + [(name,) for name in types]
    # Of those that cover the same, only what they come from tells a second opinion from the same one twice.
    several = len({frozenset(each) for each in covered}) < len(covered)
    sources = [f"model {i}" if several or data.draw(st.booleans()) else "" for i in range(len(covered))]
    weights = data.draw(st.lists(st.sampled_from([0.5, 1.0, 3.0]), min_size=len(covered), max_size=len(covered)))
    teachers = [TeacherTypes(str(i), *rest) for i, rest in enumerate(zip(covered, weights, sources, strict=True))]
    logs = []
    for teacher in teachers:
        scores = data.draw(arrays(np.float32, (3, 2 * len(teacher.types) + 1), elements=st.floats(-60, 60, width=32)))
        logs.append((scores - np.logaddexp.reduce(scores, axis=1)[:, None]).astype(np.float16))
    options = {
        "method": data.draw(st.sampled_from(["events", "exclusive"])),
        "normalise": data.draw(st.sampled_from(["sum", "none", "softmax"])),
        "combine": data.draw(st.sampled_from(["mean", "geometric", "weights"])),
    }
    space = LabelSpace(types)
    targets, no_mass = Aggregator(space, teachers, **options)(logs)
    for twice in range(len(teachers)):
        place = data.draw(st.integers(0, len(teachers)))
        more, said = list(teachers), list(logs)
        again = teachers[twice]
        more.insert(place, TeacherTypes("again", again.types, again.weight, again.source))
        said.insert(place, logs[twice])
        found, without = Aggregator(space, more, **options)(said)
        np.testing.assert_allclose(found, targets, rtol=1e-5, atol=1e-7)
        assert without == no_mass


def test_a_source_given_twice_has_one_voice_of_its_mean_weight():
    space, said = LabelSpace((GENE,)), one_word([[1, 0, 0], [0, 0, 1], [1, 0, 0]])
    teachers = [TeacherTypes("a", (GENE,), 2.0, "x"), TeacherTypes("b", (GENE,), 1.0, "y")]
    again = TeacherTypes("again", (GENE,), 4.0, "x")
    aggregate = Aggregator(space, [*teachers, again], combine="weights")
    np.testing.assert_allclose(aggregate(said)[0], [[0.75, 0, 0.25]])
    assert aggregate.settings()["counted"] == [["a", "b"]]
    np.testing.assert_allclose(Aggregator(space, [*teachers, again])(said)[0], [[0.5, 0, 0.5]])


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_properties_of_random_teachers(data):
    """Whatever the teachers: a distribution comes out, and neither teacher order nor chunking changes it."""
    types = tuple("abcd"[: data.draw(st.integers(1, 4))])
    subsets = st.lists(st.sampled_from(types), min_size=1, unique=True).map(tuple)
    covered = data.draw(st.lists(subsets, min_size=1, max_size=4)) + [(name,) for name in types]
    teachers = [TeacherTypes(str(i), t, weight=i + 1.0) for i, t in enumerate(covered)]
    words = data.draw(st.integers(2, 5))
    logs = []
    for teacher in teachers:
        scores = data.draw(
            arrays(np.float32, (words, 2 * len(teacher.types) + 1), elements=st.floats(-60, 60, width=32))
        )
        logs.append((scores - np.logaddexp.reduce(scores, axis=1)[:, None]).astype(np.float16))
    options = {
        "method": data.draw(st.sampled_from(["events", "exclusive"])),
        "normalise": data.draw(st.sampled_from(["sum", "softmax"])),
        "combine": data.draw(st.sampled_from(["mean", "geometric", "weights"])),
    }
    space = LabelSpace(types)
    aggregate = Aggregator(space, teachers, **options)
    targets, no_mass = aggregate(logs)
    assert np.isfinite(targets).all() and (targets >= 0).all()
    np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-6)

    order = data.draw(st.permutations(range(len(teachers))))
    shuffled = Aggregator(space, [teachers[i] for i in order], **options)
    np.testing.assert_allclose(shuffled([logs[i] for i in order])[0], targets, atol=1e-6)

    first, second = aggregate([x[:1] for x in logs]), aggregate([x[1:] for x in logs])
    np.testing.assert_array_equal(np.concatenate([first[0], second[0]]), targets)
    assert first[1] + second[1] == no_mass


def test_ten_teachers_do_not_underflow():
    """Nine teachers nearly certain of their B and one of its I: products far below the smallest float64."""
    getcontext().prec = 400
    types = tuple(f"e{i}" for i in range(10))
    teachers = [TeacherTypes(name, (name,)) for name in types]
    rows = np.array([[-math.exp(-60.0 - i), -100.0 - i, -60.0 - i] for i in range(10)])
    rows[4] = [-200.0, -math.exp(-200.0), -300.0]
    probabilities = [[Decimal(float(value)).exp() for value in row] for row in rows]
    for method in ("events", "exclusive"):
        events = Aggregator(LabelSpace(types), teachers, method).log_events([row[None] for row in rows])[0]
        assert np.isfinite(events).all() and events.min() < -745  # beyond what a float64 can hold
        for i in range(10):
            for k in (0, 1):
                left_out = {"events": [1 - k, 2], "exclusive": [2]}[method]
                others = (sum(p[m] for m in left_out) for j, p in enumerate(probabilities) if j != i)
                exact = (probabilities[i][k] * math.prod(others)).ln()
                assert events[2 * i + k] == pytest.approx(float(exact), rel=1e-12)
        assert events[-1] == pytest.approx(float(math.prod(p[2] for p in probabilities).ln()), rel=1e-12)


def test_confident_float16_teachers_keep_their_digits():
    """1 - p(B) cannot be had from a float16 log p(B) of 0; the other labels still hold it."""
    teachers = [TeacherTypes("d", (DISEASE,)), TeacherTypes("g", (GENE,))]
    rare = math.exp(-10.0)
    logs = [np.array([[0.0, -11.0, -10.0]], dtype=np.float16), log([[0.4, 0.2, 0.4]]).astype(np.float16)]
    events = np.exp(Aggregator(LabelSpace((DISEASE, GENE)), teachers).log_events(logs))[0]
    assert events[2] == pytest.approx(0.4 * (rare + math.exp(-11.0)), rel=2e-3)
    assert events[4] == pytest.approx(0.4 * rare, rel=2e-3)


def test_no_mass_gives_the_lifted_mean_and_is_counted():
    """Two teachers certain of different mentions, beside a word on which all is well."""
    logs = [
        log([[1, 0, 0], [0.8, 0.1, 0.1], [1 - 2e-14, 1e-14, 1e-14]]),
        log([[1, 0, 0], [0.05, 0.05, 0.9], [1 - 2e-14, 1e-14, 1e-14]]),
        log([[0.25, 0, 0.75], [0.1, 0.1, 0.8], [0, 0, 1]]),
    ]
    for normalise in ("sum", "none", "softmax"):
        targets, no_mass = Aggregator(SPACE, SINGLE, normalise=normalise)(logs)
        assert no_mass == 2
        np.testing.assert_allclose(targets[0], [1 / 3, 0, 1 / 3, 0, 0.25 / 3, 0, 0.75 / 3], atol=1e-7)
        np.testing.assert_allclose(targets[2], [1 / 3, 0, 1 / 3, 0, 0, 0, 1 / 3], atol=1e-7)
        np.testing.assert_array_equal(
            targets[1], Aggregator(SPACE, SINGLE, normalise=normalise)([x[1:2] for x in logs])[0][0]
        )


def test_little_mass_above_the_threshold_is_kept():
    disagreeing = [[1 - 1e-9, 0, 1e-9]] * 2
    teachers = SINGLE[:2]
    targets, no_mass = Aggregator(LabelSpace((DISEASE, GENE)), teachers)(one_word(disagreeing))
    assert no_mass == 0
    np.testing.assert_allclose(targets[0], [0.5, 0, 0.5, 0, 0], atol=1e-8)


def test_geometric_mean_of_contradicting_teachers_has_no_mass():
    teachers = [TeacherTypes("a", (GENE,)), TeacherTypes("b", (GENE,))]
    said = one_word([[1, 0, 0], [0, 0, 1]])
    targets, no_mass = Aggregator(LabelSpace((GENE,)), teachers, combine="geometric")(said)
    assert (targets.tolist(), no_mass) == ([[0.5, 0, 0.5]], 1)


@pytest.mark.parametrize("dtype, tolerance", [(np.float16, 2e-3), (np.float32, 1e-6), (np.float64, 1e-7)])
def test_input_precisions(dtype, tolerance):
    distributions = random_distributions(np.random.default_rng(13), SINGLE, words=200)
    targets, _ = Aggregator(SPACE, SINGLE)([log(d).astype(dtype) for d in distributions])
    for word in range(200):
        expected = enumerate_joint(SPACE, SINGLE, [d[word] for d in distributions], "events")
        np.testing.assert_allclose(targets[word], expected / expected.sum(), atol=tolerance)


def test_no_words():
    targets, no_mass = Aggregator(SPACE, SINGLE)([np.zeros((0, 3))] * 3)
    assert targets.shape == (0, 7) and no_mass == 0


def test_input_is_left_alone():
    logs = one_word(PAPER)
    copies = [x.copy() for x in logs]
    Aggregator(SPACE, SINGLE)(logs)
    for before, after in zip(copies, logs, strict=True):
        np.testing.assert_array_equal(before, after)


def test_settings_are_plain_and_tell_runs_apart():
    teachers = [TeacherTypes("two", (DRUG, DISEASE), 0.9), TeacherTypes("one", (GENE,))]
    assert Aggregator(SPACE, teachers, "exclusive", "none", "weights").settings() == {
        "types": [DISEASE, GENE, DRUG],
        "version": 2,
        "counted": [["two"], ["one"]],
        "teachers": [
            {"name": "two", "types": [DRUG, DISEASE], "weight": 0.9},
            {"name": "one", "types": [GENE], "weight": 1.0},
        ],
        "method": "exclusive",
        "normalise": "none",
        "combine": "weights",
    }


def test_a_type_without_a_teacher_is_named():
    with pytest.raises(LabelError, match=r"no teacher covers.*\['gene'\].*T-disease covers \['disease'\]; T-drug"):
        Aggregator(SPACE, [SINGLE[0], SINGLE[2]])


def test_a_type_unknown_to_the_student_is_named():
    with pytest.raises(LabelError, match=r"teacher 'odd' covers \['species'\].*\['disease', 'gene', 'drug'\]"):
        Aggregator(SPACE, [*SINGLE, TeacherTypes("odd", (GENE, "species"))])


def test_other_construction_errors():
    with pytest.raises(LabelError, match="scheme BIO.*IOBES"):
        Aggregator(LabelSpace((GENE,), "IOBES"), [SINGLE[1]])
    with pytest.raises(ValueError, match="distinct names"):
        Aggregator(SPACE, [*SINGLE, SINGLE[0]])
    with pytest.raises(ValueError, match="at least one teacher"):
        Aggregator(SPACE, [])
    for option in ("method", "normalise", "combine"):
        with pytest.raises(ValueError, match=f"{option}='average' is not one of"):
            Aggregator(SPACE, SINGLE, **{option: "average"})
    for weight in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="teacher 'x'.*positive"):
            TeacherTypes("x", (GENE,), weight)
    with pytest.raises(LabelError, match="teacher 'x'.*distinct"):
        TeacherTypes("x", (GENE, GENE))


@pytest.mark.parametrize("bad", [[math.nan, -1.0, -1.0], [math.inf, -1.0, -1.0], [2.0, -1.0, 900.0],
                                 [0.5, 0.25, 0.25], [-math.inf] * 3, [-1.2, -1.2, -1.2]])  # fmt: skip
def test_rows_that_are_no_distributions_name_teacher_and_word(bad):
    logs = [np.tile(x, (5, 1)) for x in one_word(PAPER)]
    logs[1][3] = bad
    with pytest.raises(ValueError, match="teacher 'T-gene', word 3 .*sum to .*, not 1"):
        Aggregator(SPACE, SINGLE)(logs)


def test_wrong_shapes_name_the_teacher():
    logs = one_word(PAPER)
    with pytest.raises(ValueError, match="2 arrays for 3 teachers"):
        Aggregator(SPACE, SINGLE)(logs[:2])
    with pytest.raises(ValueError, match=r"'T-drug'.*\(2, 3\), expected \(1, 3\)"):
        Aggregator(SPACE, SINGLE)([*logs[:2], np.tile(logs[2], (2, 1))])
    with pytest.raises(ValueError, match=r"'T-disease'.*\(1, 5\), expected \(1, 3\).*B-disease"):
        Aggregator(SPACE, SINGLE)([np.zeros((1, 5)), *logs[1:]])


def test_aggregation_loads_no_torch():
    code = "import sys, hf_bionerkd.teachers.aggregation; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

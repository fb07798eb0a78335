"""What became of planted noise, against counting by hand and by brute force."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_bionerkd.weak.noise import PlantedLabel
from hf_bionerkd.weak.restoration import NoiseError, Restoration, compare, noise_table, total_of

TYPES = ("Chemical", "Disease")
# One sentence with one label of each kind, and a type that nothing was planted for.
SENTENCE = [
    PlantedLabel("Disease", true=(0, 4), given=(0, 4)),
    PlantedLabel("Disease", true=(10, 14), given=(10, 14)),
    PlantedLabel("Disease", true=(20, 24)),
    PlantedLabel("Disease", true=(26, 29)),
    PlantedLabel("Chemical", true=(30, 38), given=(34, 38)),
    PlantedLabel("Chemical", given=(40, 44)),
]
GIVEN = [(0, 4, "Disease"), (10, 14, "Disease"), (34, 38, "Chemical"), (40, 44, "Chemical")]


def test_a_correction_counted_by_hand():
    after = [
        (0, 4, "Disease"),  # right still
        (10, 15, "Disease"),  # damaged, and a new wrong label
        (20, 24, "Disease"),  # restored
        (26, 29, "Chemical"),  # the span of a miss with the wrong type: new, and restores nothing
        (30, 38, "Chemical"),  # repaired; the spurious one is gone
    ]
    found = compare({"s": SENTENCE}, {"s": GIVEN}, {"s": after})
    assert found == {
        "Chemical": Restoration(boundaries=1, repaired=1, spurious=1, removed=1, new_spurious=1, labels=2),
        "Disease": Restoration(misses=2, restored=1, right=2, damaged=1, new_spurious=1, labels=3),
    }
    total = total_of(found)
    assert (total.restored_share, total.damaged_share) == (0.5, 0.5)
    assert total.enough_restored and not total.little_damaged
    # before: 2 of 4 labels right, of 5 true mentions; after: 3 of 5 labels
    assert (total.before.tp, total.before.fp, total.before.fn) == (2, 2, 3)
    assert (total.after.tp, total.after.fp, total.after.fn) == (3, 2, 2)


def test_a_boundary_error_that_stays_is_neither_repaired_nor_new():
    found = compare({"s": SENTENCE}, {"s": GIVEN}, {"s": GIVEN})
    total = total_of(found)
    assert (total.restored, total.damaged, total.repaired, total.removed, total.new_spurious) == (0, 0, 0, 0, 0)
    assert total.before == total.after


@pytest.mark.parametrize(
    ("restored", "damaged", "holds"), [(50, 5, (True, True)), (49, 6, (False, False)), (100, 0, (True, True))]
)
def test_the_aims_hold_at_their_bounds(restored, damaged, holds):
    found = Restoration(misses=100, restored=restored, right=100, damaged=damaged)
    assert (found.enough_restored, found.little_damaged) == holds


spans = st.tuples(st.integers(0, 5), st.integers(1, 3)).map(lambda span: (span[0], span[0] + span[1]))
mentions = st.sets(st.tuples(spans, st.sampled_from(TYPES)).map(lambda found: (*found[0], found[1])), max_size=8)


@st.composite
def planted_sentences(draw):
    """Labels with distinct true and distinct given spans, and a correction that may say anything."""
    true, given = draw(mentions), draw(mentions)
    labels = [PlantedLabel(kind, (a, b), (a, b)) for a, b, kind in sorted(true & given)]
    lost, wrong = sorted(true - given), sorted(given - true)
    for mention in lost:
        same_type = [other for other in wrong if other[2] == mention[2]]
        if same_type and draw(st.booleans()):
            wrong.remove(same_type[0])
            labels.append(PlantedLabel(mention[2], mention[:2], same_type[0][:2]))
        else:
            labels.append(PlantedLabel(mention[2], mention[:2]))
    labels += [PlantedLabel(kind, given=(a, b)) for a, b, kind in wrong]
    return labels, true, given, draw(mentions)


@settings(max_examples=200, deadline=None)
@given(st.lists(planted_sentences(), min_size=1, max_size=4))
def test_every_count_is_what_brute_force_counts(sentences):
    truth, before, after = ({str(n): row[part] for n, row in enumerate(sentences)} for part in (0, 2, 3))
    found = compare(truth, before, after)
    for kind in TYPES:
        of_type = [
            (
                [label for label in labels if label.type == kind],
                *({m for m in some if m[2] == kind} for some in (true, given, now)),
            )
            for labels, true, given, now in sentences
        ]
        boundaries = [{(*x.true, kind) for x in labels if x.kind == "boundary"} for labels, *_ in of_type]
        wrong_spans = [{(*x.given, kind) for x in labels if x.kind == "boundary"} for labels, *_ in of_type]
        rows = list(zip(of_type, boundaries, wrong_spans, strict=True))
        expected = Restoration(
            misses=sum(len(true - given - bound) for (_, true, given, _), bound, _ in rows),
            restored=sum(len((true - given - bound) & now) for (_, true, given, now), bound, _ in rows),
            right=sum(len(true & given) for (_, true, given, _), *_ in rows),
            damaged=sum(len((true & given) - now) for (_, true, given, now), *_ in rows),
            boundaries=sum(map(len, boundaries)),
            repaired=sum(len(bound & now) for (_, _, _, now), bound, _ in rows),
            spurious=sum(len(given - true - wrong) for (_, true, given, _), _, wrong in rows),
            removed=sum(len((given - true - wrong) - now) for (_, true, given, now), _, wrong in rows),
            new_spurious=sum(len(now - true - given) for (_, true, given, now), *_ in rows),
            labels=sum(len(now) for (*_, now), *_ in rows),
        )
        got = found.get(kind, Restoration())
        assert got == expected
        for counts, side in ((got.before, 2), (got.after, 3)):
            right = sum(len(row[0][1] & row[0][side]) for row in rows)
            assert counts.tp == right
            assert counts.fp == sum(len(row[0][side]) for row in rows) - right
            assert counts.fn == sum(len(row[0][1]) for row in rows) - right


def test_a_sum_adds_every_count_and_shares_follow_from_it():
    one = Restoration(4, 3, 10, 1, 2, 1, 5, 4, 3, 20)
    two = Restoration(1, 1, 30, 0, 0, 0, 0, 0, 1, 33)
    both = one + two
    assert both == Restoration(5, 4, 40, 1, 2, 1, 5, 4, 4, 53)
    assert Fraction(both.restored_share).limit_denominator(100) == Fraction(4, 5)
    assert both.as_dict()["damaged_share"] == 1 / 40
    assert (Restoration().restored_share, Restoration().damaged_share) == (0.0, 0.0)


def test_corpora_that_do_not_belong_to_the_truth_are_refused():
    truth = {"s": SENTENCE}
    with pytest.raises(NoiseError, match="weak corpus and the truth have different rows: 1 .* such as .'t'"):
        compare(truth, {"s": GIVEN, "t": []}, {"s": []})
    with pytest.raises(NoiseError, match="corrected corpus and the truth have different rows"):
        compare(truth, {"s": GIVEN}, {})
    with pytest.raises(NoiseError, match="row 's' of the weak corpus .* not those that were planted"):
        compare(truth, {"s": GIVEN[1:]}, {"s": []})


def test_the_table_has_every_type_a_total_and_both_aims():
    found = compare({"s": SENTENCE}, {"s": GIVEN}, {"s": [(20, 24, "Disease")]})
    lines = noise_table({"coverage": found, "accuracy": found}).splitlines()
    assert [line.split()[:2] for line in lines[:4]] == [
        ["corpus", "type"],
        ["coverage", "Chemical"],
        ["coverage", "Disease"],
        ["coverage", "all"],
    ]
    assert "1/2  50.0%" in lines[3] and "2/2 100.0%" in lines[3]
    assert lines[-4:-2] == [
        "coverage: restored 50.0% of the planted misses (aim: at least 50%): holds",
        "coverage: damaged 100.0% of the true labels (aim: at most 5%): MISSED",
    ]

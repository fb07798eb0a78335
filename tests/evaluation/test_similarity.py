"""Label similarity against exact fractions, its table, and the figure as XML."""

import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from hf_bionerkd.evaluation.charts import HEIGHT, WIDTH, bar_chart
from hf_bionerkd.evaluation.similarity import (
    BINS,
    LabelSimilarity,
    bin_names,
    mention_changes,
    similarity_table,
)
from hf_bionerkd.labels import tags_to_spans

TAGS = st.lists(st.sampled_from(["O", "B-Chemical", "I-Chemical", "B-Disease", "I-Disease"]), min_size=8, max_size=8)
SVG = "{http://www.w3.org/2000/svg}"


def of(*pairs):
    """Documents with so many same words of so many."""
    return LabelSimilarity({f"d{place}": pair for place, pair in enumerate(pairs)})


def figure(counts, **texts):
    return etree.fromstring(bar_chart([str(n) for n in range(len(counts))], counts, **{"title": "t", **texts}))


def test_sentences_of_one_document_are_counted_together():
    similarity = LabelSimilarity()
    similarity.add("7", ["O", "B-Gene", "I-Gene"], ["O", "B-Gene", "O"])
    similarity.add("8", ["O"], ["O"])
    similarity.add("7", ["O", "B-Disease"], ["O", "B-Gene"])
    assert similarity.documents == {"7": (3, 5), "8": (1, 1)}
    assert similarity.identical == 1 and similarity.mean == pytest.approx((0.6 + 1) / 2)
    assert similarity.least_alike(1) == [("7", 0.6)]
    assert similarity.as_dict() == json.loads(json.dumps(similarity.as_dict()))
    assert similarity.as_dict()["words"] == 6 and similarity.as_dict()["same_words"] == 4


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)).map(sorted), max_size=40))
def test_bins_are_half_open_but_for_the_last(pairs):
    similarity = of(*map(tuple, pairs))
    values = [Fraction(same, words) for same, words in pairs if words]
    tenths = [Fraction(n, BINS) for n in range(BINS + 1)]
    expected = [sum(low <= value < high for value in values) for low, high in zip(tenths, tenths[1:], strict=False)]
    expected[-1] += sum(value == 1 for value in values)
    assert similarity.histogram() == expected
    assert similarity.identical == sum(value == 1 for value in values)
    assert similarity.counted == len(values) == sum(similarity.histogram())


def test_tenths_open_the_bin_above_them():
    """As floating-point numbers 0.3, 0.6 and 0.7 would fall below the edge that they are."""
    assert of(*((n, 10) for n in range(11))).histogram() == [1] * 9 + [2]
    assert bin_names()[0] == "0.0–0.1" and bin_names()[-1] == "0.9–1.0"


def test_documents_without_words_have_no_similarity():
    similarity = of((0, 0), (1, 2))
    assert (similarity.counted, similarity.mean, similarity.identical) == (1, 0.5, 0)
    with pytest.raises(ValueError, match="no document with a word"):
        similarity_table(of((0, 0)))
    with pytest.raises(ValueError, match="document 7: 1 labels against 2"):
        LabelSimilarity().add("7", ["O"], ["O", "O"])


def test_table_gives_numbers_shares_and_bars():
    lines = similarity_table(of(*[(10, 10)] * 1500, *[(95, 100)] * 400, (50, 100))).splitlines()
    assert lines[6].split() == ["0.5–0.6", "1", "0.1", "%", "▏"]
    assert lines[10].split() == ["0.9–1.0", "1,900", "99.9", "%", "█" * 40]
    assert lines[1].split() == ["0.0–0.1", "0", "0.0", "%"]
    assert lines[11].split() == ["1", "exactly", "1,500", "78.9", "%"]
    assert lines[12] == "mean of 1,901 documents: 0.9892"


def test_figure_has_a_bar_and_a_number_for_each_count():
    counts = [0, 1, 3, 40, 8500]
    svg = figure(counts, note="n", across="a", up="u")
    bars = [float(bar.get("height")) for bar in svg.iter(f"{SVG}rect") if bar.get("class") == "bar"]
    assert bars[0] == 0 and bars == sorted(set(bars)) and bars[1] > 10
    assert bars[3] - bars[1] == pytest.approx((bars[4] - bars[1]) * 1.60206 / 3.929419, abs=0.2)  # log10 of 40, 8500
    texts = [text.text for text in svg.iter(f"{SVG}text")]
    assert {"t", "n", "a", "u", "0", "1", "3", "40", "8,500"} <= set(texts)
    assert [text for text in texts if text in ("1", "10", "100", "1,000", "10,000")].count("10,000") == 1


@pytest.mark.parametrize("counts", [[0], [1], [0, 0], [10], [1000, 1], [7] * 10])
def test_bars_stay_inside_the_figure(counts):
    svg = figure(counts)
    for bar in svg.iter(f"{SVG}rect"):
        if bar.get("class") == "bar":
            left, top, width, height = (float(bar.get(name)) for name in ("x", "y", "width", "height"))
            assert 0 <= left and left + width <= WIDTH and 60 <= top and top + height <= HEIGHT - 60


def test_figure_is_one_file_and_escapes_what_it_is_given():
    svg = figure([1], title='<script>"&', note="<b>")
    assert svg.get("aria-label") == '<script>"&'
    assert {element.tag.removeprefix(SVG) for element in svg.iter()} == {"svg", "style", "rect", "text", "line"}
    assert not [value for element in svg.iter() for value in element.attrib.values() if "http" in value]


@pytest.mark.parametrize(("names", "counts"), [([], []), (["a"], [1, 2]), (["a"], [-1])])
def test_what_cannot_be_drawn_is_refused(names, counts):
    with pytest.raises(ValueError, match="one name for each"):
        bar_chart(names, counts, title="t")


@given(TAGS, TAGS)
def test_changes_account_for_every_mention_once(before, after):
    old, new = tags_to_spans(before), tags_to_spans(after)
    changes = mention_changes(old, new)
    kept = set(old) & set(new)
    assert sorted([*kept, *changes.removed, *(pair[0] for pair in changes.changed)]) == sorted(old)
    assert sorted([*kept, *changes.added, *(pair[1] for pair in changes.changed)]) == sorted(new)
    assert all(a < d and c < b for (a, b, _), (c, d, _) in changes.changed)
    alone = [(x, y) for x in changes.removed for y in changes.added if x[0] < y[1] and y[0] < x[1]]
    assert not alone, "two that overlap and have no partner"
    turned = mention_changes(new, old)
    assert (turned.added, turned.removed) == (changes.removed, changes.added)
    assert not len(mention_changes(old, old)) and len(changes) == len(turned)


def test_a_mention_that_is_split_is_changed_once_and_added_once():
    changes = mention_changes([(0, 3, "Disease")], [(0, 1, "Disease"), (2, 3, "Disease")])
    assert changes.changed == (((0, 3, "Disease"), (0, 1, "Disease")),)
    assert changes.added == ((2, 3, "Disease"),) and not changes.removed and len(changes) == 2

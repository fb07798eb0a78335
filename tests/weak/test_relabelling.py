"""New labels for documents, and counts of what they change, against sets, brute force and `LabelSpace.decode`."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_bionerkd.documents import ConceptRef, Document, Mention
from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.weak.relabelling import KINDS, LabelChanges, relabel

SPACE = LabelSpace(("Chemical", "Disease"))
GOUT = (ConceptRef("MESH", "D006073"),)


def document(*mentions):
    return Document("1", "Chronic gout and IL-2-dependent fever", tuple(mentions), metadata={"document_id": "9"})


def told(found):
    return [(m.text, m.type, m.concepts, m.source) for m in found.mentions]


def test_a_mention_with_the_same_words_and_type_stays_as_it_was():
    old = document(Mention(8, 12, "Disease", "gout", GOUT, "dictionary"), Mention(32, 37, "Chemical", "fever", GOUT))
    fever = old.tokens.index("fever")
    found = relabel(old, [(1, 2, "Disease"), (fever, fever + 1, "Disease")], "recorrection:round-2")
    assert told(found) == [("gout", "Disease", GOUT, "dictionary"), ("fever", "Disease", (), "recorrection:round-2")]
    wider = relabel(old, [(0, 2, "Disease")], "r")
    assert told(wider) == [("Chronic gout", "Disease", (), "r")]
    assert relabel(old, [], "r").mentions == ()
    assert (found.id, found.text, found.words, found.metadata) == (old.id, old.text, old.words, old.metadata)


def test_a_mention_that_ends_within_a_word_is_the_same_where_its_words_are():
    """Models see words alone: that a label came from a part of a word must not count as a change."""
    part = Mention(8, 11, "Disease", "gou", GOUT, "dictionary")
    assert told(relabel(document(part), [(1, 2, "Disease")], "r")) == [("gou", "Disease", GOUT, "dictionary")]


def test_of_nested_mentions_the_one_with_the_model_s_words_stays():
    outer, inner = Mention(0, 12, "Disease", source="outer"), Mention(8, 12, "Disease", source="inner")
    assert [m.source for m in relabel(document(outer, inner), [(0, 2, "Disease")], "r").mentions] == ["outer"]
    assert [m.source for m in relabel(document(outer, inner), [(1, 2, "Disease")], "r").mentions] == ["inner"]


def decoded(labels, lengths):
    """Mentions as (sentence, first, last, type), by the package's own decoder."""
    found, start = set(), 0
    for sentence, length in enumerate(lengths):
        found |= {(sentence, *span) for span in SPACE.decode(labels[start : start + length])}
        start += length
    return found


def overlap(first, second):
    return first[0] == second[0] and first[1] < second[2] and second[1] < first[2]


def most_pairs(old, new):
    """The largest number of disjoint overlapping pairs, by trying all."""
    pairs = [(a, b) for a in old for b in new if overlap(a, b)]
    for size in range(min(len(old), len(new)), 0, -1):
        for chosen in combinations(pairs, size):
            if len({a for a, _ in chosen}) == len({b for _, b in chosen}) == size:
                return size
    return 0


@st.composite
def relabellings(draw):
    lengths = draw(st.lists(st.integers(1, 6), min_size=1, max_size=3))
    labels = st.lists(st.integers(0, SPACE.outside), min_size=sum(lengths), max_size=sum(lengths))
    return lengths, draw(labels), draw(labels), draw(st.lists(st.sampled_from("ab"), min_size=3, max_size=3))


@given(relabellings(), st.booleans())
def test_counts_are_those_of_sets_and_of_trying_all_pairs(drawn, in_parts):
    lengths, old, new, names = drawn
    counted = LabelChanges(SPACE)
    if in_parts:
        start = 0
        for length, name in zip(lengths, names, strict=False):
            part = slice(start, start + length)
            counted.add(old[part], new[part], [length], [name])
            start += length
    else:
        counted.add(old, new, lengths, names[: len(lengths)])
    before, after = decoded(old, lengths), decoded(new, lengths)

    def total(name):
        return sum(counted.mentions(name).values())

    for kind in SPACE.types:
        assert counted.mentions("before")[kind] == sum(span[3] == kind for span in before)
        assert counted.mentions("after")[kind] == sum(span[3] == kind for span in after)
        assert counted.mentions("kept")[kind] == sum(span[3] == kind for span in before & after)
        assert counted.mentions("after")[kind] == sum(counted.mentions(n)[kind] for n in ("kept", "changed", "added"))
    assert total("before") == total("kept") + total("changed") + total("removed")
    assert total("changed") == most_pairs(before - after, after - before)

    # Label similarity, word by word, with every mention's first label read as B-.
    right: dict[str, list[bool]] = {}
    start = 0
    for sentence, (length, name) in enumerate(zip(lengths, names, strict=False)):
        ends = [[span[1:] for span in spans if span[0] == sentence] for spans in (before, after)]
        legal = [SPACE.encode(spans, length) for spans in ends]
        right.setdefault(name, []).extend(a == b for a, b in zip(*legal, strict=True))
        start += length
    shares = [sum(marks) / len(marks) for marks in right.values()]
    assert counted.similarity.mean == pytest.approx(sum(shares) / len(shares))
    histogram = [0] * 10
    for share in shares:
        histogram[min(9, int(share * 10 + 1e-9))] += 1
    assert counted.similarity.histogram() == histogram


def test_an_example_of_each_kind_of_change():
    chemical, disease, inside, outside = 0, 2, 3, 4
    old = [disease, inside, outside, chemical, outside, disease, outside, outside]
    new = [disease, inside, outside, disease, outside, outside, outside, chemical]
    counted = LabelChanges(SPACE)
    counted.add(old, new, [8], ["9"])
    assert {name: counted.mentions(name) for name in KINDS} == {
        "kept": {"Chemical": 0, "Disease": 1},
        "changed": {"Chemical": 0, "Disease": 1},  # the same word, another type: counted as what it is now
        "added": {"Chemical": 1, "Disease": 0},
        "removed": {"Chemical": 0, "Disease": 1},
    }
    assert counted.as_dict()["words_with_the_same_label"] == 5
    assert counted.as_dict()["label_similarity"] == {
        "abstracts": 1,
        "mean": 5 / 8,
        "histogram": [0] * 6 + [1, 0, 0, 0],
    }


def test_words_that_border_on_each_other_across_sentences_are_not_one_mention():
    counted = LabelChanges(SPACE)
    counted.add([2, 3, 3], [2, 3, 3], [2, 1], ["a", "b"])
    assert counted.mentions("after") == {"Chemical": 0, "Disease": 2}


@pytest.mark.parametrize(("after", "collapsed"), [(0, True), (1, True), (2, False), (200, False)])
def test_a_corpus_with_next_to_no_mention_has_collapsed(after, collapsed):
    counted = LabelChanges(SPACE)
    counted.add([2] * 200, [2] * after + [4] * (200 - after), [1] * 200, ["a"] * 200)
    assert counted.collapsed is collapsed


def test_a_corpus_that_never_had_a_mention_has_collapsed_when_it_still_has_none():
    counted = LabelChanges(SPACE)
    counted.add([4], [4], [1], ["a"])
    assert counted.collapsed and counted.similarity.mean == 1.0


def test_labels_of_other_sentences_are_refused():
    with pytest.raises(ValueError, match="3 old and 2 new labels for sentences of 3 words"):
        LabelChanges(SPACE).add([4, 4, 4], [4, 4], [3], ["a"])
    with pytest.raises(ValueError, match="BIO labels, not on IO"):
        LabelChanges(LabelSpace(("Disease",), "IO"))


def test_numbers_are_plain_json_values():
    counted = LabelChanges(SPACE)
    counted.add(np.array([2]), np.array([0]), np.array([1]), ["a"])
    assert type(counted.as_dict()["words"]) is int and type(counted.mentions("changed")["Chemical"]) is int

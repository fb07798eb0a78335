import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import IOB2, Entities

from hf_bionerkd.documents import Document, Mention
from hf_bionerkd.labels import (
    SCHEMES,
    LabelError,
    LabelSpace,
    MultiLabelSpace,
    flatten,
    spans_to_mentions,
    spans_to_tags,
    tags_to_spans,
    word_spans,
)

TYPES = ("Disease", "Chemical", "Gene")


@st.composite
def flat_spans(draw, types=TYPES, gap=0):
    """Non-overlapping word spans and the length of their sentence; `gap` words at least between two."""
    position, spans = 0, []
    for _ in range(draw(st.integers(0, 6))):
        start = position + draw(st.integers(0, 3))
        end = start + draw(st.integers(1, 4))
        spans.append((start, end, draw(st.sampled_from(types))))
        position = end + gap
    return spans, position + draw(st.integers(0, 3))


def merged_neighbours(spans):
    """What IO can tell: touching spans of one type are one."""
    merged = []
    for start, end, name in spans:
        if merged and merged[-1][1] == start and merged[-1][2] == name:
            merged[-1] = (merged[-1][0], end, name)
        else:
            merged.append((start, end, name))
    return merged


@settings(deadline=None)
@given(flat_spans(), st.sampled_from(["BIO", "IOBES"]), st.sampled_from(["start", "drop"]))
def test_encoded_spans_come_back(sentence, scheme, orphans):
    spans, n_words = sentence
    space = LabelSpace(TYPES, scheme)
    ids = space.encode(spans, n_words)
    assert len(ids) == n_words and space.decode(ids, orphans) == spans


@settings(deadline=None)
@given(flat_spans())
def test_io_gives_spans_back_up_to_touching_ones_of_one_type(sentence):
    spans, n_words = sentence
    space = LabelSpace(TYPES, "IO")
    assert space.decode(space.encode(spans, n_words)) == merged_neighbours(spans)


@settings(deadline=None)
@given(st.lists(st.integers(0, 8), max_size=15), st.sampled_from(SCHEMES))
def test_decoded_ids_encode_to_the_same_spans_again(ids, scheme):
    space = LabelSpace(TYPES, scheme)
    ids = [index % len(space) for index in ids]
    spans = space.decode(ids)
    assert space.decode(space.encode(spans, len(ids))) == spans
    # Nothing but O lies outside the spans, and no label of another type inside one.
    owner = {word: name for start, end, name in spans for word in range(start, end)}
    assert [owner.get(word, "O") for word in range(len(ids))] == [
        space.labels[index].partition("-")[2] or "O" for index in ids
    ]


@settings(deadline=None)
@given(st.data())
def test_multi_label_keeps_overlapping_spans_of_different_types_pain_20(data):
    parts = {name: data.draw(flat_spans(types=(name,))) for name in TYPES}
    n_words = max(n for _, n in parts.values())
    spans = sorted(span for own, _ in parts.values() for span in own)
    space = MultiLabelSpace(TYPES)
    rows = space.encode(spans, n_words)
    assert space.decode(rows) == spans
    covered = {word for start, end, _ in spans for word in range(start, end)}
    assert [row[-1] for row in rows] == [int(word not in covered) for word in range(n_words)]
    assert len(space) == 7 and all(len(row) == 7 for row in rows)


def test_multi_label_worked_example_and_io():
    rows = MultiLabelSpace(("Gene", "Disease")).encode([(0, 2, "Disease"), (1, 2, "Gene")], 3)
    assert rows == [[0, 0, 1, 0, 0], [1, 0, 0, 1, 0], [0, 0, 0, 0, 1]]
    assert MultiLabelSpace(("Gene", "Disease"), "IO").encode([(0, 1, "Disease")], 2) == [[0, 1, 0], [0, 0, 1]]
    # Where a model sets both B and I of a type, B wins.
    assert MultiLabelSpace(("Gene",)).decode([[1, 1, 0], [1, 1, 0]]) == [(0, 1, "Gene"), (1, 2, "Gene")]


def test_multi_label_errors():
    with pytest.raises(LabelError, match="not for IOBES"):
        MultiLabelSpace(TYPES, "IOBES")
    with pytest.raises(LabelError, match=r"types \['Cell'\] are not among"):
        MultiLabelSpace(TYPES).encode([(0, 1, "Cell")], 1)
    with pytest.raises(LabelError, match="overlaps another span"):
        MultiLabelSpace(TYPES).encode([(0, 2, "Gene"), (1, 3, "Gene")], 3)


def test_label_order_is_the_papers():
    space = LabelSpace(("Disease", "Gene"))
    assert space.labels == ("B-Disease", "I-Disease", "B-Gene", "I-Gene", "O")
    assert space.outside == 4 and len(space) == 5
    assert space.id2label[2] == "B-Gene" and space.label2id["O"] == 4
    assert space.ids_of("Gene") == {"B": 2, "I": 3}


@pytest.mark.parametrize("types", [(), ("Gene", "Gene"), ("",)])
def test_a_label_space_needs_distinct_types(types):
    with pytest.raises(LabelError, match="distinct, non-empty entity types"):
        LabelSpace(types)


def test_unknown_scheme_and_type_are_named():
    with pytest.raises(LabelError, match="unknown tag scheme 'BILOU': use one of BIO, IO, IOBES"):
        LabelSpace(("Gene",), "BILOU")
    with pytest.raises(LabelError, match="type 'Cell' is not one of"):
        LabelSpace(("Gene",)).ids_of("Cell")
    with pytest.raises(LabelError, match="word 1: type 'Cell' is not one of"):
        LabelSpace(("Gene",)).encode([(1, 2, "Cell")], 2)


@pytest.mark.parametrize(
    ("spans", "message"),
    [
        ([(0, 2, "Gene"), (1, 3, "Gene")], r"Gene span \[1, 3\) overlaps another span: flatten"),
        ([(1, 4, "Gene")], r"Gene span \[1, 4\) is empty or leaves the sentence of 3 words"),
        ([(2, 2, "Gene")], r"\[2, 2\) is empty"),
    ],
)
def test_impossible_spans_are_refused(spans, message):
    with pytest.raises(LabelError, match=message):
        spans_to_tags(spans, 3)


@pytest.mark.parametrize(
    ("scheme", "tags", "start", "drop"),
    [
        ("BIO", "O I-G I-G", [(1, 3, "G")], []),
        ("BIO", "B-G I-D", [(0, 1, "G"), (1, 2, "D")], [(0, 1, "G")]),
        ("BIO", "B-G B-G I-G", [(0, 1, "G"), (1, 3, "G")], [(0, 1, "G"), (1, 3, "G")]),
        ("BIO", "B-G O I-G", [(0, 1, "G"), (2, 3, "G")], [(0, 1, "G")]),
        ("IO", "I-G I-G I-D", [(0, 2, "G"), (2, 3, "D")], [(0, 2, "G"), (2, 3, "D")]),
        ("IOBES", "B-G I-G O", [(0, 2, "G")], []),
        ("IOBES", "B-G E-G S-G", [(0, 2, "G"), (2, 3, "G")], [(0, 2, "G"), (2, 3, "G")]),
        ("IOBES", "E-G B-G", [(0, 1, "G"), (1, 2, "G")], []),
        ("IOBES", "S-G E-G", [(0, 1, "G"), (1, 2, "G")], [(0, 1, "G")]),
    ],
)
def test_broken_tag_sequences_follow_the_stated_policy_pain_17(scheme, tags, start, drop):
    assert tags_to_spans(tags.split(), scheme, "start") == start
    assert tags_to_spans(tags.split(), scheme, "drop") == drop


@settings(deadline=None)
@given(st.lists(st.sampled_from(["O", "B-G", "I-G", "B-D", "I-D"]), max_size=12), st.booleans())
def test_bio_reading_agrees_with_seqeval_pain_17(tags, strict):
    if strict:
        expected = [(e.start, e.end, e.tag) for e in Entities([tags], IOB2).entities[0]]
    else:
        expected = [(start, end + 1, name) for name, start, end in get_entities(tags)]
    assert tags_to_spans(tags, "BIO", "drop" if strict else "start") == expected


@settings(deadline=None)
@given(flat_spans(), st.permutations(range(13)))
def test_from_labels_recognises_every_scheme_in_any_order(sentence, order):
    spans, n_words = sentence
    for scheme in SCHEMES:
        space = LabelSpace(TYPES, scheme)
        published = [space.labels[index] for index in order if index < len(space)]
        found, positions = LabelSpace.from_labels(published)
        assert found.scheme == scheme and set(found.types) == set(TYPES)
        assert tuple(published[position] for position in positions) == found.labels
        # Reading the model's own output ids through `positions` gives the spans it meant.
        own_ids = [published.index(tag) for tag in spans_to_tags(spans, n_words, scheme)]
        assert found.decode([positions.index(index) for index in own_ids]) == space.decode(
            space.encode(spans, n_words)
        )


def test_from_labels_reads_bilou_as_iobes():
    labels = ["O", "L-Gene", "U-Gene", "B-Gene", "I-Gene"]
    assert LabelSpace.from_labels(labels) == (LabelSpace(("Gene",), "IOBES"), (3, 4, 1, 2, 0))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["O-Gene", "B-Gene", "I-Gene"], "label 'O-Gene' is neither 'O' nor a B-/I-/E-/S-"),
        (["LABEL_0", "LABEL_1"], "label 'LABEL_0' is neither .* Give the model id2label with such names"),
        (["B-Gene", "I-Gene"], "hold no 'O' or no entity type"),
        (["O"], "hold no 'O' or no entity type"),
        (["O", "B", "I"], "label 'B' is neither"),
        (["O", "B-"], "label 'B-' is neither"),
        (["O", "BI-Gene"], "label 'BI-Gene' is neither"),
        (["O", "B-Gene"], "follow no known tag scheme"),
        (["O", "B-Gene", "I-Gene", "I-Cell"], "the same for all types"),
    ],
)
def test_labels_that_no_tagger_should_publish_are_refused_pain_12(labels, message):
    with pytest.raises(LabelError, match=message):
        LabelSpace.from_labels(labels)


@st.composite
def documents(draw):
    text = draw(st.text("ab- ", min_size=1, max_size=30))
    mentions = []
    for _ in range(draw(st.integers(0, 6))):
        start = draw(st.integers(0, len(text) - 1))
        mentions.append(Mention(start, draw(st.integers(start + 1, len(text))), draw(st.sampled_from(TYPES))))
    return Document("d", text, tuple(mentions))


@settings(deadline=None)
@given(documents())
def test_flatten_keeps_the_longest_and_loses_nothing_uncounted_pain_20(document):
    kept, left_out = flatten(document.mentions)
    assert sorted(kept + left_out) == sorted(document.mentions)
    for index, mention in enumerate(kept):
        assert not any(mention.overlaps(other) for other in kept[index + 1 :])
    for mention in left_out:
        assert any(k.overlaps(mention) and k.end - k.start >= mention.end - mention.start for k in kept)


@settings(deadline=None)
@given(documents())
def test_every_mention_is_a_word_span_or_counted_pain_20(document):
    spans, left_out, misaligned = word_spans(document)
    assert len(spans) + len(left_out) == len(document.mentions)
    assert spans == sorted(spans)
    assert all(one[1] <= other[0] for one, other in zip(spans, spans[1:], strict=False))

    def touched(mention):
        words = [i for i, (a, b) in enumerate(document.words) if a < mention.end and mention.start < b]
        return (words[0], words[-1] + 1, mention.type) if words else None

    remaining = list(document.mentions)
    for mention in left_out:
        remaining.remove(mention)
    assert sorted(spans) == sorted(touched(mention) for mention in remaining)
    starts, ends = {a for a, _ in document.words}, {b for _, b in document.words}
    assert sorted(misaligned) == sorted(m for m in remaining if m.start not in starts or m.end not in ends)


@pytest.mark.parametrize(
    ("mentions", "spans", "left_out", "misaligned"),
    [
        ([(0, 13, "D"), (7, 13, "D")], [(0, 2, "D")], [(7, 13)], []),  # nested
        ([(0, 6, "D"), (7, 13, "D")], [(0, 1, "D"), (1, 2, "D")], [], []),  # neighbours
        ([(14, 19, "G"), (19, 20, "C")], [(2, 3, "G"), (3, 4, "C")], [], []),  # touching
        ([(14, 16, "G")], [(2, 3, "G")], [], [(14, 16)]),  # ends inside a word
        ([(14, 16, "G"), (16, 19, "C")], [(2, 3, "G")], [(16, 19)], [(14, 16)]),  # two in one word
        ([(13, 14, "G")], [], [(13, 14)], []),  # white space alone
        ([(6, 14, "D")], [(1, 2, "D")], [], [(6, 14)]),  # with space around it
    ],
)
def test_word_spans_worked_examples(mentions, spans, left_out, misaligned):
    #                  0      7      14   19
    document = Document("d", "breast cancer BRCA1-x", tuple(Mention(*m) for m in mentions))
    found, out, bad = word_spans(document)
    assert found == spans
    assert [(m.start, m.end) for m in out] == left_out and [(m.start, m.end) for m in bad] == misaligned


def test_word_spans_become_mentions_again():
    document = Document("d", "breast  cancer of BRCA1")
    (one, two) = spans_to_mentions([(0, 2, "Disease"), (3, 4, "Gene")], document, "student")
    assert one == Mention(0, 14, "Disease", "breast  cancer", (), "student")
    assert two == Mention(18, 23, "Gene", "BRCA1", (), "student")


def test_published_labels_group_as_mentions_in_the_plain_pipeline_pain_12():
    # The pipeline reads any label but "O" as an entity and strips "B-" and "I-" alone.
    for label in LabelSpace(TYPES).labels:
        assert label == "O" or re.fullmatch(r"[BI]-\w+", label)

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_bionerkd.documents import (
    ConceptRef,
    Document,
    Mention,
    Passage,
    SpanError,
    join_words,
    span_problem,
    split_words,
)


def test_mentions_are_filled_in_and_ordered_with_nested_ones_kept_pain_20():
    text = "breast cancer of BRCA1 carriers"
    mentions = (Mention(17, 22, "Gene"), Mention(7, 13, "Disease"), Mention(0, 13, "Disease", "breast cancer"))
    document = Document("1", text, mentions)
    assert [(m.start, m.end, m.text) for m in document.mentions] == [
        (0, 13, "breast cancer"),
        (7, 13, "cancer"),
        (17, 22, "BRCA1"),
    ]


def test_filling_in_the_text_keeps_concepts_and_source():
    concept = ConceptRef("MESH", "D001241")
    (mention,) = Document("1", "Aspirin helps.", (Mention(0, 7, "Chemical", "", (concept,), "lexicon"),)).mentions
    assert mention == Mention(0, 7, "Chemical", "Aspirin", (concept,), "lexicon")


def test_offsets_count_code_points_pain_19():
    text = "𝛼-synuclein naïve"  # the first character takes two UTF-16 units and four UTF-8 bytes
    document = Document("1", text, (Mention(0, 11, "Gene", "𝛼-synuclein"),))
    assert document.mentions[0].text == text[:11]
    assert document.tokens == ["𝛼", "-", "synuclein", "naïve"]


@pytest.mark.parametrize(
    ("mention", "message"),
    [
        (
            Mention(0, 7, "Chemical", "aspirin"),
            "'aspirin' \\[0, 7\\) does not match its offsets: the text there is 'Asp",
        ),
        (Mention(3, 3, "Chemical"), r"\[3, 3\) is empty or leaves the text of 14 code points"),
        (Mention(5, 4, "Chemical"), r"\[5, 4\) is empty"),
        (Mention(-1, 4, "Chemical"), r"\[-1, 4\) is empty or leaves"),
        (Mention(8, 15, "Chemical"), r"\[8, 15\) is empty or leaves"),
    ],
)
def test_a_mention_that_is_not_at_its_offsets_is_refused_pain_19(mention, message):
    with pytest.raises(SpanError, match=f"document 'd7': Chemical mention .*{message}"):
        Document("d7", "Aspirin helps.", (mention,))
    assert span_problem("Aspirin helps.", mention)


def test_a_sound_mention_has_no_problem():
    assert span_problem("Aspirin helps.", Mention(0, 7, "Chemical", "Aspirin")) is None


@pytest.mark.parametrize("words", [((0, 3), (2, 5)), ((0, 0),), ((4, 6), (0, 3)), ((0, 99),)])
def test_bad_words_are_refused(words):
    with pytest.raises(SpanError, match="document 'd7': word "):
        Document("d7", "some text", (), words)


def test_bad_passages_are_refused():
    with pytest.raises(SpanError, match=r"document 'd7': passage 'title' \[0, 99\) leaves the text of 9 code points"):
        Document("d7", "some text", passages=(Passage(0, 99, "title"),))


def test_given_words_are_kept_and_missing_words_supplied():
    assert Document("1", "IL-2 x", (), ((0, 4), (5, 6))).tokens == ["IL-2", "x"]
    assert Document("1", "IL-2 x").tokens == ["IL", "-", "2", "x"]
    assert Document("1", "").words == ()


def test_documents_and_mentions_are_frozen():
    document = Document("1", "x", (Mention(0, 1, "Gene"),))
    for thing, field in ((document, "text"), (document.mentions[0], "start")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(thing, field, 0)


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [((0, 5), (5, 8), False), ((0, 5), (4, 8), True), ((0, 9), (3, 4), True), ((6, 9), (0, 5), False)],
)
def test_overlap_is_shared_characters_not_touching(one, other, overlap):
    a, b = Mention(*one, "X"), Mention(*other, "Y")
    assert a.overlaps(b) is overlap and b.overlaps(a) is overlap


@pytest.mark.parametrize(
    ("written", "scheme", "expected"),
    [
        ("MESH:D003920", "", ConceptRef("MESH", "D003920")),
        (" D003920 ", "MESH", ConceptRef("MESH", "D003920")),
        ("-1", "", ConceptRef("", "-1")),
    ],
)
def test_concepts_are_read_and_written(written, scheme, expected):
    concept = ConceptRef.parse(written, scheme)
    assert concept == expected and ConceptRef.parse(str(concept)) == concept


@settings(deadline=None)
@given(st.text(max_size=60))
def test_split_words_holds_every_visible_character_once_in_order(text):
    spans = split_words(text)
    assert all(start < end for start, end in spans)
    assert all(one[1] <= other[0] for one, other in zip(spans, spans[1:], strict=False))
    kept = "".join(text[start:end] for start, end in spans)
    assert kept == "".join(character for character in text if not character.isspace())
    for start, end in spans:
        word = text[start:end]
        assert word.isalnum() or len(word) == 1


def test_a_mention_inside_a_compound_starts_and_ends_at_words():
    text = "aspirin-induced_ulcer(s)"
    assert [text[a:b] for a, b in split_words(text)] == ["aspirin", "-", "induced", "_", "ulcer", "(", "s", ")"]


@settings(deadline=None)
@given(st.lists(st.text(min_size=1, max_size=8), max_size=10))
def test_joined_words_are_found_at_their_spans(words):
    text, spans = join_words(words)
    assert [text[start:end] for start, end in spans] == words and text == " ".join(words)

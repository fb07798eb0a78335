import pytest
from datasets import ClassLabel, Dataset, Features, List, Value
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_bionerkd.data.features import annotated_types, corpus_features, document_to_row, row_to_document
from hf_bionerkd.documents import ConceptRef, Document, Mention, SpanError
from hf_bionerkd.labels import LabelError, LabelSpace

TYPES = ("Disease", "Chemical")
SPACE = LabelSpace(TYPES)
NAMES = st.text("ABC123", min_size=1, max_size=6)


@st.composite
def documents(draw):
    text = draw(st.text("aβ𝛼- .\u200b", min_size=1, max_size=30))
    concepts = st.lists(st.builds(ConceptRef, st.sampled_from(["", "MESH", "OMIM"]), NAMES), max_size=3).map(tuple)
    mentions = []
    for _ in range(draw(st.integers(0, 5))):
        start = draw(st.integers(0, len(text) - 1))
        end = draw(st.integers(start + 1, len(text)))
        source = draw(st.sampled_from(["gold", "lexicon"]))
        mentions.append(Mention(start, end, draw(st.sampled_from(TYPES)), text[start:end], draw(concepts), source))
    words = ()
    if draw(st.booleans()):  # the source's own words, any cut of the text
        cuts = sorted(draw(st.sets(st.integers(0, len(text)), min_size=2, max_size=8)))
        words = tuple(zip(cuts, cuts[1:], strict=False))[:: draw(st.integers(1, 2))]
    metadata = {"document_id": draw(NAMES)} if draw(st.booleans()) else {}
    return Document(draw(NAMES), text, tuple(mentions), words, (), metadata)


@settings(deadline=None)
@given(documents())
def test_documents_come_back_from_rows_with_all_their_mentions_pain_20(document):
    row, left_out = document_to_row(document, SPACE)
    assert row_to_document(row) == document
    assert len(row["tokens"]) == len(row["token_starts"]) == len(row["ner_tags"])
    flat = len(SPACE.decode(row["ner_tags"]))
    assert flat + left_out["mentions_left_out_of_flat_view"] == len(document.mentions)
    assert 0 <= left_out["mentions_widened_to_words"] <= flat


@settings(deadline=None, max_examples=25)
@given(st.lists(documents(), min_size=1, max_size=4))
def test_documents_come_back_from_arrow_with_their_words_offsets_pain_10(some):
    dataset = Dataset.from_list([document_to_row(d, SPACE)[0] for d in some], features=corpus_features(TYPES))
    assert [row_to_document(row) for row in dataset] == some


def test_worked_example():
    text = "Aspirin-induced breast cancer."
    cancer, breast_cancer = (
        Mention(23, 29, "Disease"),
        Mention(16, 29, "Disease", "", (ConceptRef("MESH", "D001943"),)),
    )
    row, left_out = document_to_row(
        Document("7", text, (cancer, breast_cancer, Mention(0, 4, "Chemical")), metadata={"document_id": "123"}), SPACE
    )
    assert row["tokens"] == ["Aspirin", "-", "induced", "breast", "cancer", "."]
    assert row["token_starts"] == [0, 7, 8, 16, 23, 29]
    assert [SPACE.labels[tag] for tag in row["ner_tags"]] == ["B-Chemical", "O", "O", "B-Disease", "I-Disease", "O"]
    assert [(m["start"], m["end"], m["text"], m["concept_ids"]) for m in row["mentions"]] == [
        (0, 4, "Aspi", []),
        (16, 29, "breast cancer", ["MESH:D001943"]),
        (23, 29, "cancer", []),
    ]
    assert row["document_id"] == "123"
    assert left_out == {"mentions_left_out_of_flat_view": 1, "mentions_widened_to_words": 1}


def test_a_mention_of_an_unknown_type_is_named():
    with pytest.raises(LabelError, match=r"type 'Cell' is not one of \['Disease', 'Chemical'\]"):
        document_to_row(Document("1", "x", (Mention(0, 1, "Cell"),)), SPACE)


def test_a_row_that_contradicts_its_text_is_refused_pain_19():
    row, _ = document_to_row(Document("1", "one gene", (Mention(4, 8, "Disease"),)), SPACE)
    row["text"] = "One  gene"
    with pytest.raises(SpanError, match="document '1': Disease mention 'gene' .* the text there is ' gen'"):
        row_to_document(row)


def test_types_are_read_from_the_class_labels_in_order():
    assert annotated_types(corpus_features(("Gene", "Disease"))) == ("Gene", "Disease")
    labels = ClassLabel(names=["O", "B-Chemical", "I-Chemical", "B-Gene", "I-Gene"])
    assert annotated_types(Features({"ner_tags": List(labels)})) == ("Chemical", "Gene")


@pytest.mark.parametrize(
    "features", [Features({"tokens": List(Value("string"))}), Features({"ner_tags": List(Value("int64"))})]
)
def test_a_dataset_of_another_schema_is_named(features):
    with pytest.raises(
        ValueError, match=r"no `ner_tags` column of class labels; its columns are \['(tokens|ner_tags)'\]"
    ):
        annotated_types(features)

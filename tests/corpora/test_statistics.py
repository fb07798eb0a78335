from hypothesis import given
from hypothesis import strategies as st

from hf_bionerkd.corpora.statistics import CorpusStatistics, SplitOverlap, corpus_statistics, fold, split_overlap
from hf_bionerkd.documents import Document, Mention


def document(text, *spans):
    return Document("x", text, tuple(Mention(a, b, kind) for a, b, kind in spans))


def test_counts_of_a_worked_example():
    documents = [
        document("Gout and GOUT, BRCA1.", (0, 4, "Disease"), (9, 13, "Disease"), (15, 20, "Gene")),
        document("No mention"),
        document("g out", (0, 5, "Disease")),
    ]
    assert corpus_statistics(documents).as_dict() == {
        "documents": 3,
        "words": 6 + 2 + 2,
        "mentions": {"Disease": 3, "Gene": 1},
        "unique_mention_texts": {"Disease": 1, "Gene": 1},
        "mention_sources": {"Disease": {"gold": 3}, "Gene": {"gold": 1}},
    }


def test_no_documents():
    empty = corpus_statistics([])
    assert empty.as_dict() == {"documents": 0, "words": 0, "mentions": {}, "unique_mention_texts": {}}
    assert split_overlap(empty, empty).unseen_share == 0.0


def of(name, *sources):
    metadata = {"document_id": name} if name else {}
    mentions = tuple(Mention(i, i + 1, kind, source=source) for i, (kind, source) in enumerate(sources))
    return Document("x", "abcdef", mentions, metadata=metadata)


def test_rows_are_sentences_and_documents_are_what_they_come_from():
    assert corpus_statistics([of("1"), of("2"), of("1")]).as_dict()["source_documents"] == 2
    partly = corpus_statistics([of("1"), of(""), of("1")])
    assert partly.source_documents is None and "source_documents" not in partly.as_dict()
    assert corpus_statistics([]).source_documents is None


def test_sources_of_labels_are_counted_by_type_and_unknown_ones_left_out():
    found = corpus_statistics(
        [of("", ("Gene", "tagger"), ("Disease", "gold"), ("Gene", "")), of("", ("Gene", "tagger"), ("Gene", "gold"))]
    )
    assert found.mention_sources == {"Disease": {"gold": 1}, "Gene": {"gold": 1, "tagger": 2}}
    assert found.mentions == {"Disease": 1, "Gene": 4}
    unknown = corpus_statistics([of("", ("Gene", ""))])
    assert unknown.mention_sources == {} and "mention_sources" not in unknown.as_dict()


def test_overlap_ignores_white_space_and_case_and_respects_types():
    train = corpus_statistics([document("IL - 2 binds", (0, 6, "Gene")), document("only here")])
    evaluation = corpus_statistics(
        [
            document("il-2 Binds", (0, 4, "Gene")),
            document("il-2  binds", (0, 4, "Disease")),
            document("other", (0, 5, "Gene")),
        ]
    )
    overlap = split_overlap(train, evaluation)
    assert overlap == SplitOverlap(shared_documents=2, documents=3, unseen_mentions=2, mentions=3)
    assert overlap.unseen_share == 2 / 3


def test_fold_uses_full_case_folding_and_any_white_space():
    assert fold("STRASSE\u00a0\u2028x") == fold("straße X")


TEXTS = st.lists(st.text("aA b", min_size=1, max_size=3), max_size=12)


@given(TEXTS, TEXTS)
def test_overlap_equals_comparing_every_pair(train, evaluation):
    def build(texts):
        return [document(text, (0, len(text), "X")) for text in texts]

    def same(a, b):
        return a.lower().replace(" ", "") == b.lower().replace(" ", "")

    new = sum(not any(same(text, other) for other in train) for text in evaluation)
    overlap = split_overlap(corpus_statistics(build(train)), corpus_statistics(build(evaluation)))
    assert overlap == SplitOverlap(len(evaluation) - new, len(evaluation), new, len(evaluation))


def test_running_counts_equal_counts_of_the_whole():
    documents = [document(f"gout {i}", (0, 4, "Disease")) for i in range(5)]
    running = CorpusStatistics()
    for item in documents:
        running.add(item)
    assert running == corpus_statistics(documents)

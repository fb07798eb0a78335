"""Sentences are led back to the documents that hold them."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_bionerkd.corpora.conll import read_conll
from hf_bionerkd.corpora.pubtator import read_pubtator
from hf_bionerkd.corpora.sentence_documents import assign_documents
from hf_bionerkd.documents import Document

SENTENCE = st.lists(st.sampled_from(["a", "bb", "ab", "c."]), min_size=1, max_size=4)


@given(st.lists(st.lists(SENTENCE, min_size=1, max_size=4), min_size=1, max_size=5), st.randoms())
def test_sentences_of_distinct_documents_come_home_in_any_order_of_documents(documents, random):
    # A first sentence that no other document has; the others may stand anywhere.
    for number, sentences in enumerate(documents):
        sentences.insert(0, [f"title-{number}-", "x"])
    whole = [Document(str(n), " ".join(" ".join(words) for words in own)) for n, own in enumerate(documents)]
    cut = [
        (str(n), Document(f"{n}:{i}", "  ".join(words)))
        for n, own in enumerate(documents)
        for i, words in enumerate(own)
    ]
    random.shuffle(whole)
    found = [sentence.metadata["document_id"] for sentence in assign_documents([s for _, s in cut], whole)]
    assert found == [home for home, _ in cut]


def test_a_sentence_of_two_documents_goes_to_the_one_that_is_still_to_come():
    whole = [Document("1", "METHODS. We looked."), Document("2", "METHODS. We saw.")]
    cut = [Document(str(i), text) for i, text in enumerate(("METHODS.", "We looked.", "METHODS.", "We saw."))]
    assert [s.metadata["document_id"] for s in assign_documents(cut, whole)] == ["1", "1", "2", "2"]


def test_a_sentence_of_no_document_stays_as_it_is_and_is_counted():
    counts = Counter()
    sentences = [Document("a", "Elsewhere.", metadata={"kept": "yes"}), Document("b", "Here.")]
    first, second = assign_documents(sentences, [Document("1", "Here.")], counts)
    assert (first, second.metadata["document_id"]) == (sentences[0], "1")
    assert counts == {"sentences_of_no_document": 1}


@pytest.mark.parametrize(
    ("sentences", "documents", "number"),
    [
        ("BC5CDR/test.tsv", "bc5cdr/CDR_TestSet.PubTator.txt", 500),
        ("NCBI-disease/devel.tsv", "ncbi_disease/NCBIdevelopset_corpus.txt", 100),
    ],
)
def test_real_sentences_find_every_document_and_say_all_that_it_says(corpora_dir, sentences, documents, number):
    whole = list(read_pubtator(corpora_dir / "gold" / documents))
    cut = read_conll(corpora_dir / "conll" / sentences, name="x")
    said: dict[str, str] = {}
    for sentence in assign_documents(cut, whole):
        home = sentence.metadata["document_id"]
        said[home] = said.get(home, "") + "".join(sentence.text.split())
    assert len(said) == number
    assert said == {document.id: "".join(document.text.split()) for document in whole}

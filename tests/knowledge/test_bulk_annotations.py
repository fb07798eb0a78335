from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_bionerkd.corpora.pubtator_bulk import BulkRow, read_bulk_rows
from hf_bionerkd.documents import ConceptRef, split_words
from hf_bionerkd.knowledge.bulk_annotations import BulkAnnotations, find_mentions, write_bulk_annotations

GOUT, LEVODOPA = ConceptRef("MESH", "D006073"), ConceptRef("MESH", "D007980")


def row(mentions, type_="Disease", concepts=(GOUT,), pmid="1", resources=("DNorm",)):
    return BulkRow(pmid, type_, tuple(concepts), tuple(mentions), tuple(resources))


def find(text, rows, counts=None):
    return [
        (m.text, m.start, m.type, m.concepts, m.source)
        for m in find_mentions(text, split_words(text), rows, counts=counts)
    ]


def test_rows_come_back_as_they_were(tmp_path):
    rows = [
        row(["gout", "Gouty arthritis"]),
        row(["l-dopa"], "Chemical", [LEVODOPA, GOUT], "7", ["tmChem", "MeSH"]),
        row(["x"], concepts=[], pmid="7", resources=[]),
    ]
    path = tmp_path / "rows.parquet"
    others = [row(["BRCA1"], "Gene"), rows[0]]
    assert write_bulk_annotations(path, [*rows, *others], ["Chemical", "Disease"], {}) == 3
    found = BulkAnnotations(path).of([1, 7, 8])
    assert sorted(found) == [1, 7]
    assert found[1] == rows[:1] and sorted(found[7], key=lambda r: r.type) == rows[1:]


def test_mentions_are_whole_words_in_the_spelling_of_the_row():
    counts = Counter()
    text = "Gout, gouty gout-like; GOUT and gout."
    assert [start for _, start, *_ in find(text, [row(["gout", "podagra"])], counts)] == [12, 32]
    assert counts == Counter(bulk_mentions_not_found=1)


def test_the_longest_mention_wins_and_one_span_may_have_two_types():
    rows = [row(["acute gout", "gout"]), row(["gout"], "Chemical", [LEVODOPA], resources=["a", "b"])]
    assert find("acute gout, gout", rows) == [
        ("acute gout", 0, "Disease", (GOUT,), "pubtator:DNorm/bulk"),
        ("gout", 12, "Chemical", (LEVODOPA,), "pubtator:a+b/bulk"),
        ("gout", 12, "Disease", (GOUT,), "pubtator:DNorm/bulk"),
    ]


def test_two_rows_for_one_span_become_one_mention():
    rows = [row(["gout"]), row(["gout"], concepts=[LEVODOPA, GOUT], resources=[])]
    assert find("gout", rows) == [("gout", 0, "Disease", (GOUT, LEVODOPA), "pubtator:DNorm/bulk")]


words = st.lists(st.sampled_from(["a", "b", "ab", "-", "B"]), min_size=1, max_size=12).map(" ".join)


@given(words, st.lists(words, min_size=1, max_size=4))
def test_what_is_found_is_what_a_walk_over_all_spans_finds(text, mentions):
    spans = split_words(text)
    every = {(a, b) for a, _ in spans for _, b in spans if text[a:b] in mentions}
    kept = []
    for span in sorted(every, key=lambda s: (s[0] - s[1], s[0])):
        if not any(span[0] < b and a < span[1] for a, b in kept):
            kept.append(span)
    assert [(m.start, m.end) for m in find_mentions(text, spans, [row(mentions)])] == sorted(kept)


@pytest.mark.corpora
def test_real_rows_are_stored_and_found(corpora_dir, tmp_path):
    rows = list(read_bulk_rows(corpora_dir / "pubtator_auto" / "disease2pubtator.txt"))
    path = tmp_path / "rows.parquet"
    write_bulk_annotations(path, rows, ["Disease"], {})
    stored = BulkAnnotations(path)
    pmids = {int(r.pmid) for r in rows}
    assert {pmid: Counter(found) for pmid, found in stored.of(pmids).items()} == {
        pmid: Counter({r for r in rows if int(r.pmid) == pmid}) for pmid in pmids
    }

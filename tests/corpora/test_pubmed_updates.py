from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_bionerkd.corpora.files import CorpusError
from hf_bionerkd.corpora.pubmed_updates import PubMedUpdates, read_pubmed_updates


def record(pmid, title):
    return (
        f"<PubmedArticle><MedlineCitation><PMID>{pmid}</PMID><Article><ArticleTitle>{title}</ArticleTitle></Article>"
        "</MedlineCitation></PubmedArticle>"
    )


def deletion(*pmids):
    return f"<DeleteCitation>{''.join(f'<PMID>{pmid}</PMID>' for pmid in pmids)}</DeleteCitation>"


def write(folder, *files):
    paths = [folder / f"{number}.xml" for number in range(len(files))]
    for path, content in zip(paths, files, strict=True):
        path.write_text(f"<PubmedArticleSet>{''.join(content)}</PubmedArticleSet>")
    return paths


def test_the_newest_record_wins_and_deletions_are_applied(tmp_path):
    paths = write(
        tmp_path,
        [record(11, "old"), record(12, "withdrawn"), record(13, "kept"), record(11, "old, version 2")],
        [record(11, "new"), deletion(12, 99)],
        [deletion(14), record(15, "x"), record(14, "put back"), record(12, "put back")],
    )
    counts = Counter()
    found = [(r.pmid, r.title) for r in read_pubmed_updates(paths, counts=counts)]
    assert found == [("13", "kept"), ("11", "new"), ("15", "x"), ("12", "put back")]
    # The list of a file applies to its own records, too; a record of a later file comes after it.
    assert (counts["records_replaced"], counts["records_deleted"]) == (3, 1)
    assert (counts["records"], counts["deletions_skipped"]) == (8, 3)
    assert [r.title for r in PubMedUpdates(paths[:2]).records(0)] == ["kept"]
    assert list(read_pubmed_updates([])) == []


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.tuples(st.booleans(), st.integers(1, 4)), max_size=5), max_size=3))
def test_equals_keeping_a_dictionary(tmp_path_factory, files):
    expected, contents = {}, []
    for number, events in enumerate(files):
        rows = []
        for place, (is_deletion, pmid) in enumerate(events):
            rows.append(deletion(pmid) if is_deletion else record(pmid, f"{number}-{place}"))
            if not is_deletion:
                expected[pmid] = f"{number}-{place}"
        for is_deletion, pmid in events:
            if is_deletion:
                expected.pop(pmid, None)
        contents.append(rows)
    paths = write(tmp_path_factory.mktemp("pubmed"), *contents)
    assert {int(r.pmid): r.title for r in read_pubmed_updates(paths)} == expected
    assert len(list(read_pubmed_updates(paths))) == len(expected)


def test_errors_name_the_file(tmp_path):
    (path,) = write(tmp_path, [record(1, "x")])
    path.write_text(path.read_text()[:-5])
    with pytest.raises(CorpusError, match=r"0\.xml:1: not well-formed XML"):
        PubMedUpdates([path])
    (path,) = write(tmp_path, [record("PMC1", "x")])
    with pytest.raises(CorpusError, match=r"0\.xml:1: the record's PMID is 'PMC1'"):
        list(read_pubmed_updates([path]))

import random
from collections import Counter
from pathlib import Path

import pytest

from hf_bionerkd.corpora.files import CorpusError
from hf_bionerkd.knowledge.pmid_tables import PmidTable, read_counts, read_identity, write_pmid_table


def test_a_table_gives_back_distinct_rows_of_the_wanted_pmids(tmp_path):
    rng = random.Random(3)
    rows = [
        (rng.randrange(1, 400), f"MESH:D{rng.randrange(20):06d}", rng.choice(["CTD", "MeSH"])) for _ in range(3000)
    ]
    path = tmp_path / "it's a folder" / "table.parquet"
    assert write_pmid_table(path, ["concept", "source"], rows, {"sources": ["a"]}) == len(set(rows))
    table = PmidTable(path)
    assert len(table) == len(set(rows))
    for wanted in ([], [7], [7, 7, 100_000, 10**20], list(range(350, 420)), range(1, 400)):
        assert list(table.lookup(wanted)) == sorted(row for row in set(rows) if row[0] in set(wanted))
    assert table.count_by("source") == {name: sum(r[2] == name for r in set(rows)) for name in ("CTD", "MeSH")}
    assert read_identity(path) == {"sources": ["a"]}


def test_a_table_larger_than_its_memory_is_sorted_all_the_same(tmp_path):
    rows = ((pmid * 7919 % 1_000_003, f"MESH:D{pmid % 999:06d}") for pmid in range(1_000_000))
    assert write_pmid_table(tmp_path / "t.parquet", ["concept"], rows, {}, memory_mb=40) == 1_000_000
    found = list(PmidTable(tmp_path / "t.parquet", memory_mb=40).lookup([7919 % 1_000_003, 2 * 7919 % 1_000_003]))
    assert found == [(7919, "MESH:D000001"), (15838, "MESH:D000002")]


@pytest.mark.parametrize(
    "name", ["g[1]", "g*", "g?", "[!a]", "**", "{g1,a}", "pmid=7", "a\\b", "md:x", "it's", "$x ~"]
)
def test_a_path_is_a_path_and_no_pattern(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    for other in ("g1", "gx", "a", "b"):
        write_pmid_table(Path(other) / "t.parquet", ["concept"], [(7, f"MESH:{other}")], {})
    path = Path(name) / "t.parquet"
    rows = [(7 + pmid * 7919 % 50_021, "MESH:right") for pmid in range(50_000)]
    write_pmid_table(path, ["concept"], rows, {})
    assert list(PmidTable(path).lookup([7])) == [(7, "MESH:right")]
    assert PmidTable(path).count_by("concept") == {"MESH:right": 50_000}
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["t.parquet"]


def test_counts_are_taken_after_the_rows_and_kept_with_the_table(tmp_path):
    counts = Counter()

    def rows():
        for pmid in range(5):
            counts["rows"] += 1
            yield pmid, "MESH:D000001"

    write_pmid_table(tmp_path / "t.parquet", ["concept"], rows(), {}, counts=counts)
    assert read_counts(tmp_path / "t.parquet") == {"rows": 5} and read_counts(tmp_path / "none.parquet") == {}


def test_nothing_is_left_of_a_table_that_fails_and_the_old_one_stays(tmp_path):
    path = tmp_path / "table.parquet"
    write_pmid_table(path, ["concept"], [(1, "MESH:D000001")], {"first": True})

    def broken():
        yield 2, "MESH:D000002"
        raise CorpusError("line 2 is damaged")

    with pytest.raises(CorpusError, match="line 2 is damaged"):
        write_pmid_table(path, ["concept"], broken(), {})
    assert [entry.name for entry in tmp_path.iterdir()] == ["table.parquet"]
    assert read_identity(path) == {"first": True} and list(PmidTable(path).lookup([1])) == [(1, "MESH:D000001")]


def test_what_is_no_table_is_told(tmp_path):
    assert read_identity(tmp_path / "none.parquet") is None
    (tmp_path / "damaged.parquet").write_bytes(b"PAR1 and no more")
    for name in ("none", "damaged"):
        with pytest.raises(CorpusError, match=f"{name}.parquet: no table of hf_bionerkd; build it first"):
            PmidTable(tmp_path / f"{name}.parquet")


def test_an_empty_table_holds_nothing(tmp_path):
    assert write_pmid_table(tmp_path / "t.parquet", ["concept"], [], {}) == 0
    assert list(PmidTable(tmp_path / "t.parquet").lookup([1, 2])) == []

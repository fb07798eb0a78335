import gzip
import tracemalloc
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_bionerkd.corpora.files import CorpusError
from hf_bionerkd.corpora.pubtator_bulk import BulkRow, read_bulk_rows, write_bulk_rows
from hf_bionerkd.documents import ConceptRef

TEXTS = st.text(
    st.one_of(st.sampled_from(' "\x85\u2028é🧬'), st.characters(exclude_categories=["Cs"])), min_size=1, max_size=9
).filter(lambda text: text and text == text.strip() and not set("\t\r\n\0|") & set(text))
ROWS = st.builds(
    BulkRow,
    st.from_regex(r"[1-9][0-9]{0,7}", fullmatch=True),
    st.sampled_from(["Disease", "Gene", "Cell Line"]),
    st.lists(
        st.builds(ConceptRef, st.sampled_from(["", "MESH"]), st.from_regex(r"[CD][0-9]{1,6}", fullmatch=True)),
        max_size=3,
    ).map(tuple),
    st.lists(TEXTS, min_size=1, max_size=3).map(tuple),
    st.lists(TEXTS, max_size=2).map(tuple),
)
MESH = ConceptRef("MESH", "D008223")


def put(path, *lines):
    path.write_bytes("".join(line + "\n" for line in lines).encode())
    return path


@settings(max_examples=100, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=4), st.booleans())
def test_what_is_written_is_read_back(tmp_path_factory, written, zipped):
    path = tmp_path_factory.mktemp("bulk") / ("rows.gz" if zipped else "rows")
    assert write_bulk_rows(path, written) == len(written)
    assert list(read_bulk_rows(path, default_scheme="")) == written


@pytest.mark.parametrize("header", [(), ("PMID\tMeshID\tMentions\tResource\r",), ("\ufeffpmid\ta\tb\tc",)])
@pytest.mark.parametrize("zipped", [False, True])
def test_four_columns_with_and_without_header(tmp_path, header, zipped):
    path = put(tmp_path / "disease2pubtator", *header, "1000017\tMESH:D008223\tlymphomas|lymphoma\tMeSH|DNorm\r", "")
    if zipped:
        path = path.with_suffix(".gz")
        path.write_bytes(gzip.compress(path.with_suffix("").read_bytes()))
    counts = Counter()
    assert list(read_bulk_rows(path, counts=counts)) == [
        BulkRow("1000017", "Disease", (MESH,), ("lymphomas", "lymphoma"), ("MeSH", "DNorm"))
    ]
    assert +counts == Counter(rows=1)


@pytest.mark.parametrize("header", [(), ("PMID\tType\tConcept ID\tMentions\tResource",)])
def test_five_columns_say_their_type(tmp_path, header):
    lines = ["1\tGene\t672;675\tBRCA|BRCA\tGNormPlus", "2\tChemical\t-\tdrug X\t", "3\tSpecies\t9606\tman||\tSR4GN|"]
    counts = Counter()
    rows = list(read_bulk_rows(put(tmp_path / "bioconcepts2pubtatorcentral", *header, *lines), counts=counts))
    assert rows == [
        BulkRow(
            "1",
            "Gene",
            (ConceptRef("NCBIGene", "672"), ConceptRef("NCBIGene", "675")),
            ("BRCA", "BRCA"),
            ("GNormPlus",),
        ),
        BulkRow("2", "Chemical", (), ("drug X",), ()),
        BulkRow("3", "Species", (ConceptRef("NCBITaxon", "9606"),), ("man",), ("SR4GN",)),
    ]
    assert +counts == Counter(rows=3, rows_without_concept=1)


@pytest.mark.parametrize(
    ("name", "options", "kind", "concept"),
    [
        ("chemical2pubtator", {}, "Chemical", "MESH:D1"),
        ("Gene2PubTator.sample.txt", {}, "Gene", "NCBIGene:D1"),
        ("mutation2pubtator", {}, "Mutation", "D1"),
        ("disease2pubtator", {"type": "Illness"}, "Illness", "D1"),
        ("rows.tsv", {"type": "Disease", "default_scheme": "X"}, "Disease", "X:D1"),
    ],
)
def test_the_type_comes_from_the_name_or_is_given(tmp_path, name, options, kind, concept):
    (row,) = read_bulk_rows(put(tmp_path / name, "1\tD1\tgout\tMeSH"), **options)
    assert (row.type, [str(c) for c in row.concepts]) == (kind, [concept])


def test_white_space_at_the_ends_of_a_mention_is_no_part_of_it(tmp_path):
    (row,) = read_bulk_rows(put(tmp_path / "disease2pubtator", "1\tD1\t gout|ache \tMeSH "))
    assert (row.mentions, row.resources) == (("gout", "ache"), ("MeSH",))


BAD = [
    ("1\tD1\tgout", "it has 3 columns, the first row has 4"),
    ("1\tDisease\tD1\tgout\tMeSH", "it has 5 columns, the first row has 4"),
    ("PMC1\tD1\tgout\tMeSH", "'PMC1' is no PMID"),
    ("\tD1\tgout\tMeSH", "'' is no PMID"),
    ("1234567890\tD1\tgout\tMeSH", "'1234567890' is no PMID"),
    ("1\tDisease\tD1\tgout", "it has a type, 'Disease', and so lacks one of five columns"),
    ("1\tD1\t | \tMeSH", "it has no mention"),
]


@pytest.mark.parametrize(("line", "reason"), BAD)
def test_a_bad_row_is_an_error_that_names_it_or_is_set_aside_with_a_count(tmp_path, line, reason):
    path = put(tmp_path / "disease2pubtator", "1\tD1\tgout\tMeSH", line, "2\tD1\tgout\tMeSH")
    with pytest.raises(CorpusError, match=rf"disease2pubtator:2: .*{reason}.*on_set_aside"):
        list(read_bulk_rows(path))
    counts, aside = Counter(), []
    assert [row.pmid for row in read_bulk_rows(path, counts=counts, on_set_aside=aside.append)] == ["1", "2"]
    assert aside == [{"file": "disease2pubtator", "line": 2, "row": line, "reason": reason}]
    assert counts == Counter(rows=2, rows_set_aside=1, rows_without_concept=0)


SHORT, LONG = "1\tDisease\tD006073\tgout", "1\tD006073\tgo\tut\tMeSH"


@pytest.mark.parametrize(
    ("name", "bad", "good", "reason"),
    [
        (
            "disease2pubtatorcentral",
            SHORT,
            "2\tDisease\tD006073\tgout\tMeSH",
            "it has a type, 'Disease', and so lacks",
        ),
        ("rows", "1\tDNA Mutation\tx\ty", "2\tDisease\tD006073\tgout\tMeSH", "it has a type, 'DNA Mutation'"),
        ("disease2pubtator", LONG, "2\tD006073\tgout\tMeSH", "it has concept IDs, 'D006073', instead of a type"),
    ],
)
def test_a_bad_first_row_does_not_decide_how_the_others_are_read(tmp_path, name, bad, good, reason):
    path = put(tmp_path / name, bad, bad, good, good)
    counts, aside = Counter(), []
    rows = list(read_bulk_rows(path, counts=counts, on_set_aside=aside.append))
    assert rows == [BulkRow("2", "Disease", (ConceptRef("MESH", "D006073"),), ("gout",), ("MeSH",))] * 2
    assert [(row["line"], row["reason"][: len(reason)]) for row in aside] == [(1, reason), (2, reason)]
    assert +counts == Counter(rows=2, rows_set_aside=2)
    with pytest.raises(CorpusError, match=rf"{name}:1: .*{reason}.*on_set_aside"):
        list(read_bulk_rows(path))


def test_a_row_without_type_is_a_bad_row(tmp_path):
    path = put(tmp_path / "x", "1\tDisease\tD1\tgout\tMeSH", "1\t \tD1\tgout\tMeSH")
    with pytest.raises(CorpusError, match=r"x:2: .*it has no type"):
        list(read_bulk_rows(path))


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        ("disease2pubtator", ["1\tD1"], r"disease2pubtator:1: the row has 2 columns separated by tabs; expected four"),
        ("disease2pubtator", ["1 D1 gout MeSH"], r"disease2pubtator:1: the row has 1 columns"),
        ("rows", ["PMID\tMeshID\tMentions\tResource"], r"rows:1: the rows have no column for the type.*give `type`"),
        ("disease2pubtator", ["", " "], r"disease2pubtator: the file holds no row"),
        ("disease2pubtator", ["1\tD1\tgo\0ut\tMeSH"], r"disease2pubtator:1: the line holds a NUL byte"),
    ],
)
def test_malformed_files_are_errors_that_name_the_file(tmp_path, name, lines, message):
    with pytest.raises(CorpusError, match=message):
        list(read_bulk_rows(put(tmp_path / name, *lines), on_set_aside=pytest.fail))


def test_truncated_gzip_names_the_file(tmp_path):
    content = gzip.compress("".join(f"{n}\tD{n * n}\tgout\tMeSH\n" for n in range(1, 9000)).encode())
    (tmp_path / "disease2pubtator.gz").write_bytes(content[: len(content) // 2])
    rows = read_bulk_rows(tmp_path / "disease2pubtator.gz")
    assert next(rows).pmid == "1"
    with pytest.raises(
        CorpusError, match=r"disease2pubtator\.gz: the gzip stream is cut off or damaged after line \d+"
    ):
        list(rows)


@pytest.mark.parametrize(
    "row",
    [
        BulkRow("1", "Disease", (), ("a|b",)),
        BulkRow("1", "Disease", (), ("a\tb",)),
        BulkRow("1", "Disease", (), (" a",)),
        BulkRow("1", "Disease", (), ("a\nb",)),
        BulkRow("1", "Disease", (), ()),
        BulkRow("PMC1", "Disease", (), ("a",)),
        BulkRow("1", " ", (), ("a",)),
        BulkRow("1", "Disease", (ConceptRef("", "-"),), ("a",)),
    ],
)
def test_what_would_be_read_back_as_another_is_an_error_and_leaves_the_old_file(tmp_path, row):
    path = put(tmp_path / "a", "old")
    with pytest.raises(CorpusError, match="would be read back as another row"):
        write_bulk_rows(path, [BulkRow("1", "Disease", (), ("fine",)), row])
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a", "old\n")]


def test_memory_does_not_grow_with_the_file(tmp_path):
    path = tmp_path / "rows.gz"
    tracemalloc.start()
    write_bulk_rows(path, (BulkRow(str(n), "Disease", (MESH,), ((f"{n} " * 100).strip(),)) for n in range(1, 4000)))
    assert sum(len(row.mentions[0]) for row in read_bulk_rows(path)) > 1_500_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 700_000

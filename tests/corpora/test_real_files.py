"""The readers on real files, against documented counts, whole-file parsers, or another format of the same text."""

import gzip
import json
import re
from collections import Counter

import pytest
from lxml import etree

from hf_bionerkd.corpora.articles import read_articles
from hf_bionerkd.corpora.bioc import read_bioc
from hf_bionerkd.corpora.bioc_writer import write_bioc_json, write_bioc_xml
from hf_bionerkd.corpora.pubmed import read_pubmed
from hf_bionerkd.corpora.pubtator import read_pubtator, write_pubtator
from hf_bionerkd.corpora.pubtator_bulk import read_bulk_rows, write_bulk_rows
from hf_bionerkd.corpora.pubtator_search import read_search_answers

# Documents; annotations in the file (the README's counts, or an XPath's); set aside; what else is counted.
BIOC = {
    "gold/bc5cdr/CDR_TrainSet.BioC.xml.gz": (
        (500, 9570, 0),
        {"relations_skipped": 1038, "mentions_discontinuous": 73, "mentions_repaired": 3},
    ),
    "gold/bc5cdr/CDR_TestSet.BioC.xml.gz": ((500, 9928, 0), {"relations_skipped": 1066, "mentions_discontinuous": 37}),
    "pubtator_auto/ex.BioC.xml": ((4, 0, 0), {}),
    # Most annotations of this file are of full texts, of which it holds titles and abstracts alone.
    "pubtator_auto/ptc_sample.BioC.xml": ((132, 9504, 7689), {"mentions_repaired": 59, "passages_without_text": 1}),
    "pubtator_auto/ptc_fulltext.BioC.xml.gz": ((32, 6784, 0), {"passages_without_text": 14}),
    "pubtator_auto/ptc_api.BioC.json": ((1, 25, 0), {}),
    "pubtator_auto/litcovid2pubtator.json.sample": ((97, 4175, 0), {"passages_without_text": 57}),
}
PUBTATOR = {  # documents, annotations, set aside
    "pubtator_auto/bioconcepts2pubtator_offsets.sample": (651, 7539),
    "pubtator_auto/ptc_sample.PubTator.txt": (132, 9504),
    "pubtator_auto/ex.PubTator": (2, 0),
}
SEARCH = {  # answers with an excerpt, mentions
    "pubtator_auto/pubtator3_search_results.jsonl.gz": (10578, 41758),
    "pubtator_auto/pubtator3_search_example.json": (10, 64),
}
BULK = "pubtator_auto/disease2pubtator.txt"

pytestmark = pytest.mark.corpora


def content(path):
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def test_every_file_of_pubtator_and_bioc_is_read_here(corpora_dir):
    present = {f"pubtator_auto/{path.name}" for path in (corpora_dir / "pubtator_auto").iterdir()}
    present |= {path.relative_to(corpora_dir).as_posix() for path in (corpora_dir / "gold").rglob("*BioC*")}
    assert present == {*BIOC, *PUBTATOR, *SEARCH, BULK}


@pytest.mark.parametrize("name", BIOC)
def test_bioc_files_have_their_counts(corpora_dir, name):
    counts, aside = Counter(), []
    documents = list(read_bioc(corpora_dir / name, counts=counts, on_set_aside=aside.append))
    kept = sum(len(document.mentions) for document in documents)
    assert (len(documents), kept + len(aside), len(aside)) == BIOC[name][0]
    assert +counts == Counter(BIOC[name][1]) + Counter(mentions_set_aside=len(aside))


@pytest.mark.parametrize("name", [name for name in BIOC if ".xml" in name])
def test_bioc_documents_equal_what_a_whole_tree_says(corpora_dir, name):
    tree = etree.fromstring(content(corpora_dir / name))
    aside = []
    documents = list(read_bioc(corpora_dir / name, on_set_aside=aside.append))
    assert [d.id for d in documents] == tree.xpath("//document/id/text()")
    texts = [d.text[p.start : p.end] for d in documents for p in d.passages]
    assert texts == [passage.findtext("text") or "" for passage in tree.iter("passage")]
    assert [p.start for d in documents for p in d.passages] == [int(o.text) for o in tree.iter("offset")]
    printed = Counter(a.findtext("text") for a in tree.iter("annotation") if len(a.findall("location")) == 1)
    read = Counter(m.text for d in documents for m in d.mentions) + Counter(row["text"] for row in aside)
    assert (printed - read).total() <= 1  # one mention of the training set is a letter short, and repaired


@pytest.mark.parametrize("name", [name for name in BIOC if ".xml" not in name])
def test_bioc_json_equals_loading_the_whole_file(corpora_dir, name):
    loaded = json.loads(content(corpora_dir / name))
    rows = loaded[1] if isinstance(loaded, list) else [loaded]
    documents = list(read_bioc(corpora_dir / name))
    assert [d.id for d in documents] == [row["id"] for row in rows]
    spans = [
        (a["locations"][0]["offset"], a["text"])
        for row in rows
        for passage in row["passages"]
        for a in passage.get("annotations", [])
    ]
    assert Counter((m.start, m.text) for d in documents for m in d.mentions) == Counter(spans)


@pytest.mark.parametrize(("split", "bioc"), [("Training", "Train"), ("Test", "Test")])
def test_bc5cdr_says_the_same_in_both_formats(corpora_dir, split, bioc):
    folder = corpora_dir / "gold" / "bc5cdr"
    tree = etree.fromstring(content(folder / f"CDR_{bioc}Set.BioC.xml.gz"))
    individual = int(tree.xpath("count(//annotation[infon[@key='CompositeRole']='IndividualMention'])"))
    assert individual > 0  # parts of composite mentions, which the PubTator files leave out
    pubtator = {d.id: d for d in read_pubtator(folder / f"CDR_{split}Set.PubTator.txt")}
    extra = 0
    for document in read_bioc(folder / f"CDR_{bioc}Set.BioC.xml.gz"):
        other = pubtator.pop(document.id)
        assert (document.text, document.passages) == (other.text, other.passages)
        left = Counter(document.mentions)
        left.subtract(other.mentions)
        assert min(left.values(), default=0) >= 0
        extra += left.total()
    assert not pubtator
    assert extra == individual


@pytest.mark.parametrize("name", PUBTATOR)
def test_pubtator_files_have_their_counts(corpora_dir, name):
    counts, aside = Counter(), []
    documents = list(read_pubtator(corpora_dir / name, counts=counts, on_set_aside=aside.append))
    assert (len(documents), sum(len(d.mentions) for d in documents) + len(aside)) == PUBTATOR[name]
    assert counts["mentions_set_aside"] == len(aside)


@pytest.mark.parametrize(("name", "relations"), [("Training", 1038), ("Development", 1012), ("Test", 1066)])
def test_relations_of_bc5cdr_stay_relations(corpora_dir, name, relations):
    counts = Counter()
    for _ in read_pubtator(corpora_dir / "gold" / "bc5cdr" / f"CDR_{name}Set.PubTator.txt", counts=counts):
        pass
    assert (counts["relations_skipped"], counts["mentions_set_aside"]) == (relations, 0)


def test_two_formats_of_one_sample_hold_the_same_titles(corpora_dir):
    folder = corpora_dir / "pubtator_auto"
    pubtator = {
        d.id: d.text[: d.passages[0].end].strip()
        for d in read_pubtator(folder / "ptc_sample.PubTator.txt", on_set_aside=[].append)
    }
    bioc = {
        d.id: d.text[: d.passages[0].end].strip()
        for d in read_bioc(folder / "ptc_sample.BioC.xml", on_set_aside=[].append)
    }
    assert bioc == pubtator


@pytest.mark.parametrize("name", SEARCH)
def test_search_answers_have_their_counts_and_lose_all_mark_up(corpora_dir, name):
    counts = Counter()
    documents = list(read_search_answers(corpora_dir / name, counts=counts))
    assert (len(documents), sum(len(d.mentions) for d in documents)) == SEARCH[name]
    raw = content(corpora_dir / name).decode()
    # Every mention is opened and closed by @@@; those cut off lack one of the two.
    assert raw.count("@@@") - 2 * SEARCH[name][1] <= counts["mentions_cut_off"] < 20
    assert not [d.text for d in documents if re.search(r"@@@|</?m>|@[A-Z]+_\S+ ", d.text)]


def test_search_results_are_of_10579_articles(corpora_dir):
    counts = Counter()
    path = corpora_dir / "pubtator_auto" / "pubtator3_search_results.jsonl.gz"
    assert len({d.id for d in read_search_answers(path, counts=counts)}) == 10578
    assert (counts["answers"], counts["answers_without_text"]) == (10579, 1)


def test_bulk_rows_are_those_of_the_file(corpora_dir, tmp_path):
    lines = content(corpora_dir / BULK).decode().split("\r\n")[1:]
    rows = list(read_bulk_rows(corpora_dir / BULK))
    assert len(rows) == len(lines) == 696
    assert [
        "\t".join((r.pmid, str(r.concepts[0]), "|".join(r.mentions), "|".join(r.resources))) for r in rows
    ] == lines
    assert {r.type for r in rows} == {"Disease"}
    write_bulk_rows(tmp_path / "rows.gz", rows)
    assert list(read_bulk_rows(tmp_path / "rows.gz")) == rows


def test_pubmed_records_have_their_headings_and_chemicals(corpora_dir):
    files = sorted((corpora_dir / "kb" / "pubmed").glob("*.xml"))
    assert len(files) == 40
    counts = Counter()
    for path in files:
        tree = etree.parse(path)
        (record,) = read_pubmed(path, counts=counts)
        assert record.pmid == path.stem
        assert list(record.mesh_ids) == list(
            dict.fromkeys(map(str, tree.xpath("//DescriptorName/@UI | //SupplMeshName/@UI")))
            | dict.fromkeys(map(str, tree.xpath("//NameOfSubstance/@UI")))
        )
        assert len(record.headings) == tree.xpath("count(//MeshHeading)")
        assert sum(len(h.qualifiers) for h in record.headings) == tree.xpath("count(//QualifierName)")
        assert len(record.chemicals) == tree.xpath("count(//Chemical)")
        assert record.document().text == f"{tree.findtext('.//ArticleTitle')} {tree.findtext('.//AbstractText')}"
    assert +counts == Counter(records=40)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("abstracts", {"articles": 56707, "with_pmid": 29471, "with_mesh": 10704, "pretokenised": 1851}),
        ("fulltext_ccby", {"articles": 2517, "with_pmid": 2455, "without_text": 14}),
    ],
)
def test_unlabelled_articles_have_their_documented_counts(corpora_dir, name, expected):
    counts, ids = Counter(), set()
    for article in read_articles(corpora_dir / "unlabelled" / f"{name}.jsonl.gz", counts=counts):
        ids.add(article.id)
    assert +counts == Counter(expected)
    assert len(ids) == expected["articles"]


def test_real_documents_survive_every_format(corpora_dir, tmp_path):
    """BC5CDR through PubTator, BioC XML and BioC JSON and back."""
    first = list(read_pubtator(corpora_dir / "gold" / "bc5cdr" / "CDR_TestSet.PubTator.txt"))
    write_bioc_xml(tmp_path / "a.xml.gz", first)
    second = list(read_bioc(tmp_path / "a.xml.gz"))
    write_bioc_json(tmp_path / "a.json.gz", second)
    third = list(read_bioc(tmp_path / "a.json.gz"))
    write_pubtator(tmp_path / "a.txt.gz", third)
    assert first == second == third == list(read_pubtator(tmp_path / "a.txt.gz"))

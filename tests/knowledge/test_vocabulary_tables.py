import gzip

import pytest

from hf_bionerkd.corpora.files import CorpusError
from hf_bionerkd.knowledge.associations import read_ctd_associations, read_rgd_associations
from hf_bionerkd.knowledge.ctd import read_ctd_table
from hf_bionerkd.knowledge.tables import read_table_lines, unescape
from hf_bionerkd.knowledge.vocabularies import (
    read_ctd_vocabulary,
    read_medic,
    read_mesh_table,
    read_mesh_xml,
    read_rgd_genes,
    read_terms,
    read_tree_numbers,
)

PAGE = "<!DOCTYPE html>\n<html><head><title>CTD</title></head>\n<body>Please complete the challenge</body></html>\n"
READERS = {
    "CTD": [lambda path: read_ctd_table(path, ["PubMedIDs"]), read_ctd_associations],
    "RGD": [read_rgd_associations, read_rgd_genes],
    "MEDIC": [read_medic],
    "MeSH": [read_mesh_table, read_mesh_xml, lambda path: read_tree_numbers(path).items()],
    "a vocabulary": [read_terms],
}


@pytest.mark.parametrize(("owner", "read"), [(owner, read) for owner, readers in READERS.items() for read in readers])
def test_a_web_page_saved_as_a_table_is_told_by_every_reader(tmp_path, owner, read):
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(PAGE.encode()))
    with pytest.raises(CorpusError, match=f"table.csv.gz:1: this is a web page, not {owner}'s table"):
        list(read(path))


def test_a_page_in_place_of_a_vocabulary_of_ctd(tmp_path):
    (tmp_path / "page").write_text(PAGE)
    with pytest.raises(CorpusError, match="this is a web page, not CTD's table"):
        list(read_ctd_vocabulary(tmp_path / "page", "Disease"))


@pytest.mark.parametrize(
    ("page", "line"),
    [
        ("\n\n  <HTML lang='en'>", 3),
        ("<!-- robots --><html>", 1),
        ('<?xml version="1.0"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN">', 1),
        ('<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "x">\n<html>', 2),
        ("<script>location.reload()</script>", 1),
    ],
)
def test_pages_of_every_beginning(tmp_path, page, line):
    (tmp_path / "page").write_text(page)
    with pytest.raises(CorpusError, match=f"page:{line}: this is a web page"):
        list(read_table_lines(tmp_path / "page", "CTD"))


@pytest.mark.parametrize(
    "text", ["<5 mg\t1", "<?xml version='1.0'?>\n<DescriptorRecordSet>\n<html>", "a\n<html>", "<prefix>"]
)
def test_no_page(tmp_path, text):
    (tmp_path / "table").write_text(text)
    assert [line for _, line in read_table_lines(tmp_path / "table", "CTD")] == text.split("\n")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Sj&#246;gren &apos;s &#xE9; &eacute;", "Sjögren 's é é"),
        ("avium&amp;intracellulare &amp;amp;", "avium&intracellulare &amp;"),
        ("R&D, AT&T; A & B; x&notit; &; &#; &copy &#x; &#xZZ;", "R&D, AT&T; A & B; x&notit; &; &#; &copy &#x; &#xZZ;"),
    ],
)
def test_entities(text, plain):
    assert unescape(text) == plain


def test_names_are_unescaped_by_every_vocabulary(tmp_path):
    path = tmp_path / "names"
    contents = {
        read_medic: "D012859|270150||Sjogren&apos;s Syndrome|Sj&#246;gren Syndrome\n",
        read_mesh_table: "D012859\tSjogren&apos;s Syndrome\tSj&#246;gren Syndrome\n",
        read_rgd_genes: "ID\tsymbol\tsynonyms\n12859\tSjogren&apos;s Syndrome\tSj&#246;gren Syndrome\n",
        lambda p: read_ctd_vocabulary(p, "Disease"): "DiseaseName\tDiseaseID\tSynonyms\n"
        "Sjogren&apos;s Syndrome\tMESH:D012859\tSj&#246;gren Syndrome\n",
    }
    for read, content in contents.items():
        path.write_text(content)
        assert [concept.names for concept in read(path)] == [("Sjogren's Syndrome", "Sjögren Syndrome")]
    path.write_text("sj&#246;gren syndrome\tD012859\n")
    assert [concept.names for concept in read_terms(path)] == [("sjögren syndrome",)]


@pytest.mark.corpora
def test_no_name_of_medic_has_an_entity_left(corpora_dir):
    names = [
        name for concept in read_medic(corpora_dir / "kb" / "ctd" / "medic_06Jul2012.txt.gz") for name in concept.names
    ]
    assert not [name for name in names if "&#" in name or "&apos" in name or "&amp" in name]
    assert sum("'" in name for name in names) > 500 and sum("ö" in name or "é" in name for name in names) > 50

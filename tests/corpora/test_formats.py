import gzip
import json
from collections import Counter

import pytest

from hf_bionerkd.corpora.files import CorpusError
from hf_bionerkd.corpora.formats import FORMATS, find_format, read_documents

BIOC = {"id": "1", "infons": {}, "passages": [{"offset": 0, "text": "Gout hurts."}]}
FILES = {
    "bioc": "<collection><document><id>1</id><passage><offset>0</offset><text>Gout hurts.</text></passage></document>"
    "</collection>",
    "pubtator": "1|t|Gout hurts.\n1|a|\n1\t0\t4\tGout\tDisease\tD006073\n",
    "conll": "Gout\tB-Disease\nhurts\tO\n.\tO\n",
    "pubmed": "<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>1</PMID><Article><ArticleTitle>Gout hurts."
    "</ArticleTitle></Article></MedlineCitation></PubmedArticle></PubmedArticleSet>",
    "articles": json.dumps({"id": "1", "title": "Gout hurts."}),
    "search_answers": json.dumps({"results": [{"pmid": 1, "title": "", "text_hl": "Gout hurts."}]}),
}


def put(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.fixture
def brat(tmp_path):
    (tmp_path / "corpus").mkdir()
    put(tmp_path / "corpus" / "1.txt", "Gout hurts.")
    put(tmp_path / "corpus" / "1.ann", "T1\tDisease 0 4\tGout\n")
    return tmp_path / "corpus"


@pytest.mark.parametrize("pack", [gzip.compress, bytes], ids=["gzip", "plain"])
@pytest.mark.parametrize("name", ["a", "a.xml", "a.txt.gz", "a.json"])
@pytest.mark.parametrize("format", FILES)
def test_the_content_tells_the_format_whatever_the_name(tmp_path, format, name, pack):
    path = put(tmp_path / name, pack(FILES[format].encode()))
    assert find_format(path) == format
    (document,) = read_documents(path)
    assert document.text.replace(" .", ".") == "Gout hurts."
    assert [*read_documents(path, format)] == [document]


@pytest.mark.parametrize("name", ["", "1.txt", "1.ann"])
def test_a_folder_and_either_file_of_a_pair_are_brat(brat, name):
    (document,) = read_documents(brat / name)
    assert (document.id, document.text, [m.text for m in document.mentions]) == ("1", "Gout hurts.", ["Gout"])
    assert set(FILES) | {"brat"} == set(FORMATS)


@pytest.mark.parametrize(
    ("content", "format"),
    [
        (json.dumps(BIOC), "bioc"),
        (json.dumps(BIOC) + "\n" + json.dumps(BIOC | {"id": "2"}), "bioc"),
        (json.dumps({"PubTator3": [BIOC]}), "bioc"),
        (json.dumps([BIOC]), "bioc"),
        ("\ufeff\n" + FILES["bioc"], "bioc"),
        ("\ufeff\n\n" + FILES["pubtator"], "pubtator"),
        ('<?xml version="1.0" encoding="UTF-16"?>' + FILES["pubmed"], "pubmed"),
        ("-DOCSTART-\tO\n\nGout\tNN\tB-Disease\n", "conll"),
        ("# doc_id = 1\n[\tO\nGout\tS-Disease\n", "conll"),
        ("Gout B-Disease -\nhurts O +\n", "conll"),
        ("[ O\nGout B\nhurts I\n", "conll"),
        (b"\xff\n1|t|x\n", "pubtator"),
    ],
)
def test_dialects_are_told_apart(tmp_path, content, format):
    if isinstance(content, str) and "UTF-16" in content:
        content = content.encode("utf-16")
    assert find_format(put(tmp_path / "a", content)) == format


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"a: the file is empty"),
        (b"PK\x03\x04\0\0\xff\n\0", r"a: no line is text \(the line holds a NUL byte"),
        ("<html><body>Not found</body></html>", r"a: XML whose outermost element is <html>; known are <collection>"),
        ('{"tokens": ["Gout"], "ner_tags": [1]}', r"a: JSON with the keys ner_tags, tokens; known are BioC"),
        ("Patients took vitamin B-12 daily\nfor a year.\n", r"a: the format is not known by its beginning 'Patients"),
        ("id,name\n1,Gout\n", r"a: the format is not known by its beginning 'id,name'; expected one of brat, bioc"),
        ("7\tMESH:D1\tgout\tDNorm\n", r"a: the format is not known"),
        ("Gout\tB-Disease\n".encode("utf-16"), r"a:1: .*UTF-16"),
    ],
)
def test_what_is_no_corpus_is_an_error_that_says_what_was_found(tmp_path, content, message):
    with pytest.raises(CorpusError, match=message):
        read_documents(put(tmp_path / "a", content))


def test_what_is_not_there_or_holds_no_pair_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere: there is no such file"):
        read_documents(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="nowhere: there is no such file"):
        read_documents(tmp_path / "nowhere", "bioc")
    with pytest.raises(CorpusError, match=r"holds no annotations of brat \(\*\.ann"):
        read_documents(tmp_path)
    with pytest.raises(CorpusError, match=r"unknown format 'brta'; use one of .*brat"):
        read_documents(tmp_path, "brta")


def test_options_are_those_of_the_reader_and_others_are_refused_at_once(tmp_path):
    path = put(tmp_path / "train.tsv", FILES["conll"])
    counts = Counter()
    (sentence,) = read_documents(path, rename={"Disease": "D"}, counts=counts)
    assert (sentence.id, [m.type for m in sentence.mentions]) == ("train-000001", ["D"])
    assert next(read_documents(path, name="mine")).id == "mine-000001"
    with pytest.raises(CorpusError, match="format 'conll' has no option window; it takes name, sch"):
        read_documents(path, window=1)
    with pytest.raises(CorpusError, match=r"'pubmed' has no option source; it takes counts"):
        read_documents(put(tmp_path / "a.xml", FILES["pubmed"]), source="x")


def test_the_face_has_them():
    import hf_bionerkd.corpora

    assert hf_bionerkd.corpora.read_documents is read_documents

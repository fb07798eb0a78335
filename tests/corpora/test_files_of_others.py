"""The readers on files as other tools and agencies write them, against what is known to stand in them."""

from collections import Counter

import pytest

from hf_bionerkd.corpora import PubMedUpdates, read_bioc, read_brat, read_conll, read_documents, read_pubtator
from hf_bionerkd.corpora.files import CorpusError

pytestmark = pytest.mark.corpora


@pytest.fixture
def cases(corpora_dir):
    folder = corpora_dir.parent / "cases" / "readers"
    if not folder.is_dir():
        pytest.skip(f"needs the files of other tools in {folder}")
    return folder


def spans(documents):
    return [(d.id, m.start, m.end, m.type, m.text) for d in documents for m in d.mentions]


def test_sentences_are_the_text_of_passages_with_an_empty_one(cases):
    (minimal,) = read_bioc(cases / "bioc-sentences" / "minimal.json")
    assert (minimal.text, spans([minimal])) == ("Gout hurts.", [("1", 0, 4, "Disease", "Gout")])
    counts = Counter()
    (xml,) = read_bioc(cases / "bioc-sentences" / "CRAFT-example.xml")
    (json,) = read_bioc(cases / "bioc-sentences" / "CRAFT-example.json", counts=counts)
    assert (json.text, json.mentions) == (xml.text, xml.mentions)
    assert len(json.mentions) - counts["mentions_discontinuous"] == 36 and counts["mentions_discontinuous"] == 4


@pytest.mark.parametrize(("name", "mentions"), [("BC5CDR", 6), ("NCBIdevset", 74)])
def test_the_type_before_the_offsets(cases, name, mentions):
    counts = Counter()
    found = list(read_pubtator(cases / "pubtator-type-first" / f"{name}.fbk.txt", counts=counts))
    expected = list(read_pubtator(cases / "pubtator-type-first" / f"{name}.pubtator.txt"))
    assert len(spans(found)) == mentions and not counts["relations_skipped"]
    # The two say the same, save for the subtypes of diseases.
    assert [span[:3] + span[4:] for span in spans(found)] == [span[:3] + span[4:] for span in spans(expected)]


def test_passages_of_one_id(cases):
    counts = Counter()
    found = list(read_pubtator(cases / "one-id-many-texts" / "NLMchem_excerpt.PubTator", counts=counts))
    assert len({d.id for d in found}) == len({d.text for d in found}) == 12
    assert len({d.metadata["document_id"] for d in found}) == 2 and counts["ids_made_unique"] == 10
    assert len(spans(found)) == 8


def test_comments_columns_and_schemes_of_conll(cases):
    counts = Counter()
    (bc5cdr, *others) = read_conll(
        cases / "conll-comments" / "BC5CDR-example.conll", name="x", scheme="IOBES", counts=counts
    )
    assert bc5cdr.metadata["document_id"] == "354896" and counts["comments"] == 1
    assert len(spans([bc5cdr, *others])) == 6
    multiconer = list(read_conll(cases / "conll-comments" / "multiconer.conll", name="x"))
    assert [d.metadata["sentence_id"] for d in multiconer] == ["5239d808-f300", "77"] and len(spans(multiconer)) == 2
    words = list(read_conll(cases / "conll-comments" / "hash_words.conll", name="x"))
    assert [d.tokens for d in words] == [["#", "Aspirin"], ["#1", "gout"]]
    with pytest.raises(CorpusError, match="seem to stand in another column: give tag_column=1"):
        list(read_documents(cases / "conll-three-columns" / "hunflair.conll"))
    assert len(spans(read_documents(cases / "conll-three-columns" / "hunflair.conll", tag_column=1))) == 2
    (bilou,) = read_documents(cases / "conll-bilou" / "bilou.conll")
    assert [(m.type, m.text) for m in bilou.mentions] == [("Chemical", "Lidocaine"), ("Disease", "cardiac asystole")]


def test_identifiers_of_taggers(cases):
    found = {}
    for name in ("GNormPlus", "tmVar3"):
        for document in read_pubtator(cases / "tagger-ids" / f"{name}.PubTator"):
            for mention in document.mentions:
                found.setdefault(mention.text, set()).add(" ".join(map(str, mention.concepts)))
    assert "NCBIGene:12831" in found["alpha3(V)"]
    assert "NCBIGene:50509 NCBIGene:12831" in found["pro-alpha3(V)"]
    assert found["apoA-I deficiency"] == {"OMIM:207750"}
    assert found["rs2297882"] == {"rs2297882"}
    assert found["GC deletion"] == {"c|DEL||GC"}


def test_a_damaged_row(cases):
    path = cases / "damaged-row" / "tmVar.excerpt.txt"
    aside, counts = [], Counter()
    found = list(read_pubtator(path, counts=counts, on_set_aside=aside.append))
    assert len(found) == 4 and counts["rows_set_aside"] == 1 and len(spans(found)) == 25
    assert [row["line"] for row in aside if "row" in row] == [11]
    with pytest.raises(CorpusError, match=r"tmVar\.excerpt\.txt:11: "):
        list(read_pubtator(path))


def test_offsets_in_bytes(cases):
    counts = Counter()
    (pubtator,) = read_pubtator(cases / "byte-offsets" / "bytes.PubTator", counts=counts)
    assert [m.text for m in pubtator.mentions] == ["aspirin", "gout"] and counts["documents_in_bytes"] == 1
    first = next(read_bioc(cases / "byte-offsets" / "same.json"))
    assert first.text == pubtator.text and first.mentions == pubtator.mentions


def test_discontinuous_mentions(cases):
    (document,) = read_bioc(cases / "discontinuous" / "elliptic-coordination.json")
    assert len(document.mentions) == 9
    parts = [[document.text[a:b] for a, b in m.parts] for m in document.mentions if m.parts]
    assert parts == [["Breast", "Cancers"], ["breast", "cancers"]]


def test_appended_xml(cases):
    assert [d.id for d in read_documents(cases / "appended-xml" / "bioc.xml")] == ["1", "2"]
    assert [d.text for d in read_documents(cases / "appended-xml" / "pubmed.xml")] == ["Gout 1.", "Gout 2."]


def test_updates_of_pubmed(cases):
    updates = PubMedUpdates([cases / "pubmed-updates" / name for name in ("base.xml", "update.xml")])
    counts = Counter()
    records = [record for index in (0, 1) for record in updates.records(index, counts=counts)]
    assert [(r.pmid, r.abstract) for r in records] == [("11", "NEW corrected text about gout and aspirin.")]
    assert (counts["records_replaced"], counts["records_deleted"]) == (1, 1)


def test_other_spellings(cases):
    counts = Counter()
    (own,) = read_pubtator(cases / "printed-text-differs" / "own.PubTator", counts=counts)
    assert [m.text for m in own.mentions] == ["IL-1ß", "TNF‐α", "type\xa01 diabetes", "DEAD  box"]
    assert counts["mentions_spelled_differently"] == 4
    for name, text in (("NLMgene", "Erk"), ("GNormPlus", "Intersex")):
        counts = Counter()
        found = list(read_pubtator(cases / "printed-text-differs" / f"{name}.PubTator", counts=counts))
        assert counts["mentions_spelled_differently"] == 1 and text in [m.text for d in found for m in d.mentions]


def test_brat(cases):
    (document,) = read_brat(cases / "brat")
    (mention,) = document.mentions
    assert (mention.start, mention.end, mention.type, mention.parts) == (0, 9, "Disease", ((0, 3), (6, 9)))
    assert list(map(str, mention.concepts)) == ["MESH:D006073"]


def test_vocabularies_that_files_do_not_name(cases):
    folder = cases / "default-vocabulary"
    schemes = {}
    for document in (*read_pubtator(folder / "BioRED.PubTator"), *read_pubtator(folder / "NLMgene.PubTator")):
        for mention in document.mentions:
            schemes.setdefault(mention.type, set()).update(concept.scheme for concept in mention.concepts)
    assert schemes == {
        "Gene": {"NCBIGene"},
        "FamilyName": {"NCBIGene"},
        "Disease": {"MESH"},
        "Chemical": {"MESH"},
        "Species": {"NCBITaxon"},
        "Variant": {""},
    }
    (gene,) = read_bioc(folder / "gene.json")
    assert str(gene.mentions[0].concepts[0]) == "NCBIGene:7157"

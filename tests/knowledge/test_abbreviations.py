import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_bionerkd.corpora.pubtator import read_pubtator
from hf_bionerkd.knowledge.abbreviations import find_definitions


def pairs(text):
    return [(text[d.short_start : d.short_end], text[d.long_start : d.long_end]) for d in find_definitions(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("acute renal failure (ARF) and", [("ARF", "acute renal failure")]),
        ("with MTX (methotrexate) alone", [("MTX", "methotrexate")]),
        ("of 5-fluorouracil (5-FU)", [("5-FU", "5-fluorouracil")]),
        ("of heparin-induced thrombocytopenia (HIT; n=3)", [("HIT", "heparin-induced thrombocytopenia")]),
        ("of sodium nitroprusside [SNP]", [("SNP", "sodium nitroprusside")]),
        ("and the blood pressure, (BP)", [("BP", "blood pressure")]),
        ("Selective serotonin reuptake inhibitors (SSRIs)", [("SSRIs", "Selective serotonin reuptake inhibitors")]),
        ("It rose. Failure (AF) was", []),  # the a would lie in the sentence before
        ("in patients (i.e., in some)", []),
        ("as expected (control)", []),
        ("a dose (10 mg)", []),
        ("(ARF)", []),
        ("renal failure (XYZ)", []),
        # Numerals: oxidation states, phases, stages.
        ("Intracellular platinum (II) was measured", []),
        ("inorganic iron (III) in", []),
        ("inflammatory index (I-III) and", []),
        ("intravenous iron infusion a (IIIa)", []),
        ("inner inferior boundary (IIB) or ions (II+)", []),
        ("inferior vena cava (IVC) and xenon (Xe)", [("IVC", "inferior vena cava"), ("Xe", "xenon")]),
        ("volume of distribution (Vd)", [("Vd", "volume of distribution")]),
        ("II (intense inflammation)", []),
        ("interval illness a (Ⅱa)", []),
        # Long forms in brackets.
        ("SBMA (Spinal and bulbar muscular atrophy) is", [("SBMA", "Spinal and bulbar muscular atrophy")]),
        ("MTX (methotrexate and others)", [("MTX", "methotrexate")]),
        ("ARF (acute renal failure, as defined)", [("ARF", "acute renal failure")]),
        ("DM (disease, mild)", []),
        # Greek letters.
        ("tumor necrosis factor alpha (TNF-α)", [("TNF-α", "tumor necrosis factor alpha")]),
        ("beta-galactosidase (β-gal)", [("β-gal", "beta-galactosidase")]),
        ("α-fetoprotein (αFP)", [("αFP", "α-fetoprotein")]),
        ("tumor necrosis factor-α (TNFa)", [("TNFa", "tumor necrosis factor-α")]),
        (
            "µ-opioid receptor (μOR) or mu opioid receptor (µOR)",
            [
                ("μOR", "µ-opioid receptor"),
                ("µOR", "mu opioid receptor"),
            ],
        ),
        ("nuclear factor-kappaB (NF-κB)", [("NF-κB", "nuclear factor-kappaB")]),
        ("soluble TNFalpha (sTNFα)", [("sTNFα", "soluble TNFalpha")]),
        ("Δ9-tetrahydrocannabinol (Δ9-THC)", [("Δ9-THC", "Δ9-tetrahydrocannabinol")]),
        ("an alphabetic word, factor two (AFα)", []),
        ("a mean length (μm)", []),
        # Accents of their own.
        ("Me\u0301nie\u0300re disease (MD)", [("MD", "Me\u0301nie\u0300re disease")]),
    ],
)
def test_definitions(text, expected):
    assert pairs(text) == expected


def test_a_long_form_is_not_looked_for_beyond_reach():
    # A thousand letters are no long form, and neither is a part of them.
    assert pairs("aa" + "x" * 1000 + " b (AB)") == [] and pairs("aa" + "x" * 900 + " b (AB)") != []


@pytest.mark.parametrize("piece", ["(AB) ", "(AB)", "acute b (AB) ", "((", "MTX (and or "])
def test_time_is_linear(piece):
    text = piece * (1_000_000 // len(piece))
    # The least of some tries, because other programs disturb.
    assert any(seconds(text) < 2 for _ in range(3))


def seconds(text):
    begin = time.process_time()
    for _ in find_definitions(text):
        pass
    return time.process_time() - begin


@given(st.text("aB (),.-[]1", max_size=60))
def test_any_text_gives_sound_spans(text):
    for d in find_definitions(text):
        short, long = text[d.short_start : d.short_end], text[d.long_start : d.long_end]
        assert short and long and short == short.strip() and long == long.strip()
        letters = iter(long.lower())
        assert all(wanted in letters for wanted in short.lower() if wanted.isalnum())  # in this order
        assert d.long_end <= d.short_start or d.short_end <= d.long_start


@pytest.mark.corpora
def test_defined_short_forms_of_bc5cdr_name_what_their_long_forms_name(corpora_dir):
    """Where both are annotated they share a concept, nearly always."""
    same = both = 0
    for document in read_pubtator(corpora_dir / "gold" / "bc5cdr" / "CDR_TrainingSet.PubTator.txt"):
        concepts = {(m.start, m.end): set(m.concepts) for m in document.mentions}
        for d in find_definitions(document.text):
            short, long = ((d.short_start, d.short_end), (d.long_start, d.long_end))
            if short in concepts and long in concepts:
                both += 1
                same += bool(concepts[short] & concepts[long])
    assert both > 100 and same / both > 0.95

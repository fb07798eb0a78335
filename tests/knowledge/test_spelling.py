import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_bionerkd.documents import split_words
from hf_bionerkd.knowledge.spelling import fold_name, fold_words, join_accented, strip_accents


@pytest.mark.parametrize(
    "spellings",
    [
        ("Parkinson's disease", "Parkinson disease", "PARKINSON DISEASES", "Parkinson’s Disease", "Parkinson-disease"),
        ("oedema", "Edema", "edemas"),
        ("tumour", "Tumors"),
        ("anaemia", "anemias"),
        ("α-methyldopa", "Alpha methyldopa", "alpha-Methyldopa"),
        ("µ-opioid", "mu opioid", "μ opioids"),
        ("neuropathies", "neuropathy"),
        ("abscesses", "abscess"),
        ("viruses", "virus"),
        ("sulphate", "sulfate"),
        ("PARKINSON'S DISEASE", "Parkinson’S disease", "Parkinsonʼs disease", "parkinson disease"),
        ("Sjögren's syndrome", "SJÖGREN'S SYNDROME", "Sjo\u0308gren syndrome", "sjogren syndrome"),
        ("Ménière disease", "Me\u0301nie\u0300re's disease", "MENIERE DISEASE"),
        ("Bjørnstad syndrome", "bjornstad syndrome"),
        ("ﬁbrosis", "fibrosis"),
    ],
)
def test_spellings_that_fold_alike(spellings):
    assert len({fold_name(spelling) for spelling in spellings}) == 1


@pytest.mark.parametrize(
    "spellings", [("diagnosis", "diagnose"), ("gas", "ga"), ("glass", "glas"), ("virus", "viru"), ("5 HT2", "5 HT 2")]
)
def test_spellings_that_do_not(spellings):
    assert len({fold_name(spelling) for spelling in spellings}) == len(spellings)


def test_folded_words_know_their_places():
    text = "In Parkinson's  (α-methyl) diseases"
    words = [text[a:b] for a, b in split_words(text)]
    folded, places = fold_words(words)
    assert folded == ["in", "parkinson", "(", "alpha", "methyl", ")", "disease"]
    assert [words[place] for place in places] == ["In", "Parkinson", "(", "α", "methyl", ")", "diseases"]


@given(st.text("aeoS'éöÅ\u0301\u0308 -", max_size=20))
def test_accents_fold_alike_in_letters_and_beside_them(text):
    for form in ("NFC", "NFD"):
        other = unicodedata.normalize(form, text)
        assert fold_name(other) == fold_name(text)
        # Texts are folded word by word, after split words are joined again.
        words = join_accented(other, split_words(other))
        assert [start < end <= after for (start, end), (after, _) in zip(words, words[1:], strict=False)].count(0) == 0
        folded = "\x1f".join(fold_words([other[start:end] for start, end in words])[0])
        assert strip_accents(folded) == folded


def test_words_that_accents_divide_are_joined_and_no_others():
    text = "Sjo\u0308gren-ao\u0301 \u0301b (e\u0301) x\u0301\u0308y"
    joined = [text[start:end] for start, end in join_accented(text, split_words(text))]
    assert joined == ["Sjo\u0308gren", "-", "ao\u0301", "\u0301b", "(", "e\u0301", ")", "x\u0301\u0308y"]

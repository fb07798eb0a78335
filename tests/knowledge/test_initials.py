import pytest

from hf_bionerkd.knowledge.initials import is_initials, reads_as_word


@pytest.mark.parametrize(
    "word", "pain rash gout tumor cysts scars burns cramp palsy urea ulcer sight itch ankle lymph mumps birth".split()
)
def test_words(word):
    assert reads_as_word(word)


@pytest.mark.parametrize("acronym", ["5fu", "t-all", "lsd", "mdma", "brdu", "atll", "", "men 1", "ddavp"])
def test_no_words(acronym):
    assert not reads_as_word(acronym)


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("aids", "acquired immune deficiency syndrome"),
        ("aids", "acquired immunodeficiency syndrome"),
        ("hard", "hydrocephalus , agyria , and retinal dysplasia"),
        ("std", "sexually transmitted disease"),
        ("copd", "chronic obstructive pulmonary disease"),
        ("tapvr", "total anomalous pulmonary venous return"),
    ],
)
def test_initials(short, long):
    assert is_initials(short, long.replace(",", "").split())


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("pain", "physical suffering"),  # the letters, but not the initial of the second word
        ("pain", "pain and its neighbours"),
        ("pain", "panic"),
        ("gout", "of gouty arthritis"),
        ("aids", "acquired immune deficiency syndrome complex"),
        ("rash", ""),
    ],
)
def test_no_initials(short, long):
    assert not is_initials(short, long.split())

import pytest

from hf_bionerkd.knowledge.entry_tables import entry_table, table_entries
from hf_bionerkd.knowledge.identifiers import normalise
from hf_bionerkd.knowledge.lexicon import Lexicon, LexiconRules
from hf_bionerkd.knowledge.vocabularies import ConceptNames


def concept(identifier, *names, cased=True):
    return ConceptNames(normalise(identifier), names, cased=cased)


def entries(concepts, rules=None, **options):
    lexicon = Lexicon(["Disease", "Chemical"], rules)
    lexicon.add("Chemical", "test", concepts, **options)
    return {name.replace("\x1f", " "): entry for name, entry in lexicon.entries()}, lexicon.counts


@pytest.mark.parametrize(
    ("name", "cased", "case", "accepted", "refused"),
    [
        ("Aspirin", True, "any", ["aspirin", "ASPIRIN"], []),
        ("ASA", True, "exact", ["ASA", "ASAs"], ["asa", "Asa", "ASAS"]),
        ("5-FU", True, "exact", ["5-FU", "5 FU"], ["5-fu"]),
        ("NaCl", True, "exact", ["NaCl"], ["NACL", "nacl"]),
        ("N-Acetylcysteine", True, "any", ["n-acetylcysteine"], []),
        ("GLUTATHIONE", True, "any", ["glutathione"], []),  # too long for an acronym
        ("5fu", False, "capitals", ["5FU", "5FUs"], ["5fu", "5Fu"]),
        ("lsd", False, "capitals", ["LSD"], ["lsd", "Lsd"]),  # no word
        ("urea", False, "any", ["urea", "UREA"], []),
        ("glutathione", False, "any", ["Glutathione"], []),
    ],
)
def test_case_rules(name, cased, case, accepted, refused):
    ((_, entry),) = entries([concept("D001241", name, cased=cased)])[0].items()
    assert entry.case == case
    assert [text for text in accepted + refused if entry.accepts(text)] == accepted


def test_a_lower_case_name_is_an_acronym_where_its_concept_has_the_words():
    names = [
        "pain",
        "pain, burning",
        "physical suffering",
        "rash",
        "tic",
        "aids",
        "acquired immunodeficiency syndrome",
    ]
    found, _ = entries([concept(f"D{len(name[:6]):06d}", name, cased=False) for name in names])
    assert {name: entry.case for name, entry in found.items() if " " not in name} == {
        "pain": "any",
        "rash": "any",
        "tic": "any",
        "aid": "any",  # of a concept without the words
    }
    found, _ = entries([concept("D000163", name, cased=False) for name in names])
    assert [name for name, entry in found.items() if entry.case == "capitals"] == ["aid"]
    assert found["aid"].accepts("AIDS") and not found["aid"].accepts("aids")


def test_a_plural_is_as_long_as_it_is_written():
    # "scabies" folds to five letters.
    assert entries([concept("D012532", "scabies", cased=False)])[0]["scaby"].case == "any"


def test_a_word_in_any_vocabulary_is_no_acronym():
    found, _ = entries(
        [concept("D001241", "UREA"), concept("D014508", "Urea"), concept("D014508", "urea", cased=False)]
    )
    assert found["urea"].case == "any"
    assert [str(c) for c in found["urea"].concepts] == ["MESH:D001241", "MESH:D014508"]


def test_names_are_left_out_by_rule_and_counted():
    rules = LexiconRules(min_length=3, max_concepts=2, stop=("Solutions", "acid"))
    names = ("Na", "123-4", "solution", "Acids", "water", "LSD", "gold", "K+")
    found, counts = entries([concept(f"D00000{i}", "water", *names[: 8 * (i == 0)]) for i in range(3)], rules)
    assert sorted(found) == ["gold", "lsd"]
    assert {key: n for key, n in counts.items() if n} == {
        "names_read": 11,
        "names_too_short": 2,
        "names_without_letters": 1,
        "names_stopped": 2,
        "names_of_too_many_concepts": 1,
    }


def test_acronyms_of_a_vocabulary_can_be_left_out():
    found, counts = entries([concept("D001241", "Aspirin", "ASA")], acronyms=False)
    assert sorted(found) == ["aspirin"] and counts["acronyms_left_out"] == 1


def test_a_name_of_two_types_is_of_the_first():
    lexicon = Lexicon(["Disease", "Chemical"])
    lexicon.add("Chemical", "chemicals", [concept("D000001", "Lead Poisoning", "lead")])
    lexicon.add("Disease", "diseases", [concept("D000002", "lead poisoning")])
    found = dict(lexicon.entries())
    assert (found["lead\x1fpoisoning"].type, found["lead\x1fpoisoning"].source) == ("Disease", "diseases")
    assert found["lead"].type == "Chemical" and lexicon.counts["names_of_several_types"] == 1


def test_impossible_settings_are_refused():
    with pytest.raises(ValueError, match="min_length >= 1"):
        LexiconRules(min_length=0)
    with pytest.raises(ValueError, match="distinct entity types"):
        Lexicon(["Gene", "Gene"])
    with pytest.raises(ValueError, match="type 'Gene' of the names of x is not one of the lexicon's"):
        Lexicon(["Disease"]).add("Gene", "x", [])


def test_entries_come_back_from_their_table():
    lexicon = Lexicon(["Disease", "Chemical"])
    lexicon.add(
        "Chemical", "chemicals", [concept("D000001", "α-Methyldopa", "LSD", "NaCl"), concept("D000002", "Lsd")]
    )
    lexicon.add("Disease", "terms", [concept("D000163", "aids", cased=False), concept("D000163", "gout", cased=False)])
    entries = list(lexicon.entries())
    assert list(table_entries(entry_table(entries))) == entries and len(entries) > 3
    assert list(table_entries(entry_table([]))) == []

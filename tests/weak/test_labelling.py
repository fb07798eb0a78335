from collections import Counter

import pytest

from hf_bionerkd.corpora.pubtator_bulk import BulkRow
from hf_bionerkd.documents import ConceptRef, Document, Mention
from hf_bionerkd.knowledge.identifiers import Alternatives, normalise
from hf_bionerkd.knowledge.lexicon import Lexicon
from hf_bionerkd.knowledge.matching import Matcher
from hf_bionerkd.knowledge.vocabularies import ConceptNames
from hf_bionerkd.weak.labelling import Labeller

TYPES = ("Chemical", "Disease")
TEXT = "Dantrolene in spasticity; not in lymphoma."
DANTROLENE, SPASTICITY, LYMPHOMA = normalise("D003620"), normalise("D009128"), normalise("D008223")
OMIM = normalise("OMIM:612067")


def mention(word, *concepts, type_="Disease", source="pubtator:pubtator/given"):
    start = TEXT.index(word)
    return Mention(start, start + len(word), type_, word, concepts, source)


MENTIONS = (
    mention("Dantrolene", DANTROLENE, type_="Chemical"),
    mention("spasticity", SPASTICITY, LYMPHOMA),
    mention("lymphoma", LYMPHOMA),
)


def labels(mentions=MENTIONS, associated=None, alternatives=None, counts=None):
    labeller = Labeller(TYPES, None, alternatives, counts)
    coverage = labeller.coverage(Document("1", TEXT, mentions), given=TYPES)
    return coverage, labeller.accuracy(coverage, associated or {})


def test_coverage_filters_nothing_and_accuracy_what_no_curator_confirms():
    associated = {DANTROLENE: ("CTD", "MeSH"), SPASTICITY: ("MeSH",)}
    coverage, accuracy = labels(associated=associated)
    assert coverage == MENTIONS
    assert [(m.text, m.concepts, m.source) for m in accuracy] == [
        ("Dantrolene", (DANTROLENE,), "pubtator:pubtator/given:CTD+MeSH"),
        ("spasticity", (SPASTICITY,), "pubtator:pubtator/given:MeSH"),
    ]
    assert labels()[1] == ()


def test_alternative_identifiers_are_those_they_stand_for():
    alternatives = Alternatives([(OMIM, SPASTICITY)])
    spastic = (mention("spasticity", OMIM),)
    (found,) = labels(spastic, {SPASTICITY: ("RGD",)}, alternatives)[1]
    assert found.concepts == (OMIM,) and found.source.endswith(":RGD")
    (found,) = labels((mention("spasticity", SPASTICITY),), {OMIM: ("CTD",), SPASTICITY: ("RGD",)}, alternatives)[1]
    assert found.source.endswith(":CTD+RGD")
    assert labels(spastic, {SPASTICITY: ("RGD",)})[1] == ()


def test_spellings_are_normalised_and_unknown_vocabularies_stay_and_are_counted():
    counts = Counter()
    mentions = (mention("Dantrolene", ConceptRef("mesh", "d003620"), ConceptRef("SNOMED", "1"), type_="Chemical"),)
    coverage, accuracy = labels(mentions, {DANTROLENE: ("CTD",)}, counts=counts)
    assert coverage[0].concepts == (DANTROLENE, ConceptRef("SNOMED", "1"))
    assert accuracy[0].concepts == (DANTROLENE,)
    assert counts["identifiers_not_understood"] == 1 and counts["abstracts_labelled_by_given_mentions"] == 1


def test_a_mention_without_identifier_counts_for_coverage_alone():
    coverage, accuracy = labels((mention("lymphoma"),), {LYMPHOMA: ("CTD",)})
    assert len(coverage) == 1 and accuracy == ()


def test_other_types_are_left_out_and_counted():
    counts = Counter()
    assert labels((mention("lymphoma", type_="Gene"),), counts=counts)[0] == ()
    assert counts["mentions_of_other_types"] == 1


@pytest.mark.parametrize("dictionary", [True, False])
def test_given_mentions_come_before_rows_and_rows_before_the_dictionary(dictionary):
    lexicon = Lexicon(["Disease"])
    lexicon.add("Disease", "medic", [ConceptNames(LYMPHOMA, ("Lymphomas",))])
    counts = Counter()
    labeller = Labeller(["Disease"], Matcher(lexicon) if dictionary else None, counts=counts)
    document = Document("1", TEXT, (MENTIONS[1],))
    rows = [BulkRow("1", "Disease", (SPASTICITY,), ("spasticity", "lymphoma"), ("DNorm",))]
    assert [m.source for m in labeller.coverage(document, given=TYPES, rows=rows)] == ["pubtator:pubtator/given"]
    assert [m.source for m in labeller.coverage(document, rows=rows)] == ["pubtator:DNorm/bulk"] * 2
    assert [m.source for m in labeller.coverage(document, rows=[])] == ["dictionary:medic/word"] * dictionary
    assert labeller.coverage(Document("1", TEXT), given=TYPES, rows=rows) == ()  # the annotator found nothing
    last = "abstracts_labelled_by_" + ("dictionary" if dictionary else "nothing")
    assert counts["abstracts_labelled_by_bulk_rows"] == counts[last] == 1


def test_a_type_that_an_annotator_does_not_look_for_is_the_dictionary_s():
    lexicon = Lexicon(TYPES)
    lexicon.add("Disease", "medic", [ConceptNames(LYMPHOMA, ("Lymphoma",)), ConceptNames(SPASTICITY, ("Spasticity",))])
    lexicon.add("Chemical", "mesh", [ConceptNames(DANTROLENE, ("Dantrolene", "Spasticity; not"))])
    counts = Counter()
    labeller = Labeller(TYPES, Matcher(lexicon), counts=counts)
    disease = [BulkRow("1", "Disease", (SPASTICITY,), ("spasticity",), ("DNorm",))]

    def found(**known):
        document = Document("1", TEXT, (MENTIONS[0], MENTIONS[1]))
        return [(m.text, m.source) for m in labeller.coverage(document, **known)]

    both = [("Dantrolene", "dictionary:mesh/word"), ("spasticity", "pubtator:DNorm/bulk")]
    assert found(rows=disease, row_types=["Disease"]) == found(rows=disease) == both  # no lymphoma: DNorm found none
    assert found(rows=disease, row_types=TYPES) == both[1:]  # tmChem has read it too
    given = "pubtator:pubtator/given"
    assert found(given=["Disease"]) == [("Dantrolene", "dictionary:mesh/word"), ("spasticity", given)]
    assert found(given=["Chemical"], rows=disease, row_types=["Disease"]) == [("Dantrolene", given), both[1]]
    assert counts["abstracts_labelled_by_bulk_rows"] == 4 and counts["abstracts_labelled_by_dictionary"] == 3
    assert counts["mentions_of_other_types"] == 2  # of the given ones, whose annotator does not answer for them

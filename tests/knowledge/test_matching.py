import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_bionerkd.corpora.pubtator import read_pubtator
from hf_bionerkd.documents import split_words
from hf_bionerkd.knowledge.abbreviations import find_definitions
from hf_bionerkd.knowledge.identifiers import normalise
from hf_bionerkd.knowledge.lexicon import Lexicon
from hf_bionerkd.knowledge.matching import FreeText, Match, Matcher, with_abbreviations
from hf_bionerkd.knowledge.spelling import fold_name
from hf_bionerkd.knowledge.vocabularies import ConceptNames, read_medic, read_terms


def lexicon_of(names_by_type):
    lexicon = Lexicon(list(names_by_type))
    for type_, names in names_by_type.items():
        concepts = [ConceptNames(normalise(f"D{i:06d}"), (name,)) for i, name in enumerate(names)]
        lexicon.add(type_, type_.lower(), concepts)
    return lexicon


def find(text, names_by_type, **options):
    mentions = Matcher(lexicon_of(names_by_type), **options).find(text, split_words(text))
    assert all(text[m.start : m.end] == m.text for m in mentions)
    return [(m.text, m.type[0], m.source.partition(":")[2]) for m in mentions]


NAMES = {"Disease": ["Renal Failure", "Acute Renal Failure", "Toxicity", "AIDS"], "Chemical": ["Aspirin", "MDMA"]}


def test_words_case_and_longest_match():
    text = "Aspirin-induced acute renal failures; renal failure, nephrotoxicity and aids with AIDS. XMDMA, MDMA's"
    assert find(text, NAMES) == [
        ("Aspirin", "C", "chemical/word"),
        ("acute renal failures", "D", "disease/word"),
        ("renal failure", "D", "disease/word"),
        ("AIDS", "D", "disease/acronym"),
        ("MDMA", "C", "chemical/acronym"),
    ]


def test_an_abbreviation_means_what_its_long_form_means_everywhere():
    text = "ARF is acute renal failure (ARF). MDMA (Mean Daily Maximum Area); ARFs, arf, MDMA."
    assert find(text, NAMES) == [
        ("ARF", "D", "disease/abbreviation"),
        ("acute renal failure", "D", "disease/word"),
        ("ARF", "D", "disease/abbreviation"),
        ("ARFs", "D", "disease/abbreviation"),
    ]
    assert [found[0] for found in find(text, NAMES, abbreviations=False)] == ["acute renal failure", "MDMA", "MDMA"]


def test_an_abbreviation_of_a_longer_name_means_the_name_it_ends_with():
    mentions = find("severe renal failure (SRF) and SRF", NAMES)
    assert [found[0] for found in mentions] == ["renal failure", "SRF", "SRF"]


def test_a_numeral_in_brackets_means_no_chemical():
    text = "Intracellular platinum (II) was measured in a phase II trial of stage II patients."
    assert [found[0] for found in find(text, {"Chemical": ["Platinum"]})] == ["platinum"]


def test_capitals_possessives_and_accents_do_not_count():
    names = {"Disease": ["Parkinson Disease", "Sjogren Syndrome", "Ménière Disease"]}
    text = "PARKINSON'S DISEASE, Sjögren's syndrome, Sjo\u0308gren syndrome, Meniere disease"
    text += ", Me\u0301nie\u0300re's disease"
    assert [found[0] for found in find(text, names)] == text.split(", ")


def test_an_abbreviation_within_an_abbreviation_means_what_it_meant_before():
    text = "Renal failure (RF), acute RF (ARF); RF is river flow (RF). ARF and RF."
    assert [found[0] for found in find(text, NAMES)] == ["Renal failure", "ARF", "ARF"]


def slowly(text, words, matches):
    """Definition by definition over the whole text."""
    starts, ends = {start for start, _ in words}, {end for _, end in words}
    for d in find_definitions(text):
        ending = [match for match in matches if match.end == d.long_end]
        entry = max(ending, key=lambda match: match.end - match.start).entry if ending else None
        short = re.escape(text[d.short_start : d.short_end])
        spans = [match.span() for match in re.finditer(short + r"(?:s(?![^\W_]))?", text)]
        whole = {(start, end) for start, end in spans if start in starts and end in ends}
        matches = [match for match in matches if (match.start, match.end) not in whole]
        matches += [Match(start, end, entry, "abbreviation") for start, end in whole if entry is not None]
    return matches


sentences = st.lists(
    st.sampled_from(
        [
            "renal failure ",
            "acute renal failure ",
            "acute RF ",
            "(RF) ",
            "(ARF) ",
            "RF ",
            "RFs ",
            "toxicity (T-1) ",
            "T-1, ",
        ]
    ),
    max_size=14,
).map("".join)


@settings(max_examples=200, deadline=None)
@given(sentences)
def test_all_definitions_at_once_give_what_one_after_the_other_gives(text):
    words = split_words(text)
    matches = Matcher(lexicon_of(NAMES), abbreviations=False).matches(text, words)
    assert set(with_abbreviations(text, words, matches)) == set(slowly(text, words, matches))


def test_time_is_linear():
    text = "renal failure (RF) " * 10_000
    words, matcher = split_words(text), Matcher(lexicon_of(NAMES))
    begin = time.process_time()
    matcher.find(text, words)
    assert time.process_time() - begin < 5


def test_half_a_character_is_no_name_and_no_error():
    assert [found[0] for found in find("aspirin \ud800 aspirin\udfff", NAMES)] == ["aspirin"] * 2
    assert find("\ud800", {"Disease": ["Gout \ud800 fever"]}) == []


def test_text_without_names_or_words():
    assert find("nothing here", NAMES) == find("", NAMES) == find(" - ' ", NAMES) == []


def test_an_empty_lexicon_is_refused():
    with pytest.raises(ValueError, match="the lexicon holds no name"):
        Matcher(Lexicon(["Disease"]))


pieces = st.sampled_from(
    ["aspirin", "Aspirins", "renal", "failure", "acute", "-", "'", "s", ",", "(", ")", "AIDS", "aids"]
)
texts = st.lists(st.tuples(pieces, st.sampled_from(["", " ", "  "])), max_size=14).map(
    lambda parts: "".join(a + b for a, b in parts)
)
names = st.lists(pieces.filter(str.isalpha), min_size=1, max_size=3).map(" ".join)


def walk(text, lexicon):
    """Every span of words, looked up name by name: what the automaton must find."""
    spans, entries = split_words(text), dict(lexicon.entries())
    found = []
    for first, (start, _) in enumerate(spans):
        for last in range(first, len(spans)):
            end = spans[last][1]
            edges = [fold_name(text[slice(*spans[place])]) for place in (first, last)]
            entry = entries.get(fold_name(text[start:end]))
            # A hyphen or apostrophe, or a possessive s, is no edge of a name.
            possessive = [
                place and text[slice(*spans[place])] == "s" and text[slice(*spans[place - 1])] == "'"
                for place in (first, last)
            ]
            if entry and all(edges) and not any(possessive) and entry.accepts(text[start:end]):
                found.append((start, end, entry.type))
    kept = []
    for span in sorted(found, key=lambda s: (s[0] - s[1], s[0])):
        if not any(span[0] < other[1] and other[0] < span[1] for other in kept):
            kept.append(span)
    return sorted(kept)


@settings(max_examples=300)
@given(texts, st.lists(names, min_size=1, max_size=5), st.lists(names, max_size=3))
def test_the_automaton_finds_what_a_walk_over_all_spans_finds(text, diseases, chemicals):
    lexicon = lexicon_of({"Disease": diseases, "Chemical": chemicals})
    if not list(lexicon.entries()):
        return
    mentions = Matcher(lexicon, abbreviations=False).find(text, split_words(text))
    assert [(m.start, m.end, m.type) for m in mentions] == walk(text, lexicon)


@pytest.mark.corpora
def test_exact_names_are_found_as_often_as_documented(corpora_dir):
    """The shared README says 58 % of BC5CDR's training diseases are in the dictionary, letter by letter."""
    terms = corpora_dir / "kb" / "dictionaries" / "snorkel_mesh_disease_terms.tsv.gz"
    exact = {name for concept in read_terms(terms) for name in concept.names}
    lexicon = Lexicon(["Disease"])
    lexicon.add("Disease", "terms", read_terms(terms))
    lexicon.add("Disease", "medic", read_medic(corpora_dir / "kb" / "ctd" / "medic_06Jul2012.txt.gz"))
    matcher = Matcher(lexicon)
    gold = known = found = 0
    for document in read_pubtator(corpora_dir / "gold" / "bc5cdr" / "CDR_TrainingSet.PubTator.txt"):
        spans = {(m.start, m.end) for m in document.mentions if m.type == "Disease"}
        gold += len(spans)
        known += sum(document.text[a:b].lower() in exact for a, b in spans)
        found += len(spans & {(m.start, m.end) for m in matcher.find(document.text, document.words)})
    assert round(known / gold, 2) == 0.58
    assert found / gold > 0.62


@pytest.mark.corpora
def test_a_lower_case_list_misses_no_training_disease_that_it_has(corpora_dir):
    """Nearly all that a list of lower-case terms has by the letter is found where only the list is known."""
    lexicon = Lexicon(["Disease"])
    lexicon.add(
        "Disease", "terms", read_terms(corpora_dir / "kb" / "dictionaries" / "snorkel_mesh_disease_terms.tsv.gz")
    )
    entries = dict(lexicon.entries())
    missed, known = [], 0
    for document in read_pubtator(corpora_dir / "gold" / "bc5cdr" / "CDR_TrainingSet.PubTator.txt"):
        for mention in document.mentions:
            entry = entries.get(fold_name(mention.text)) if mention.type == "Disease" else None
            known += entry is not None
            if entry is not None and not entry.accepts(mention.text):
                missed.append(mention.text)
    assert known > 2400 and missed == []  # 186 before short words were told from acronyms


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(1, 8))))
def test_a_span_is_taken_where_it_overlaps_none_taken_before(found):
    free, kept = FreeText(28), []
    for start, length in found:
        alone = all(start + length <= a or b <= start for a, b in kept)
        assert free.take(start, start + length) == alone
        if alone:
            kept.append((start, start + length))

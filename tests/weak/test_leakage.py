import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_bionerkd.documents import Document, Passage
from hf_bionerkd.weak.leakage import Leak, LeakFinder, text_key

TITLE = "Naloxone reverses the antihypertensive effect of clonidine."
FIRST = "In unanesthetized, spontaneously hypertensive rats the decrease in blood pressure was inhibited."
SECOND = "The hypotensive effect was inhibited or reversed by nalozone."
SHORT = "No change was seen."


def gold():
    text = f"{TITLE} {FIRST} {SECOND} {SHORT}"
    passages = (Passage(0, len(TITLE), "title"), Passage(len(TITLE) + 1, len(text), "abstract"))
    return Document("227508", text, (), (), passages)


@pytest.fixture
def finder():
    found = LeakFinder(min_length=40)
    found.add_documents("bc5cdr-test", [gold()])
    found.add_sentences(
        "BC2GM-test", [Document("BC2GM-test-7", "The p53 gene of these mice was deleted in every cell .")]
    )
    return found


def find(finder, text, id_="x:1", **metadata):
    return finder.find(Document(id_, text, metadata=metadata))


def test_a_document_is_found_by_its_pmid(finder):
    leak = Leak("pmid", "bc5cdr-test", "227508")
    assert find(finder, "Another text.", document_id="227508") == find(finder, "Another text.", "227508") == leak
    assert find(finder, "Another text.", document_id="0227508") == leak
    assert find(finder, "Another text.", document_id="2275080") is None
    finder.add_documents("bioc-test", [Document("PMC5", "A text.", metadata={"document_id": "777"})])
    assert find(finder, "Another text.", document_id="777") == Leak("pmid", "bioc-test", "PMC5")


@pytest.mark.parametrize(
    "text",
    [
        f"{TITLE} {FIRST} {SECOND} {SHORT}",
        f"{FIRST} {SECOND} {SHORT}",  # no title
        f"AIM: {TITLE} {FIRST}\n\n{SECOND}\t{SHORT} (Abstract truncated)",
        f"{TITLE}{FIRST}{SECOND}{SHORT}".upper(),
        f"{TITLE} {FIRST} {SECOND} {SHORT}".replace(" ", " - "),
        " ".join(f"{TITLE} {FIRST} {SECOND} {SHORT}".replace(".", " .").replace(",", " ,")),
    ],
)
def test_a_document_is_found_by_its_text_however_it_is_spaced(finder, text):
    assert find(finder, text) == Leak("text", "bc5cdr-test", "227508")


@pytest.mark.parametrize("sentence", [TITLE, FIRST, SECOND])
def test_a_document_is_found_by_one_sentence_wherever_it_stands(finder, sentence):
    leak = Leak("sentence", "bc5cdr-test", "227508")
    assert find(finder, f"Background and more: {sentence.lower()[:-1]}, and this.") == leak
    assert find(finder, "Aims " + sentence.replace(" ", "  ")) == leak
    assert find(finder, sentence[:-12]) is None


def test_a_gold_standard_of_sentences_is_found_by_them(finder):
    text = "We did. The p53 gene of these mice was deleted in every cell. Nothing."
    assert find(finder, text) == Leak("sentence", "BC2GM-test", "BC2GM-test-7")


def test_a_short_gold_sentence_leaves_a_document_in_and_is_known_itself(finder):
    assert find(finder, f"It rained. {SHORT}") is None
    assert finder.is_gold_sentence("NO CHANGE - was seen") and not finder.is_gold_sentence("No change was seen there.")
    assert finder.is_gold_sentence(FIRST) and not finder.is_gold_sentence("...")


def test_sentences_too_short_to_tell_apart_are_refused():
    with pytest.raises(ValueError, match="min_length must be at least 24"):
        LeakFinder(min_length=10)


words = st.lists(
    st.sampled_from(["alpha", "beta,", "gamma", "Delta.", "(eps)", "zeta-eta", "IL-2"]), min_size=1, max_size=14
)


@given(words, words, words)
def test_a_sentence_is_found_exactly_where_its_letters_begin_a_word(before, sentence, after):
    finder = LeakFinder(min_length=24)
    wanted = " ".join(sentence)
    finder.add_sentences("gold", [Document("g", wanted)])
    text = " ".join([*before, *sentence, *after])
    letters = "".join(filter(str.isalnum, wanted))
    assert (find(finder, text) is not None) == (len(letters) >= 24)
    other = " ".join([*before, *after])
    pieces = "".join(c if c.isalnum() else " " for c in other).lower().split()
    begins = any("".join(pieces[i:]).startswith(letters.lower()) for i in range(len(pieces)))
    assert (find(finder, other) is not None) == (len(letters) >= 24 and begins)


def test_texts_with_the_same_letters_have_one_key():
    assert text_key("IL - 2 binds.") == text_key("il-2 (binds)") != text_key("IL-2 bind")


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_accents_hide_no_gold_sentence(form):
    finder = LeakFinder()
    gold = "Sjögren's syndrome and Ménière's disease were seen in one of all patients."
    finder.add_sentences("gold", [Document("1", gold)])
    for other in (unicodedata.normalize(form, gold), "Sjogren's syndrome and Meniere's disease " + gold[40:]):
        assert finder.find(Document("x", f"We looked. {other} So it was.")).gold_id == "1"
        assert finder.is_gold_sentence(other)


def test_a_finder_from_a_table_finds_the_same():
    finder = LeakFinder()
    texts = [f"Gold sentence number {number} is so long that no other one is like it, é." for number in range(20)]
    finder.add_sentences("sentences", [Document(str(number), text) for number, text in enumerate(texts[:10])])
    finder.add_documents("documents", [Document("0099", " ".join(texts[10:12]), metadata={"document_id": "099"})])
    again = LeakFinder.from_table(finder.table())
    assert len(again) == len(finder)
    others = [Document(f"x{number}", f"So. {text}") for number, text in enumerate(texts)] + [Document("99", "No.")]
    assert [again.find(other) for other in others] == [finder.find(other) for other in others]
    assert len({again.find(other) for other in others}) == 13  # ten, the document, its PMID, and none
    assert not len(LeakFinder.from_table(LeakFinder().table()))

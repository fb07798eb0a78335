import re
import time
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_bionerkd.corpora.conll import read_conll
from hf_bionerkd.corpora.pubtator import read_pubtator
from hf_bionerkd.documents import Document, Mention, Passage
from hf_bionerkd.weak.sentences import document_sentences, sentence_spans, split_sentences


def cut(text, keep_whole=()):
    return [text[start:end] for start, end in split_sentences(text, keep_whole)]


@pytest.mark.parametrize(
    "sentences",
    [
        ["Aspirin helps.", "It does!", "Does it?", "(Yes.)"],
        ["Given i.v. to E. coli (cf. Fig. 2).", "mRNA rose vs. controls, e.g. GAPDH, ca. 3.5 mg/kg i.p. 2 h later."],
        ["Of the women (mean age 31. They smoked) two fell.", "p53 did not."],
        ["It was 3 mg/kg p.o.", "Rats slept."],
        ["Dr. Smith et al. [12] agree.", "No.", "We do not."],
        ["Doses rose.;", "This trial"],
        ["GHS-R ) .", "GHS-R is found ."],
        ["a. b. c."],
        ["One (unclosed bracket.", "Two goes on."],
        ['They said "no."', "We said yes..."],
    ],
)
def test_sentences_of_abstracts(sentences):
    assert cut(" ".join(sentences)) == sentences
    assert cut("  " + "\n".join(sentences) + " ") == sentences


def test_no_cut_goes_through_a_span_to_keep_whole():
    text = "St. Johns syndrome A. It rose."
    name = (text.index("syndrome"), text.index("rose"))
    assert cut(text, [name]) == ["St. Johns syndrome A. It rose."]
    assert cut(text, [(0, 4)]) == ["St. Johns syndrome A.", "It rose."]  # it ends where it may


@given(st.text("Aa1. ?!()[];\n", max_size=50), st.lists(st.tuples(st.integers(0, 50), st.integers(1, 10)), max_size=3))
def test_sentences_hold_every_character_once_and_no_white_space_around(text, spans):
    whole = [(start, start + length) for start, length in spans]
    found = split_sentences(text, whole)
    assert "".join("".join(text[a:b].split()) for a, b in found) == "".join(text.split())
    assert all(text[a:b] == text[a:b].strip() != "" for a, b in found)
    assert all(end <= start for (_, end), (start, _) in zip(found, found[1:], strict=False))
    assert not any(start < b < end for _, b in found[:-1] for start, end in whole)


def cut_slowly(text, whole):
    """The same rules, each cut decided from the beginning of its sentence on."""
    spans, start = [], len(text) - len(text.lstrip())
    for place, sign in enumerate(text):
        if sign not in ".!?" or (place and text[place - 1] in ".!?"):
            continue
        run = re.match(r"""[.!?]+[)\]}"'”’]*;?""", text[place:])[0]
        end = place + len(run)
        following = end + len(text[end:]) - len(text[end:].lstrip())
        if following == end or following == len(text) or end <= start:
            continue
        if any(a < cut < b for a, b in whole for cut in (end, following)):
            continue
        if not re.match(r"""[^\W_a-z]|[(\[{"'“‘`<+±≥≤=~–—-]|[a-z]{1,3}-?[A-Z0-9]|[a-z]-[a-z]""", text[following:]):
            continue
        word = re.split(r"""[\s(\[{"'“‘]""", text[start:place])[-1].lower()
        if run == "." and (word in ("al", "dr") or (word in ("p", "no") and not text[following].isupper())):
            continue
        depth = 0
        for bracket in re.findall(r"[()\[\]]", text[start:end]):
            depth = depth + 1 if bracket in "([" else max(depth - 1, 0)
        closing = re.findall(r"[()\[\]]", text[end : end + 150])[:1]
        if not (depth and closing and closing[0] in ")]"):
            spans.append((start, end))
            start = following
    return [*spans, (start, len(text.rstrip()))] if start < len(text) else spans


words = st.sampled_from(
    ["al", "Dr", "no", "p53", "A", "b", "(", ")", "[", "]", ".", "!", "...", " ", " ", "\n", '"', ";"]
)


@settings(deadline=None)
@given(
    st.lists(words, max_size=40).map("".join),
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 10)), max_size=3),
)
def test_one_walk_decides_as_a_look_at_each_sentence_does(text, spans):
    whole = [(start, start + length) for start, length in spans]
    assert split_sentences(text, whole) == cut_slowly(text, whole)


@pytest.mark.parametrize("piece", [".", "(A. ", "a. B ", '."', "[ ", ".\n"])
def test_time_is_linear(piece):
    text = piece * (1_000_000 // len(piece))
    # The least of some tries, because other programs disturb.
    assert any(seconds(text) < 2 for _ in range(3))


def seconds(text):
    begin = time.process_time()
    split_sentences(text)
    return time.process_time() - begin


def test_time_is_linear_in_passages_and_mentions():
    text = "A. " * 30_000
    passages = tuple(Passage(start, start + 3) for start in range(0, len(text), 3))
    mentions = tuple(Mention(start, start + 1, "Disease") for start in range(0, len(text), 3))
    long = Document("1", text, mentions, (), passages)
    begin = time.process_time()
    assert sum(len(sentence.mentions) for sentence in document_sentences(long)) == len(mentions)
    assert time.process_time() - begin < 4


def document(title, abstract, *mentions):
    text = f"{title} {abstract}"
    passages = (Passage(0, len(title), "title"), Passage(len(title) + 1, len(text), "abstract"))
    found = tuple(Mention(text.index(m), text.index(m) + len(m), "Disease", m) for m in mentions)
    return Document("7", text, found, (), passages, {"document_id": "123"})


def test_a_document_is_cut_at_its_passages_and_keeps_its_mentions():
    whole = document("No full stop", "Gout hurts. renal Failure. It does.", "stop", "Gout", "Failure. It")
    sentences = list(document_sentences(whole))
    assert [(s.id, s.text) for s in sentences] == [
        ("7:1", "No full stop"),
        ("7:2", "Gout hurts. renal Failure. It does."),
    ]
    assert [[m.text for m in s.mentions] for s in sentences] == [["stop"], ["Gout", "Failure. It"]]
    assert {s.metadata["document_id"] for s in sentences} == {"123"}
    assert [s.tokens for s in sentences] == [Document("", s.text).tokens for s in sentences]


def test_two_views_of_one_text_are_cut_alike():
    whole = document("A title.", "Failure. It does. So it is.", "Failure. It")
    (mention,) = whole.mentions
    kept = [(mention.start, mention.end)]
    bare = list(document_sentences(whole, (), kept))
    assert [s.text for s in bare] == [s.text for s in document_sentences(whole)] and not any(s.mentions for s in bare)
    assert [s.text for s in document_sentences(whole, ())] == ["A title.", "Failure.", "It does.", "So it is."]


def test_a_passage_end_inside_a_mention_is_no_cut():
    whole = document("Acute", "gout. Rare.", "Acute gout")
    assert [s.text for s in document_sentences(whole)] == ["Acute gout.", "Rare."]


@pytest.mark.parametrize(("start", "end"), [(0, 5), (17, 22), (21, 22)])
def test_a_mention_that_reaches_out_of_its_sentence_is_refused_and_never_lost(start, end):
    text = " Rats have gout. More "
    document = Document("7", text, (Mention(start, end, "Disease", text[start:end]),))
    with pytest.raises(ValueError, match=rf"'7'.*\[{start}, {end}\) begins or ends with white space"):
        list(document_sentences(document))


def test_a_document_without_an_id_elsewhere_is_its_own():
    (sentence,) = document_sentences(Document("ohsumed:1", "Gout."))
    assert sentence.metadata == {"document_id": "ohsumed:1"}
    assert list(document_sentences(Document("x", " \u200b . "))) != []
    assert list(document_sentences(Document("x", "   "))) == []


@pytest.mark.corpora
@pytest.mark.parametrize(("pubtator", "conll"), [("CDR_TrainingSet", "train"), ("CDR_DevelopmentSet", "devel")])
def test_sentences_agree_with_those_of_bc5cdr(corpora_dir, pubtator, conll):
    """Cuts of the CoNLL edition against ours on the PubTator edition, by the letters and digits before them."""

    def letters(text):
        return "".join(filter(str.isalnum, text))

    sentences = [letters(s.text) for s in read_conll(corpora_dir / "conll" / "BC5CDR" / f"{conll}.tsv", name="x")]
    stream, ends = "".join(sentences), set(accumulate(map(len, sentences)))
    right = made = wanted = 0
    for doc in read_pubtator(corpora_dir / "gold" / "bc5cdr" / f"{pubtator}.PubTator.txt"):
        begin, length = stream.index(letters(doc.text)), len(letters(doc.text))
        theirs = {end - begin for end in ends if begin < end <= begin + length}
        bare = Document(doc.id, doc.text, (), (), doc.passages)
        ours = {len(letters(doc.text[:end])) for _, end in sentence_spans(bare)}
        right, made, wanted = right + len(ours & theirs), made + len(ours), wanted + len(theirs)
    assert wanted > 4000
    assert right / made > 0.995 and right / wanted > 0.995

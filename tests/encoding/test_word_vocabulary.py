"""Words that a word vocabulary knows, and all others: what comes back out of the pieces."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_bionerkd.documents import split_words
from hf_bionerkd.encoding.encoding import WordEncoder
from hf_bionerkd.encoding.tag_pairs import TagPairs, add_tag_tokens, save_tokenizer
from hf_bionerkd.encoding.word_reading import special_ids
from hf_bionerkd.encoding.word_vocabulary import STRANGE_LETTER, build_word_vocabulary
from hf_bionerkd.models.word_pieces import CONTINUES, SPECIAL, STARTS, UNKNOWN_WORD, WordReader, lay_out

SENTENCES = [
    ["Aspirin", "reduces", "fever", "in", "naïve", "patients", "-", "IL", "2", "."],
    ["No", "β", "-", "carotene", "for", "mRNA", "(", "5", "mg", ")", "after", "aspirin"],
] * 5


@pytest.fixture(scope="module")
def vocabulary():
    return build_word_vocabulary(SENTENCES)


def spellings(vocabulary, pieces):
    """Words that a model reads off pieces: their rows and characters (None: unknown)."""
    tables = vocabulary.tables
    reader = WordReader(0, 0, max_characters=1000)
    reader.set_tables(tables)
    ids = torch.tensor([pieces], dtype=torch.long)
    real = torch.ones_like(ids, dtype=torch.bool)
    words = reader(ids, lay_out(tables.kinds[ids], real), real)
    names = {}
    for piece, index in vocabulary.tokenizer.get_vocab().items():
        if len(piece) == 1:
            start = tables.first_character[index]
            names.setdefault(int(tables.characters[start]), piece)
    names[1] = None
    split = [part.tolist() for part in words.characters.split(words.character_counts.tolist())]
    return words.rows.tolist(), [[names[index] for index in split[spelling]] for spelling in words.spelling.tolist()]


def row_of(vocabulary, word):
    rows, _ = spellings(vocabulary, vocabulary.tokenizer(word)["input_ids"])
    assert len(rows) == 1
    return rows[0]


def test_a_known_word_is_one_piece_in_every_usual_case(vocabulary):
    tokenizer = vocabulary.tokenizer
    for text in ("aspirin", "Aspirin", "ASPIRIN", "mRNA", "MRNA", "β", "(", "naïve", "Naïve"):
        assert len(tokenizer(text)["input_ids"]) == 1, text
    assert row_of(vocabulary, "aspirin") == row_of(vocabulary, "Aspirin") == row_of(vocabulary, "ASPIRIN")
    assert vocabulary.words[row_of(vocabulary, "IL")] == "il"
    assert row_of(vocabulary, "aspirins") == row_of(vocabulary, "aSpIrIn") == UNKNOWN_WORD
    assert vocabulary.words[UNKNOWN_WORD] == "" and len(vocabulary.words) == len(vocabulary.tables.counts)


def test_case_keeps_words_apart_when_asked():
    cased = build_word_vocabulary(SENTENCES, lowercase=False)
    assert cased.words[row_of(cased, "Aspirin")] == "Aspirin" and cased.words[row_of(cased, "aspirin")] == "aspirin"
    assert row_of(cased, "ASPIRIN") == UNKNOWN_WORD  # never seen so


def test_counts_are_of_the_training_text(vocabulary):
    tables = vocabulary.tables
    assert tables.counts[row_of(vocabulary, "aspirin")] == 10  # five times each, with and without a capital
    assert tables.counts[row_of(vocabulary, "fever")] == 5 and tables.counts[UNKNOWN_WORD] == 0
    rare = build_word_vocabulary([*SENTENCES, ["rareword"]], min_count=2)
    assert "rareword" not in rare.words and "fever" in rare.words
    _, [word] = spellings(rare, rare.tokenizer("rareword")["input_ids"])
    assert word == [c if c in "aspirindecothflmuv" else None for c in "rareword"]  # w is too rare a character


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_characters_of_any_word_come_back_whole(vocabulary, data):
    known = sorted({character for words in SENTENCES for word in words for character in word if character.isalnum()})
    words = data.draw(st.lists(st.text(st.sampled_from(known), min_size=1, max_size=40), min_size=1, max_size=8))
    encoded = vocabulary.tokenizer(words, is_split_into_words=True, add_special_tokens=False)
    _, found = spellings(vocabulary, encoded["input_ids"])
    assert ["".join(word) for word in found] == words


def test_strange_letters_and_signs_leave_the_rest_of_a_word_readable(vocabulary):
    _, found = spellings(vocabulary, vocabulary.tokenizer("feвer € aspiriñ")["input_ids"])
    assert found == [["f", "e", None, "e", "r"], [None], ["a", "s", "p", "i", "r", "i", None]]
    _, [word] = spellings(vocabulary, vocabulary.tokenizer(STRANGE_LETTER)["input_ids"])
    assert word == [None]
    _, [word] = spellings(vocabulary, vocabulary.tokenizer("a" * 5000)["input_ids"])
    assert word == [None]  # one unknown piece, rather than thousands


def test_offsets_are_those_of_the_text_although_letters_are_replaced(vocabulary):
    text = "The ас𝛼pirin—naïve of β"
    encoded = vocabulary.tokenizer(text, return_offsets_mapping=True)
    starts = vocabulary.tables.kinds[encoded["input_ids"]] == STARTS
    spans, current = [], None
    for (start, end), head in zip(encoded["offset_mapping"], starts.tolist(), strict=True):
        if head:
            spans.append([start, end])
        spans[-1][1] = end
    assert [tuple(span) for span in spans] == list(split_words(text)) and current is None


@given(text=st.text(st.sampled_from("aß9é-_/ .\tIβ²e\u0301"), max_size=30))
@settings(max_examples=60, deadline=None)
def test_running_text_is_split_as_documents_are(vocabulary, text):
    tokenizer = vocabulary.tokenizer
    words = [text[start:end] for start, end in split_words(text)]
    whole = tokenizer(text)["input_ids"]
    assert whole == tokenizer(words, is_split_into_words=True)["input_ids"] if words else whole == []
    assert int((vocabulary.tables.kinds[whole] == STARTS).sum()) == len(words)


def test_pretrained_words_are_known_without_training_text():
    vectors = {
        "heparin": np.full(3, 1.0),
        "Heparin": np.full(3, 2.0),
        "IL": np.full(3, 3.0),
        "fever": np.full(3, 4.0),
        "two-part": np.full(3, 5.0),
        "Ωmega": np.full(3, 6.0),
    }
    vocabulary = build_word_vocabulary(SENTENCES, vector_words=vectors)
    matrix = vocabulary.vector_matrix(vectors, 3)
    assert matrix.shape == (len(vocabulary.words), 3)
    for word, value in {"heparin": 1, "Heparin": 2, "HEPARIN": 1, "IL": 3, "Fever": 4, "Ωmega": 6}.items():
        assert (matrix[row_of(vocabulary, word)] == value).all(), word
    assert np.isnan(matrix[row_of(vocabulary, "patients")]).all() and np.isnan(matrix[UNKNOWN_WORD]).all()
    assert vocabulary.tables.counts[row_of(vocabulary, "heparin")] == 0
    assert "two-part" not in vocabulary.words  # text is never cut so


def test_words_with_vectors_that_text_never_shows_are_counted_once(caplog):
    given = ["IL-2", "gout", "aspirin", "</s>", "5-FU", "β", "Gout's", "IL-2"]
    assert "gout" in build_word_vocabulary(SENTENCES, vector_words=given).words
    (record,) = caplog.records
    assert record.levelname == "WARNING" and record.name == "hf_bionerkd.encoding.word_vocabulary"
    assert record.message.startswith("4 of the 7 words with pretrained vectors are left out")
    assert "such as ['IL-2', '</s>', '5-FU']" in record.message
    caplog.clear()
    build_word_vocabulary(SENTENCES, vector_words=iter(["gout", "aspirin"]))
    assert not caplog.records


def test_windows_and_alignment_see_a_tokenizer_like_any_other(vocabulary):
    assert special_ids(vocabulary.tokenizer) == ([], [])
    words = ["Aspirin", "hyperthermia", "fever", "\u200b", "[PAD]", " "]
    [[window]] = WordEncoder(vocabulary.tokenizer, 64)([words])
    assert [window.word_ids[i] for i, head in enumerate(window.heads) if head][:3] == [0, 1, 2]
    [small] = WordEncoder(vocabulary.tokenizer, 8)([words])
    owned = {word for part in small for word, own in zip(part.word_ids, part.owned, strict=True) if own}
    assert len(small) > 1 and owned == set(window.word_ids)
    kinds = vocabulary.tables.kinds[window.input_ids]
    assert not (kinds == SPECIAL).any() and (kinds == CONTINUES).any()


def test_tag_pairs_and_publication_keep_it_a_stock_tokenizer(vocabulary, tmp_path):
    tags = TagPairs("corpus", {"A": ("X",)}, neutral=True)
    tokenizer = add_tag_tokens(vocabulary.tokenizer, tags)
    assert len(tokenizer) == len(vocabulary.tables.kinds) + 4
    save_tokenizer(tokenizer, tmp_path, tags)

    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(tmp_path)
    ids = loaded("aspirins")["input_ids"]
    assert loaded.convert_ids_to_tokens(ids) == ["<all>", "aspirin", "##s", "</all>"]
    assert ids[1:-1] == vocabulary.tokenizer("aspirins")["input_ids"]


def test_the_same_text_gives_the_same_vocabulary_in_any_process_pain_18(vocabulary):
    program = (
        "from hf_bionerkd.encoding.word_vocabulary import build_word_vocabulary\n"
        f"v = build_word_vocabulary({SENTENCES!r})\n"
        "print(v.words, v.tables.rows.tolist(), sorted(v.tokenizer.get_vocab().items()))"
    )
    env = {**os.environ, "PYTHONHASHSEED": "7"}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)
    here = vocabulary.words, vocabulary.tables.rows.tolist(), sorted(vocabulary.tokenizer.get_vocab().items())
    assert done.stdout == " ".join(map(str, here)) + "\n"


def test_no_text_is_an_error():
    for sentences in ([], [[]], [[" ", ""]]):
        with pytest.raises(ValueError, match="built from training text, and there is none"):
            build_word_vocabulary(sentences)

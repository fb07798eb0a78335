"""Words out of pieces: the grouping against a plain loop, and what tokenizers of all kinds say of their pieces."""

from __future__ import annotations

import pytest
import tiny
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_bionerkd.encoding.encoding import WordEncoder
from hf_bionerkd.encoding.word_reading import reading_words
from hf_bionerkd.models.word_pieces import (
    CONTINUES,
    SPECIAL,
    STARTS,
    UNKNOWN_WORD,
    PieceTables,
    WordReader,
    lay_out,
    piece_kinds,
)

PIECES = ["[PAD]", "[UNK]", "a", "b", "ab", "##a", "##b", "##", "<t>"]
IDS = {"a": 2, "b": 3}
SPELLED = {1: [1], 2: [2], 3: [3], 4: [2, 3], 5: [2], 6: [3], 7: [1, 1], 8: []}


def tables(**changes):
    values = {"special": [0, 8], "unknown": 1, "word_rows": {"a": 1, "ab": 2, "<t>": 3}, "character_ids": IDS}
    return PieceTables.of_vocabulary(PIECES, counts=[0, 5, 1, 0], **(values | changes))


def reader(max_characters=99):
    made = WordReader(0, 0, max_characters)
    made.set_tables(tables())
    return made


def words_of(rows, max_characters=99):
    """What a reader makes of rows of pieces: for each row its words as (row of the vector, characters, labelled)."""
    width = max((len(row) for row in rows), default=0)
    ids = torch.tensor([row + [0] * (width - len(row)) for row in rows], dtype=torch.long).view(len(rows), width)
    real = torch.arange(width) < torch.tensor([[len(row)] for row in rows])
    made = reader(max_characters)
    layout = lay_out(made.kinds[ids], real)
    found = made(ids, layout, real)
    spelled = [part.tolist() for part in found.characters.split(found.character_counts.tolist())]
    flat = [
        (row, spelled[spelling], labelled)
        for row, spelling, labelled in zip(
            found.rows.tolist(), found.spelling.tolist(), found.labelled.tolist(), strict=True
        )
    ]
    split = []
    for length in found.lengths.tolist():
        split.append(flat[:length])
        flat = flat[length:]
    return split, layout, found


def by_hand(row):
    """The same for one row, piece by piece."""
    found = []
    vectors = {2: 1, 4: 2, 8: 3}
    for place, piece in enumerate(row):
        continues = PIECES[piece] in ("##a", "##b") and place and row[place - 1] != 8
        if continues:
            _, characters, labelled = found[-1]
            found[-1] = (UNKNOWN_WORD, characters + SPELLED[piece], labelled)
        else:
            found.append((vectors.get(piece, UNKNOWN_WORD), list(SPELLED[piece]), piece != 8))
    return found


@given(rows=st.lists(st.lists(st.integers(1, 8), max_size=12), min_size=1, max_size=5))
@settings(max_examples=150, deadline=None)
def test_words_of_any_pieces_are_those_of_a_plain_loop(rows):
    found, layout, _ = words_of(rows)
    assert found == [by_hand(row) for row in rows]
    for place, row in enumerate(rows):
        labelled = [word for word in by_hand(row) if word[2]]
        assert layout.word_mask[place].sum() == len(labelled)
        index = [i for i in layout.word_index[place].tolist() if i >= 0]
        assert index == sorted(index) and set(index) == set(range(len(labelled)))
        assert layout.word_heads[place].sum() == len(labelled)


def test_long_words_are_read_from_their_beginning():
    [[(row, characters, _)]], *_ = words_of([[4, 6, 6, 5]], max_characters=3)
    assert row == UNKNOWN_WORD and characters == [2, 3, 3]


def test_words_spelled_alike_are_read_once():
    *_, found = words_of([[2, 4, 2], [4, 3, 6], [2]])
    assert len(found.character_counts) == 3 and len(found.rows) == 6


def test_padding_on_the_left_and_holes_begin_words():
    kinds = torch.tensor([[STARTS, CONTINUES, STARTS, CONTINUES]])
    layout = lay_out(kinds, torch.tensor([[False, True, True, True]]))
    assert layout.word_index.tolist() == [[-1, 0, 1, 1]]
    assert layout.word_heads.tolist() == [[False, True, True, False]]


def test_told_word_starts_win_over_the_pieces_marks():
    kinds = torch.tensor([[SPECIAL, STARTS, STARTS, CONTINUES]])
    told = torch.tensor([[True, True, False, True]])
    layout = lay_out(kinds, torch.ones(1, 4, dtype=torch.bool), told)
    assert layout.word_index.tolist() == [[-1, 0, 0, 1]]


def test_no_rows_and_no_pieces():
    layout = lay_out(torch.zeros(0, 3, dtype=torch.uint8), torch.zeros(0, 3, dtype=torch.bool))
    assert layout.word_mask.shape == (0, 0)
    found, layout, _ = words_of([[], []])
    assert found == [[], []] and layout.word_mask.shape == (2, 0)


def test_special_tokens_are_added_with_rows_of_their_own():
    made = reader()
    made.add_special(2, first_row=4)
    assert made.kinds[-2:].tolist() == [SPECIAL, SPECIAL] and made.rows[-2:].tolist() == [4, 5]
    assert len(made.first_character) == len(made.kinds) + 1
    ids = torch.tensor([[9, 4, 10]])
    real = torch.ones_like(ids, dtype=torch.bool)
    found = made(ids, lay_out(made.kinds[ids], real), real)
    assert found.rows.tolist() == [4, 2, 5] and found.labelled.tolist() == [False, True, False]


SENTENCES = tiny.tokens(20) + [["aspirin", "-", "induced", "BRCA1", "xyzzy", "(", "β"]]


@pytest.mark.parametrize("make", [tiny.wordpiece, tiny.byte_level_bpe])
def test_kinds_of_pieces_say_what_word_ids_say(make):
    tokenizer = reading_words(make())
    kinds = piece_kinds(tokenizer)
    assert len(kinds) == len(tokenizer)
    assert {int(kinds[index]) for index in tokenizer.all_special_ids if index != tokenizer.unk_token_id} == {SPECIAL}
    for windows in WordEncoder(tokenizer, 64)(SENTENCES):
        for window in windows:
            assert (kinds[window.input_ids] == STARTS).tolist() == window.heads


def test_kinds_of_sentencepiece():
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    pieces = [("<pad>", 0.0), ("<unk>", 0.0), ("▁", -2.0), ("▁a", -1.0), ("b", -3.0), ("a", -3.0)]
    backend = Tokenizer(models.Unigram(pieces, unk_id=1))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer = reading_words(PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", unk_token="<unk>"))
    kinds = piece_kinds(tokenizer)
    assert kinds.tolist()[2:] == [STARTS, STARTS, CONTINUES, CONTINUES]
    encoded = tokenizer("ab ba-a")
    words = encoded.word_ids()
    heads = [i == 0 or words[i] != words[i - 1] for i in range(len(words))]
    assert [head for i, head in enumerate(heads) if encoded["input_ids"][i] != 1] == [
        bool(kinds[index] == STARTS) for index in encoded["input_ids"] if index != 1
    ]


def test_pieces_without_marks_do_not_tell():
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.WordLevel({"<unk>": 0, "a": 1}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    assert piece_kinds(PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>")) is None

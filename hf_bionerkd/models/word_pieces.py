"""Words out of sub-word pieces: what a word-level model needs to know, from `input_ids` and tables of the vocabulary.

A piece either starts a word, continues one, or is a special token. So words need no input of their own: a stock
tokenizer, the plain pipeline and every existing way of cutting text into windows serve a model of words as they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .char_cnn import UNKNOWN_CHARACTER

CONTINUES, STARTS, SPECIAL = 0, 1, 2  # kinds of pieces
UNKNOWN_WORD = 0  # row of the vector of words that have none of their own
CONTINUATION = "##"


@dataclass(frozen=True)
class PieceTables:
    """What each piece of a vocabulary says about words.

    Args:
        kinds (`Tensor`): `(pieces,)`, uint8: `CONTINUES`, `STARTS` or `SPECIAL`.
        rows (`Tensor`): `(pieces,)`, int32: the row of the word vector of a word that is this piece; several pieces
            may share one.
        first_character (`Tensor`): `(pieces + 1,)`, int32: where the piece's characters begin in `characters`.
        characters (`Tensor`): int32: character ids of all pieces, end to end.
        counts (`Tensor`): `(rows,)`, int32: how often each word was seen in training.
        alphabet (`int`): How many character ids there are, padding and unknown included.
    """

    kinds: Tensor
    rows: Tensor
    first_character: Tensor
    characters: Tensor
    counts: Tensor
    alphabet: int

    @classmethod
    def of_vocabulary(
        cls,
        pieces: Sequence[str],
        special: Iterable[int],
        unknown: int,
        word_rows: Mapping[str, int],
        character_ids: Mapping[str, int],
        counts: Sequence[int],
    ) -> PieceTables:
        """Tables of a WordPiece vocabulary.

        Args:
            pieces (`Sequence[str]`): In id order; ``##`` marks a continuation.
            special (`Iterable[int]`): Ids of special tokens; the unknown token is none.
            unknown (`int`): Id of the unknown token: a word of one unknown character.
            word_rows (`Mapping[str, int]`): Row of the vector of each piece that has one.
            character_ids (`Mapping[str, int]`): Ids from 2 on; all other characters are unknown.
            counts (`Sequence[int]`): Of each row.
        """
        special = set(special)
        kinds, rows, firsts = [], [], [0]
        characters: list[int] = []
        for index, piece in enumerate(pieces):
            continues = piece.startswith(CONTINUATION) and len(piece) > len(CONTINUATION)
            kinds.append(SPECIAL if index in special else CONTINUES if continues else STARTS)
            rows.append(word_rows.get(piece, UNKNOWN_WORD))
            if index == unknown:
                characters.append(UNKNOWN_CHARACTER)
            elif index not in special:
                text = piece[len(CONTINUATION) :] if continues else piece
                characters += [character_ids.get(character, UNKNOWN_CHARACTER) for character in text]
            firsts.append(len(characters))
        return cls(
            torch.tensor(kinds, dtype=torch.uint8),
            torch.tensor(rows, dtype=torch.int32),
            torch.tensor(firsts, dtype=torch.int32),
            torch.tensor(characters, dtype=torch.int32),
            torch.tensor(counts, dtype=torch.int32),
            max(character_ids.values(), default=UNKNOWN_CHARACTER) + 1,
        )

    @property
    def unseen(self) -> int:
        """How many of the last rows are of words that training did not show."""
        shown = self.counts.nonzero()
        return len(self.counts) - 1 - (int(shown[-1]) if len(shown) else UNKNOWN_WORD)


@dataclass(frozen=True)
class PieceLayout:
    """Where the words of a batch are.

    Args:
        heads (`Tensor`): `(batch, pieces)`, boolean: the first piece of a word or a special token.
        word_heads (`Tensor`): `(batch, pieces)`, boolean: the first piece of a word.
        word_index (`Tensor`): `(batch, pieces)`: which word of its row a piece belongs to; -1: none.
        word_mask (`Tensor`): `(batch, words)`, boolean: where the rows have words.
    """

    heads: Tensor
    word_heads: Tensor
    word_index: Tensor
    word_mask: Tensor


def lay_out(kinds: Tensor, real: Tensor, word_starts: Tensor | None = None) -> PieceLayout:
    """Group pieces into words.

    Args:
        kinds (`Tensor`): `(batch, pieces)`, of each piece.
        real (`Tensor`): `(batch, pieces)`, boolean: false where padding is.
        word_starts (`Tensor`, *optional*): `(batch, pieces)`, boolean: which pieces start words, where it is known
            better.

    Example:
        >>> kinds = torch.tensor([[SPECIAL, STARTS, CONTINUES, STARTS]])
        >>> lay_out(kinds, torch.ones_like(kinds, dtype=torch.bool)).word_index.tolist()
        [[-1, 0, 0, 1]]
    """
    special = (kinds == SPECIAL) & real
    starts = (kinds == STARTS) if word_starts is None else word_starts.bool()
    # A window may open inside a word that is larger than windows are: what is left of it counts as a word.
    no_word_before = nn.functional.pad((special | ~real)[:, :-1], (1, 0), value=True)
    word_heads = real & ~special & (starts | no_word_before)
    word_index = (word_heads.cumsum(1) - 1).masked_fill(special | ~real, -1)
    sizes = word_heads.sum(1)
    longest = int(sizes.max()) if len(sizes) else 0
    word_mask = torch.arange(longest, device=kinds.device) < sizes[:, None]
    return PieceLayout(word_heads | special, word_heads, word_index, word_mask)


@dataclass(frozen=True)
class WordInputs:
    """The words of a batch, special tokens among them, end to end.

    Args:
        lengths (`Tensor`): `(batch,)`, how many each row has.
        rows (`Tensor`): `(words,)`, rows of their vectors.
        spelling (`Tensor`): `(words,)`, which of the distinct spellings each has.
        characters (`Tensor`): Character ids of the distinct spellings, end to end.
        character_counts (`Tensor`): `(spellings,)`, characters of each.
        labelled (`Tensor`): `(words,)`, boolean: false for special tokens.
    """

    lengths: Tensor
    rows: Tensor
    spelling: Tensor
    characters: Tensor
    character_counts: Tensor
    labelled: Tensor


class WordReader(nn.Module):
    """Reads words off pieces. Its tables are part of the model's weights, so that a reload is exact.

    Args:
        pieces (`int`): Size of the vocabulary.
        characters (`int`): Characters of all pieces together.
        max_characters (`int`): Of longer words only so many are read.
    """

    def __init__(self, pieces: int, characters: int, max_characters: int) -> None:
        super().__init__()
        self.max_characters = max_characters
        self.register_buffer("kinds", torch.full((pieces,), STARTS, dtype=torch.uint8))
        self.register_buffer("rows", torch.zeros(pieces, dtype=torch.int32))
        self.register_buffer("first_character", torch.zeros(pieces + 1, dtype=torch.int32))
        self.register_buffer("characters", torch.zeros(characters, dtype=torch.int32))

    def set_tables(self, tables: PieceTables) -> None:
        """Take over the tables of a vocabulary."""
        for name in ("kinds", "rows", "first_character", "characters"):
            self.register_buffer(name, getattr(tables, name).to(self.kinds.device))

    def add_special(self, count: int, first_row: int) -> None:
        """Add special tokens at the end of the vocabulary, each with a row of its own from `first_row` on.

        The rows from there on move up.
        """
        new = torch.arange(first_row, first_row + count, device=self.rows.device, dtype=torch.int32)
        self.kinds = torch.cat([self.kinds, torch.full_like(new, SPECIAL, dtype=torch.uint8)])
        self.rows = torch.cat([torch.where(self.rows < first_row, self.rows, self.rows + count), new])
        self.first_character = torch.cat([self.first_character, self.first_character[-1:].expand(count)])

    def forward(self, input_ids: Tensor, layout: PieceLayout, real: Tensor) -> WordInputs:
        """Words of a batch.

        Args:
            input_ids (`Tensor`): `(batch, pieces)`.
            layout (`PieceLayout`): Of the same pieces.
            real (`Tensor`): `(batch, pieces)`, boolean: false where padding is.
        """
        pieces, heads = input_ids[real], layout.heads[real]
        word = heads.cumsum(0) - 1  # of each piece
        words = torch.arange(int(heads.sum()), device=pieces.device)
        sizes = torch.bincount(word, minlength=len(words))
        whole, first_piece = sizes == 1, pieces[heads]
        rows = self.rows[first_piece].long().masked_fill(~whole, UNKNOWN_WORD)
        # Words of one piece are told apart by it; those of several count as distinct. One of each stands for all.
        names = torch.where(whole, first_piece, len(self.kinds) + words)
        distinct, spelling = torch.unique(names, return_inverse=True)
        chosen = torch.zeros_like(whole)
        chosen[torch.empty_like(distinct).index_copy_(0, spelling, words)] = True
        read = chosen[word]
        characters, counts = self._spell(pieces[read], heads[read])
        places = torch.empty_like(distinct).index_copy_(0, spelling[chosen], torch.arange(len(distinct)).to(distinct))
        return WordInputs(
            layout.heads.sum(1), rows, places[spelling], characters, counts, layout.word_heads[layout.heads]
        )

    def _spell(self, pieces: Tensor, heads: Tensor) -> tuple[Tensor, Tensor]:
        """Characters of words, end to end, and how many each has."""
        first = self.first_character[pieces].long()
        sizes = self.first_character[pieces + 1].long() - first
        ends = sizes.cumsum(0)
        piece = torch.repeat_interleave(torch.arange(len(pieces), device=pieces.device), sizes)
        every = torch.arange(len(piece), device=pieces.device)
        found = self.characters[every + (first - ends + sizes)[piece]].long()
        word = heads.cumsum(0) - 1
        place = every - (ends - sizes)[heads][word][piece]  # of the character in its word
        kept = place < self.max_characters
        return found[kept], torch.bincount(word[piece[kept]], minlength=int(heads.sum()))


def piece_kinds(tokenizer: Any) -> Tensor | None:
    """Which pieces of any fast tokenizer start words, continue them, or are special.

    Args:
        tokenizer (`PreTrainedTokenizerFast`): Whose pieces mark continuations (WordPiece) or the space before a word
            (byte level, SentencePiece), and which marks one before *every* word.

    Returns:
        `(len(tokenizer),)`, uint8; None where pieces do not tell.
    """
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    prefix = state["model"].get("continuing_subword_prefix") or ""
    steps = state["pre_tokenizer"] or {}
    steps = steps.get("pretokenizers", [steps])
    space = {"ByteLevel": "Ġ", "Metaspace": "▁"}
    marks = [space[step["type"]] for step in steps if step.get("type") in space]
    if not prefix and not marks:
        return None
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    kinds = torch.full((len(tokenizer),), STARTS, dtype=torch.uint8)
    for piece, index in tokenizer.get_vocab().items():
        continues = piece.startswith(prefix) and piece != prefix if prefix else not piece.startswith(marks[0])
        kinds[index] = SPECIAL if index in special else CONTINUES if continues else STARTS
    return kinds

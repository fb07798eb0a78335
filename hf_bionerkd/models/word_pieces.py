"""The words that sub-word pieces make up, computed from `input_ids` and tables of the vocabulary.

A piece either starts a word, continues one, or is a special token. So words need no input of their own: a stock
tokenizer, the plain pipeline and every existing way of cutting text into windows serve a word-level model unchanged.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from .char_cnn import UNKNOWN_CHARACTER

CONTINUES, STARTS, SPECIAL = 0, 1, 2  # kinds of pieces
UNKNOWN_WORD = 0  # row of the vector that all unknown words share
CONTINUATION = "##"


@dataclass(frozen=True)
class PieceTables:
    """The tables that tell how the pieces of a vocabulary make up words.

    Args:
        kinds (`Tensor`): `(pieces,)`, uint8: `CONTINUES`, `STARTS` or `SPECIAL`.
        rows (`Tensor`): `(pieces,)`, int32: the row of the vector of a word that is this one piece; several pieces
            may share a row.
        first_character (`Tensor`): `(pieces + 1,)`, int32: where the piece's characters begin in `characters`.
        characters (`Tensor`): int32: character ids of all pieces, end to end.
        counts (`Tensor`): `(rows,)`, int32: how often each word occurs in the training text.
        alphabet (`int`): Number of character ids, padding and unknown included.
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
        """Build the tables of a WordPiece vocabulary.

        Args:
            pieces (`Sequence[str]`): The pieces in id order; ``##`` marks a continuation.
            special (`Iterable[int]`): Ids of special tokens, without that of the unknown token.
            unknown (`int`): Id of the unknown token, which stands for a word of one unknown character.
            word_rows (`Mapping[str, int]`): Row of the vector of each piece that has one.
            character_ids (`Mapping[str, int]`): Ids of characters, from 2 on; all other characters are unknown.
            counts (`Sequence[int]`): Occurrences of each row's word in the training text.
        """
        special = set(special)
        kinds, rows, firsts = [], [], [0]
        characters: list[int] = []
        for index, piece in enumerate(pieces):
            # "##" alone is a word, not a mark.
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
        """Number of rows, at the end of the table, of words that do not occur in the training text."""
        shown = self.counts.nonzero()
        return len(self.counts) - 1 - (int(shown[-1]) if len(shown) else UNKNOWN_WORD)


@dataclass(frozen=True)
class PieceLayout:
    """The positions of the words of a batch.

    Args:
        heads (`Tensor`): `(batch, pieces)`, boolean: true at special tokens and at the first piece of each word.
        word_heads (`Tensor`): `(batch, pieces)`, boolean: true at the first piece of each word.
        word_index (`Tensor`): `(batch, pieces)`: the word of its row that a piece belongs to; -1 for none.
        word_mask (`Tensor`): `(batch, words)`, boolean: where the rows have words.
    """

    heads: Tensor
    word_heads: Tensor
    word_index: Tensor
    word_mask: Tensor


def lay_out(kinds: Tensor, real: Tensor, word_starts: Tensor | None = None) -> PieceLayout:
    """Group pieces into words.

    Args:
        kinds (`Tensor`): `(batch, pieces)`, the kind of each piece.
        real (`Tensor`): `(batch, pieces)`, boolean: false at padding.
        word_starts (`Tensor`, *optional*): `(batch, pieces)`, boolean: which pieces start words, in place of what
            `kinds` says.

    Example:
        >>> kinds = torch.tensor([[SPECIAL, STARTS, CONTINUES, STARTS]])
        >>> lay_out(kinds, torch.ones_like(kinds, dtype=torch.bool)).word_index.tolist()
        [[-1, 0, 0, 1]]
    """
    special = (kinds == SPECIAL) & real
    starts = (kinds == STARTS) if word_starts is None else word_starts.bool()
    # A window may open inside a word that is larger than windows are; the rest of it counts as a word.
    no_word_before = nn.functional.pad((special | ~real)[:, :-1], (1, 0), value=True)
    word_heads = real & ~special & (starts | no_word_before)
    word_index = (word_heads.cumsum(1) - 1).masked_fill(special | ~real, -1)
    # Number of words in each row.
    sizes = word_heads.sum(1)
    longest = int(sizes.max()) if len(sizes) else 0
    word_mask = torch.arange(longest, device=kinds.device) < sizes[:, None]
    return PieceLayout(word_heads | special, word_heads, word_index, word_mask)


@dataclass(frozen=True)
class WordInputs:
    """The words of a batch, special tokens among them, end to end.

    Args:
        lengths (`Tensor`): `(batch,)`, number of words of each row.
        rows (`Tensor`): `(words,)`, row of each word's vector.
        spelling (`Tensor`): `(words,)`, index of each word's spelling among the distinct ones.
        characters (`Tensor`): Character ids of the distinct spellings, end to end.
        character_counts (`Tensor`): `(spellings,)`, number of characters of each spelling.
        labelled (`Tensor`): `(words,)`, boolean: false for special tokens.
    """

    lengths: Tensor
    rows: Tensor
    spelling: Tensor
    characters: Tensor
    character_counts: Tensor
    labelled: Tensor


class WordReader(nn.Module):
    """The module that reads words from pieces; its tables are saved with the weights, so that a reload is exact.

    Args:
        pieces (`int`): Size of the vocabulary.
        characters (`int`): Number of characters of all pieces together.
        max_characters (`int`): Number of characters read of each word, from its start.
    """

    def __init__(self, pieces: int, characters: int, max_characters: int) -> None:
        super().__init__()
        self.max_characters = max_characters
        self.register_buffer("kinds", torch.full((pieces,), STARTS, dtype=torch.uint8))
        self.register_buffer("rows", torch.zeros(pieces, dtype=torch.int32))
        self.register_buffer("first_character", torch.zeros(pieces + 1, dtype=torch.int32))
        self.register_buffer("characters", torch.zeros(characters, dtype=torch.int32))

    def set_tables(self, tables: PieceTables) -> None:
        """Adopt the tables of a vocabulary."""
        for name in ("kinds", "rows", "first_character", "characters"):
            self.register_buffer(name, getattr(tables, name).to(self.kinds.device))

    def add_special(self, count: int, first_row: int) -> None:
        """Add special tokens at the end of the vocabulary, each with a row of its own from `first_row` on.

        The rows from there on move up by `count`.
        """
        new = torch.arange(first_row, first_row + count, device=self.rows.device, dtype=torch.int32)
        self.kinds = torch.cat([self.kinds, torch.full_like(new, SPECIAL, dtype=torch.uint8)])
        self.rows = torch.cat([torch.where(self.rows < first_row, self.rows, self.rows + count), new])
        self.first_character = torch.cat([self.first_character, self.first_character[-1:].expand(count)])

    def forward(self, input_ids: Tensor, layout: PieceLayout, real: Tensor) -> WordInputs:
        """Return the words of a batch.

        Args:
            input_ids (`Tensor`): `(batch, pieces)`.
            layout (`PieceLayout`): Layout of the same pieces.
            real (`Tensor`): `(batch, pieces)`, boolean: false at padding.
        """
        # From here on, all rows lie end to end, without padding.
        pieces, heads = input_ids[real], layout.heads[real]
        word = heads.cumsum(0) - 1  # the word of each piece
        words = torch.arange(int(heads.sum()), device=pieces.device)
        sizes = torch.bincount(word, minlength=len(words))
        # Only a word of one piece can be a known one.
        whole, first_piece = sizes == 1, pieces[heads]
        rows = self.rows[first_piece].long().masked_fill(~whole, UNKNOWN_WORD)
        # Words of one piece are identified by it; each word of several pieces counts as distinct. `chosen` marks one
        # word per spelling, whose characters are read for all.
        names = torch.where(whole, first_piece, len(self.kinds) + words)
        distinct, spelling = torch.unique(names, return_inverse=True)
        chosen = torch.zeros_like(whole)
        chosen[torch.empty_like(distinct).index_copy_(0, spelling, words)] = True
        read = chosen[word]
        characters, counts = self._spell(pieces[read], heads[read])
        # Spellings were read in the order of the chosen words; renumber them so.
        order = torch.empty_like(distinct).index_copy_(0, spelling[chosen], torch.arange(len(distinct)).to(distinct))
        return WordInputs(
            layout.heads.sum(1), rows, order[spelling], characters, counts, layout.word_heads[layout.heads]
        )

    def _spell(self, pieces: Tensor, heads: Tensor) -> tuple[Tensor, Tensor]:
        """Return the characters of words, end to end, and the number of characters of each word."""
        # Where the characters of each piece lie in the table: `sizes` of them from `first` on.
        first = self.first_character[pieces].long()
        sizes = self.first_character[pieces + 1].long() - first
        ends = sizes.cumsum(0)
        piece = torch.repeat_interleave(torch.arange(len(pieces), device=pieces.device), sizes)
        every = torch.arange(len(piece), device=pieces.device)
        characters = self.characters[every + (first - ends + sizes)[piece]].long()
        # Drop the characters beyond `max_characters` of their word.
        word = heads.cumsum(0) - 1
        position = every - (ends - sizes)[heads][word][piece]  # of the character in its word
        kept = position < self.max_characters
        return characters[kept], torch.bincount(word[piece[kept]], minlength=int(heads.sum()))


def piece_kinds(tokenizer: PreTrainedTokenizerBase) -> Tensor | None:
    """Tell which pieces of a fast tokenizer start words, continue them, or are special.

    Args:
        tokenizer (`PreTrainedTokenizerFast`): A tokenizer whose pieces mark continuations (WordPiece) or the space
            before a word (byte level, SentencePiece), with a space before *every* word.

    Returns:
        `(len(tokenizer),)`, uint8; None where the pieces bear no marks.
    """
    # The serialised tokenizer says how pieces are marked: by a prefix of continuations, or by a sign for the space.
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    prefix = state["model"].get("continuing_subword_prefix") or ""
    steps = state["pre_tokenizer"] or {}
    steps = steps.get("pretokenizers", [steps])
    space = {"ByteLevel": "Ġ", "Metaspace": "▁"}
    marks = [space[step["type"]] for step in steps if step.get("type") in space]
    if not prefix and not marks:
        return None
    # The unknown token stands for a word, so it is not special here.
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    kinds = torch.full((len(tokenizer),), STARTS, dtype=torch.uint8)
    for piece, index in tokenizer.get_vocab().items():
        continues = piece.startswith(prefix) and piece != prefix if prefix else not piece.startswith(marks[0])
        kinds[index] = SPECIAL if index in special else CONTINUES if continues else STARTS
    return kinds

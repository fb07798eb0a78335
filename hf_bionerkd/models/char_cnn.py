"""Word vectors from characters: a convolution over each word's characters, then the maximum over its positions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

PADDING, UNKNOWN_CHARACTER = 0, 1  # character ids


class CharacterCnn(nn.Module):
    """A character-level convolution with max pooling.

    The characters of all words lie end to end. A convolution of embedded characters is a sum, over its window, of rows
    of one small table, *embeddings x filters*; so the table is multiplied out once per step, and the convolution is a
    look-up.

    Args:
        characters (`int`): Size of the alphabet, padding (0) and the unknown character (1) included.
        embedding_size (`int`): Width of a character's embedding.
        filters (`int`): Width of the result.
        window (`int`, *optional*, defaults to 3): Number of characters that a filter sees; odd.

    Raises:
        ValueError: The window is even.

    Source: Ma & Hovy 2016, "End-to-end sequence labeling via bi-directional LSTM-CNNs-CRF", section 2.1.
    """

    def __init__(self, characters: int, embedding_size: int, filters: int, window: int = 3) -> None:
        super().__init__()
        if window % 2 == 0:
            raise ValueError(f"a character window of {window} has no middle: give an odd number")
        self.window = window
        self.embedding = nn.Embedding(characters, embedding_size, padding_idx=PADDING)
        self.filters = nn.Linear(window * embedding_size, filters)

    def forward(self, characters: Tensor, lengths: Tensor) -> Tensor:
        """Return vectors of words.

        Args:
            characters (`Tensor`): `(characters,)`, ids of the characters of the first word, the second, and so on.
            lengths (`Tensor`): `(words,)`, the number of characters of each word.

        Returns:
            `(words, filters)`; zeros for a word without characters.
        """
        if not len(characters):
            return self.filters.bias.new_zeros(len(lengths), len(self.filters.bias))
        size, width = self.embedding.weight.shape
        split = self.filters.weight.view(-1, self.window, width)
        embedded = nn.functional.pad(self.embedding.weight[1:], (0, 0, 1, 0))  # padding is zero, and stays zero
        # One row per position in the window and character; `offsets` picks the position's part of the table.
        table = torch.einsum("cd,fwd->wcf", embedded, split).flatten(0, 1)
        offsets = torch.arange(self.window, device=characters.device) * size
        words = torch.repeat_interleave(torch.arange(len(lengths), device=lengths.device), lengths)
        sums = nn.functional.embedding_bag(self._windows(characters, words) + offsets, table, mode="sum")
        # The bias is the same at every position, so it is added after the maximum.
        most = sums.gather(0, _rows_of_maxima(sums.detach(), words, lengths)) + self.filters.bias
        return most.masked_fill((lengths == 0)[:, None], 0.0)

    def _windows(self, characters: Tensor, words: Tensor) -> Tensor:
        """Return `(characters, window)`: the characters around each one, with padding beyond the ends of its word."""
        reach = self.window // 2
        around = nn.functional.pad(characters, (reach, reach)).unfold(0, self.window, 1)
        owners = nn.functional.pad(words, (reach, reach), value=-1).unfold(0, self.window, 1)
        return around.masked_fill(owners != words[:, None], PADDING)


def _rows_of_maxima(values: Tensor, words: Tensor, lengths: Tensor) -> Tensor:
    """Return `(words, filters)`: the last row of each word where a column is largest."""
    # A work-around: with torch 2.13 the gradient of `torch.segment_reduce` is wrong where a maximum occurs twice and
    # the gradient is negative. Once that is mended, its maxima can be used as they are, without a `gather`.
    largest = torch.segment_reduce(values, "max", lengths=lengths, unsafe=True)
    rows = torch.arange(len(values), device=values.device, dtype=torch.float64)[:, None]
    maxima = torch.where(values == largest.index_select(0, words), rows, 0.0)
    return torch.segment_reduce(maxima, "max", lengths=lengths, unsafe=True, initial=0.0).long()

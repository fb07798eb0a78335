"""Vectors of words: those that training moves, and those of words that training text never shows."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class WordEmbedding(nn.Embedding):
    """Word vectors, random in the range that Ma & Hovy 2016 give.

    `weight` holds the rows that are learned. The last rows of the table may be fixed: they lie in `fixed`, which no
    optimiser sees. Pretrained vectors know far more words than a training text shows, and an optimiser goes over every
    row of a table at every step, with a gradient or without: learned together, 93,000 vectors of which a third is ever
    shown take as long as a small BiLSTM itself.

    Args:
        words (`int`): Rows, the fixed ones included.
        size (`int`): Width of a vector.
        fixed (`int`, *optional*, defaults to 0): How many of the last rows keep their vectors.
        device, dtype (*optional*): As for `torch.nn.Embedding`.
    """

    def __init__(
        self,
        words: int,
        size: int,
        fixed: int = 0,
        device: torch.device | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(words - fixed, size, device=device, dtype=dtype)
        # A buffer: `from_pretrained` makes every parameter one to be trained again.
        self.register_buffer("fixed", self.weight.detach().new_empty(fixed, size) if fixed else None)
        if fixed:
            self._fill(self.fixed)

    def reset_parameters(self) -> None:
        """Uniform in ±sqrt(3 / width)."""
        self._fill(self.weight)
        if getattr(self, "fixed", None) is not None:  # not yet there when the base class makes `weight`
            self._fill(self.fixed)

    def _fill(self, rows: Tensor) -> None:
        bound = math.sqrt(3 / self.embedding_dim)
        nn.init.uniform_(rows, -bound, bound)

    def forward(self, rows: Tensor) -> Tensor:
        """Vectors `(..., size)` of rows of the whole table.

        Args:
            rows (`Tensor`): `(...)`, ids of rows.
        """
        if self.fixed is None:
            return super().forward(rows)
        beyond = rows - self.num_embeddings
        kept = (beyond >= 0)[..., None]
        learned = super().forward(rows.clamp(max=self.num_embeddings - 1))
        fixed = nn.functional.embedding(beyond.clamp(min=0), self.fixed)
        return torch.where(kept, fixed.to(learned.dtype), learned)

    def set_rows(self, matrix: Tensor) -> int:
        """Take over the rows of a matrix `(words, size)` that hold no nan; returns how many these are."""
        known = ~matrix.isnan().any(1)
        with torch.no_grad():
            for own, given, where in (
                (self.weight, matrix[: self.num_embeddings], known[: self.num_embeddings]),
                (self.fixed, matrix[self.num_embeddings :], known[self.num_embeddings :]),
            ):
                if own is not None:
                    own[where] = given[where]
        return int(known.sum())

    def with_more(self, count: int) -> WordEmbedding:
        """The same table with so many learned rows more, random, between the learned and the fixed ones."""
        fixed = 0 if self.fixed is None else len(self.fixed)
        words = self.num_embeddings + count + fixed
        new = WordEmbedding(words, self.embedding_dim, fixed, self.weight.device, self.weight.dtype)
        with torch.no_grad():
            new.weight[: self.num_embeddings] = self.weight
            if fixed:
                new.fixed.copy_(self.fixed)
        new.weight.requires_grad = self.weight.requires_grad
        return new

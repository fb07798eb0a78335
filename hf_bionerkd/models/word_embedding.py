"""A table of word vectors, of which those of words that do not occur in the training text stay fixed."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class WordEmbedding(nn.Embedding):
    """A table of word vectors, random in the range that Ma & Hovy 2016 give.

    `weight` holds the rows that are learned. The last rows of the table may be fixed: they lie in `fixed`, which no
    optimiser sees. Pretrained vectors cover far more words than a training text, and an optimiser goes over every row
    of a table at every step, with a gradient or without: if 93,000 vectors are learned of which a third occurs, their
    updates take as long as a small BiLSTM itself.

    Args:
        words (`int`): Number of rows, the fixed ones included.
        size (`int`): Width of a vector.
        fixed (`int`, *optional*, defaults to 0): Number of rows, at the end of the table, that keep their vectors.
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
        # A buffer and not a frozen parameter, because `from_pretrained` makes every parameter trainable again.
        self.register_buffer("fixed", self.weight.detach().new_empty(fixed, size) if fixed else None)
        if fixed:
            self._fill(self.fixed)

    def reset_parameters(self) -> None:
        """Draw all vectors uniformly between ±sqrt(3 / width)."""
        self._fill(self.weight)
        if getattr(self, "fixed", None) is not None:  # not yet there when the base class makes `weight`
            self._fill(self.fixed)

    def _fill(self, rows: Tensor) -> None:
        bound = math.sqrt(3 / self.embedding_dim)
        nn.init.uniform_(rows, -bound, bound)

    def forward(self, rows: Tensor) -> Tensor:
        """Return vectors `(..., size)` of rows of the whole table.

        Args:
            rows (`Tensor`): `(...)`, ids of rows.
        """
        if self.fixed is None:
            return super().forward(rows)
        # Look every row up in both tables, with ids clamped to each, and choose by which table it belongs to.
        beyond = rows - self.num_embeddings
        kept = (beyond >= 0)[..., None]
        learned = super().forward(rows.clamp(max=self.num_embeddings - 1))
        fixed = nn.functional.embedding(beyond.clamp(min=0), self.fixed)
        return torch.where(kept, fixed.to(learned.dtype), learned)

    def set_rows(self, matrix: Tensor) -> int:
        """Copy the rows of a matrix `(words, size)` that hold no NaN; return how many these are."""
        known = ~matrix.isnan().any(1)
        with torch.no_grad():
            for own, given, chosen in (
                (self.weight, matrix[: self.num_embeddings], known[: self.num_embeddings]),
                (self.fixed, matrix[self.num_embeddings :], known[self.num_embeddings :]),
            ):
                if own is not None:
                    own[chosen] = given[chosen]
        return int(known.sum())

    def with_more(self, count: int) -> WordEmbedding:
        """Return the same table with `count` more learned rows, random, between the learned and the fixed ones."""
        fixed = 0 if self.fixed is None else len(self.fixed)
        words = self.num_embeddings + count + fixed
        new = WordEmbedding(words, self.embedding_dim, fixed, self.weight.device, self.weight.dtype)
        with torch.no_grad():
            new.weight[: self.num_embeddings] = self.weight
            if fixed:
                new.fixed.copy_(self.fixed)
        new.weight.requires_grad = self.weight.requires_grad
        return new

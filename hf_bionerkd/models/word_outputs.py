"""The output of word-level taggers, and how the scores of words become scores of pieces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers.utils import ModelOutput

from .word_pieces import PieceLayout

NEVER = -100.0  # log probability of a label that a piece cannot have


@dataclass
class WordTaggerOutput(ModelOutput):
    """The output of a model that labels words.

    Args:
        loss (`Tensor`, *optional*): The loss, where labels were given.
        logits (`Tensor`, *optional*): `(batch, pieces, labels)`: log probabilities (marginals of a CRF) of each
            piece's word, see :func:`piece_log_probs`. Stock code reads these. A CRF in training does not compute them.
        emissions (`Tensor`): `(batch, words, labels)`: scores before the CRF or the softmax; 0 at padding.
        word_mask (`Tensor`): `(batch, words)`, boolean: where the rows have words.
        word_index (`Tensor`): `(batch, pieces)`: the word that a piece belongs to; -1 for padding and special tokens.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    emissions: Tensor | None = None
    word_mask: Tensor | None = None
    word_index: Tensor | None = None


def continued_labels(id2label: Mapping[int, str]) -> list[tuple[int, int]]:
    """Return the pair of label ids ``(B-X, I-X)`` of every type that has both.

    Example:
        >>> continued_labels({0: "B-Gene", 1: "I-Gene", 2: "O"})
        [(0, 1)]
    """
    ids = {label: index for index, label in id2label.items()}
    begins = [(index, f"I-{label[2:]}") for label, index in ids.items() if label.startswith("B-")]
    return [(index, ids[inside]) for index, inside in begins if inside in ids]


def read_words(values: Tensor, word_index: Tensor, word_mask: Tensor, fill: float = 0) -> Tensor:
    """Return the value of each word's first piece.

    Args:
        values (`Tensor`): `(batch, pieces)` or `(batch, pieces, …)`: labels, targets, ….
        word_index (`Tensor`): `(batch, pieces)`, as in :class:`WordTaggerOutput`.
        word_mask (`Tensor`): `(batch, words)`, as in :class:`WordTaggerOutput`.
        fill (`float`, *optional*, defaults to 0): The value where a row has no more words.

    Returns:
        `(batch, words)` or `(batch, words, …)`.

    Example:
        >>> index, mask = torch.tensor([[-1, 0, 0, 1]]), torch.tensor([[True, True]])
        >>> read_words(torch.tensor([[-100, 0, 1, 4]]), index, mask, fill=-100).tolist()
        [[0, 4]]
    """
    before = torch.nn.functional.pad(word_index[:, :-1], (1, 0), value=-1)
    # Row by row, the first pieces come in the order of the words.
    words = values.new_full((*word_mask.shape, *values.shape[2:]), fill)
    words[word_mask] = values[(word_index >= 0) & (word_index != before)]
    return words


def piece_log_probs(log_probs: Tensor, layout: PieceLayout, id2label: Mapping[int, str]) -> Tensor:
    """Give every piece its word's log probabilities.

    The first piece of a word gets the word's own. A later piece continues its word's mention, so the probability of
    ``B-X`` is added to that of ``I-X``: then grouping by B and I, as the plain pipeline does, keeps words whole.

    Args:
        log_probs (`Tensor`): `(batch, words, labels)`.
        layout (`PieceLayout`): Layout of the pieces.
        id2label (`Mapping[int, str]`): The labels.

    Returns:
        `(batch, pieces, labels)`; 0 for padding and special tokens.
    """
    batch, words, labels = log_probs.shape
    if not words:
        return log_probs.new_zeros(*layout.word_index.shape, labels)
    # Two versions of each word: that of its first piece, and that of its later ones.
    later = list(log_probs.unbind(-1))
    for begin, inside in continued_labels(id2label):
        later[inside] = torch.logaddexp(later[begin], later[inside])
        later[begin] = torch.full_like(later[begin], NEVER)
    both = torch.stack([log_probs, torch.stack(later, -1)], 2).view(batch, 2 * words, labels)
    # Each piece picks its word's version.
    version = 2 * layout.word_index.clamp(min=0) + (~layout.word_heads).long()
    chosen = both.gather(1, version[..., None].expand(-1, -1, labels))
    return chosen.masked_fill((layout.word_index < 0)[..., None], 0.0)

"""The supervised term of models with a CRF: whole sentences, of which everything or only part is known."""

from __future__ import annotations

import torch
from torch import Tensor

from .hard import Outside, allowed_labels
from .reduction import LossSum

UNKNOWN = -100


class SentenceNLL:
    """Negative log likelihood of sentences under a CRF, added up over those of which something is known.

    The CRF computes the likelihood of all taggings that agree with what is known (see :func:`known_taggings`); this
    term only reduces it, one count a sentence.

    | input | shape | |
    |---|---|---|
    | log_likelihood | `(batch,)` | of each sentence, from the CRF |
    | known | `(batch, words)` | true where a word's labels are learned |

    Args:
        outside (`str`, *optional*, defaults to `"all"`): What gold ``O`` means; as of
            :class:`~hf_bionerkd.losses.hard.TokenNLL`.

    Example:
        >>> term = SentenceNLL()(torch.tensor([-2.0, 0.0]), torch.tensor([[True], [False]]))
        >>> term.sum.item(), term.count.item()
        (2.0, 1)

    Source: Zhou et al. 2021, "Basic model", the loss of the CRF; the partial reading is this project's.
    """

    name = "gold"
    equation = r"\mathcal{L}_{crf} = -\sum_X \log \sum_{y \in \mathrm{allowed}(X)} p(y \mid X)"
    citation = "Zhou et al. 2021"

    def __init__(self, outside: Outside = "all") -> None:
        self.outside = outside

    def __call__(self, log_likelihood: Tensor, known: Tensor) -> LossSum:
        """Sum over the sentences of which a word is known, and their number.

        Raises:
            ValueError: There is not one likelihood a sentence.
        """
        if log_likelihood.shape != known.shape[:1]:
            raise ValueError(
                f"likelihoods of shape {tuple(log_likelihood.shape)} for {len(known)} sentences: the CRF gives one "
                "each"
            )
        counted = known.any(1)
        return LossSum(-log_likelihood[counted].sum(), counted.sum())

    def describe(self) -> dict[str, str]:
        """What a card prints about this term."""
        return {"name": self.name, "outside": self.outside, "equation": self.equation, "citation": self.citation}


def known_taggings(labels: Tensor, annotated: Tensor, outside: Outside) -> Tensor:
    """Which labels each word of a sentence may have, by what its gold labels say.

    Args:
        labels (`Tensor`): Label ids `(batch, words)`, laid out as ``B-e1, I-e1, …, O``; -100: not known.
        annotated (`Tensor`): `(batch, types)`: whether the row's corpus annotates each type of the student.
        outside (`str`): `"all"`: gold ``O`` is ``O``. `"entities"`: it is not known. `"partial"`: it leaves the types
            that the corpus does not annotate possible.

    Returns:
        Boolean, `(batch, words, 2 * types + 1)`; all true where nothing is known.

    Example:
        >>> known_taggings(torch.tensor([[2, -100]]), torch.tensor([[True]]), "all").int().tolist()
        [[[0, 0, 1], [1, 1, 1]]]
    """
    last = 2 * annotated.shape[1]
    if outside == "partial":
        allowed = allowed_labels(labels, annotated)
    else:
        allowed = labels[..., None] == torch.arange(last + 1, device=labels.device)
    unknown = labels == UNKNOWN
    if outside == "entities":
        unknown = unknown | (labels == last)
    return allowed | unknown[..., None]


def opened_inside(allowed: Tensor, mask: Tensor) -> Tensor:
    """Let a window that opens inside a mention begin it: the scheme knows no ``I`` at the start.

    Args:
        allowed (`Tensor`): From :func:`known_taggings`, `(batch, words, 2 * types + 1)`.
        mask (`Tensor`): Boolean, `(batch, words)`: true at words.

    Returns:
        As `allowed`, with ``B-e`` beside ``I-e`` at the first word of each row.

    Example:
        >>> inside = torch.tensor([[[False, True, False], [False, True, False]]])
        >>> opened_inside(inside, torch.ones(1, 2, dtype=torch.bool)).int().tolist()
        [[[1, 1, 0], [0, 1, 0]]]
    """
    first = mask & (mask.cumsum(1) == 1)
    begin = torch.zeros_like(allowed)
    begin[..., :-1:2] = allowed[..., 1::2] & first[..., None]
    return allowed | begin

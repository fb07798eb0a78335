"""The soft term: the student against the aggregated distribution of its teachers."""

from __future__ import annotations

from torch import Tensor

from .reduction import LossSum, select


class SoftCrossEntropy:
    """Cross entropy against target probabilities, TaughtNet's distillation loss.

    Its gradient is that of the KL divergence, which differs by the teachers' entropy, a constant. It is computed as
    `ΣA · logsumexp(z) - ⟨A, z⟩` with the student's logits *z*: right for targets that do not sum to one as well.

    | input | shape | |
    |---|---|---|
    | logits | `(batch, tokens, labels)` or `(positions, labels)` | the student's, before softmax |
    | targets | as logits | probabilities A; anything where the mask is false |
    | mask | `(batch, tokens)` or `(positions,)` | true where a position counts |

    Example:
        >>> import torch
        >>> term = SoftCrossEntropy()(torch.zeros(1, 2), torch.tensor([[0.5, 0.5]]), torch.tensor([True]))
        >>> round(term.sum.item(), 4), term.count.item()
        (0.6931, 1)

    Source: Moscato et al. 2023 (TaughtNet), eq. 14. The paper's public code averages over labels too; here the sum is
    over labels and the count is of positions.
    """

    name = "kd"
    equation = r"\mathcal{L}_{KD} = -\sum_t \sum_k A_t(k) \log S_t(k)"
    citation = "Moscato et al. 2023, TaughtNet, eq. 14"

    def __call__(self, logits: Tensor, targets: Tensor, mask: Tensor) -> LossSum:
        """Sum over the positions where `mask` is true, and their number.

        Raises:
            ValueError: Targets or mask do not have the logits' shape.
        """
        if targets.shape != logits.shape:
            raise ValueError(
                f"the targets have shape {tuple(targets.shape)}, the student's logits {tuple(logits.shape)}: both "
                "need one value for each of the student's labels at each position"
            )
        scores = select(logits, mask)
        probabilities = select(targets, mask).to(scores.dtype)
        expected = (probabilities * scores).sum(-1)
        return LossSum((probabilities.sum(-1) * scores.logsumexp(-1) - expected).sum(), mask.sum())

    def describe(self) -> dict[str, str]:
        """What a card prints about this term."""
        return {"name": self.name, "equation": self.equation, "citation": self.citation}

"""Soft terms: the student's distribution at each position against a teacher's, or against that of all teachers."""

from __future__ import annotations

import math

from torch import Tensor

from .reduction import LossSum, select

_LEAST = 1e-12  # of a probability whose logarithm is taken: below the resolution of what teachers' outputs are kept in


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
        scores, probabilities = _selected(logits, targets, mask)
        expected = (probabilities * scores).sum(-1)
        return LossSum((probabilities.sum(-1) * scores.logsumexp(-1) - expected).sum(), mask.sum())

    def describe(self) -> dict[str, str]:
        """What a card prints about this term."""
        return {"name": self.name, "equation": self.equation, "citation": self.citation}


class SoftL1:
    """Sum of absolute differences between the student's probabilities and the teacher's.

    Arguments and result as of :class:`SoftCrossEntropy`.

    Example:
        >>> term = SoftL1()(torch.zeros(1, 2), torch.tensor([[0.75, 0.25]]), torch.tensor([True]))
        >>> term.sum.item(), term.count.item()
        (0.5, 1)

    Source: Zhou et al. 2021, "Knowledge distillation", soft labels, l1.
    """

    name = "l1"
    equation = r"\mathcal{L}_{1} = \sum_t \lVert q_T(t) - q_S(t) \rVert_1"
    citation = "Zhou et al. 2021"

    def __call__(self, logits: Tensor, targets: Tensor, mask: Tensor) -> LossSum:
        """Sum over the positions where `mask` is true, and their number."""
        scores, probabilities = _selected(logits, targets, mask)
        return LossSum((probabilities - scores.softmax(-1)).abs().sum(), mask.sum())

    def describe(self) -> dict[str, str]:
        """What a card prints about this term."""
        return {"name": self.name, "equation": self.equation, "citation": self.citation}


class SoftL2:
    """Sum of squared differences between the student's probabilities and the teacher's.

    Arguments and result as of :class:`SoftCrossEntropy`.

    Example:
        >>> term = SoftL2()(torch.zeros(1, 2), torch.tensor([[0.75, 0.25]]), torch.tensor([True]))
        >>> term.sum.item(), term.count.item()
        (0.125, 1)

    Source: Zhou et al. 2021, "Knowledge distillation", soft labels, l2; the paper's best.
    """

    name = "l2"
    equation = r"\mathcal{L}_{2} = \sum_t \lVert q_T(t) - q_S(t) \rVert_2^2"
    citation = "Zhou et al. 2021"

    def __call__(self, logits: Tensor, targets: Tensor, mask: Tensor) -> LossSum:
        """Sum over the positions where `mask` is true, and their number."""
        scores, probabilities = _selected(logits, targets, mask)
        return LossSum((probabilities - scores.softmax(-1)).square().sum(), mask.sum())

    def describe(self) -> dict[str, str]:
        """What a card prints about this term."""
        return {"name": self.name, "equation": self.equation, "citation": self.citation}


class TemperedCrossEntropy:
    """Cross entropy with both distributions softened by a temperature, times its square.

    The teacher's is softened from its probabilities: `softmax(log p / t)` is what its scores divided by *t* would
    give. The factor `t²` keeps the size of the gradient where *t* changes. Arguments and result of a call as of
    :class:`SoftCrossEntropy`; at `t = 1`, and for targets that sum to one, it is the same term.

    Args:
        temperature (`float`, *optional*, defaults to 2.0): Above 0; higher is softer.

    Raises:
        ValueError: A temperature that is not above 0 or not finite.

    Source: Zhou et al. 2021, eq. 7, which drops the minus sign; Hinton et al. 2015.
    """

    name = "tempered"
    citation = "Zhou et al. 2021, eq. 7; Hinton et al. 2015"

    def __init__(self, temperature: float = 2.0) -> None:
        if not (math.isfinite(temperature) and temperature > 0):
            raise ValueError(f"the temperature is {temperature!r}, expected a finite number above 0")
        self.temperature = temperature

    @property
    def equation(self) -> str:
        """LaTeX with the temperature as a number."""
        t = f"{self.temperature:g}"
        return rf"\mathcal{{L}}_{{t}} = -{t}^2 \sum_t \sum_k q_T^{{1/{t}}}(k) \log q_S^{{1/{t}}}(k)"

    def __call__(self, logits: Tensor, targets: Tensor, mask: Tensor) -> LossSum:
        """Sum over the positions where `mask` is true, and their number."""
        scores, probabilities = _selected(logits, targets, mask)
        softened = (probabilities.clamp(min=_LEAST).log() / self.temperature).softmax(-1)
        cross_entropy = -(softened * (scores / self.temperature).log_softmax(-1)).sum()
        return LossSum(self.temperature**2 * cross_entropy, mask.sum())

    def describe(self) -> dict[str, str]:
        """What a card prints about this term."""
        return {"name": self.name, "equation": self.equation, "citation": self.citation}


def _selected(logits: Tensor, targets: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Scores and target probabilities of the positions that count."""
    if targets.shape != logits.shape:
        raise ValueError(
            f"the targets have shape {tuple(targets.shape)}, the student's logits {tuple(logits.shape)}: both "
            "need one value for each of the student's labels at each position"
        )
    scores = select(logits, mask)
    return scores, select(targets, mask).to(scores.dtype)

"""The adversarial term: a discriminator learns to tell the student's distributions from the teachers'."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .reduction import LossSum, select


class Discriminator(nn.Module):
    """Says of distributions over labels, one by one, how likely a teacher made them.

    It exists for training alone and is never published.

    Args:
        labels (`int`): Of the student.
        hidden_size (`int`, *optional*, defaults to 64): Width of its two hidden layers.

    Source: Shen et al. 2019 (MEAL), whose discriminators are such three-layer networks.
    """

    def __init__(self, labels: int, hidden_size: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(labels, hidden_size),
            nn.LeakyReLU(0.2),
            nn.Linear(hidden_size, hidden_size),
            nn.LeakyReLU(0.2),
            nn.Linear(hidden_size, 1),
        )

    def forward(self, probabilities: Tensor) -> Tensor:
        """Log odds that a teacher made them: `(positions, labels)` to `(positions,)`."""
        scores: Tensor = self.layers(probabilities).squeeze(-1)
        return scores


class AdversarialLoss:
    """Binary cross entropy of the discriminator, whose gradient reaches the student reversed.

    One backward pass does both: the discriminator learns to tell, the student to be taken for its teachers. At each
    position the student's distribution stands against every teacher's.

    | input | shape | |
    |---|---|---|
    | logits | `(batch, tokens, labels)` | the student's, before softmax |
    | teachers | `(batch, tokens, teachers, labels)` | their probabilities; anything where the mask is false |
    | mask | `(batch, tokens)` | true where a position counts |

    Args:
        discriminator (`Discriminator`): Trained beside the student.

    Example:
        >>> term = AdversarialLoss(lambda p: torch.zeros(len(p)))(
        ...     torch.zeros(1, 1, 3), torch.full((1, 1, 1, 3), 1 / 3), torch.tensor([[True]])
        ... )
        >>> round(term.sum.item(), 4), term.count.item()  # 2 log 2: it cannot tell
        (1.3863, 1)

    Source: Zhou et al. 2021, "Adv", after Shen et al. 2019 (MEAL); the reversal: Ganin & Lempitsky 2015.
    """

    name = "adversarial"
    equation = r"\mathcal{L}_{adv} = -\sum_t \sum_j [\log D(q_{T_j}(t)) + \log (1 - D(q_S(t)))]"
    citation = "Zhou et al. 2021; Shen et al. 2019"

    def __init__(self, discriminator: Any) -> None:
        self.discriminator = discriminator

    def __call__(self, logits: Tensor, teachers: Tensor, mask: Tensor) -> LossSum:
        """Sum over positions and teachers, and the number of positions."""
        number = teachers.shape[2]
        own = _Reversed.apply(select(logits, mask).softmax(-1))
        theirs = [select(teachers[:, :, index], mask).to(own.dtype) for index in range(number)]
        told = -nn.functional.logsigmoid(-self.discriminator(own)).sum() * number
        for probabilities in theirs:
            told = told - nn.functional.logsigmoid(self.discriminator(probabilities)).sum()
        return LossSum(told, mask.sum())


class _Reversed(torch.autograd.Function):
    """Hands values on as they are and their gradient with its sign turned."""

    @staticmethod
    def forward(_: Any, values: Tensor) -> Tensor:
        return values.view_as(values)

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return -gradient

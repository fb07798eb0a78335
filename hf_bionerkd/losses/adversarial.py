"""The adversarial term: a discriminator learns to tell the student's distributions from the teachers'."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .reduction import LossSum, select
from .terms import IGNORED, Batch, Layout, LossTerm, StudentOutputs


class Discriminator(nn.Module):
    """A network that tells, for each distribution over labels, how likely a teacher made it.

    It exists for training alone and is never published.

    Args:
        labels (`int`): Number of the student's labels.
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
        """Return the log odds that a teacher made each: `(positions, labels)` to `(positions,)`."""
        scores: Tensor = self.layers(probabilities).squeeze(-1)
        return scores


class AdversarialLoss(LossTerm):
    """Binary cross entropy of the discriminator, whose gradient reaches the student reversed.

    One backward pass does both: the discriminator learns to tell, the student to be taken for its teachers. At each
    position the student's distribution stands against every teacher's.

    Args:
        hidden_size (`int`, *optional*, defaults to 64): Width of the discriminator's hidden layers.

    Source: Zhou et al. 2021, "Adv", after Shen et al. 2019 (MEAL); the reversal: Ganin & Lempitsky 2015.
    """

    name = "adversarial"
    equation = r"\mathcal{L}_{adv} = -\sum_t \sum_j [\log D(q_{T_j}(t)) + \log (1 - D(q_S(t)))]"
    citation = "Zhou et al. 2021; Shen et al. 2019"
    reads = ("scores", "labels", "teacher_probs")

    def __init__(self, hidden_size: int = 64) -> None:
        self.hidden_size = hidden_size
        self.discriminator: Callable[[Tensor], Tensor] | None = None

    def bind(self, student: nn.Module, layout: Layout) -> Discriminator:
        """Make the discriminator, which is trained beside the student."""
        self.discriminator = discriminator = Discriminator(len(layout), self.hidden_size)
        return discriminator

    def __call__(self, outputs: StudentOutputs, batch: Batch) -> LossSum:
        """Sum over the positions that are learned and teachers; the count is of positions."""
        return self.compute(outputs.scores, batch["teacher_probs"], batch["labels"] != IGNORED)

    def compute(self, scores: Tensor, teachers: Tensor, mask: Tensor) -> LossSum:
        """Add up what the discriminator loses over the positions where `mask` is true.

        | input | shape | |
        |---|---|---|
        | scores | `(batch, tokens, labels)` | the student's, before softmax |
        | teachers | `(batch, tokens, teachers, labels)` | their probabilities; anything where the mask is false |
        | mask | `(batch, tokens)` | true where a position counts |

        Example:
            >>> term = AdversarialLoss()
            >>> term.discriminator = lambda p: torch.zeros(len(p))
            >>> total = term.compute(
            ...     torch.zeros(1, 1, 3), torch.full((1, 1, 1, 3), 1 / 3), torch.tensor([[True]])
            ... )
            >>> round(total.sum.item(), 4), total.count.item()  # 2 log 2: it cannot tell
            (1.3863, 1)

        Raises:
            ValueError: The term has not been bound to a student.
        """
        if self.discriminator is None:
            raise ValueError("the adversarial term has no discriminator yet: bind it to a student first")
        number = teachers.shape[2]
        # Forward nothing changes; backward the student learns what makes the discriminator err.
        own = _Reversed.apply(select(scores, mask).softmax(-1))
        # The student stands against every teacher once, so its half counts as often as there are teachers.
        total = -nn.functional.logsigmoid(-self.discriminator(own)).sum() * number
        for index in range(number):
            # Teachers' distributions are constants: here the discriminator alone learns.
            probabilities = select(teachers[:, :, index], mask).to(own.dtype)
            total = total - nn.functional.logsigmoid(self.discriminator(probabilities)).sum()
        return LossSum(total, mask.sum())


class _Reversed(torch.autograd.Function):
    """The identity, whose gradient has its sign turned."""

    @staticmethod
    def forward(_: object, values: Tensor) -> Tensor:
        return values.view_as(values)

    @staticmethod
    def backward(_: object, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return -gradient

"""Soft terms: the student's distribution at each position against a teacher's, or against that of all teachers.

Under a CRF a word has two distributions: the CRF's marginals, and the softmax of the scores before it, the emissions.
`kd` compares what both sides tag by, marginals with marginals; the terms of Zhou et al. compare emissions with
emissions, as their paper has it.
"""

from __future__ import annotations

import math
from abc import abstractmethod

from torch import Tensor, nn

from .reduction import LossSum, select, sum_over_teachers
from .sequence import begun_inside
from .terms import IGNORED, Batch, Layout, LossTerm, SequenceLayer, StudentOutputs, sequence_layer_of

# The least probability whose logarithm is taken: below the resolution of what teachers' outputs are kept in.
_LEAST = 1e-12


class SoftCrossEntropy(LossTerm):
    """Cross entropy against the teachers' joint distribution, TaughtNet's distillation loss.

    Its gradient is that of the KL divergence, which differs by the teachers' entropy, a constant. It is computed as
    `ΣA · logsumexp(z) - ⟨A, z⟩` with the student's logits *z*: right for targets that do not sum to one as well.

    A student with a CRF is compared by the CRF's marginals: they are the distribution that it tags by, while it never
    uses the softmax of the scores before the CRF. Where its tag scheme has no ``I`` at the start, the teachers' ``I``
    counts as ``B`` there.

    Source: Moscato et al. 2023 (TaughtNet), eq. 14. The paper's public code averages over labels too; here the sum is
    over labels and the count is of positions.
    """

    name = "kd"
    equation = r"\mathcal{L}_{KD} = -\sum_t \sum_k A_t(k) \log S_t(k)"

    @property
    def citation(self) -> str:  # type: ignore[override]
        """Source of the term, and which distribution of a student with a CRF it reads."""
        own = "" if self.crf is None else ", with the marginals of the student's CRF"
        return f"Moscato et al. 2023, TaughtNet, eq. 14{own}"

    reads = ("scores", "labels", "joint_targets")
    layout: Layout
    crf: SequenceLayer | None = None

    def bind(self, student: nn.Module, layout: Layout) -> None:
        """Take over the labels' layout, and the CRF of a student that labels words."""
        self.layout = layout
        self.crf = sequence_layer_of(student)

    def __call__(self, outputs: StudentOutputs, batch: Batch) -> LossSum:
        """Sum over the positions that are learned, and their number."""
        scores, targets = outputs.scores, batch["joint_targets"]
        if self.crf is not None:
            scores = self.crf.marginals(scores, outputs.mask)
            targets = begun_inside(targets, outputs.mask, self.crf, self.layout)
        return self.compute(scores, targets, batch["labels"] != IGNORED)

    def compute(self, scores: Tensor, targets: Tensor, mask: Tensor) -> LossSum:
        """Add up the cross entropy over the positions where `mask` is true.

        | input | shape | |
        |---|---|---|
        | scores | `(batch, tokens, labels)` or `(positions, labels)` | the student's, before softmax |
        | targets | as scores | probabilities A; anything where the mask is false |
        | mask | `(batch, tokens)` or `(positions,)` | true where a position counts |

        Raises:
            ValueError: Targets or mask do not have the scores' shape.

        Example:
            >>> import torch
            >>> total = SoftCrossEntropy().compute(torch.zeros(1, 2), torch.tensor([[0.5, 0.5]]), torch.tensor([True]))
            >>> round(total.sum.item(), 4), total.count.item()
            (0.6931, 1)
        """
        selected, probabilities = _selected(scores, targets, mask)
        # For targets that sum to less than one as well, as aggregated ones may where they are not normalised.
        expected = (probabilities * selected).sum(-1)
        return LossSum((probabilities.sum(-1) * selected.logsumexp(-1) - expected).sum(), mask.sum())


class TeacherByTeacher(LossTerm):
    """Base of soft terms on each teacher by itself: the sum over the teachers (Zhou et al. 2021, eq. 8)."""

    reads = ("scores", "labels", "teacher_probs")

    def __call__(self, outputs: StudentOutputs, batch: Batch) -> LossSum:
        """Sum over teachers and the positions that are learned; the count is that of one teacher."""
        probs, learned = batch["teacher_probs"], batch["labels"] != IGNORED
        return sum_over_teachers(
            self.compute(outputs.scores, probs[:, :, teacher], learned) for teacher in range(probs.shape[2])
        )

    @abstractmethod
    def compute(self, scores: Tensor, targets: Tensor, mask: Tensor) -> LossSum:
        """Add the term up for one teacher; arguments and result as of :meth:`SoftCrossEntropy.compute`."""


class SoftL1(TeacherByTeacher):
    """Sum of absolute differences between the student's probabilities and each teacher's.

    Example:
        >>> import torch
        >>> total = SoftL1().compute(torch.zeros(1, 2), torch.tensor([[0.75, 0.25]]), torch.tensor([True]))
        >>> total.sum.item(), total.count.item()
        (0.5, 1)

    Source: Zhou et al. 2021, "Knowledge distillation", soft labels, l1.
    """

    name = "l1"
    equation = r"\mathcal{L}_{1} = \sum_t \lVert q_T(t) - q_S(t) \rVert_1"
    citation = "Zhou et al. 2021"

    def compute(self, scores: Tensor, targets: Tensor, mask: Tensor) -> LossSum:
        """Add up the differences over the positions where `mask` is true."""
        selected, probabilities = _selected(scores, targets, mask)
        return LossSum((probabilities - selected.softmax(-1)).abs().sum(), mask.sum())


class SoftL2(TeacherByTeacher):
    """Sum of squared differences between the student's probabilities and each teacher's.

    Example:
        >>> import torch
        >>> total = SoftL2().compute(torch.zeros(1, 2), torch.tensor([[0.75, 0.25]]), torch.tensor([True]))
        >>> total.sum.item(), total.count.item()
        (0.125, 1)

    Source: Zhou et al. 2021, "Knowledge distillation", soft labels, l2; the paper's best.
    """

    name = "l2"
    equation = r"\mathcal{L}_{2} = \sum_t \lVert q_T(t) - q_S(t) \rVert_2^2"
    citation = "Zhou et al. 2021"

    def compute(self, scores: Tensor, targets: Tensor, mask: Tensor) -> LossSum:
        """Add up the squared differences over the positions where `mask` is true."""
        selected, probabilities = _selected(scores, targets, mask)
        return LossSum((probabilities - selected.softmax(-1)).square().sum(), mask.sum())


class TemperedCrossEntropy(TeacherByTeacher):
    """Cross entropy with both distributions softened by a temperature, times its square.

    The teacher's is softened from its probabilities: `softmax(log p / t)` is what its scores divided by *t* would
    give. The factor `t²` keeps the size of the gradient where *t* changes. At `t = 1`, and for targets that sum to
    one, it is the same term as :class:`SoftCrossEntropy`.

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

    def compute(self, scores: Tensor, targets: Tensor, mask: Tensor) -> LossSum:
        """Add up the tempered cross entropy over the positions where `mask` is true."""
        selected, probabilities = _selected(scores, targets, mask)
        # Tempering needs the teacher's scores; the logarithms of its probabilities differ from them by a constant.
        softened = (probabilities.clamp(min=_LEAST).log() / self.temperature).softmax(-1)
        cross_entropy = -(softened * (selected / self.temperature).log_softmax(-1)).sum()
        return LossSum(self.temperature**2 * cross_entropy, mask.sum())


def _selected(scores: Tensor, targets: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Select scores and target probabilities of the positions that count."""
    if targets.shape != scores.shape:
        raise ValueError(
            f"the targets have shape {tuple(targets.shape)}, the student's scores {tuple(scores.shape)}: both "
            "need one value for each of the student's labels at each position"
        )
    selected = select(scores, mask)
    return selected, select(targets, mask).to(selected.dtype)

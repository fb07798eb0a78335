"""The multi-teacher Trainer: gold labels and aggregated teachers in one loss (Moscato et al. 2023, eqs. 13-15)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from hf_bionerkd.data.collators import IGNORED
from hf_bionerkd.labels import LabelError, LabelSpace
from hf_bionerkd.losses.hard import TokenNLL
from hf_bionerkd.losses.mixture import taughtnet_mixture
from hf_bionerkd.losses.reduction import LossSum
from hf_bionerkd.losses.soft import SoftCrossEntropy
from hf_bionerkd.teachers.aggregation import TeacherTypes
from hf_bionerkd.training.trainer import TokenClassificationTrainer


class MultiTeacherTrainer(TokenClassificationTrainer):
    """Trains one multi-type student on several teachers' joint distribution and on gold labels.

    ``L = lam · L_KD + (1 - lam) · L_GT`` with ``L_KD = -Σ_t Σ_k A_t(k) log S_t(k)``; `A` is what
    :class:`hf_bionerkd.teachers.aggregation.Aggregator` makes of the teachers, read from the training data's target
    source per word and laid on the student's own pieces.

    Args:
        space (`LabelSpace`): The student's label space.
        teachers (`Sequence[TeacherTypes]`): What each teacher covers, to check at once rather than when it explodes.
        lam (`float`): Share of the teachers, between 0 and 1.
        gold (`TokenNLL`): The supervised term, with its treatment of gold ``O``.
        **kwargs: Of :class:`TokenClassificationTrainer`.

    Raises:
        LabelError: A type of the student has no teacher, a teacher's type is none of the student's, or the model's
            labels are not the student's.
        ValueError: The training data has no targets although `lam` is above 0.

    Source: Moscato et al. 2023 (TaughtNet), section III-4.
    """

    def __init__(
        self,
        *args: Any,
        space: LabelSpace,
        teachers: Sequence[TeacherTypes],
        lam: float,
        gold: TokenNLL,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, gold=gold, mixture=taughtnet_mixture(lam), **kwargs)
        self.space = space
        self.soft = SoftCrossEntropy()
        _check(space, teachers, self.model.config.id2label)
        if lam > 0 and getattr(self.train_dataset, "targets", None) is None:
            raise ValueError(
                f"lam is {lam}, but the training data has no teacher targets; give TrainingWindows `targets`"
            )

    def loss_term(self, name: str, logits: torch.Tensor, batch: Mapping[str, torch.Tensor]) -> LossSum:
        """The soft term on the aggregated teachers; the rest as in the parent."""
        if name == "kd":
            return self.soft(logits, batch["targets"], batch["labels"] != IGNORED)
        return super().loss_term(name, logits, batch)


def _check(space: LabelSpace, teachers: Sequence[TeacherTypes], id2label: Mapping[int, str]) -> None:
    own = tuple(id2label[index] for index in range(len(id2label)))
    if own != space.labels:
        raise LabelError(f"the student's labels are {list(own)}, but the run's label space has {list(space.labels)}")
    listing = "; ".join(f"{teacher.name}: {list(teacher.types)}" for teacher in teachers) or "there are none"
    missing = [kind for kind in space.types if not any(kind in teacher.types for teacher in teachers)]
    foreign = sorted({kind for teacher in teachers for kind in teacher.types if kind not in space.types})
    if missing:
        raise LabelError(f"no teacher covers the student's types {missing}. What the teachers cover: {listing}")
    if foreign:
        raise LabelError(f"teachers cover {foreign}, which the student {list(space.types)} does not know: {listing}")

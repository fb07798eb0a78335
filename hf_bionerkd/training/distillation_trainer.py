"""The multi-teacher Trainer: gold labels and teachers, together or one by one, in one loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from hf_bionerkd.labels import LabelError, LabelSpace
from hf_bionerkd.losses.adversarial import AdversarialLoss, Discriminator
from hf_bionerkd.losses.hard import TokenNLL
from hf_bionerkd.losses.mixture import Mixture
from hf_bionerkd.losses.reduction import LossSum
from hf_bionerkd.losses.soft import SoftCrossEntropy, SoftL1, SoftL2, TemperedCrossEntropy
from hf_bionerkd.teachers.aggregation import TeacherTypes
from hf_bionerkd.teachers.outputs import PER_TEACHER, check_same_types
from hf_bionerkd.training.distillation_model import DistillationModel
from hf_bionerkd.training.trainer import TokenClassificationTrainer
from hf_bionerkd.training.training_windows import IGNORED


class MultiTeacherTrainer(TokenClassificationTrainer):
    """Trains one student on several teachers and, where the mixture says so, on gold labels.

    The terms, any of which the mixture may weigh:

    | term | takes | source |
    |---|---|---|
    | `kd` | the teachers' joint distribution, made by :class:`hf_bionerkd.teachers.aggregation.Aggregator` | Moscato |
    | `gold` | gold labels, with a stated reading of gold ``O`` | Moscato |
    | `hard` | each teacher's own tags: with a CRF the likelihood of the sentence's tags, else of each word's | Zhou |
    | `l1`, `l2`, `tempered` | each teacher's softmax, before any CRF, against the student's | Zhou |
    | `adversarial` | the same, through a discriminator | Zhou |

    A term over several teachers is the sum over them (Zhou et al. 2021, eq. 8), divided by its count of words or
    sentences once.

    Args:
        space (`LabelSpace`): The student's label space.
        teachers (`Sequence[TeacherTypes]`): What each teacher covers, to check at once rather than when it explodes.
        mixture (`Mixture`): Weights of the terms.
        gold (`TokenNLL`): The supervised term, with its treatment of gold ``O``.
        temperature (`float`, *optional*, defaults to 2.0): Of the term `tempered`.
        **kwargs: Of :class:`TokenClassificationTrainer`.

    Raises:
        LabelError: A type of the student has no teacher, a teacher's type is none of the student's, a term takes each
            teacher by itself and one does not know all types, or the model's labels are not the student's.
        ValueError: The training data lacks what a weighted term reads.

    Source: Moscato et al. 2023 (TaughtNet), section III-4; Zhou et al. 2021, "Knowledge distillation"; Han et al.
    2023.
    """

    def __init__(
        self,
        *args: Any,
        space: LabelSpace,
        teachers: Sequence[TeacherTypes],
        mixture: Mixture,
        gold: TokenNLL,
        temperature: float = 2.0,
        **kwargs: Any,
    ) -> None:
        weighted = {term.name for term in mixture.terms if term.weight > 0}
        if "adversarial" in weighted:
            args, kwargs = _with_discriminator(args, kwargs, len(space))
        super().__init__(*args, gold=gold, mixture=mixture, **kwargs)
        self.space = space
        self.joint = SoftCrossEntropy()
        self.soft = {term.name: term for term in (SoftL1(), SoftL2(), TemperedCrossEntropy(temperature))}
        self.certain = TokenNLL("all")
        if isinstance(self.model, DistillationModel):
            self.adversarial = AdversarialLoss(self.model.discriminator)
        _check(space, teachers, self.model.config.id2label)
        by_itself = sorted(weighted & set(PER_TEACHER))
        if by_itself:
            check_same_types(space, teachers)
        for needed, terms in (("targets", sorted(weighted & {"kd"})), ("teachers", by_itself)):
            if terms and getattr(self.train_dataset, needed, None) is None:
                raise ValueError(
                    f"the loss terms {terms} have weight, but the training data has no outputs of teachers for them; "
                    f"give TrainingWindows `{needed}`"
                )

    def loss_term(self, name: str, logits: torch.Tensor, batch: Mapping[str, torch.Tensor]) -> LossSum:
        """Terms on the teachers; the rest as in the parent."""
        learned = batch["labels"] != IGNORED
        if name == "kd":
            return self.joint(logits, batch["targets"], learned)
        if name == "hard":
            return _over_teachers(batch, lambda index: self._hard(logits, batch, index))
        if name in self.soft:
            probs = batch["teacher_probs"]
            return _over_teachers(batch, lambda index: self.soft[name](logits, probs[:, :, index], learned))
        if name == "adversarial":
            return self.adversarial(logits, batch["teacher_probs"], learned)
        return super().loss_term(name, logits, batch)

    def _hard(self, logits: torch.Tensor, batch: Mapping[str, torch.Tensor], teacher: int) -> LossSum:
        """The supervised term on one teacher's tags, whose ``O`` denies every type."""
        tags = batch["teacher_tags"][:, :, teacher].masked_fill(batch["labels"] == IGNORED, IGNORED)
        return self.supervised(self.certain, logits, {**batch, "labels": tags})


def _over_teachers(batch: Mapping[str, torch.Tensor], term: Callable[[int], LossSum]) -> LossSum:
    """The sum of a term over the teachers, counted once."""
    terms = [term(index) for index in range(batch["teacher_tags"].shape[2])]
    return LossSum(torch.stack([each.sum for each in terms]).sum(), terms[0].count)


def _with_discriminator(args: Sequence[Any], kwargs: dict[str, Any], labels: int) -> tuple[Any, dict[str, Any]]:
    """A Trainer's arguments with a discriminator beside the model."""
    if args:
        return (DistillationModel(args[0], Discriminator(labels)), *args[1:]), kwargs
    return args, {**kwargs, "model": DistillationModel(kwargs["model"], Discriminator(labels))}


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

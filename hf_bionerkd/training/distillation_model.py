"""A student together with what exists for its training alone, so that optimiser, DDP and resumption see both."""

from __future__ import annotations

from typing import Any

from torch import nn

from hf_bionerkd.losses.adversarial import Discriminator


class DistillationModel(nn.Module):
    """A student and the discriminator that it is trained against. Only the student is ever published.

    Calling it is calling the student.

    Args:
        student (`PreTrainedModel`): The model to train.
        discriminator (`Discriminator`): Of :class:`~hf_bionerkd.losses.adversarial.AdversarialLoss`.
    """

    def __init__(self, student: Any, discriminator: Discriminator) -> None:
        super().__init__()
        self.student = student
        self.discriminator = discriminator

    @property
    def config(self) -> Any:
        """The student's."""
        return self.student.config

    def forward(self, **inputs: Any) -> Any:
        """The student's outputs."""
        return self.student(**inputs)


def student_of(model: Any) -> Any:
    """The student alone."""
    return model.student if isinstance(model, DistillationModel) else model

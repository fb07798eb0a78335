"""A student together with what exists for its training alone, so that optimiser, DDP and resumption see both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel
    from transformers.utils import ModelOutput


class DistillationModel(nn.Module):
    """A student and the modules that its loss terms train beside it. Only the student is ever saved or published.

    Calling it is calling the student.

    Args:
        student (`PreTrainedModel`): The model to train.
        modules (`dict[str, Module]`): Name of a loss term to its module, such as a discriminator.
    """

    def __init__(self, student: PreTrainedModel, modules: dict[str, nn.Module]) -> None:
        super().__init__()
        self.student = student
        # Both are submodules, so that one optimiser and one DDP wrapper hold them.
        self.of_terms = nn.ModuleDict(modules)

    @property
    def config(self) -> PretrainedConfig:
        """Configuration of the student."""
        return self.student.config

    def forward(self, **inputs: Tensor | bool) -> ModelOutput:
        """Compute the student's outputs."""
        return self.student(**inputs)


def student_of(model: nn.Module) -> PreTrainedModel:
    """Return the student alone."""
    return model.student if isinstance(model, DistillationModel) else model

"""How a Trainer asks a student, and how it lays the answer out for the loss terms."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import torch

from hf_bionerkd.losses.terms import IGNORED, Batch, StudentOutputs
from hf_bionerkd.models.word_outputs import read_words
from hf_bionerkd.training.training_windows import ROW_COLUMNS

if TYPE_CHECKING:
    from transformers import PreTrainedModel
    from transformers.utils import ModelOutput


class StudentReader:
    """Runs a student on batches and reads its outputs as loss terms want them.

    Args:
        student (`PreTrainedModel`): The model to train; adapters around it are looked through.
        reads (`set[str]`): What the loss reads, see :class:`~hf_bionerkd.losses.terms.LossTerm`. Hidden states and
            attentions are computed only where they are among it.
    """

    def __init__(self, student: PreTrainedModel, reads: set[str]) -> None:
        self.labels_words = labels_words(student)
        # Adapters hide the model's own parameters behind `**kwargs`.
        asked = student.get_base_model() if hasattr(student, "get_base_model") else student
        # A model that is given labels computes a loss of its own, which nobody needs.
        self.inputs = set(inspect.signature(asked.forward).parameters) - {"labels"}
        self.options = {f"output_{name}": True for name in ("hidden_states", "attentions") if name in reads}

    def run(self, model: torch.nn.Module, batch: Batch) -> ModelOutput:
        """Run a forward pass on whatever columns of the batch the student takes.

        Args:
            model (`Module`): The student, as the Trainer has wrapped it.
            batch (`Mapping[str, Tensor]`): From :class:`~hf_bionerkd.training.training_windows.WindowCollator`.
        """
        return model(**{name: values for name, values in batch.items() if name in self.inputs}, **self.options)

    def read(self, outputs: ModelOutput, batch: Batch) -> tuple[StudentOutputs, Batch]:
        """Lay a model's outputs and the batch out alike: by words where the model labels words, else by pieces.

        Args:
            outputs (`ModelOutput`): From :meth:`run`.
            batch (`Mapping[str, Tensor]`): The same batch, whose columns are laid out by pieces.

        Returns:
            What terms read of the student, and the batch whose positions are the same.
        """
        layers = {name: getattr(outputs, name, None) for name in ("hidden_states", "attentions")}
        if not self.labels_words:
            return StudentOutputs(outputs.logits, batch["attention_mask"].bool(), **layers), batch
        in_words = dict(batch)
        for name, values in batch.items():
            # Columns of pieces become columns of words; the model's inputs are not read again.
            if name not in self.inputs and name not in ROW_COLUMNS:
                fill = 0 if values.dtype.is_floating_point else IGNORED
                in_words[name] = read_words(values, outputs.word_index, outputs.word_mask, fill)
        return StudentOutputs(outputs.emissions, outputs.word_mask, **layers), in_words


def labels_words(model: PreTrainedModel) -> bool:
    """Tell whether a model labels words rather than pieces; such models learn from the first piece of each word."""
    return bool(getattr(model, "labels_words", False))


def sum_of_crf(student: PreTrainedModel) -> torch.Tensor | float:
    """Add up the weights of a student's CRF; 0 where it has none.

    A loss of soft terms reads the scores before the CRF and leaves its weights out, while DDP waits for the gradient
    of every weight. Zero times this sum gives them one.
    """
    crf = getattr(student, "crf", None) if labels_words(student) else None
    return sum(weight.sum() for weight in crf.parameters()) if crf is not None else 0.0

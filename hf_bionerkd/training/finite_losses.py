"""The end of a training whose loss is no number: at the first such step, with what it was computed from kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file

from hf_bionerkd.inference.finite import NonFiniteError, cause
from hf_bionerkd.io import atomic_folder, write_json

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedTokenizerFast

TENSORS_FILE, REPORT_FILE = "batch.safetensors", "report.json"


def stop_at_non_finite_loss(
    loss: Tensor,
    parts: Mapping[str, Tensor],
    batch: Mapping[str, Tensor],
    student: nn.Module,
    tokenizer: PreTrainedTokenizerFast | None,
    folder: str | Path,
    where: Mapping[str, int | float | None],
) -> None:
    """End a training whose loss is NaN or infinite, and keep the batch.

    Args:
        loss (`Tensor`): The loss of one micro-batch, a scalar.
        parts (`Mapping[str, Tensor]`): The value of each of its terms.
        batch (`Mapping[str, Tensor]`): What it was computed from, columns of teachers too.
        student (`Module`): The model; its weights may be the cause.
        tokenizer (`PreTrainedTokenizerFast`, *optional*): It turns the batch's ids into text for the report.
        folder (`str`): Where to keep them, a folder that is replaced: :data:`TENSORS_FILE` and :data:`REPORT_FILE`.
        where (`Mapping`): The place in the training for message and report; `step` among it.

    Raises:
        NonFiniteError: The loss is not finite. The message names the step, the terms and the probable cause, and says
            where the batch lies.
    """
    if bool(loss.isfinite()):
        return
    value = float(loss.detach())
    terms = {name: float(part) for name, part in parts.items()}
    reason = _reason(batch, student)
    with atomic_folder(folder, overwrite=True) as staging:
        tensors = {
            name: column.detach().cpu().contiguous() for name, column in batch.items() if torch.is_tensor(column)
        }
        save_file(tensors, staging / TENSORS_FILE)
        report = {
            **where,
            "loss": str(value),  # JSON has no NaN
            "terms": {name: str(part) for name, part in terms.items()},
            "cause": reason,
            "texts": tokenizer.batch_decode(batch["input_ids"]) if tokenizer is not None else [],
        }
        write_json(staging / REPORT_FILE, report)
    shown = ", ".join(f"{name} {part:.6g}" for name, part in terms.items())
    raise NonFiniteError(
        f"training step {where['step']}: the loss is {value:.6g} ({shown}): {reason}. The batch is kept in {folder}"
    )


def _reason(batch: Mapping[str, Tensor], student: nn.Module) -> str:
    """Return why a loss may not be finite: what teachers say, or else the student itself."""
    for name, values in batch.items():
        # Padding of distributions is zero, so that every value counts.
        if torch.is_tensor(values) and values.dtype.is_floating_point and not bool(values.isfinite().all()):
            return f"the batch's column `{name}`, which comes from the teachers, holds NaN or infinity"
    reason = cause(student)
    return f"{reason}. Lower training.learning_rate, or set training.max_grad_norm above 0"

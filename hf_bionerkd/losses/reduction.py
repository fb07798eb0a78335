"""What every loss term returns, and how it leaves masked positions out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class LossSum:
    """A loss term over some positions, not yet divided.

    The count travels beside the sum because only the trainer knows the count of a whole optimiser step (all its
    micro-batches, all processes), which is what the sum has to be divided by.

    Args:
        sum (`Tensor`): The term added up over the positions that count; a scalar with a gradient path.
        count (`Tensor`): How many positions that were; a scalar.
    """

    sum: Tensor
    count: Tensor


def select(values: Tensor, mask: Tensor) -> Tensor:
    """Select the rows of `values` where `mask` is true, in single precision or better.

    Selecting, rather than multiplying by zero, keeps whatever padding holds (nan and inf too) out of the value and
    out of the gradient.

    Args:
        values (`Tensor`): Floating point, `(positions, labels)` or `(batch, tokens, labels)`.
        mask (`Tensor`): Boolean, one value per position.

    Returns:
        `(selected, labels)`, with no rows but still a gradient path where nothing is selected.

    Raises:
        ValueError: The mask is not boolean or does not have the shape of the positions.

    Example:
        >>> select(torch.tensor([[1.0, 2.0], [float("nan"), 0.0]]), torch.tensor([True, False]))
        tensor([[1., 2.]])
    """
    if mask.dtype != torch.bool or mask.shape != values.shape[:-1]:
        raise ValueError(
            f"the mask is {mask.dtype} of shape {tuple(mask.shape)}, expected torch.bool of shape "
            f"{tuple(values.shape[:-1])}, one value per position of the {tuple(values.shape)} tensor it selects from"
        )
    return values[mask].to(torch.promote_types(values.dtype, torch.float32))


def sum_over_teachers(terms: Iterable[LossSum]) -> LossSum:
    """Add a term up over the teachers; all have the same positions, which count once (Zhou et al. 2021, eq. 8)."""
    each = list(terms)
    return LossSum(torch.stack([term.sum for term in each]).sum(), each[0].count)

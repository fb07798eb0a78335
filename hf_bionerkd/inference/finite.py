"""Numbers that are none: a model that gives NaN or infinity is refused before it is scored, kept or published."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torch import Tensor, nn


class NonFiniteError(ValueError):
    """A loss, an output or a weight is NaN or infinite."""


def check_finite(
    values: Mapping[str, np.ndarray], words: Sequence[str], what: str, model: nn.Module | None = None
) -> None:
    """Make sure that what a model says of some words are numbers.

    Args:
        values (`Mapping[str, np.ndarray]`): Name of an output to its values.
        words (`Sequence[str]`): The words, which the message shows.
        what (`str`): How the message calls the model.
        model (`Module`, *optional*): The model itself, whose weights may be the cause.

    Raises:
        NonFiniteError: They hold NaN or infinity.

    Example:
        >>> check_finite({"log_probs": np.array([float("nan")])}, ["TP53"], "teacher 'genes'")
        Traceback (most recent call last):
        hf_bionerkd.inference.finite.NonFiniteError: teacher 'genes' gives nan (log_probs) for the words ['TP53']
    """
    for name, array in values.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            kind = "nan" if np.isnan(array).any() else "infinity"
            shown = repr(list(words))
            shown = shown if len(shown) <= 80 else f"{shown[:77]}…"
            reason = f": {cause(model)}" if model is not None else ""
            raise NonFiniteError(f"{what} gives {kind} ({name}) for the words {shown}{reason}")


def check_weights(model: nn.Module, what: str = "the model") -> None:
    """Make sure that all weights of a model are numbers, before it is kept or published.

    Args:
        model (`Module`): The model.
        what (`str`, *optional*, defaults to `"the model"`): How the message calls it.

    Raises:
        NonFiniteError: Some are NaN or infinite; the first is named, with how many there are.
    """
    bad = list(_non_finite(model))
    if bad:
        raise NonFiniteError(
            f"{what} is not kept: {_weights(bad)}. The training has diverged; lower training.learning_rate, or set "
            "training.max_grad_norm above 0"
        )


def cause(model: nn.Module) -> str:
    """Return, for a message, why a model's outputs may not be finite."""
    bad = list(_non_finite(model))
    if bad:
        return f"{_weights(bad)}; it diverged in training, or its file is damaged"
    return "its weights are finite, so they overflow on this input; run it in a wider precision (float32)"


def _weights(names: list[str]) -> str:
    more = f" and {len(names) - 1} more of its weights" if len(names) > 1 else ""
    return f"`{names[0]}`{more} hold{'' if more else 's'} NaN or infinity"


def _non_finite(model: nn.Module) -> Iterator[str]:
    weights: Iterator[tuple[str, Tensor]] = model.named_parameters()
    return (name for name, weight in weights if not bool(weight.detach().isfinite().all()))

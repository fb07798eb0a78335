"""The longest input of a model, read off the model itself: its tables of positions and its configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

# How models name a table with one row per position. Tables of relative distances say so in their names.
_TABLE = re.compile(r"position|^wpe$")
_RELATIVE = re.compile(r"(^|_)rel(ative)?(_|$)|distance")
_NAMES = ("max_position_embeddings", "max_seq_len")  # what configurations call the number of positions


def longest_input_of(model: nn.Module) -> int | None:
    """Return the longest input that a model reads, in pieces with special tokens; None where there is no bound.

    - A table of absolute positions ends the input. Where the table has a padding index (RoBERTa's kind), positions
      count from the row behind it, so that the rows up to it are not for text.
    - Relative positions have no bound, whatever number of them the configuration names.
    - Anything else (rotary positions, tables that are computed) is bounded by what the configuration states; a number
      that is not positive, such as XLNet's -1, states that there is no bound.

    Args:
        model (`Module`): A model of transformers, also with adapters around it.

    Example:
        ```python
        longest_input_of(AutoModelForTokenClassification.from_pretrained("org/roberta"))  # 512 of 514 positions
        ```
    """
    config = getattr(model, "config", None)
    config = getattr(config, "encoder", None) or config  # that of the encoder, where a model is put together
    stated = [value for name in _NAMES if isinstance(value := getattr(config, name, None), int) and value > 0]
    tables = [rows - (0 if padding is None else padding + 1) for rows, padding in _tables(model)]
    if not tables and any(_RELATIVE.search(part) for name, _ in model.named_modules() for part in name.split(".")):
        return None
    return min([*tables, *stated], default=None)


def padding_of_positions(model: nn.Module) -> int | None:
    """Return the padding id that a model's positions depend on; None where they count from the first piece on."""
    return next((padding for _, padding in _tables(model) if padding is not None), None)


def _tables(model: nn.Module) -> Iterator[tuple[int, int | None]]:
    """Yield the number of rows and the padding index of each table of absolute positions."""
    for name, module in model.named_modules():
        last = name.rpartition(".")[2]
        weight = getattr(module, "weight", None)
        if getattr(weight, "ndim", 0) == 2 and _TABLE.search(last) and not _RELATIVE.search(last):
            yield len(weight), getattr(module, "padding_idx", None)

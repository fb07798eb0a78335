"""The processes that `accelerate launch` has started."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hf_bionerkd.processes import Processes

if TYPE_CHECKING:
    import torch


def default_device() -> torch.device:
    """Return the device of this process."""
    from accelerate import PartialState

    return PartialState().device


def launched_processes() -> Processes:
    """Describe this process among those of the launch; alone where a script was started plainly."""
    import torch
    from accelerate import PartialState
    from accelerate.utils import broadcast_object_list, reduce

    state = PartialState()
    if state.num_processes == 1:
        return Processes()

    # Collective operations work on tensors of this process's device.
    def add(counts: np.ndarray) -> np.ndarray:
        total: np.ndarray = reduce(torch.from_numpy(counts).to(state.device), reduction="sum").cpu().numpy()
        return total

    return Processes(
        state.process_index,
        state.num_processes,
        state.wait_for_everyone,
        add,
        lambda value: broadcast_object_list([value])[0],
    )

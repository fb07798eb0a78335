"""The state of an optimiser, a scheduler or random numbers in safetensors: tensors, and the rest as JSON beside them.

The stock Trainer pickles these. A file of safetensors cannot hold code, and what is read back equals what was written
to the last bit.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file

_KIND = "is"  # the key that tells what a JSON object stands for
_TREE = "tree"  # the key of the JSON text in the metadata of the file


def save_state(path: str | Path, state: Mapping[str, object]) -> None:
    """Write nested dictionaries, lists and tuples of tensors, arrays, numbers, texts, booleans and None.

    Args:
        path (`str` or `Path`): The file.
        state (`Mapping`): The state, such as an optimiser's `state_dict()`.

    Raises:
        TypeError: It holds something else.

    Example:
        ```python
        save_state("optimizer.safetensors", optimizer.state_dict())
        optimizer.load_state_dict(load_state("optimizer.safetensors"))
        ```
    """
    packer = _Packer()
    tree = packer.pack(state)
    save_file(packer.tensors, path, metadata={_TREE: json.dumps(tree)})


def load_state(path: str | Path) -> dict[object, object]:
    """Read what :func:`save_state` wrote; tensors are on the CPU."""
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        tree = json.loads(file.metadata()[_TREE])
    state = _unpack(tree, tensors)
    assert isinstance(state, dict)  # it was written as one
    return state


def random_state(*, all_gpus: bool) -> dict[str, object]:
    """Return the state of the random numbers of Python, NumPy and torch.

    Args:
        all_gpus (`bool`): Of every GPU rather than the current one, as in a launch of several processes.
    """
    state: dict[str, object] = {
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "cpu": torch.random.get_rng_state(),
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all() if all_gpus else torch.cuda.get_rng_state()
    return state


def restore_random_state(state: Mapping[object, object]) -> None:
    """Set the random numbers to a state that :func:`random_state` gave; GPUs only where the machine has as many."""
    random.setstate(state["python"])  # type: ignore[arg-type]
    np.random.set_state(state["numpy"])  # type: ignore[arg-type]
    cpu, cuda = state["cpu"], state.get("cuda")
    assert isinstance(cpu, torch.Tensor)
    torch.random.set_rng_state(cpu)
    if isinstance(cuda, list) and torch.cuda.device_count() == len(cuda):
        torch.cuda.set_rng_state_all(cuda)
    elif isinstance(cuda, torch.Tensor) and torch.cuda.is_available():
        torch.cuda.set_rng_state(cuda)


class _Packer:
    """Turns a state into JSON values and, apart from them, its tensors by name."""

    def __init__(self) -> None:
        self.tensors: dict[str, torch.Tensor] = {}
        self._storages: set[int] = set()

    def pack(self, value: object) -> object:
        """Return a value as JSON has it; its tensors are kept."""
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, torch.Tensor):
            return {_KIND: "tensor", "name": self._keep(value.detach().cpu())}
        if isinstance(value, np.ndarray):
            # As bytes, because safetensors knows fewer types of numbers than NumPy.
            name = self._keep(torch.from_numpy(np.frombuffer(value.tobytes(), np.uint8).copy()))
            return {_KIND: "array", "name": name, "dtype": value.dtype.str, "shape": list(value.shape)}
        if isinstance(value, Mapping):
            # As pairs, because an optimiser numbers its parameters and JSON's keys are texts.
            return {_KIND: "dict", "pairs": [[self.pack(key), self.pack(item)] for key, item in value.items()]}
        if isinstance(value, list):
            return [self.pack(item) for item in value]
        if isinstance(value, tuple):
            return {_KIND: "tuple", "items": [self.pack(item) for item in value]}
        raise TypeError(f"the state holds a {type(value).__name__}, which cannot be saved without pickling it")

    def _keep(self, tensor: torch.Tensor) -> str:
        """Keep a tensor; one that shares its memory with another is copied, as safetensors demands."""
        tensor = tensor.contiguous()
        if tensor.untyped_storage().data_ptr() in self._storages:
            tensor = tensor.clone()
        self._storages.add(tensor.untyped_storage().data_ptr())
        name = str(len(self.tensors))
        self.tensors[name] = tensor
        return name


def _unpack(value: object, tensors: Mapping[str, torch.Tensor]) -> object:
    if isinstance(value, list):
        return [_unpack(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if value[_KIND] == "tensor":
        return tensors[value["name"]]
    if value[_KIND] == "array":
        content = tensors[value["name"]].numpy().tobytes()
        return np.frombuffer(content, value["dtype"]).reshape(value["shape"]).copy()
    if value[_KIND] == "tuple":
        return tuple(_unpack(item, tensors) for item in value["items"])
    return {_unpack(key, tensors): _unpack(item, tensors) for key, item in value["pairs"]}

"""Weights in safetensors: damaged ones are not read, those that are no numbers not published. Nothing loads torch."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from hf_bionerkd.digests import DamagedFileError, check_digests

_HEADER_SIZE = 8  # bytes at the beginning of a file that give the length of its JSON header
_LONGEST_HEADER = 100_000_000  # bytes, as safetensors itself has it
# Floating-point formats as the integers of their size, and the bits that NaN and infinity have set: the exponent's.
_EXPONENTS = {
    "F64": ("<u8", 0x7FF0000000000000),
    "F32": ("<u4", 0x7F800000),
    "F16": ("<u2", 0x7C00),
    "BF16": ("<u2", 0x7F80),
}


class WeightsError(ValueError):
    """Weights hold NaN or infinity."""


def refuse_non_finite(folder: str | os.PathLike[str], files: Sequence[str]) -> None:
    """Make sure that the weights to be published are numbers.

    Args:
        folder (`str` or `PathLike`): The folder of the files.
        files (`Sequence[str]`): Paths within it; those that are no safetensors are passed over.

    Raises:
        WeightsError: A tensor holds NaN or infinity; it is named with its file.
    """
    for name in files:
        path = Path(folder) / name
        if path.suffix != ".safetensors":
            continue
        for tensor in non_finite_tensors(path):
            raise WeightsError(
                f"{path}: the weights `{tensor}` hold NaN or infinity, so that the model answers nothing; it diverged "
                "in training (lower the learning rate, or clip gradients), or the file is damaged"
            )


def refuse_damaged(folder: str | os.PathLike[str]) -> None:
    """Make sure that the files of a model are whole.

    A model of this package has digests, to which every file is compared. Of others, damage shows only where a file of
    weights is cut off or does not begin as such files do.

    Args:
        folder (`str` or `PathLike`): The model's folder.

    Raises:
        DamagedFileError: A file is not what was written; it is named.
    """
    from safetensors import SafetensorError, safe_open

    remedy = "Fetch or copy it again, or train it anew with overwrite=true."
    check_digests(folder, remedy)
    for path in sorted(Path(folder).glob("*.safetensors")):
        try:
            with safe_open(path, "numpy"):
                pass
        except (SafetensorError, ValueError) as error:
            raise DamagedFileError(f"{path} is damaged: {error}. {remedy}") from None


def non_finite_tensors(path: str | os.PathLike[str]) -> Iterator[str]:
    """Yield the names of a safetensors file's tensors that hold NaN or infinity; none of what is no such file.

    Args:
        path (`str` or `PathLike`): The file.

    Example:
        >>> list(non_finite_tensors("runs/demo/student/model.safetensors"))
        []
    """
    with open(path, "rb") as handle:
        length = int.from_bytes(handle.read(_HEADER_SIZE), "little")
        if length > min(os.path.getsize(path), _LONGEST_HEADER):
            return
        try:
            header = json.loads(handle.read(length))
        except ValueError:
            return
    if not isinstance(header, dict) or not header:
        return
    bytes_ = np.memmap(path, mode="r", offset=_HEADER_SIZE + length) if os.path.getsize(path) > length + 8 else None
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] not in _EXPONENTS or bytes_ is None:
            continue
        start, end = entry["data_offsets"]
        kind, exponent = _EXPONENTS[entry["dtype"]]
        # The integers may not be aligned within the file; a copy of one tensor is.
        values = np.frombuffer(bytes_[start:end].tobytes(), dtype=kind)
        if ((values & values.dtype.type(exponent)) == exponent).any():
            yield name

"""Checkpoints: which files one holds, whether it is whole, and from which one a training goes on.

A checkpoint is whole once its digests have been written, which is done last, and as long as its files match them. One
is gone on from only if the best checkpoint so far is whole, too: otherwise the training would end with a worse model
than without the break.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hf_bionerkd.digests import DIGESTS_FILE, find_damage, has_digests
from hf_bionerkd.io import read_json

STATE_FILE = "trainer_state.json"
OPTIMIZER_FILE = "optimizer.safetensors"
SCHEDULER_FILE = "scheduler.safetensors"
SCALER_FILE = "scaler.safetensors"
TERMS_FILE = "loss_terms.safetensors"  # what the loss terms train beside the student
_RANDOM = "rng_state"
_OF_TRAINING = {STATE_FILE, OPTIMIZER_FILE, SCHEDULER_FILE, SCALER_FILE, TERMS_FILE, DIGESTS_FILE}
_NAME = re.compile(r"checkpoint-(\d+)")


class CheckpointError(RuntimeError):
    """A checkpoint from which training cannot go on."""


@dataclass(frozen=True)
class Resumption:
    """The checkpoint from which a training goes on.

    Args:
        checkpoint (`str`, *optional*): Its folder; None to begin anew.
        problems (`tuple[str, ...]`, *optional*): Newer checkpoints that cannot be used, with the reason.
    """

    checkpoint: str | None
    problems: tuple[str, ...] = ()


def random_file(index: int, count: int) -> str:
    """Return the name of the file with the random numbers of one of the processes of a launch."""
    return f"{_RANDOM}.safetensors" if count == 1 else f"{_RANDOM}_{index}.safetensors"


def is_model_file(name: str) -> bool:
    """Return whether a file of a checkpoint belongs to the student rather than to its training."""
    return name not in _OF_TRAINING and not name.startswith(_RANDOM)


def find_resumption(folder: str | Path, *, needs_best: bool = True) -> Resumption:
    """Find the newest checkpoint that a training can go on from.

    Args:
        folder (`str` or `Path`): The folder of the checkpoints.
        needs_best (`bool`, *optional*, defaults to `True`): Whether the best checkpoint is loaded at the end.
    """
    problems = []
    for _, path in sorted(_checkpoints(folder).items(), reverse=True):
        problem = describe_problem(path, needs_best=needs_best)
        if problem is None:
            return Resumption(str(path), tuple(problems))
        problems.append(problem)
    return Resumption(None, tuple(problems))


def last_checkpoint(folder: str | Path, *, needs_best: bool = True) -> str | None:
    """Return the newest checkpoint that a training can go on from, or None; see :func:`find_resumption`."""
    return find_resumption(folder, needs_best=needs_best).checkpoint


def describe_problem(checkpoint: str | Path, *, needs_best: bool = True) -> str | None:
    """Return why training cannot go on from a checkpoint, or None."""
    checkpoint = Path(checkpoint)
    if not has_digests(checkpoint):
        return f"{checkpoint} is not whole: it has no {DIGESTS_FILE}, which is written last"
    if damage := find_damage(checkpoint):
        return f"{checkpoint} is damaged: {damage}"
    best = best_checkpoint(checkpoint)
    if not needs_best or best is None or best == checkpoint:
        return None
    problem = describe_problem(best, needs_best=False) if best.is_dir() else f"there is no {best}"
    return f"{checkpoint} needs the best checkpoint so far: {problem}" if problem else None


def best_checkpoint(checkpoint: str | Path) -> Path | None:
    """Return the best checkpoint when a checkpoint was saved, which lies beside it; None where none was the best."""
    checkpoint = Path(checkpoint)
    step = read_trainer_state(checkpoint).get("best_global_step")
    return checkpoint.with_name(f"checkpoint-{step}") if step else None


def read_trainer_state(checkpoint: str | Path) -> Mapping[str, object]:
    """Read the state that the Trainer has written into a checkpoint.

    Raises:
        CheckpointError: It cannot be read.
    """
    path = Path(checkpoint) / STATE_FILE
    try:
        state = read_json(path)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from None
    if not isinstance(state, Mapping):
        raise CheckpointError(f"{path} cannot be read: it holds no mapping")
    return state


def drop_unusable(folder: str | Path, resumption: Resumption) -> None:
    """Delete the checkpoints that are newer than the one that training goes on from; it will make them again."""
    kept = _step(Path(resumption.checkpoint)) if resumption.checkpoint else -1
    for step, path in _checkpoints(folder).items():
        if step > kept:
            shutil.rmtree(path, ignore_errors=True)


def drop_old(folder: str | Path, limit: int | None, best: str | None) -> None:
    """Delete the oldest checkpoints but for the newest and the best one.

    Args:
        folder (`str` or `Path`): The folder of the checkpoints.
        limit (`int`, *optional*): How many are kept; all where it is None or not positive.
        best (`str`, *optional*): The best checkpoint.
    """
    steps = sorted(_checkpoints(folder).items())
    if limit is None or limit <= 0 or not steps:
        return
    protected = {steps[-1][1].name, Path(best).name if best else ""}
    too_many = len(steps) - max(limit, sum(path.name in protected for _, path in steps))
    for _, path in [each for each in steps if each[1].name not in protected][: max(0, too_many)]:
        shutil.rmtree(path, ignore_errors=True)


def _checkpoints(folder: str | Path) -> dict[int, Path]:
    """Return the checkpoints of a folder by step."""
    return {_step(path): path for path in Path(folder).glob("checkpoint-*") if _NAME.fullmatch(path.name)}


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])

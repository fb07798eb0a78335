"""The order in which a training walks its windows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from hf_bionerkd.training.training_windows import BLANK, TrainingWindows

_STEPS_PER_POOL = 50  # within which windows are sorted by length


class EpochOrder(torch.utils.data.Sampler):
    """A shuffle that depends on seed and epoch alone, so that a resumed run walks the same order.

    Args:
        dataset (`TrainingWindows`): Holds `epoch` (set by accelerate through `set_epoch`) and `lengths`.
        seed (`int`): Seed.
        step_size (`int`, *optional*, defaults to 0): Examples of one optimiser step. When given, examples of similar
            length fall into the same step: within pools of 50 steps, sorted by length; the steps' order stays random.
        multiple_of (`int`, *optional*, defaults to 1): Fill the epoch up to a multiple of this with blank examples
            (index -1). Several processes need equal shares, and accelerate would repeat sentences to make them.
    """

    def __init__(self, dataset: TrainingWindows, seed: int, step_size: int = 0, multiple_of: int = 1) -> None:
        self.dataset = dataset
        self.seed = seed
        self.step_size = step_size
        self.blanks = -len(dataset) % multiple_of

    def __len__(self) -> int:
        return len(self.dataset) + self.blanks

    def __iter__(self) -> Iterator[int]:
        generator = np.random.default_rng([self.seed, self.dataset.epoch])
        order = generator.permutation(len(self.dataset))
        if self.step_size:
            lengths = np.asarray(self.dataset.lengths)
            pool = self.step_size * _STEPS_PER_POOL
            steps = []
            # Sorting within pools keeps padding low; shuffling the steps keeps the order random.
            for start in range(0, len(order), pool):
                chunk = order[start : start + pool]
                chunk = chunk[np.argsort(-lengths[chunk], kind="stable")]
                steps += [chunk[i : i + self.step_size] for i in range(0, len(chunk), self.step_size)]
            full = [step for step in steps if len(step) == self.step_size]
            short = [step for step in steps if len(step) < self.step_size]  # at most one, kept last
            order = np.concatenate([full[i] for i in generator.permutation(len(full))] + short)
        return iter(order.tolist() + [BLANK] * self.blanks)

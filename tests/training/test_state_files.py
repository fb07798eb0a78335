import random
from pathlib import Path

import numpy as np
import pytest
import torch

from hf_bionerkd.training.state_files import load_state, random_state, restore_random_state, save_state


def same(one, other):
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and (one == other or one != one and other != other)


def test_nested_values_come_back_as_they_were(tmp_path):
    shared = torch.arange(6.0)
    state = {
        "numbers": [1, -(10**30), 0.1, float("inf"), float("nan"), True, None, "é"],
        3: (
            shared,
            shared[2:4],
            torch.tensor(7, dtype=torch.int64),
            torch.zeros(0),
            torch.ones(2, dtype=torch.bfloat16),
        ),
        "arrays": {"keys": np.arange(5, dtype=np.uint32), "none": np.zeros((0, 2), np.int8)},
        "is": {"is": "tensor", "name": "0"},
    }
    save_state(tmp_path / "s.safetensors", state)
    assert same(load_state(tmp_path / "s.safetensors"), state)


def test_what_would_need_pickling_is_refused(tmp_path):
    with pytest.raises(TypeError, match="holds a PosixPath|holds a WindowsPath"):
        save_state(tmp_path / "s.safetensors", {"path": Path()})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.AdamW(p, lr=0.1),
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
        lambda p: torch.optim.RMSprop(p, lr=0.1),
    ],
)
def test_an_optimiser_and_its_schedule_go_on_to_the_last_bit(tmp_path, make):
    def build():
        torch.manual_seed(0)
        model = torch.nn.Linear(3, 2)
        optimizer = make(model.parameters())
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (step + 1))
        return model, optimizer, schedule

    def step(parts, number):
        model, optimizer, schedule = parts
        model(torch.full((1, 3), float(number))).sum().backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()

    whole, broken = build(), build()
    for number in range(3):
        step(whole, number)
        step(broken, number)
    save_state(tmp_path / "o.safetensors", broken[1].state_dict())
    save_state(tmp_path / "l.safetensors", broken[2].state_dict())
    resumed = build()
    resumed[0].load_state_dict(broken[0].state_dict())
    resumed[1].load_state_dict(load_state(tmp_path / "o.safetensors"))
    resumed[2].load_state_dict(load_state(tmp_path / "l.safetensors"))
    for number in range(3, 6):
        step(whole, number)
        step(resumed, number)
    assert torch.equal(whole[0].weight, resumed[0].weight)
    assert same(resumed[2].state_dict(), whole[2].state_dict())


def test_random_numbers_go_on(tmp_path):
    save_state(tmp_path / "r.safetensors", random_state(all_gpus=False))
    draw = [random.random(), np.random.rand(), np.random.randn(), torch.rand(2).tolist()]
    restore_random_state(load_state(tmp_path / "r.safetensors"))
    assert [random.random(), np.random.rand(), np.random.randn(), torch.rand(2).tolist()] == draw

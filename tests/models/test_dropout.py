from __future__ import annotations

import pytest
import torch

from hf_bionerkd.models.dropout import CheapDropout


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.75])
def test_rate_scale_and_gradient(rate):
    torch.manual_seed(0)
    values = torch.ones(1001, 333, requires_grad=True)
    found = CheapDropout(rate)(values)
    kept = found != 0
    assert (~kept).float().mean().item() == pytest.approx(rate, abs=0.004)
    assert torch.allclose(found[kept], torch.tensor(1 / (1 - rate)))
    found.sum().backward()
    assert torch.equal(values.grad, found.detach())


def test_neighbours_and_calls_are_independent():
    torch.manual_seed(0)
    drop, values = CheapDropout(0.5), torch.ones(400_000)
    first, second = drop(values) > 0, drop(values) > 0
    assert (first == second).float().mean().item() == pytest.approx(0.5, abs=0.005)
    for distance in range(1, 9):  # eight bytes of one random number are four decisions
        same = (first[distance:] == first[:-distance]).float().mean().item()
        assert same == pytest.approx(0.5, abs=0.005)


def test_the_seed_decides():
    drop = CheapDropout(0.5)
    torch.manual_seed(3)
    first = drop(torch.ones(99))
    torch.manual_seed(3)
    assert torch.equal(first, drop(torch.ones(99)))


def test_nothing_is_dropped_in_evaluation_or_at_rate_zero_and_everything_at_one():
    values = torch.randn(5, 7)
    assert torch.equal(CheapDropout(0.5).eval()(values), values)
    assert torch.equal(CheapDropout(0.0)(values), values)
    assert (CheapDropout(1.0)(values) == 0).all()
    assert CheapDropout(0.5)(values.bfloat16()).dtype == torch.bfloat16
    assert CheapDropout(0.5)(values[:, ::2]).shape == (5, 4)
    assert CheapDropout(0.5)(torch.zeros(0, 4)).shape == (0, 4)

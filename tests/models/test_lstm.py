"""The hand-written LSTM and its dropout against torch's own."""

from __future__ import annotations

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence

from hf_bionerkd.models.lstm import BidirectionalLstm, CheapDropout, step_order

LENGTHS = [[3], [2, 5, 1], [4, 0, 4, 7, 0, 1], [1, 1, 1]]


def reference(lstm, inputs, lengths):
    """torch's LSTM over the sequences that have words."""
    sequences = [sequence for sequence in inputs.split(lengths) if len(sequence)]
    outputs, _ = lstm.lstm(pack_sequence(sequences, enforce_sorted=False))
    padded, sizes = torch.nn.utils.rnn.pad_packed_sequence(outputs)
    return torch.cat([padded[:size, row] for row, size in enumerate(sizes)])


@pytest.mark.parametrize("lengths", LENGTHS)
def test_outputs_and_gradients_are_those_of_torch(lengths):
    torch.manual_seed(0)
    lstm = BidirectionalLstm(4, 3).double()
    inputs = torch.randn(sum(lengths), 4, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(sum(lengths), 6, dtype=torch.float64)
    leaves = [inputs, *lstm.parameters()]
    ours, theirs = lstm(inputs, torch.tensor(lengths)), reference(lstm, inputs, lengths)
    assert torch.allclose(ours, theirs, atol=1e-12)
    own = torch.autograd.grad((ours * weights).sum(), leaves)
    other = torch.autograd.grad((theirs * weights).sum(), leaves)
    for a, b in zip(own, other, strict=True):
        assert torch.allclose(a, b, atol=1e-12)


def test_gradcheck():
    lstm = BidirectionalLstm(2, 2).double()
    inputs = torch.randn(6, 2, dtype=torch.float64, requires_grad=True)
    lengths = torch.tensor([2, 0, 3, 1])
    assert torch.autograd.gradcheck(lambda inputs, *_: lstm(inputs, lengths), (inputs, *lstm.parameters()))


def test_other_precisions_run_torchs_own_and_give_the_same():
    lstm = BidirectionalLstm(4, 3)
    inputs, lengths = torch.randn(11, 4), torch.tensor([4, 0, 6, 1])
    half = lstm.bfloat16()(inputs.bfloat16(), lengths)
    assert half.dtype == torch.bfloat16
    assert torch.allclose(half.float(), lstm.float()(inputs.bfloat16().float(), lengths), atol=0.02)


def test_no_words_at_all():
    lstm = BidirectionalLstm(4, 3)
    for lengths in ([], [0, 0]):
        assert lstm(torch.zeros(0, 4), torch.tensor(lengths, dtype=torch.long)).shape == (0, 6)


def test_inputs_that_need_no_gradient_get_none():
    lstm = BidirectionalLstm(4, 3)
    lstm(torch.randn(5, 4), torch.tensor([2, 3])).sum().backward()
    assert all(torch.isfinite(weight.grad).all() for weight in lstm.parameters())


def test_steps_visit_every_word_once_in_both_directions():
    lengths = torch.tensor([2, 0, 3, 3])
    forwards, backwards, active = step_order(lengths)
    assert active == [3, 3, 2]
    assert forwards.tolist() == [2, 5, 0, 3, 6, 1, 4, 7]
    assert backwards.tolist() == [4, 7, 1, 3, 6, 0, 2, 5]


@pytest.mark.gpu
def test_a_gpu_gives_the_same():
    lstm = BidirectionalLstm(4, 3)
    inputs, lengths = torch.randn(8, 4), torch.tensor([2, 0, 5, 1])
    here = lstm(inputs, lengths)
    there = lstm.cuda()(inputs.cuda(), lengths.cuda())
    assert torch.allclose(here, there.cpu(), atol=1e-5)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.75])
def test_dropout_rate_scale_and_gradient(rate):
    torch.manual_seed(0)
    values = torch.ones(1001, 333, requires_grad=True)
    dropped = CheapDropout(rate)(values)
    kept = dropped != 0
    assert (~kept).float().mean().item() == pytest.approx(rate, abs=0.004)
    assert torch.allclose(dropped[kept], torch.tensor(1 / (1 - rate)))
    dropped.sum().backward()
    assert torch.equal(values.grad, dropped.detach())


def test_dropout_neighbours_and_calls_are_independent():
    torch.manual_seed(0)
    drop, values = CheapDropout(0.5), torch.ones(400_000)
    first, second = drop(values) > 0, drop(values) > 0
    assert (first == second).float().mean().item() == pytest.approx(0.5, abs=0.005)
    for distance in range(1, 9):  # eight bytes of one random number are four decisions
        same = (first[distance:] == first[:-distance]).float().mean().item()
        assert same == pytest.approx(0.5, abs=0.005)


def test_dropout_the_seed_decides():
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

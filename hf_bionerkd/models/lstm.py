"""A bidirectional LSTM over sequences without padding, and its dropout, both written to be fast on a CPU.

`torch.nn.LSTM` over packed sequences spends most of its CPU time in the backward pass, where it adds up weight
gradients step by step. Here the gradient is written by hand: everything that does not depend on the step before
(input projections, derivatives of the gates, weight gradients) is one operation over all words, and every step takes
both directions at once. `torch.nn.Dropout` alone would cost a tenth of a training step.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.amp import custom_bwd, custom_fwd
from torch.autograd.function import once_differentiable
from torch.nn.utils.rnn import PackedSequence

_LOWEST = torch.iinfo(torch.int64).min
_HALF = 1 << 15  # half the values of sixteen bits


class CheapDropout(nn.Dropout):
    """A `torch.nn.Dropout` that draws sixteen random bits per value in place of a random float.

    The rate is exact to 1/65,536. Other devices than CPUs use torch's own.
    """

    def forward(self, values: Tensor) -> Tensor:
        """Zero some values and scale up the others, in training only."""
        if not self.training or self.p == 0 or self.p >= 1 or values.device.type != "cpu":
            return super().forward(values)
        # One draw of an int64 gives the bits of four values.
        count = values.numel()
        bits = torch.empty(-(-count // 4), dtype=torch.int64).random_(_LOWEST, None).view(torch.int16)[:count]
        kept = bits.view(values.shape) >= round(self.p * 2 * _HALF) - _HALF
        return values * (kept * (1 / (1 - self.p))).to(values.dtype)


class BidirectionalLstm(nn.Module):
    """A layer in both directions, with the weights of a `torch.nn.LSTM`, which runs on other devices than CPUs.

    Args:
        input_size (`int`): Width of the inputs.
        hidden_size (`int`): Width of each direction; outputs are twice as wide.

    Example:
        >>> BidirectionalLstm(4, 3)(torch.zeros(5, 4), torch.tensor([2, 3])).shape
        torch.Size([5, 6])

    Source: Hochreiter & Schmidhuber 1997; Graves & Schmidhuber 2005.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(input_size, hidden_size, bidirectional=True)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Run over sequences that lie end to end.

        Args:
            inputs (`Tensor`): `(words, input_size)`: the words of the first sequence, those of the second, and so on.
            lengths (`Tensor`): `(sequences,)`, the number of words of each sequence; may be zero.

        Returns:
            `(words, 2 * hidden_size)`.
        """
        width = 2 * self.lstm.hidden_size
        if not len(inputs):
            return inputs.new_zeros(0, width)
        forwards, backwards, active = step_order(lengths)
        if inputs.device.type == "cpu" and inputs.dtype in (torch.float32, torch.float64):
            return _Lstm.apply(inputs, forwards, backwards, active, *self._weights())
        # A packed sequence lies in step order, and so do its outputs: `argsort` inverts the order.
        packed = PackedSequence(inputs.index_select(0, forwards), torch.tensor(active))
        outputs = self.lstm(packed)[0].data
        return outputs.index_select(0, forwards.argsort())

    def _weights(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return input weights, recurrent weights and biases, each stacked for both directions."""
        own = self.lstm
        return (
            torch.stack([own.weight_ih_l0, own.weight_ih_l0_reverse]),
            torch.stack([own.weight_hh_l0, own.weight_hh_l0_reverse]),
            torch.stack([own.bias_ih_l0 + own.bias_hh_l0, own.bias_ih_l0_reverse + own.bias_hh_l0_reverse]),
        )


def step_order(lengths: Tensor) -> tuple[Tensor, Tensor, list[int]]:
    """Return the order in which an LSTM visits words that lie end to end: step by step, longest sequences first.

    Args:
        lengths (`Tensor`): `(sequences,)`, the number of words of each sequence.

    Returns:
        The words' indices in the order of the forward direction, and in that of the backward direction; and the
        number of sequences still running at each step.

    Example:
        >>> [part.tolist() for part in step_order(torch.tensor([1, 2]))[:2]]
        [[1, 0, 2], [2, 0, 1]]
    """
    order = lengths.argsort(descending=True, stable=True)
    sizes = lengths[order]
    first = (lengths.cumsum(0) - lengths)[order]
    steps = torch.arange(int(sizes[0]), device=lengths.device)[:, None]
    running = steps < sizes
    return (first + steps)[running], (first + sizes - 1 - steps)[running], running.sum(1).tolist()


class _Lstm(torch.autograd.Function):
    """The two directions side by side: tensors `(direction, words in step order, …)`, left alone by autocast."""

    @staticmethod
    @custom_fwd(device_type="cpu", cast_inputs=torch.float32)
    def forward(
        ctx: Any,
        inputs: Tensor,
        forwards: Tensor,
        backwards: Tensor,
        active: list[int],
        input_weights: Tensor,
        hidden_weights: Tensor,
        bias: Tensor,
    ) -> Tensor:
        size = hidden_weights.shape[2]
        # Project the inputs of all steps at once; the steps below only add what the hidden states contribute.
        ordered = torch.stack([inputs.index_select(0, forwards), inputs.index_select(0, backwards)])
        gates = torch.baddbmm(bias[:, None], ordered, input_weights.transpose(1, 2))
        cells = inputs.new_empty(2, len(inputs), size)
        squashed, hidden = torch.empty_like(cells), torch.empty_like(cells)
        start, before = 0, slice(0, 0)
        for step, count in enumerate(active):
            # Sequences are sorted by length, so those still running are the first `count` of the step before.
            now = slice(start, start + count)
            gate = gates[:, now]
            if step:
                gate.baddbmm_(hidden[:, before][:, :count], hidden_weights.transpose(1, 2))
            # The gates in the order of `torch.nn.LSTM`: input, forget, candidate, output.
            gate[..., : 2 * size].sigmoid_()
            gate[..., 2 * size : 3 * size].tanh_()
            gate[..., 3 * size :].sigmoid_()
            enter, forget, candidate, leave = gate.split(size, 2)
            cell = torch.mul(enter, candidate, out=cells[:, now])
            if step:
                cell.addcmul_(forget, cells[:, before][:, :count])
            torch.mul(leave, torch.tanh(cell, out=squashed[:, now]), out=hidden[:, now])
            before, start = now, start + count
        ctx.active = active
        ctx.save_for_backward(
            ordered, forwards, backwards, input_weights, hidden_weights, gates, cells, squashed, hidden
        )
        # Back from step order to the order of the words.
        outputs = inputs.new_empty(len(inputs), 2 * size)
        outputs[:, :size].index_copy_(0, forwards, hidden[0])
        outputs[:, size:].index_copy_(0, backwards, hidden[1])
        return outputs

    @staticmethod
    @once_differentiable
    @custom_bwd(device_type="cpu")
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        ordered, forwards, backwards, input_weights, hidden_weights, gates, cells, squashed, hidden = ctx.saved_tensors
        size = hidden.shape[2]
        enter, forget, candidate, leave = gates.split(size, 2)
        back = _steps_back(ctx.active, grad.device)

        def of_step_before(values: Tensor) -> Tensor:
            first = values.new_zeros(2, ctx.active[0], size)
            return torch.cat([first, values.index_select(1, back)], 1)

        # Derivatives that do not depend on the incoming gradient: of the gates by their inputs, and of the outputs by
        # the cells. The gradient that comes back through time is multiplied in step by step.
        local = torch.empty_like(gates)
        enters, forgets, candidates, leaves = local.split(size, 2)
        torch.mul(enter, 1 - enter, out=enters).mul_(candidate)
        torch.mul(forget, 1 - forget, out=forgets).mul_(of_step_before(cells))
        torch.mul(enter, 1 - candidate.square(), out=candidates)
        torch.mul(leave, 1 - leave, out=leaves).mul_(squashed)
        into_cells = (1 - squashed.square()).mul_(leave)
        into_hidden = torch.stack(
            [grad[:, :size].index_select(0, forwards), grad[:, size:].index_select(0, backwards)]
        )
        through_cells = local.unflatten(2, (4, size))[:, :, :3]
        # Walk the steps backward; `carried` is the gradient that the cells of the later step hand on.
        end, carried = len(ordered[0]), into_cells[:, :0]
        for step in range(len(ctx.active) - 1, -1, -1):
            count = ctx.active[step]
            start = end - count
            now = slice(start, end)
            cell_grad = into_cells[:, now].mul_(into_hidden[:, now])
            cell_grad[:, : carried.shape[1]] += carried
            leaves[:, now].mul_(into_hidden[:, now])
            through_cells[:, now].mul_(cell_grad[:, :, None])
            if step:
                earlier = start - ctx.active[step - 1]
                into_hidden[:, earlier : earlier + count].baddbmm_(local[:, now], hidden_weights)
                carried = cell_grad * forget[:, now]
            end = start

        # Gradients of inputs and weights, each one multiplication over all words.
        inputs = None
        if ctx.needs_input_grad[0]:
            both = torch.bmm(local, input_weights)
            inputs = torch.empty_like(both[0]).index_copy_(0, forwards, both[0]).index_add_(0, backwards, both[1])
        turned = local.transpose(1, 2)
        weights = torch.bmm(turned, ordered), torch.bmm(turned, of_step_before(hidden)), local.sum(1)
        return inputs, None, None, None, *weights


def _steps_back(active: list[int], device: torch.device) -> Tensor:
    """Return, for every word after the first step, the index in step order of the word before it in its sequence."""
    counts = torch.tensor(active, device=device)
    own = torch.arange(active[0], sum(active), device=device)
    return own - torch.repeat_interleave(counts[:-1], counts[1:])

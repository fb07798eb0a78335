"""Dropout that does not cost a tenth of a step on a processor."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_LOWEST = torch.iinfo(torch.int64).min
_HALF = 1 << 15


class CheapDropout(nn.Dropout):
    """`torch.nn.Dropout`, with sixteen random bits a value in place of a random float.

    The rate is exact to 1/65,536. Other devices use torch's own.
    """

    def forward(self, values: Tensor) -> Tensor:
        """Zero some values and scale up the others, in training."""
        if not self.training or self.p == 0 or self.p >= 1 or values.device.type != "cpu":
            return super().forward(values)
        count = values.numel()
        bits = torch.empty(-(-count // 4), dtype=torch.int64).random_(_LOWEST, None).view(torch.int16)[:count]
        kept = bits.view(values.shape) >= round(self.p * 2 * _HALF) - _HALF
        return values * (kept * (1 / (1 - self.p))).to(values.dtype)

"""Masked layers: output i depends on inputs before i only.

Germain et al. (2015), arXiv:1502.03509, Section 3.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MaskedLinear(nn.Linear):
    """A linear layer whose weight is multiplied by a fixed 0/1 mask (outputs, inputs)."""

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask.to(self.weight.dtype))

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs) -> (n, outputs)."""
        return F.linear(x, self.weight * self.mask, self.bias)


class MADE(nn.Module):
    """x (n, d), and a context (n, c) that every unit sees -> (n, outputs, d), column i a function of x_1 .. x_{i-1}.

    Args:
        size: d.
        context: c, 0 for none.
        hidden: units in each of the two hidden layers.
        outputs: numbers for each coordinate.
    """

    def __init__(self, size: int, hidden: int, outputs: int, context: int = 0) -> None:
        super().__init__()
        self.outputs = outputs
        before = torch.arange(1, size + 1)
        # A unit of degree m sees x_1 .. x_m; with a context there are some of degree 0, or output 1 would not see it.
        unit = torch.arange(hidden) % (size if context else max(size - 1, 1)) + (0 if context else 1)
        self.first = MaskedLinear(unit[:, None] >= before)
        self.context = nn.Linear(context, hidden, bias=False) if context else None
        self.second = MaskedLinear(unit[:, None] >= unit)
        self.last = MaskedLinear((before[:, None] > unit).repeat(outputs, 1))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """(n, outputs, d)."""
        h = self.first(x)
        if self.context is not None and context is not None:
            h = h + self.context(context)
        return self.last(F.elu(self.second(F.elu(h)))).unflatten(1, (self.outputs, -1))

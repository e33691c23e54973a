"""Masked layers: output i depends on inputs before i only.

Germain et al. (2015), arXiv:1502.03509, Section 3.
"""

from collections.abc import Callable

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
        least = 0 if context else 1
        unit = least + torch.arange(hidden) * max(size - least, 1) // hidden
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

    def unroll(self, n: int, settle: Callable[[Tensor, slice], Tensor]) -> Tensor:
        """The rows x (n, d) that outputs decide, each from those before it, without a context.

        Sums of all units are carried along, so that no weight is used twice: the work is that of one pass, in as many
        steps as the units have degrees.

        Args:
            n: rows.
            settle: outputs (n, outputs, k) for the coordinates of a slice, to these coordinates (n, k).
        """
        size, degrees = self.first.in_features, self.first.mask.sum(1).long()
        order, count = degrees.argsort(stable=True), degrees.bincount(minlength=size + 1).cumsum(0).tolist()
        W, V, U = (layer.weight * layer.mask for layer in (self.first, self.second, self.last))
        W, V, U = W[order], V[order][:, order], U[:, order]
        a, b, y = (c.expand(n, -1) for c in (self.first.bias[order], self.second.bias[order], self.last.bias))
        parts: list[Tensor] = []
        known = 0
        for m in [*(m for m in range(1, size) if count[m] > count[m - 1]), size]:
            if known:
                a = torch.addmm(a, parts[-1], W[:, known - parts[-1].shape[1] : known].T)
                units = slice(count[known - 1], count[known])
                b = torch.addmm(b, F.elu(a[:, units]), V[:, units].T)
                y = torch.addmm(y, F.elu(b[:, units]), U[:, units].T)
            parts.append(settle(y.unflatten(1, (self.outputs, -1))[:, :, known:m], slice(known, m)))
            known = m
        return torch.cat(parts, 1)

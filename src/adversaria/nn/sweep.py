"""A hidden layer that grows input by input, with its gradient."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function


class Sweep(Function):
    """y_i = b_i + V_i sigmoid(a_i),   a_1 = c,   a_{i+1} = a_i + W_i x_i,   for all i in one sweep over them.

    Larochelle and Murray (2011), Algorithm 1: d steps of n H numbers each, which stay in the cache, where a cumulative
    sum writes n d H of them several times.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, W: Tensor, V: Tensor, b: Tensor, c: Tensor) -> Tensor:
        """x (n, d, k), W (d, k, H), V (d, outputs, H), b (d, outputs), c (H,) -> y (n, d, outputs)."""
        n, d, _ = x.shape
        h = torch.empty(d, n, len(c), dtype=W.dtype, device=x.device)
        a = c.expand(n, -1)
        for i in range(d):
            torch.sigmoid(a, out=h[i])
            a = torch.addmm(a, x[:, i], W[i])
        ctx.save_for_backward(x, W, V, h)
        return torch.baddbmm(b[:, None], h, V.mT).transpose(0, 1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of the five arguments; G is that of a, summed over the rows after i."""
        x, W, V, h = ctx.saved_tensors
        gy = grads[0].transpose(0, 1)
        gW, gx = torch.empty_like(W), torch.empty_like(x) if ctx.needs_input_grad[0] else None
        G = torch.zeros_like(h[0])
        for i in reversed(range(len(W))):
            torch.mm(x[:, i].T, G, out=gW[i])
            if gx is not None:
                gx[:, i] = G @ W[i].T
            G.add_((gy[i] @ V[i]).mul_(h[i]).mul_(1 - h[i]))
        return gx, gW, gy.mT @ h, gy.sum(1), G.sum(0)

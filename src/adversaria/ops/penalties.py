"""Penalties on a critic's input gradient."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor


def gradient_penalty(
    f: Callable[[Tensor], Tensor], x: Float[Tensor, "n *event"], y: Float[Tensor, "n *event"]
) -> Float[Tensor, ""]:
    """Mean squared deviation from 1 of the critic's slope on segments between `x` and `y`.

        E (||grad f(u x + (1 - u) y)||_2 - 1)^2,   u ~ U[0, 1] per example

    The norm is over the event, not the batch; one `u` serves all numbers of an example. The slope at a point where
    the gradient vanishes has the subgradient 0.

    Args:
        f: from examples (n, *event) to scores (n,) or (n, 1).
        x: examples, such as real ones.
        y: as many others, such as generated ones.

    Raises:
        ValueError: where `f` returns anything but one score per example.

    Gulrajani et al. (2017), arXiv:1704.00028, Eq. 3.

    >>> f = torch.nn.Linear(2, 1); _ = f.weight.data.copy_(torch.tensor([[3.0, 4.0]]))
    >>> gradient_penalty(f, torch.randn(8, 2), torch.randn(8, 2)).item()
    16.0
    """
    u = torch.rand(len(x), *[1] * (x.ndim - 1), dtype=x.dtype, device=x.device)
    between = torch.lerp(y.detach(), x.detach(), u).requires_grad_()
    scores = f(between)
    if scores.shape not in ((len(x),), (len(x), 1)):
        raise ValueError(
            f"critic returned shape {tuple(scores.shape)}; expected ({len(x)},) or ({len(x)}, 1): one score per sample"
        )
    (slope,) = torch.autograd.grad(scores.sum(), between, create_graph=True)
    return (slope.flatten(1).norm(dim=1) - 1).square().mean()

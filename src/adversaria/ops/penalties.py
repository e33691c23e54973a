"""Penalties on a critic's input gradient, and the clipping of weights that they took the place of.

A critic takes one tensor of examples or several, f(x) or f(x, z); the slope at an example is the Euclidean norm of the
gradient in everything that belongs to it. Slopes are taken in float32 (float64 where the examples are) and never under
autocast: a gradient of a gradient in 8 bits is noise. The penalty's own backward pass belongs outside autocast too.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from adversaria.errors import UserError

Examples = Float[Tensor, "n ..."] | tuple[Float[Tensor, "n ..."], ...]
Critic = Callable[..., Tensor]


def widened(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """`x` in float32, or float64 where it is already."""
    return x if x.dtype == torch.float64 else x.float()


def _tensors(x: Examples) -> tuple[Tensor, ...]:
    """Free copies of the examples: a penalty is the critic's alone."""
    return tuple(widened(t.detach()) for t in (x if isinstance(x, tuple) else (x,)))


def _gradients(f: Critic, points: tuple[Tensor, ...]) -> Tensor:
    """Rows (n, k): the gradient of each example's score in all of its numbers."""
    n, graph = len(points[0]), torch.is_grad_enabled()
    with torch.enable_grad(), torch.autocast(points[0].device.type, enabled=False):
        points = tuple(p.requires_grad_() for p in points)
        scores = f(*points)
        if scores.shape not in ((n,), (n, 1)):
            raise UserError(
                f"critic returned shape {tuple(scores.shape)}; expected ({n},) or ({n}, 1): one score per sample"
            )
        found: tuple[Tensor | None, ...] = (None,)
        if scores.requires_grad:
            found = torch.autograd.grad(scores.sum(), points, create_graph=graph, allow_unused=True)
    if all(g is None for g in found):
        raise UserError(
            "critic's scores don't depend on its examples; a slope needs a path: no detach, no no_grad in it"
        )
    rows = [torch.zeros_like(p) if g is None else g for p, g in zip(points, found, strict=True)]
    return torch.cat([row.flatten(1) for row in rows], 1)


def _deviation(slopes: Tensor, centre: float, one_sided: bool) -> Tensor:
    excess = slopes - centre
    return (F.relu(excess) if one_sided else excess).square().mean()


def gradient_penalty(
    f: Critic, x: Examples, y: Examples, *, centre: float = 1.0, one_sided: bool = False
) -> Float[Tensor, ""]:
    """Mean squared deviation from `centre` of the critic's slope on segments between `x` and `y`.

        E (||grad f(u x + (1 - u) y)||_2 - c)^2,   u ~ U[0, 1] per example

    The norm is over the event, not the batch; one `u` serves all numbers of an example. The slope at a point where
    the gradient vanishes has the subgradient 0.

    Args:
        f: from examples to scores (n,) or (n, 1).
        x: examples (n, *event), such as real ones; or a tuple, for a critic of several tensors.
        y: as many others, such as generated ones.
        centre: c; 0 for the zero-centred penalty of Thanh-Tung et al. (2019), arXiv:1902.03984.
        one_sided: penalise slopes above c only, max(0, slope - c)^2; Gulrajani et al., Section 4.

    Raises:
        UserError: where `f` returns anything but one score per example, or `x` and `y` differ in shape.

    Gulrajani et al. (2017), arXiv:1704.00028, Eq. 3.

    >>> f = torch.nn.Linear(2, 1); _ = f.weight.data.copy_(torch.tensor([[3.0, 4.0]]))
    >>> gradient_penalty(f, torch.randn(8, 2), torch.randn(8, 2)).item()
    16.0
    """
    ends, starts = _tensors(x), _tensors(y)
    if [t.shape for t in ends] != [t.shape for t in starts]:
        shapes = " and ".join(str([tuple(t.shape) for t in side]) for side in (ends, starts))
        raise UserError(f"segments join examples of shapes {shapes}; each needs a partner of its own shape")
    u = torch.rand(len(ends[0]), dtype=ends[0].dtype, device=ends[0].device)
    shares = [u.to(t.dtype).view(-1, *[1] * (t.ndim - 1)) for t in ends]
    between = tuple(torch.lerp(a, b, share) for a, b, share in zip(starts, ends, shares, strict=True))
    return _deviation(_gradients(f, between).norm(dim=1), centre, one_sided)


def squared_slope(f: Critic, x: Examples) -> Float[Tensor, ""]:
    """E ||grad f(x)||_2^2: R1 on data, R2 on samples, each with the weight gamma / 2.

    Args:
        f: from examples to scores (n,) or (n, 1).
        x: examples (n, *event), or a tuple, for a critic of several tensors.

    Raises:
        UserError: where `f` returns anything but one score per example.

    Mescheder et al. (2018), arXiv:1801.04406, Eqs. 9 and 10.

    >>> f = torch.nn.Linear(2, 1); _ = f.weight.data.copy_(torch.tensor([[3.0, 4.0]]))
    >>> squared_slope(f, torch.randn(8, 2)).item()
    25.0
    """
    return _gradients(f, _tensors(x)).square().sum(1).mean()


def dragan_penalty(f: Critic, x: Examples, *, spread: float = 0.5) -> Float[Tensor, ""]:
    """Mean squared deviation from 1 of the critic's slope around data.

        E (||grad f(x + s sd(x) e)||_2 - 1)^2,   e ~ N(0, I)

    with sd(x) the standard deviation of all numbers in the batch (of each tensor, where there are several), so that
    `spread` means the same on any data; the paper's noise is N(0, c I) with c a constant.

    Args:
        f: from examples to scores (n,) or (n, 1).
        x: real examples (n, *event), or a tuple, for a critic of several tensors.
        spread: s; 0 for the data themselves.

    Raises:
        UserError: where `f` returns anything but one score per example.

    Kodali et al. (2017), arXiv:1705.07215.
    """
    around = tuple(t + spread * t.std(correction=0) * torch.randn_like(t) for t in _tensors(x))
    return _deviation(_gradients(f, around).norm(dim=1), 1.0, one_sided=False)


@torch.no_grad()
def clip_weights(network: nn.Module, c: float) -> None:
    """Every parameter of the network, in place, to the nearest number in [-c, c].

    Raises:
        UserError: where `c` isn't above 0.

    Arjovsky et al. (2017), arXiv:1701.07875, Algorithm 1.

    >>> f = torch.nn.Linear(2, 1); _ = f.weight.data.copy_(torch.tensor([[3.0, -0.005]]))
    >>> clip_weights(f, 0.01); f.weight.tolist()
    [[0.009999999776482582, -0.004999999888241291]]
    """
    if not c > 0:
        raise UserError(f"weights are clipped to [-c, c] with c = {c}; give a c above 0, such as 0.01")
    for p in network.parameters():
        p.clamp_(-c, c)

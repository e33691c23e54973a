"""The noise behind what is drawn: the density of a function of it is known by the function's derivative."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from adversaria.game.game import seeded

Drawn = tuple[Tensor, Tensor]
"""Rows (n, d), and what is told of their log density (n,)."""
NORMAL = (torch.randn, torch.randn_like)
UNIFORM = (torch.rand, torch.rand_like)


class Noise(TorchFunctionMode):
    """Inside it normal and uniform noise is kept as it is drawn, as leaves of the graph, or kept noise comes again."""

    def __init__(self, again: Sequence[Tensor] = ()) -> None:
        super().__init__()
        self.again, self.kept, self.normal = iter(again), list[Tensor](), list[bool]()

    def __torch_function__(self, function, types, args=(), kwargs=None):
        """What the function answers, or noise."""
        drawn = function(*args, **(kwargs or {}))
        if function not in NORMAL + UNIFORM:
            return drawn
        drawn = next(self.again, drawn)
        self.kept.append(drawn.requires_grad_())
        self.normal.append(function in NORMAL)
        return drawn

    def log_prob(self) -> Tensor:
        """Of all that is kept, (n,)."""
        each = [
            -0.5 * (e.square() + math.log(2 * math.pi)) * normal
            for e, normal in zip(self.kept, self.normal, strict=True)
        ]
        return torch.cat([one.flatten(1) for one in each], 1).sum(1)


def by_noise(draw: Callable[[int], Drawn]) -> float | None:
    """The largest gap of 64 log densities from log q(z) = log p(e) - log |det dz/de|, by automatic derivatives.

    None where rows aren't a differentiable function of as many numbers from torch.randn or torch.rand and nothing else.
    The function is taken to be one to one.
    """
    with seeded(0), Noise() as noise:
        z, log_q = draw(64)
    if not z.requires_grad or sum(e.numel() for e in noise.kept) != z.numel() or {len(e) for e in noise.kept} != {64}:
        return None
    due = noise.log_prob() - log_det(z, noise.kept)
    with seeded(1), Noise(noise.kept), torch.no_grad():
        again = draw(64)[0]
    if not (torch.equal(again, z) and bool(due.isfinite().all())):
        return None
    return float((log_q - due).detach().abs().max())


def log_det(z: Tensor, inputs: Sequence[Tensor]) -> Tensor:
    """log |det| (n,) of the derivative of rows z (n, d) by the inputs (n, ...), d numbers for each row."""
    rows = []
    for column in z.unbind(1):
        of = torch.autograd.grad(column.sum(), inputs, retain_graph=True, allow_unused=True, materialize_grads=True)
        rows.append(torch.cat([part.flatten(1) for part in of], 1))
    return torch.linalg.slogdet(torch.stack(rows, 1)).logabsdet

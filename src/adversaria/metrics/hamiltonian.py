"""Hamiltonian Monte Carlo along a path from a standard normal to a posterior, for a batch of chains at once."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from adversaria.distributions import log_normal

LARGEST, SMALLEST = 1.5, 1e-6
"""Limits of a step; leapfrog on a standard normal is unstable from 2 on."""


class Point(NamedTuple):
    """Where each of b chains is, with what the path needs there."""

    u: Float[Tensor, "b k"]
    target: Float[Tensor, " b"]
    """log f_1(u), float64."""
    slope: Float[Tensor, "b k"]
    """Gradient of it."""

    def where(self, take: Tensor, other: "Point") -> "Point":
        """`other` in the chains that take it."""
        column = take[:, None]
        return Point(torch.where(column, other.u, self.u), torch.where(take, other.target, self.target),
                     torch.where(column, other.slope, self.slope))  # fmt: skip


class Path:
    """Densities between N(0, I) and a target.

    It goes by the logarithms of both:

        log f_beta(u) = (1 - beta) log N(u; 0, I) + beta log f_1(u)
    """

    def __init__(self, target: Callable[[Tensor], Tensor]) -> None:
        self._target = target

    def at(self, u: Float[Tensor, "b k"]) -> Point:
        """The target and its gradient there; no gradient reaches anything else."""
        with torch.enable_grad():
            u = u.detach().requires_grad_()
            value = self._target(u)
            (slope,) = torch.autograd.grad(value.sum(), u)
        return Point(u.detach(), value.detach().double(), slope)

    @staticmethod
    def base(u: Float[Tensor, "b k"]) -> Float[Tensor, " b"]:
        """log N(u; 0, I) in float64."""
        return log_normal(u.double())

    def rise(self, point: Point) -> Float[Tensor, " b"]:
        """d log f_beta / d beta, the same at every beta."""
        return point.target - self.base(point.u)

    def energy(self, point: Point, beta: float, momentum: Float[Tensor, "b k"]) -> Float[Tensor, " b"]:
        """-log f_beta(u) plus the kinetic energy."""
        log_f = (1 - beta) * self.base(point.u) + beta * point.target
        return 0.5 * momentum.double().square().sum(1) - log_f

    def move(
        self, point: Point, beta: float, step: Float[Tensor, " b"], leapfrog: int, generator: torch.Generator
    ) -> tuple[Point, Float[Tensor, " b"]]:
        """One Metropolis-corrected trajectory that leaves f_beta as it is, and the chance each had to be accepted.

        A step is shortened or lengthened by up to a fifth, drawn afresh for each chain and trajectory and without
        regard to where it is: on a normal a fixed trajectory length can be a whole period. Trajectories to where the
        density isn't finite are rejected.

        Neal (2011), arXiv:1206.1901, Section 5.3.2 for the algorithm, 5.4.2.2 for the random step.
        """
        u = point.u
        drawn = torch.rand(2, len(u), generator=generator, device=u.device, dtype=torch.float64)
        momentum = torch.randn(u.shape, generator=generator, device=u.device, dtype=u.dtype)
        size = (step * (0.8 + 0.4 * drawn[0])).to(u)[:, None]
        before, end, p = self.energy(point, beta, momentum), point, momentum
        p = p + 0.5 * size * self._force(end, beta)
        for i in range(leapfrog):
            end = self.at(end.u + size * p)
            p = p + (size if i < leapfrog - 1 else 0.5 * size) * self._force(end, beta)
        chance = torch.exp((before - self.energy(end, beta, p)).clamp(max=0.0)).nan_to_num(nan=0.0)
        return point.where(drawn[1] < chance, end), chance

    @staticmethod
    def _force(point: Point, beta: float) -> Tensor:
        return beta * point.slope - (1 - beta) * point.u

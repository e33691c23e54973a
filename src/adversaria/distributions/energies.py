"""Four energies in the plane, whose densities exp(-U) / Z have two wells, or lie along waves."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from adversaria.errors import UserError


def energy(i: int, z: Float[Tensor, "n 2"]) -> Float[Tensor, " n"]:
    """U_i of points, i from 1 to 4.

    The last three are strips without end; here a soft wall beyond |z_1| = 4 closes them, so that exp(-U) has a finite
    integral. Rezende and Mohamed (2015), arXiv:1505.05770, Table 1.

    Raises:
        UserError: for another i.
    """
    if i not in (1, 2, 3, 4):
        raise UserError(f"energy {i} asked for; there are 1, 2, 3 and 4")
    x, y = z.T

    def wells(*off: Tensor) -> Tensor:
        return -torch.stack([-0.5 * part.square() for part in off]).logsumexp(0)

    if i == 1:
        return 0.5 * ((z.norm(dim=1) - 2) / 0.4).square() + wells((x - 2) / 0.6, (x + 2) / 0.6)
    wave, wall = torch.sin(math.pi * x / 2), 0.5 * ((x.abs() - 4).clamp_min(0) / 0.3).square()
    bump, step = 3 * torch.exp(-0.5 * ((x - 1) / 0.6).square()), 3 * torch.sigmoid((x - 1) / 0.3)
    if i == 2:
        return wells((y - wave) / 0.4) + wall
    if i == 3:
        return wells((y - wave) / 0.35, (y - wave + bump) / 0.35) + wall
    return wells((y - wave) / 0.4, (y - wave + step) / 0.35) + wall

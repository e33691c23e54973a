"""Rational-quadratic splines as an invertible layer; Durkan et al. (2019), arXiv:1906.04032."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adversaria.nn.flows import Flow
from adversaria.ops import flows


class Splines(Flow):
    """Rational-quadratic splines on [-edge, edge], the identity beyond, for the coordinates where `mask` is 0.

    Durkan et al. (2019), arXiv:1906.04032, Section 3.

    Args:
        mask: (d,), 1 for the coordinates that say how.
        read: a network (n, d) -> (n, d (3 bins - 1)).
        bins: of each spline.
        edge: beyond it nothing changes.
    """

    mask: Tensor

    def __init__(self, mask: Tensor, read: nn.Module, bins: int, edge: float = 4.0) -> None:
        super().__init__()
        self.read, self.bins, self.edge = read, bins, edge
        self.register_buffer("mask", mask)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Through the splines."""
        z, log_slope = self._through(x, inverse=False)
        return z, log_slope.sum(1)

    def inverse(self, z: Tensor) -> Tensor:
        """Back through them."""
        return self._through(z, inverse=True)[0]

    def _through(self, x: Tensor, inverse: bool) -> tuple[Tensor, Tensor]:
        raw = self.read(x * self.mask).unflatten(1, (x.shape[1], -1))
        y, log_slope = spline(x, raw, self.bins, self.edge, inverse)
        moves = (self.mask == 0) & (x.abs() < self.edge)
        return torch.where(moves, y, x), torch.where(moves, log_slope, 0.0)


LEAST = 1e-3
"""Width and height of a bin over the whole, and slope at a knot, at least."""


def spline(x: Tensor, raw: Tensor, bins: int, edge: float, inverse: bool) -> tuple[Tensor, Tensor]:
    """`rational_quadratic` on [-edge, edge] by unconstrained numbers (n, d, 3 bins - 1), the identity where all are 0.

    Slopes at the ends are 1, so that the map goes on smoothly as the identity.
    """
    widths, heights = (
        2 * edge * (LEAST + (1 - LEAST * bins) * part.softmax(-1)) for part in raw[..., : 2 * bins].split(bins, -1)
    )
    slopes = LEAST + F.softplus(raw[..., 2 * bins :] + math.log(math.expm1(1 - LEAST)))
    slopes = F.pad(slopes, (1, 1), value=1.0)
    inside = x.clamp(-edge, edge) + edge
    y, log_slope = flows.rational_quadratic(inside, widths, heights, slopes, inverse)
    return y - edge, log_slope

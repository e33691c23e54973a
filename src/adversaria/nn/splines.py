"""Rational-quadratic splines as an invertible layer; Durkan et al. (2019), arXiv:1906.04032."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adversaria.distributions.precision import full
from adversaria.nn.flows import Flow
from adversaria.ops import flows


class Splines(Flow):
    """Rational-quadratic splines on [-edge, edge], the identity beyond, for the coordinates where `mask` is 0.

    Durkan et al. (2019), arXiv:1906.04032, Section 3.

    Args:
        mask: (d,), 1 for the coordinates that say how.
        read: a network (n, d) -> (n, m (3 bins - 1)) for the m others.
        bins: of each spline.
        edge: beyond it nothing changes.
    """

    mask: Tensor
    moved: Tensor

    def __init__(self, mask: Tensor, read: nn.Module, bins: int, edge: float = 4.0) -> None:
        super().__init__()
        self.read, self.bins, self.edge = read, bins, edge
        self.register_buffer("mask", mask)
        self.register_buffer("moved", (mask == 0).nonzero()[:, 0], persistent=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Through the splines."""
        z, log_slope = self._through(x, inverse=False)
        return z, log_slope.sum(1)

    def inverse(self, z: Tensor) -> Tensor:
        """Back through them."""
        return self._through(z, inverse=True)[0]

    def _through(self, x: Tensor, inverse: bool) -> tuple[Tensor, Tensor]:
        x = full(x)
        raw, part = full(self.read(x * self.mask)).unflatten(1, (len(self.moved), -1)), x[:, self.moved]
        y, log_slope = spline(part, raw, self.bins, self.edge, inverse)
        inside = part.abs() < self.edge
        return x.index_copy(1, self.moved, torch.where(inside, y, part)), torch.where(inside, log_slope, 0.0)


LEAST = 1e-3
"""Width and height of a bin over the whole, and slope at a knot, at least."""


def spline(x: Tensor, raw: Tensor, bins: int, edge: float, inverse: bool) -> tuple[Tensor, Tensor]:
    """`rational_quadratic` on [-edge, edge] by unconstrained numbers (n, d, 3 bins - 1), the identity where all are 0.

    Slopes at the ends are 1, so that the map goes on smoothly as the identity.
    """
    inside = x.clamp(-edge, edge) + edge
    y, log_slope = flows.rational_quadratic(inside, *bins_of(raw, bins, edge), inverse)
    return y - edge, log_slope


def bins_of(raw: Tensor, bins: int, edge: float) -> tuple[Tensor, Tensor, Tensor]:
    """Widths and heights (*, bins), which add up to 2 edge, and slopes (*, bins + 1) of unconstrained numbers.

    In memory the bins lie outermost: a softmax over eight neighbours takes five times as long on a CPU.
    """
    raw = raw.movedim(-1, 0).contiguous()
    shares = raw[: 2 * bins].unflatten(0, (2, bins)).softmax(1)
    widths, heights = (2 * edge * (LEAST + (1 - LEAST * bins) * shares)).movedim(1, -1)
    slopes = LEAST + F.softplus(raw[2 * bins :] + math.log(math.expm1(1 - LEAST)))
    ends = torch.ones_like(raw[:1])
    return widths, heights, torch.cat([ends, slopes, ends]).movedim(0, -1)

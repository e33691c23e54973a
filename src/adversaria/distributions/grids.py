"""Points and weights for integrals: Gauss and Legendre's, in panels, on a line or a rectangle."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from adversaria.errors import UserError, at_least

ORDER = 16
"""Points in a panel: polynomials up to degree 31 are integrated exactly."""


@dataclass(frozen=True)
class Grid:
    """Points of an integral, and what each counts: integral of f over the box = sum of weights f(points)."""

    points: Float[Tensor, "n d"]
    weights: Float[Tensor, " n"]

    def integral(self, f: Callable[[Tensor], Tensor]) -> Float[Tensor, ""]:
        """Of f: points (n, d) -> (n,), over the box.

        >>> round(line(0.0, 1.0, 1).integral(lambda x: x[:, 0].exp()).item(), 12)
        1.718281828459
        """
        return (self.weights * f(self.points)).sum()


def line(low: float, high: float, panels: int = 64, breaks: tuple[float, ...] = ()) -> Grid:
    """Grid of [low, high], float64, in so many panels of 16 points each between neighbouring breaks.

    Args:
        low: lower end.
        high: upper end.
        panels: in each part; f should look like a polynomial of degree 31 in each.
        breaks: points inside, in any order, where f or a slope of it jumps.

    Raises:
        UserError: where the ends are not finite and in order, or a break is outside of them.
    """
    at_least("panels", panels, 1)
    ends = [low, *sorted(breaks), high]
    if not (np.isfinite(ends).all() and low < high and low <= min(ends) and max(ends) <= high):
        raise UserError(f"the line from {low:g} to {high:g} with breaks at {breaks} isn't one; give low < high, finite")
    edges = np.concatenate([np.linspace(a, b, panels + 1)[:-1] for a, b in pairwise(ends) if a < b])
    edges = np.append(edges, high)
    x, w = np.polynomial.legendre.leggauss(ORDER)
    half, middle = np.diff(edges)[:, None] / 2, (edges[1:] + edges[:-1])[:, None] / 2
    return Grid(torch.from_numpy((middle + half * x).reshape(-1, 1)), torch.from_numpy((half * w).ravel()))


def rectangle(*sides: tuple[float, float], panels: int = 16) -> Grid:
    """Grid of a product of lines [low, high], float64: (16 panels)^d points."""
    each = [line(low, high, panels) for low, high in sides]
    points = torch.cartesian_prod(*(grid.points[:, 0] for grid in each)).view(-1, len(sides))
    weights = torch.cartesian_prod(*(grid.weights for grid in each)).view(-1, len(sides)).prod(1)
    return Grid(points, weights)

"""Wasserstein distances between two samples: on a line, along random directions, and exact by assignment."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from adversaria.errors import UserError, at_least
from adversaria.metrics.checks import checked, facts
from adversaria.metrics.estimate import Estimate

CHUNK = 64
Array = np.ndarray[Any, Any]
PLUG_IN = "above 0 for two samples of one law, the more so the fewer; compare with its value between two real sets"


def sliced_wasserstein(
    *, real: Float[Tensor, "n d"], generated: Float[Tensor, "m d"], p: float = 1, directions: int = 256, seed: int = 0,
) -> Estimate:  # fmt: skip
    """Sliced Wasserstein distance, times sqrt(d).

        sqrt(d) (E_u W_p(u . x, u . y)^p)^(1/p),   u uniform on the sphere

    With the factor a shift by a vector v counts |v| in any d for p = 2, and about 0.8 |v| for p = 1; without it
    (`details["plain"]`) it is the usual one. The sizes may differ. Directions are drawn in orthonormal frames.

    The standard error is that of the mean of each example's influence, the Kantorovich potential averaged over
    directions. It is about these directions, which the seed fixes; how far they may be from all is
    `details["direction_error"]`, an upper limit since frames spread better than independent draws. The value is the
    distance of the samples themselves, larger than that of their laws: `details["corrected"]` is less the bias that
    halves of the samples show (most of it where the laws differ, less than half where they don't).

    Rabin et al. (2011); Bonneel et al. (2015), Section 3. Influence: del Barrio and Loubes (2019), arXiv:1705.01299.

    Raises:
        UserError: where the sets differ in width, have fewer than 4 rows, or hold what is not finite.
    """
    checked(4, real=real, generated=generated)
    at_least("p", p, 1)
    at_least("directions", directions, 1)
    d = real.shape[1]
    u = _directions(d, directions if d > 1 else 1, seed).to(real)
    costs, halves = [], []
    psi_x, psi_y = np.zeros(len(real)), np.zeros(len(generated))
    for some in u.split(CHUNK, dim=1):
        x, y = _lines(real, some), _lines(generated, some)
        cost, of_x, of_y = _on_lines(x, y, p)
        costs.append(cost)
        halves.append([_cost(np.sort(x[:, i::2]), np.sort(y[:, i::2]), p)[0] for i in (0, 1)])
        psi_x += of_x / u.shape[1]
        psi_y += of_y / u.shape[1]
    values = np.concatenate(costs)
    total = float(values.mean())
    spread = float(values.std(ddof=1)) / len(values) ** 0.5 if len(values) > 1 else 0.0
    found = _estimate("sliced Wasserstein", total, np.concatenate(halves, 1).mean(1), psi_x, psi_y, p, d**0.5)
    more = {"plain": total ** (1 / p), "direction_error": _slope(total, p) * d**0.5 * spread}
    protocol = facts(real=real, generated=generated) | {"p": p, "directions": directions, "direction_seed": seed}
    return replace(found, protocol=protocol | {"scale": "sqrt(d)"}, details={**found.details, **more})


def wasserstein_1d(*, real: Float[Tensor, " n"], generated: Float[Tensor, " m"], p: float = 1) -> Estimate:
    """Wasserstein-p distance of two samples of numbers, exact, of any sizes.

        (integral over q in (0, 1) of |F^-1(q) - G^-1(q)|^p)^(1/p)

    Raises:
        UserError: where a set isn't (n,), has fewer than 4 numbers, or holds what is not finite.
    """
    for name, z in (("real", real), ("generated", generated)):
        if z.ndim != 1:
            raise UserError(f"{name} has shape {tuple(z.shape)}; expected (n,): sliced_wasserstein takes rows")
    x, y = checked(4, real=real[:, None], generated=generated[:, None])
    at_least("p", p, 1)
    a, b = (z.detach().double().T.cpu().numpy() for z in (x, y))
    cost, psi_x, psi_y = _on_lines(a, b, p)
    halves = np.concatenate([_cost(np.sort(a[:, i::2]), np.sort(b[:, i::2]), p)[0] for i in (0, 1)])
    found = _estimate("Wasserstein on a line", float(cost[0]), halves, psi_x, psi_y, p)
    return found.under(**facts(real=real[:, None], generated=generated[:, None]), p=p)


def wasserstein(
    *, real: Float[Tensor, "n d"], generated: Float[Tensor, "m d"], p: float = 1, most: int = 2000, repeats: int = 5,
    seed: int = 0,
) -> Estimate:  # fmt: skip
    """Wasserstein-p distance between samples under the Euclidean distance, exact by assignment.

        (min over permutations s of mean_i |x_i - y_s(i)|^p)^(1/p)

    The mean over `repeats` disjoint pairs of subsamples, at most `most` rows each, and the standard error of that mean.
    One repeat measures the sets themselves (where they have at most `most` rows) and leaves the error unknown. The
    distance between two samples of one law falls only as size^(-1/d): the size is part of the protocol, and in more
    than a few dimensions the value says little without its null.

    Raises:
        UserError: where the sets differ in width, hold what is not finite, or have fewer than two rows a repeat.
    """
    at_least("repeats", repeats, 1)
    at_least("p", p, 1)
    at_least("most", most, 2)
    checked(2 * repeats, real=real, generated=generated)
    size = min(most, len(real) // repeats, len(generated) // repeats)
    generator = torch.Generator().manual_seed(seed)
    x = real[torch.randperm(len(real), generator=generator).to(real.device)].detach().double()
    y = generated[torch.randperm(len(generated), generator=generator).to(generated.device)].detach().double()
    values = []
    for i in range(repeats):
        part = slice(i * size, (i + 1) * size)
        cost = torch.cdist(x[part], y[part], compute_mode="donot_use_mm_for_euclid_dist").pow_(p).cpu().numpy()
        rows, columns = linear_sum_assignment(cost)
        values.append(float(cost[rows, columns].mean()) ** (1 / p))
    distances = torch.tensor(values, dtype=torch.float64)
    error = float(distances.std()) / repeats**0.5 if repeats > 1 else math.nan
    protocol = facts(real=real, generated=generated) | {"p": p, "size": size, "repeats": repeats, "seed": seed}
    return Estimate("Wasserstein", float(distances.mean()), error, size * repeats, protocol=protocol, bias=PLUG_IN,
                    details={"lowest": min(values), "highest": max(values)})  # fmt: skip


def _estimate(name: str, cost: float, halves: Array, psi_x: Array, psi_y: Array, p: float,
              scale: float = 1.0) -> Estimate:  # fmt: skip
    """The p-th root of a cost, with the error and the reference's influence carried through the root.

    Where the laws differ, the bias falls as 1/n, so that halves of the samples show as much again.
    """
    value, slope = cost ** (1 / p) * scale, _slope(cost, p) * scale
    bias = float((halves ** (1 / p)).mean()) * scale - value
    real, generated = float(psi_x.var(ddof=1)) / len(psi_x), float(psi_y.var(ddof=1)) / len(psi_y)
    details = {"error_real": slope * math.sqrt(real), "error_generated": slope * math.sqrt(generated), "bias": bias,
               "corrected": value - bias}  # fmt: skip
    return Estimate(name, value, slope * math.sqrt(real + generated), len(psi_y), details=details,
                    bias=f"by halves too large by {bias:.2g}; {PLUG_IN}",
                    on_reference=slope * (psi_x - psi_x.mean()))  # fmt: skip


def _slope(cost: float, p: float) -> float:
    """Derivative of cost^(1/p); 0 at 0, where the two samples are the same."""
    return cost ** (1 / p - 1) / p if cost > 0 else 0.0


def _directions(d: int, count: int, seed: int) -> Tensor:
    """(d, count) unit vectors, uniform on the sphere, orthogonal within each d."""
    generator = torch.Generator().manual_seed(seed)
    frames = [
        torch.linalg.qr(torch.randn(d, min(d, count - i), generator=generator, dtype=torch.float64)).Q
        for i in range(0, count, d)
    ]
    return torch.cat(frames, 1)


def _lines(z: Tensor, u: Tensor) -> Array:
    """Projections (L, n): a line's numbers lie side by side, and numpy sorts them several times faster than torch."""
    return (u.T @ z.detach().to(u).T).double().cpu().numpy()


def _on_lines(x: Array, y: Array, p: float) -> tuple[Array, Array, Array]:
    """W_p^p (L,) between rows of x (L, n) and y (L, m), and each column's potential summed over rows (n,), (m,)."""
    order_x, order_y = x.argsort(1), y.argsort(1)
    x, y = np.take_along_axis(x, order_x, 1), np.take_along_axis(y, order_y, 1)
    cost, slope_x, slope_y = _cost(x, y, p)
    return cost, _potential(x, slope_x, order_x), _potential(y, -slope_y, order_y)


def _cost(x: Array, y: Array, p: float) -> tuple[Array, Array, Array]:
    """W_p^p (L,) between sorted rows, and its potentials' slopes at each number of x and (negated) of y."""
    n, m = x.shape[1], y.shape[1]
    if n == m:
        gap = x - y
        slope = _slope_of(gap, p)
        return (np.abs(gap) ** p).mean(1), slope, slope
    weight, in_x, in_y = _merged(n, m)
    gap = x[:, in_x] - y[:, in_y]
    slope = weight * _slope_of(gap, p)
    starts_x, starts_y = (np.flatnonzero(np.diff(rows, prepend=-1)) for rows in (in_x, in_y))
    slopes = n * np.add.reduceat(slope, starts_x, 1), m * np.add.reduceat(slope, starts_y, 1)
    return (weight * np.abs(gap) ** p).sum(1), *slopes


def _slope_of(gap: Array, p: float) -> Array:
    return np.sign(gap) if p == 1 else p * np.sign(gap) * np.abs(gap) ** (p - 1)


def _merged(n: int, m: int) -> tuple[Array, Array, Array]:
    """Widths (k,) of the pieces between the quantiles i/n and j/m, and the row of either sorted sample for each."""
    whole = math.lcm(n, m)
    cuts = np.union1d(np.arange(1, n + 1) * (whole // n), np.arange(1, m + 1) * (whole // m))
    starts = np.concatenate([[0], cuts[:-1]])
    return (cuts - starts) / whole, starts // (whole // n), starts // (whole // m)


def _potential(z: Array, slope: Array, order: Array) -> Array:
    """Integral of the slope along each sorted row (trapezoids), mean 0, in the examples' order, summed over rows."""
    steps = (slope[:, 1:] + slope[:, :-1]) / 2 * np.diff(z)
    potential = np.concatenate([np.zeros((len(z), 1)), steps.cumsum(1)], 1)
    potential -= potential.mean(1, keepdims=True)
    return np.bincount(order.ravel(), potential.ravel(), z.shape[1])

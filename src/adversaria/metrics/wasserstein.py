"""Wasserstein distances between two samples: on a line, along random directions, and exact by assignment."""

import math
from dataclasses import replace

import torch
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from adversaria.errors import UserError, at_least
from adversaria.metrics.checks import checked, facts
from adversaria.metrics.estimate import Estimate

CHUNK = 64
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
    u = _directions(d, directions if d > 1 else 1, seed).to(real.device)
    costs, halves = [], []
    psi_x, psi_y = (torch.zeros(len(z), dtype=torch.float64, device=real.device) for z in (real, generated))
    for some in u.split(CHUNK, dim=1):
        x, y = real.detach().double() @ some, generated.detach().double() @ some
        cost, of_x, of_y = _on_lines(x, y, p)
        costs.append(cost)
        halves.append(torch.stack([_on_lines(x[i::2], y[i::2], p)[0] for i in (0, 1)]))
        psi_x += of_x / u.shape[1]
        psi_y += of_y / u.shape[1]
    values = torch.cat(costs)
    total = float(values.mean())
    spread = float(values.std()) / len(values) ** 0.5 if len(values) > 1 else 0.0
    found = _estimate("sliced Wasserstein", total, torch.cat(halves, 1).mean(1), psi_x, psi_y, p, d**0.5)
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
    x, y = x.detach().double(), y.detach().double()
    cost, psi_x, psi_y = _on_lines(x, y, p)
    halves = torch.cat([_on_lines(x[i::2], y[i::2], p)[0] for i in (0, 1)])
    found = _estimate("Wasserstein on a line", float(cost), halves, psi_x, psi_y, p)
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


def _estimate(name: str, cost: float, halves: Tensor, psi_x: Tensor, psi_y: Tensor, p: float,
              scale: float = 1.0) -> Estimate:  # fmt: skip
    """The p-th root of a cost, with the error and the reference's influence carried through the root.

    Where the laws differ, the bias falls as 1/n, so that halves of the samples show as much again.
    """
    value, slope = cost ** (1 / p) * scale, _slope(cost, p) * scale
    bias = float(halves.pow(1 / p).mean()) * scale - value
    real, generated = float(psi_x.var()) / len(psi_x), float(psi_y.var()) / len(psi_y)
    details = {"error_real": slope * math.sqrt(real), "error_generated": slope * math.sqrt(generated), "bias": bias,
               "corrected": value - bias}  # fmt: skip
    return Estimate(name, value, slope * math.sqrt(real + generated), len(psi_y), details=details,
                    bias=f"by halves too large by {bias:.2g}; {PLUG_IN}",
                    on_reference=(slope * (psi_x - psi_x.mean())).cpu().numpy())  # fmt: skip


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


def _on_lines(x: Tensor, y: Tensor, p: float) -> tuple[Tensor, Tensor, Tensor]:
    """W_p^p (L,) of the columns of x (n, L) and y (m, L), and each row's potential summed over columns (n,), (m,)."""
    (x, order_x), (y, order_y) = x.sort(0), y.sort(0)
    n, m = len(x), len(y)
    if n == m:
        gap, weight = x - y, torch.full((n, 1), 1 / n, dtype=x.dtype, device=x.device)
        slope_x = slope_y = p * gap.abs().pow(p - 1) * gap.sign()
    else:
        weight, in_x, in_y = (t.to(x.device) for t in _merged(n, m))
        gap = x[in_x] - y[in_y]
        slope = weight * p * gap.abs().pow(p - 1) * gap.sign()
        slope_x = n * torch.zeros_like(x).index_add_(0, in_x, slope)
        slope_y = m * torch.zeros_like(y).index_add_(0, in_y, slope)
    cost = (weight * gap.abs().pow(p)).sum(0)
    return cost, _potential(x, slope_x, order_x), _potential(y, -slope_y, order_y)


def _merged(n: int, m: int) -> tuple[Tensor, Tensor, Tensor]:
    """Widths (k, 1) of the pieces between the quantiles i/n and j/m, and the row of either sorted sample for each."""
    whole = math.lcm(n, m)
    cuts = torch.cat([torch.arange(1, n + 1) * (whole // n), torch.arange(1, m + 1) * (whole // m)]).unique()
    starts = torch.cat([cuts.new_zeros(1), cuts[:-1]])
    return ((cuts - starts).double() / whole)[:, None], starts // (whole // n), starts // (whole // m)


def _potential(sorted_z: Tensor, slope: Tensor, order: Tensor) -> Tensor:
    """Integral of the slope along each sorted column (trapezoids), mean 0, back in the rows' order, summed."""
    steps = (slope[1:] + slope[:-1]) / 2 * sorted_z.diff(dim=0)
    potential = torch.cat([torch.zeros_like(sorted_z[:1]), steps.cumsum(0)])
    potential = potential - potential.mean(0)
    return torch.zeros_like(sorted_z).scatter_(0, order, potential).sum(1)

"""Wasserstein distances between two known laws: by linear programming, by quantiles, and with a price on sharpness."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from adversaria.distributions.grids import line
from adversaria.errors import UserError

Quantile = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Plan:
    """How the mass of one law is moved onto another's."""

    cost: float
    """What all of it costs: sum of plan times cost."""
    plan: Float[Tensor, "n m"]
    """Mass from state i of P to state j of Q."""
    f: Float[Tensor, " n"]
    """The dual's prices on P, sum p f + sum q g = cost (less the entropy's price, for `sinkhorn`)."""
    g: Float[Tensor, " m"]
    """And on Q; f_i + g_j <= cost_ij."""


def optimal_plan(p: Float[Tensor, " n"], q: Float[Tensor, " m"], cost: Float[Tensor, "n m"]) -> Plan:
    """The cheapest plan between discrete laws, exactly, by linear programming.

        min_{T >= 0} sum T_ij cost_ij   with rows that sum to p and columns that sum to q

    With cost |x_i - y_j| its cost is Wasserstein's distance W1, with |x_i - y_j|^2 the square of W2. Masses need not
    sum to 1, but to the same.

    >>> k = torch.arange(4.0)
    >>> round(optimal_plan(torch.tensor([3.0, 2, 1, 4]), torch.tensor([1.0, 2, 4, 3]), (k[:, None] - k).abs()).cost, 6)
    5.0

    Raises:
        UserError: where the shapes don't fit, a mass is below 0, or the sums differ by more than rounding.
    """
    from scipy.optimize import linprog  # half a second, which densities alone need not pay
    from scipy.sparse import eye_array, kron, vstack

    n, m = _fitting(p, q, cost)
    a, b = (z.detach().double().cpu().numpy() for z in (p, q))
    rows = kron(eye_array(n), np.ones((1, m)))
    columns = kron(np.ones((1, n)), eye_array(m))
    c = cost.detach().double().cpu().numpy().ravel()
    # The last equation follows from the others; rounding would make them contradict one another. Its price is 0.
    equations, sums = vstack([rows, columns]).tocsr()[:-1], np.concatenate([a, b * (a.sum() / b.sum())])[:-1]
    scale, fine = float(a.mean()), {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
    found = linprog(c, A_eq=equations, b_eq=sums / scale, bounds=(0, None), method="highs-ds", options=fine)
    if found.status != 0:
        raise UserError(f"no plan was found: {found.message}")
    prices = torch.from_numpy(np.append(found.eqlin.marginals, 0.0))
    return Plan(scale * float(found.fun), torch.from_numpy(scale * found.x.reshape(n, m)), prices[:n], prices[n:])


def by_quantiles(p: Quantile, q: Quantile, power: float | int = 1, panels: int = 32) -> float:
    """W_power of two laws on the line, from their inverse distribution functions, by quadrature.

        W_r = (integral over u in (0, 1) of |P^-1(u) - Q^-1(u)|^r)^(1/r)

    Args:
        p: u (n,) in (0, 1) -> quantiles (n,), as `torch.distributions.Normal(0, 1).icdf`.
        q: the other law's.
        power: r, 1 or more.
        panels: of the quadrature, for each tenfold step towards the ends and for the middle.

    >>> normal = torch.distributions.Normal(0.0, 1.0)
    >>> round(by_quantiles(normal.icdf, lambda u: 3 + normal.icdf(u)), 6)
    3.0
    """
    if power < 1:
        raise UserError(f"power is {power:g}; give 1 or more")
    tails = tuple(10.0**-k for k in range(1, 13))
    grid = line(0.0, 1.0, panels, (*tails, *(1 - u for u in tails)))
    gap = (p(grid.points[:, 0]) - q(grid.points[:, 0])).abs()
    return float((grid.weights * gap**power).sum() ** (1 / power))


def sinkhorn(
    p: Float[Tensor, " n"], q: Float[Tensor, " m"], cost: Float[Tensor, "n m"], epsilon: float,
    tolerance: float = 1e-9, most: int = 10_000,
) -> Plan:  # fmt: skip
    """The cheapest plan where entropy has a price, by Sinkhorn's iteration on logarithms.

        min_T sum T_ij cost_ij + epsilon KL(T || p q)

    `cost` is sum T_ij cost_ij of that plan: above W, and near it for a small epsilon. Cuturi (2013), arXiv:1306.0895;
    on logarithms as in Peyré and Cuturi (2019), arXiv:1803.00567, Section 4.4.

    Raises:
        UserError: as `optimal_plan`, for an epsilon not above 0, or where the marginals are not met after `most` steps.
    """
    _fitting(p, q, cost)
    if not epsilon > 0:
        raise UserError(f"epsilon is {epsilon:g}; give a number above 0, or take optimal_plan")
    log_p, log_q, c = p.double().log(), (q.double() * (p.sum() / q.sum())).log(), cost.double() / epsilon
    f, g = torch.zeros_like(log_p), torch.zeros_like(log_q)
    for _ in range(most):
        f = -torch.logsumexp(log_q + g - c, 1)
        g = -torch.logsumexp(log_p[:, None] + f[:, None] - c, 0)
        log_t = log_p[:, None] + log_q + f[:, None] + g - c
        off = float((torch.logsumexp(log_t, 1).exp() - log_p.exp()).abs().sum())
        if off < tolerance * float(p.sum()):
            plan = log_t.exp()
            return Plan(float((plan * cost).sum()), plan, epsilon * f, epsilon * g)
    raise UserError(f"Sinkhorn's marginals are {off:.2g} off after {most:,} steps; raise epsilon, {epsilon:g} now")


def _fitting(p: Tensor, q: Tensor, cost: Tensor) -> tuple[int, int]:
    n, m = len(p), len(q)
    if cost.shape != (n, m):
        raise UserError(f"cost has shape {tuple(cost.shape)}; with {n} and {m} states it must be {(n, m)}")
    if not (min(float(p.min()), float(q.min())) >= 0 and float(p.sum()) > 0):
        raise UserError("masses must be 0 or more, and not all 0")
    if not math.isclose(float(p.sum()), float(q.sum()), rel_tol=1e-5):
        raise UserError(f"masses sum to {float(p.sum()):g} and {float(q.sum()):g}; they must sum to the same")
    return n, m

"""Tests of whether two samples come from one distribution, by permuting which row belongs to which sample."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from adversaria.errors import UserError, at_least
from adversaria.metrics.checks import checked, facts
from adversaria.metrics.estimate import Estimate, Null

MOST = 4000
"""Pooled rows whose matrix is held at once: 128 MB."""
_DIRECT = 32


def mmd_test(
    *, real: Float[Tensor, "n d"], generated: Float[Tensor, "m d"], bandwidth: float | None = None,
    multiples: Sequence[float] = (0.5, 1.0, 2.0, 4.0), permutations: int = 500, most: int = MOST, seed: int = 0,
) -> Estimate:  # fmt: skip
    """Squared maximum mean discrepancy, unbiased, with Gaussian kernels.

        MMD^2 = mean_{i != j} k(x_i, x_j) + mean_{i != j} k(y_i, y_j) - 2 mean_{i, j} k(x_i, y_j)
        k(a, b) = mean_s exp(-|a - b|^2 / (2 s^2)),   s in multiples x median distance

    The median is that of all pairs of different rows of both sets, so the kernel does not depend on which row belongs
    to which set, and the test is exact. The value may be negative.

    Gretton, Borgwardt, Rasch, Schoelkopf and Smola (2012), JMLR 13, Equation 3.

    Args:
        real: reference features.
        generated: features of the model's samples; as many as of the reference, or not.
        bandwidth: s of a single kernel, in place of the mixture.
        multiples: of the median, one kernel each.
        permutations: for p and the null.
        most: pooled rows at most; beyond, a random part of each set is taken.
        seed: of the permutations and of that part.

    Raises:
        UserError: for sets that can't be compared, or whose rows are all the same.
    """
    x, y = _taken(real, generated, most, seed)
    squares = _distances(x, y).square_()
    if bandwidth is not None:
        if not 0 < bandwidth < float("inf"):
            raise UserError(f"bandwidth is {bandwidth}; give a distance above 0, or leave it out for the median")
        widths, kernel = [float(bandwidth)], f"gaussian, s = {bandwidth:g}"
    else:
        if not multiples or min(multiples) <= 0:
            raise UserError(f"multiples are {tuple(multiples)}; give one or more above 0")
        apart = squares[squares > 0]
        if len(apart) == 0:
            raise UserError("all rows of both sets are the same, so no distance sets a bandwidth; give bandwidth=")
        median = float(apart.median().sqrt())
        widths = [float(c) * median for c in multiples]
        kernel = f"mean of gaussians, s = ({', '.join(f'{c:g}' for c in multiples)}) x median distance"
    similar = torch.zeros_like(squares)
    for s in widths:
        similar += torch.exp(squares / (-2 * s * s))
    similar /= len(widths)
    return _permuted("MMD^2", similar, x, y, permutations, seed, {"kernel": kernel, "estimator": "U-statistic"},
                     {"bandwidths": widths, "rows": (len(real), len(generated))})  # fmt: skip


def energy_test(
    *, real: Float[Tensor, "n d"], generated: Float[Tensor, "m d"], permutations: int = 500, most: int = MOST,
    seed: int = 0,
) -> Estimate:  # fmt: skip
    """Energy distance, squared and unbiased.

        D^2 = 2 mean_{i, j} |x_i - y_j| - mean_{i != j} |x_i - x_j| - mean_{i != j} |y_i - y_j|

    Zero in expectation for one distribution, positive for any two with finite means; it needs no bandwidth. The value
    is the U-statistic and may be negative; `details` has the V-statistic (pairs i = j counted), which may not.
    `scipy.stats.energy_distance` is the square root of the V-statistic, for d = 1.

    Szekely and Rizzo (2013), Journal of Statistical Planning and Inference 143, Section 6.

    Args:
        real: reference features.
        generated: features of the model's samples; as many as of the reference, or not.
        permutations: for p and the null.
        most: pooled rows at most; beyond, a random part of each set is taken.
        seed: of the permutations and of that part.

    Raises:
        UserError: for sets that can't be compared, or whose rows are all the same.
    """
    x, y = _taken(real, generated, most, seed)
    apart = _distances(x, y)
    if not float(apart.max()) > 0:
        raise UserError("all rows of both sets are the same; there is no distance to compare")
    return _permuted("energy distance squared", -apart, x, y, permutations, seed, {"estimator": "U-statistic"},
                     {"rows": (len(real), len(generated))})  # fmt: skip


def holm(p: Sequence[float]) -> list[float]:
    """p-values adjusted for there being several tests (Holm 1979): in order, the largest so far of (k - rank) p.

    Rejecting where the adjusted value is at most alpha keeps the probability of any false rejection at most alpha.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]

    Raises:
        UserError: for what is no probability.
    """
    values = np.asarray(p, np.float64)
    if values.ndim != 1 or not ((values >= 0) & (values <= 1)).all():
        raise UserError(f"p-values are {list(p)!r:.80}; give numbers from 0 to 1")
    order = np.argsort(values, kind="stable")
    steps = np.arange(len(values), 0, -1) * values[order]
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted.tolist()


def relabelled(n: int, pooled: int, permutations: int, seed: int) -> Float[Tensor, "p pooled"]:
    """Rows of 0 and 1 (float64), each with n ones at random: which pooled row is called real."""
    at_least("permutations", permutations, 19)
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.rand(permutations, pooled, generator=generator, dtype=torch.float64).topk(n, dim=1).indices
    return torch.zeros(permutations, pooled, dtype=torch.float64).scatter_(1, chosen, 1.0)


def reached(value: float, null: Tensor, scale: float) -> float:
    """(1 + #{null >= value}) / (1 + draws); rounding of sums of size `scale` does not break a tie.

    Phipson and Smyth (2010), arXiv:1603.05766, Equation 1.
    """
    return (1 + int((null >= value - 1e-12 * scale).sum())) / (1 + len(null))


def _taken(real: Tensor, generated: Tensor, most: int, seed: int) -> tuple[Tensor, Tensor]:
    """Both sets in float64, or a random part of each where they are more than `most` together."""
    checked(2, real=real, generated=generated)
    at_least("most", most, 4)
    generator = torch.Generator().manual_seed(seed + 1)
    n, m = len(real), len(generated)
    if n + m > most:
        half = most // 2
        n, m = min(n, max(half, most - m)), min(m, max(half, most - n))
    parts = []
    for x, k in ((real, n), (generated, m)):
        part = x if k == len(x) else x[torch.randperm(len(x), generator=generator)[:k].sort().values.to(x.device)]
        parts.append(part.detach().double())
    return parts[0], parts[1].to(parts[0].device)


def _distances(x: Tensor, y: Tensor) -> Tensor:
    """Euclidean distances (n + m, n + m) of the pooled rows; a row is at 0 from itself."""
    pooled = torch.cat([x, y])
    pooled = pooled - pooled.mean(0)  # the product form below loses digits far from the origin
    direct = pooled.shape[1] <= _DIRECT
    mode = "donot_use_mm_for_euclid_dist" if direct else "use_mm_for_euclid_dist"
    return torch.cdist(pooled, pooled, compute_mode=mode).fill_diagonal_(0)


def _blocks(within: Tensor, rows: Tensor, total: float, n: int, m: int) -> Tensor:
    """The U-statistic from a'Ka and a'K1, where K has a zero diagonal and the 1s of a are the first set."""
    first, cross = within, rows - within
    second = total - 2 * rows + within
    return first / (n * (n - 1)) + second / (m * (m - 1)) - 2 * cross / (n * m)


def _permuted(
    name: str, similar: Tensor, x: Tensor, y: Tensor, permutations: int, seed: int, said: dict[str, Any],
    details: dict[str, Any],
) -> Estimate:  # fmt: skip
    """The two-sample U-statistic of a similarity between pooled rows, its permutations and standard error."""
    n, m = len(x), len(y)
    own = float(similar[0, 0])
    similar.fill_diagonal_(0)
    labels = torch.cat([torch.ones(1, n + m, dtype=torch.float64), relabelled(n, n + m, permutations, seed)])
    labels[0, n:] = 0
    labels = labels.to(similar.device)
    sums = similar.sum(1)
    total, scale = float(sums.sum()), float(similar.abs().mean())
    found = _blocks(((labels @ similar) * labels).sum(1), labels @ sums, total, n, m).cpu()
    value, null = float(found[0]), found[1:]
    to_first, to_second = similar[:, :n].sum(1), similar[:, n:].sum(1)
    # Each row's part in the statistic. The variance of these parts counts the second-order term, which is the
    # null's variance, twice; once is right.
    h = to_first[:n] / (n - 1) - to_second[:n] / m
    g = to_second[n:] / (m - 1) - to_first[n:] / n
    chance = float(null.var())
    error = max(float(4 * h.var() / n + 4 * g.var() / m) - chance, chance) ** 0.5
    inner, outer = float(to_first[:n].sum()), float(to_second[n:].sum())
    cross = float(to_second[:n].sum()) / (n * m)
    biased = inner / n**2 + own / n + outer / m**2 + own / m - 2 * cross
    protocol = facts(real=x, generated=y) | said | {"permutations": permutations, "seed": seed}
    return Estimate(
        name, value, error, m, protocol=protocol, bias="unbiased; may be negative",
        p=reached(value, null, scale),
        null=Null(float(null.mean()), float(null.std()), permutations, "permutations of the pooled rows"),
        details={"v_statistic": biased} | details,
    )  # fmt: skip

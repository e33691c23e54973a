"""Precision, recall, density and coverage: how two sets lie in each other's nearest-neighbour balls."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from adversaria.errors import UserError
from adversaria.metrics.cells import clusters
from adversaria.metrics.checks import checked, facts
from adversaria.metrics.estimate import Z95, Estimate, Null
from adversaria.metrics.nearest_test import relabelled
from adversaria.metrics.neighbours import Passes
from adversaria.metrics.shares import score_interval

DRAWS = 300
"""Relabellings behind the standard deviation of coverage's null."""


def precision(
    *, real: Float[Tensor, "n d"], generated: Float[Tensor, "m d"], k: int = 3, seed: int = 0,
    passes: Passes | None = None,
) -> Estimate:  # fmt: skip
    """Share of generated examples inside the real manifold: the union of balls that reach to the k-th neighbour.

        P = 1/m sum_j 1[exists i: |y_j - x_i| <= r_k(x_i)]

    It falls with n and d even for a perfect model and has no exact null: show the same number between two real sets.
    Kynkäänniemi et al. (2019), arXiv 1904.06991, Section 2.

    The standard error of all four: variance over disjoint blocks of both sets, scaled by 1 / blocks and averaged over
    random partitions (subsampling without replacement; a bootstrap's duplicates would shrink the balls). For shares,
    p (1 - p) of the whole over that of a block corrects for the block's size, and the interval is Wilson's at the
    sample size that has this error. Too few rows for two blocks: no error.

    Args:
        real: (n, d).
        generated: (m, d).
        k: neighbours to the edge of a ball.
        seed: of the partitions.
        passes: shared with other metrics on the same tensors.

    Raises:
        UserError: for sets that aren't (n, d) of one d, finite, and with more than k rows.
    """
    return _union("precision", real, generated, k, seed, passes)


def recall(
    *, real: Float[Tensor, "n d"], generated: Float[Tensor, "m d"], k: int = 3, seed: int = 0,
    passes: Passes | None = None,
) -> Estimate:  # fmt: skip
    """Share of real examples inside the generated manifold; `precision` with the sets exchanged.

        R = 1/n sum_i 1[exists j: |x_i - y_j| <= r_k(y_j)]

    Kynkäänniemi et al. (2019), arXiv 1904.06991, Section 2. A far outlier among the generated covers much of the space.
    """
    return _union("recall", real, generated, k, seed, passes)


def density(
    *, real: Float[Tensor, "n d"], generated: Float[Tensor, "m d"], k: int = 5, seed: int = 0,
    passes: Passes | None = None,
) -> Estimate:  # fmt: skip
    """How many real balls a generated example lies in, over the number expected; may exceed 1.

        D = 1/(k m) sum_j #{i: |y_j - x_i| <= r_k(x_i)},    E[D | P = Q] = 1

    The null's mean is exact for continuous distributions (before the k-th of n - 1 real neighbours lie k m / n
    generated ones in the mean); its sd is the estimate's own standard error.
    Naeem et al. (2020), arXiv 2002.09797, Eq. 4.
    """
    passes = _ready(real, generated, k, passes)
    counts = passes.inside(generated, real, k)
    value, floor = int(counts.sum()) / (k * len(generated)), float(counts.double().var()) / k**2 / len(generated)
    error = _error("density", real, generated, k, seed, passes, value, floor)
    null = Null(1.0, error, 0, "exact mean; sd is the standard error") if error > 0 else None
    return Estimate("density", value, error, len(generated), "", _protocol(real, generated, k, seed), None,
                    (max(0.0, value - Z95 * error), value + Z95 * error) if error > 0 else None,
                    bias="none where both are one distribution", null=null)  # fmt: skip


def coverage(
    *, real: Float[Tensor, "n d"], generated: Float[Tensor, "m d"], k: int = 5, seed: int = 0,
    passes: Passes | None = None,
) -> Estimate:  # fmt: skip
    """Share of real examples with a generated one within their k-th real neighbour's distance.

        C = 1/n sum_i 1[min_j |x_i - y_j| <= r_k(x_i)],    E[C | P = Q] = 1 - prod_{i=1..k} (n - i) / (m + n - i)

    A real example is uncovered when its k nearest in the pooled set are all real, so relabelling the pooled graph gives
    the null's sd; its mean is exact. The null depends on m / n: take sets of one size.
    Naeem et al. (2020), arXiv 2002.09797, Eq. 5 and Section 3.2.
    """
    passes = _ready(real, generated, k, passes)
    n = len(real)
    nearest = passes.between(real, generated, 1).squared[:, 0]
    covered = int((nearest <= passes.radii(real, k)).sum())
    value = covered / n
    error = _error("coverage", real, generated, k, seed, passes, value, 0.0)
    return Estimate("coverage", value, error, n, "", _protocol(real, generated, k, seed), False,
                    score_interval(value, error, n), bias="exact null given", details={"covered": covered},
                    null=_coverage_null(real, generated, k, seed, passes))  # fmt: skip


def manifold(
    *, real: Float[Tensor, "n d"], generated: Float[Tensor, "m d"], k: int | None = None, seed: int = 0,
    passes: Passes | None = None,
) -> dict[str, Estimate]:  # fmt: skip
    """All four from the same passes, by name; k = 3 for precision and recall and 5 for the others unless given.

    >>> line = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
    >>> made = torch.tensor([[0.5], [1.5], [2.5], [10.0]])
    >>> {name: float(e.value) for name, e in manifold(real=line, generated=made, k=1).items()}
    {'precision': 0.75, 'recall': 1.0, 'density': 1.5, 'coverage': 1.0}
    """
    passes = passes or Passes()
    return {
        "precision": precision(real=real, generated=generated, k=k or 3, seed=seed, passes=passes),
        "recall": recall(real=real, generated=generated, k=k or 3, seed=seed, passes=passes),
        "density": density(real=real, generated=generated, k=k or 5, seed=seed, passes=passes),
        "coverage": coverage(real=real, generated=generated, k=k or 5, seed=seed, passes=passes),
    }


def expected_coverage(n: int, m: int, k: int) -> float:
    """E[coverage | P = Q] of n real and m generated examples.

        1 - prod_{i=1..k} (n - i) / (m + n - i)

    >>> round(expected_coverage(100, 100, 5), 4)
    0.9711
    """
    return 1 - math.prod((n - i) / (m + n - i) for i in range(1, k + 1))


@dataclass(frozen=True)
class PrecisionRecallCurve:
    """What precision can be had at what recall."""

    precision: np.ndarray
    recall: np.ndarray
    f_recall: float
    """Largest F_8: recall counts 8 times."""
    f_precision: float
    """Largest F_1/8: precision counts 8 times."""


def precision_recall_curve(
    *, real: Float[Tensor, "n d"], generated: Float[Tensor, "n d"], cells: int = 20, angles: int = 1001,
    runs: int = 10, seed: int = 0,
) -> PrecisionRecallCurve:  # fmt: skip
    """The curve between the two sets' histograms over k-means cells of their union, averaged over clusterings.

    Sajjadi et al. (2018), arXiv 1806.00035, Section 3.3 and Algorithm 1.

    Raises:
        UserError: for sets of different sizes, on which the curve would depend.
    """
    checked(2, real=real, generated=generated)
    if len(real) != len(generated):
        raise UserError(f"sets have {len(real)} and {len(generated)} rows; the curve depends on it, so take as many")
    union = torch.cat([real, generated])
    curves = []
    for run in range(runs):
        cell = clusters(union, cells, seed + run)[0]
        many = int(cell.max()) + 1
        weights = [torch.bincount(part, minlength=many).double().cpu().numpy() / len(real) for part in cell.chunk(2)]
        curves.append(histogram_curve(weights[0], weights[1], angles))
    mean = np.mean(curves, axis=0)
    scores = np.mean([[_f(p, r, 8.0), _f(p, r, 1 / 8)] for p, r in curves], axis=0)
    return PrecisionRecallCurve(mean[0], mean[1], float(scores[0]), float(scores[1]))


def histogram_curve(real: np.ndarray, generated: np.ndarray, angles: int = 1001) -> np.ndarray:
    """Precision and recall (2, angles) of one histogram (c,) for another.

        precision(l) = sum_c min(l real_c, generated_c),    recall(l) = precision(l) / l,    l = tan(angle)

    Sajjadi et al. (2018), arXiv 1806.00035, Eq. 4.
    """
    slope = np.tan(np.linspace(1e-10, np.pi / 2 - 1e-10, angles))
    precision = np.minimum(slope[:, None] * real, generated).sum(1)
    return np.clip(np.stack([precision, precision / slope]), 0.0, 1.0)


def _union(name: str, real: Tensor, generated: Tensor, k: int, seed: int, passes: Passes | None) -> Estimate:
    passes = _ready(real, generated, k, passes)
    queries, among = (generated, real) if name == "precision" else (real, generated)
    inside = int((passes.inside(queries, among, k) > 0).sum())
    value = inside / len(queries)
    # given the balls, queries are independent: the variance is at least binomial
    error = _error(name, real, generated, k, seed, passes, value, value * (1 - value) / len(queries))
    return Estimate(name, value, error, len(queries), "", _protocol(real, generated, k, seed), False,
                    score_interval(value, error, len(queries)), bias="falls with n and d; no exact null",
                    details={"inside": inside})  # fmt: skip


def _ready(real: Tensor, generated: Tensor, k: int, passes: Passes | None) -> Passes:
    if k < 1:
        raise UserError(f"k = {k} neighbours; at least 1")
    checked(k + 1, real=real, generated=generated)
    return passes or Passes()


def _protocol(real: Tensor, generated: Tensor, k: int, seed: int) -> dict[str, int | str]:
    return facts(real=real, generated=generated) | {"k": k, "seed": seed}


def _coverage_null(real: Tensor, generated: Tensor, k: int, seed: int, passes: Passes) -> Null:
    n, m = len(real), len(generated)
    lists = []
    for queries, own, other, shift, far in ((real, real, generated, 0, n), (generated, generated, real, n, 0)):
        a, b = passes.within(queries, min(k, len(own) - 1)), passes.between(queries, other, min(k, len(other)))
        order = torch.cat([a.squared, b.squared], 1).sort(stable=True).indices[:, :k]
        lists.append(torch.cat([a.index + shift, b.index + far], 1).gather(1, order))
    pooled = torch.cat(lists).cpu().numpy()
    shares = []
    for is_real in relabelled(n, m, DRAWS, seed):
        uncovered = is_real.copy()
        for column in pooled.T:
            uncovered &= is_real[column]
        shares.append(1 - np.count_nonzero(uncovered) / n)
    return Null(expected_coverage(n, m, k), float(np.std(shares)), DRAWS,
                "exact mean; sd over relabellings of the pooled neighbours")  # fmt: skip


def _error(
    name: str, real: Tensor, generated: Tensor, k: int, seed: int, passes: Passes, value: float, floor: float
) -> float:  # fmt: skip
    smaller = min(len(real), len(generated))
    blocks = min(max(smaller // 300, 2), 16)
    if smaller // blocks < 2 * (k + 1):
        return math.nan
    ks = tuple(sorted({3, 5, k})) if smaller // blocks > 6 else (k,)
    made = passes.keep(("blocks", seed, ks), lambda: _blocks(real, generated, ks, blocks, seed), real, generated)
    variance, mean = (float(part) for part in made[name, k])
    if name != "density":
        within = mean * (1 - mean)
        variance = variance * value * (1 - value) / within if within > 0 else value * (1 - value) / smaller
    return math.sqrt(max(variance, floor))


def _blocks(
    real: Tensor, generated: Tensor, ks: tuple[int, ...], blocks: int, seed: int
) -> dict[tuple[str, int], Tensor]:  # fmt: skip
    """Variance of the mean over blocks, and that mean, of each metric at each k."""
    generator = torch.Generator().manual_seed(seed)
    centre = real.double().mean(0)
    x, y = (real - centre).float(), (generated - centre).float()
    variances, means = [], []
    for _ in range(max(1, 24 // blocks)):
        i, j = (torch.randperm(len(s), generator=generator).tensor_split(blocks) for s in (x, y))
        values = torch.stack([_dense(x[p], y[q], ks) for p, q in zip(i, j, strict=True)])
        variances.append(values.var(0) / blocks)
        means.append(values.mean(0))
    pairs = torch.stack([torch.stack(variances).mean(0), torch.stack(means).mean(0)], 1)
    names = [(name, k) for k in ks for name in ("precision", "recall", "density", "coverage")]
    return dict(zip(names, pairs, strict=True))


def _dense(x: Tensor, y: Tensor, ks: tuple[int, ...]) -> Tensor:
    """All four of two small sets from whole distance matrices; distances within rounding count as none."""
    within, other, between = _squared(x, x), _squared(y, y), _squared(x, y)
    within.fill_diagonal_(torch.inf), other.fill_diagonal_(torch.inf)
    radii, others = (s.topk(max(ks), largest=False).values for s in (within, other))
    values = []
    for k in ks:
        balls = between <= radii[:, k - 1 : k]
        values += [balls.any(0).double().mean(), (between <= others[:, k - 1]).any(1).double().mean(),
                   balls.sum() / (k * len(y)), balls.any(1).double().mean()]  # fmt: skip
    return torch.stack([v.double().cpu() for v in values])


def _squared(x: Tensor, y: Tensor) -> Tensor:
    sizes = x.square().sum(1)[:, None] + y.square().sum(1)
    distances = torch.addmm(sizes, x, y.T, alpha=-2)
    return torch.where(distances < (x.shape[1] + 16) * 2.0**-24 * sizes, 0.0, distances)


def _f(precision: np.ndarray, recall: np.ndarray, beta: float) -> float:
    return float(np.max((1 + beta**2) * precision * recall / (beta**2 * precision + recall + 1e-300)))

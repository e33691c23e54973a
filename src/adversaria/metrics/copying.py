"""Does the model repeat its training set? Distances to training examples, against those of held-out ones."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy import stats
from torch import Tensor

from adversaria.errors import UserError
from adversaria.metrics.cells import clusters
from adversaria.metrics.checks import checked, facts
from adversaria.metrics.estimate import Estimate, Null
from adversaria.metrics.neighbours import Passes, nearest
from adversaria.metrics.shares import exact_interval, score_interval


@dataclass(frozen=True)
class Matches:
    """Pairs of examples for a person to look at, closest first."""

    first: np.ndarray
    """Rows of the first set: generated examples."""
    second: np.ndarray
    """Rows of the second set."""
    distance: np.ndarray

    def __len__(self) -> int:
        return len(self.first)


def data_copying(
    *, train: Float[Tensor, "l d"], test: Float[Tensor, "n d"], generated: Float[Tensor, "m d"], cells: int = 3,
    seed: int = 0, passes: Passes | None = None,
) -> Estimate:  # fmt: skip
    """How often a generated example lies further from the training set than a held-out one does.

        AUC = P(L(y) > L(x')) + P(L(y) = L(x')) / 2,    L(z) = min_i |z - train_i|

    1/2 where generated examples keep the distance that new data keep; towards 0 the model copies; towards 1 it
    misses the data. A collapsed model may look like a copying one. Standard error by DeLong's method given the training
    set; the interval is Wilson's at the sample size that has this error, at the smaller set's where it is 0. `details`
    has the Mann-Whitney score z, which grows with the sets, and C_T, its mean over k-means cells of the training set
    weighted by their shares of the held-out examples, over cells with at least 20 generated ones:

        z = (U - m n / 2 + 1/2) / sqrt(m n (m + n + 1) / 12)

    L is the distance to the nearest of all training examples, also within cells (Meehan: of the cell's, which differs
    at its border only). Ties count as half, and make z's variance a little too large.

    Meehan, Chaudhuri and Dasgupta (2020), arXiv 2004.05675, Section 4; DeLong, DeLong and Clarke-Pearson (1988).

    Args:
        train: What the model was trained on (l, d).
        test: Held out, as the training set was drawn (n, d).
        generated: (m, d).
        cells: of the partition.
        seed: of the k-means.
        passes: shared with other metrics on the same tensors.

    Raises:
        UserError: for sets that aren't (n, d) of one d, finite, with at least 2 rows.
    """
    checked(2, train=train, test=test, generated=generated)
    passes = passes or Passes()
    y, x = (passes.between(s, train, 1).squared[:, 0].cpu().numpy() for s in (generated, test))
    m, n = len(y), len(x)
    above, below = _beaten(y, x), 1 - _beaten(x, y)  # share of held-out ones below each y; of generated above each x'
    value = float(above.mean())
    error = math.sqrt(above.var(ddof=1) / m + below.var(ddof=1) / n)
    cell = passes.keep(("cells", cells, seed), lambda: clusters(train, cells, seed), train)[1]
    details = {"z": _z(y, x), **_cells(y, x, generated, test, cell)}
    null = Null(0.5, math.sqrt((m + n + 1) / (12 * m * n)), 0, "exact without ties, given the training set")
    p = min(1.0, 2 * float(stats.norm.sf((abs(value - 0.5) - 0.5 / (m * n)) / null.sd)))
    protocol = facts(train=train, test=test, generated=generated) | {"cells": cells, "seed": seed}
    return Estimate("data copying AUC", value, error, m, "", protocol, None, score_interval(value, error, min(m, n)),
                    bias="none given the training set", p=p, null=null,
                    details=details)  # fmt: skip


def authenticity(
    *, train: Float[Tensor, "l d"], generated: Float[Tensor, "m d"], test: Float[Tensor, "n d"] | None = None,
    passes: Passes | None = None,
) -> Estimate:  # fmt: skip
    """Share of generated examples further from their nearest training example than that one is from its own nearest.

        A = 1/m sum_j 1[|y_j - x*| > min_{x in train, x != x*} |x* - x|],    x* nearest to y_j in train

    0 for copies. The interval is exact (Clopper-Pearson) given the training set. The same share of held-out examples
    is the null: what new data give.

    Alaa, van Breugel, Saveliev and van der Schaar (2022), arXiv 2102.08921, Section 4.3.

    Args:
        train: What the model was trained on (l, d).
        generated: (m, d).
        test: Held out (n, d), for the null.
        passes: shared with other metrics on the same tensors.

    Raises:
        UserError: for sets that aren't (n, d) of one d, finite, with at least 2 rows.
    """
    sets = {"train": train, "generated": generated} | ({} if test is None else {"test": test})
    checked(2, **sets)
    passes = passes or Passes()
    count, m = _authentic(train, generated, passes), len(generated)
    share, null = count / m, None
    if test is not None:
        n = len(test)
        real = _authentic(train, test, passes) / n
        null = Null(real, math.sqrt(max(real * (1 - real), 1 / n / 4) * (1 / n + 1 / m)), 1, "the held-out set's share")
    return Estimate("authenticity", share, math.sqrt(share * (1 - share) / m), m, "", facts(**sets), False,
                    exact_interval(count, m), bias="none given the training set", null=null)  # fmt: skip


def neighbour_ratio(
    *, train: Float[Tensor, "l d"], test: Float[Tensor, "n d"], generated: Float[Tensor, "m d"], k: int = 50,
    quantile: float = 0.01, passes: Passes | None = None,
) -> Estimate:  # fmt: skip
    """Share of generated examples strangely close to one training example, by what few held-out ones are.

        ratio(z) = |z - NN_1(z)| / mean_{i=2..k} |z - NN_i(z)|,    neighbours in the training set
        share = 1/m #{y: ratio(y) <= cut},    cut = the j-th smallest ratio of n held-out, j = max(1, floor(q (n + 1)))

    The interval is exact (Clopper-Pearson) for the share below this cut. The null and the upper-sided p count the cut's
    own uncertainty: were generated and held-out examples of one distribution, m share would be beta-binomial
    (m, j, n + 1 - j). Where held-out ratios tie at the cut (copies in the data themselves), j is one more than all up
    to it, which makes p conservative. With fewer than 1/q held-out examples the cut is their smallest ratio, at level
    1 / (n + 1).

    Args:
        train: What the model was trained on (l, d).
        test: Held out (n, d).
        generated: (m, d).
        k: neighbours; fewer where the training set is smaller.
        quantile: q.
        passes: shared with other metrics on the same tensors.

    Raises:
        UserError: for sets that aren't (n, d) of one d, finite, with at least 2 rows (3 to train), or q not in (0, 1).
    """
    checked(2, train=train, test=test, generated=generated)
    if len(train) < 3 or k < 2 or not 0 < quantile < 1:
        raise UserError(f"k = {k}, quantile {quantile}, {len(train)} to train; at least 2, between 0 and 1, at least 3")
    passes, k = passes or Passes(), min(k, len(train) - 1)
    y, x = (_ratios(s, train, k, passes) for s in (generated, test))
    m, n = len(y), len(x)
    j = _rank(n, quantile)
    cut = float(x.sort().values[j - 1])
    count, up_to = int((y <= cut).sum()), int((x <= cut).sum())
    j = j if up_to == j else min(up_to + 1, n)
    law = stats.betabinom(m, j, n + 1 - j)
    order = y.argsort()[:20]
    details = {"cut": cut, "below": count, "rank_of_cut": j, "smallest": [float(r) for r in y[order]],
               "smallest_rows": order.tolist()}  # fmt: skip
    protocol = facts(train=train, test=test, generated=generated) | {"k": k, "quantile": quantile}
    share = count / m
    return Estimate("share near one training example", share, math.sqrt(share * (1 - share) / m), m, "", protocol,
                    True, exact_interval(count, m), bias="none for this cut", p=float(law.sf(count - 1)),
                    null=Null(j / (n + 1), float(law.std()) / m, 0, "exact without ties"), details=details)  # fmt: skip


def copying_power(
    share: float, *, generated: int, test: int, quantile: float = 0.01, alpha: float = 0.05
) -> float:  # fmt: skip
    """Chance that `neighbour_ratio`'s p-value falls to alpha when this share of the generated are exact copies.

    The other examples are taken to be as new as held-out ones: given the level u of the cut, the count is binomial
    (m, share + (1 - share) u), and u is beta (j, n + 1 - j).

    >>> copying_power(0.0, generated=1000, test=1000) <= 0.05 < 0.99 < copying_power(0.05, generated=1000, test=1000)
    True
    """
    j = _rank(test, quantile)
    law = stats.betabinom(generated, j, test + 1 - j)
    least = int(law.isf(alpha)) + 1  # smallest count with P(count or more) <= alpha
    u = stats.beta(j, test + 1 - j).ppf((np.arange(2000) + 0.5) / 2000)
    return float(stats.binom.sf(least - 1, generated, share + (1 - share) * u).mean())


def detectable_copies(
    *, generated: int, test: int, power: float = 0.8, quantile: float = 0.01, alpha: float = 0.05
) -> float:  # fmt: skip
    """Smallest share of exact copies that `neighbour_ratio` finds with this power; 1 where it finds none.

    >>> 0.005 < detectable_copies(generated=2000, test=2000) < 0.02
    True
    """
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        found = copying_power(middle, generated=generated, test=test, quantile=quantile, alpha=alpha) >= power
        low, high = (low, middle) if found else (middle, high)
    return high


def closest_pairs(
    *, train: Float[Tensor, "l d"], generated: Float[Tensor, "m d"], count: int = 20, passes: Passes | None = None
) -> Matches:  # fmt: skip
    """Generated examples closest to training ones, each with its nearest, closest first."""
    checked(1, train=train, generated=generated)
    near = (passes or Passes()).between(generated, train, 1)
    order = near.squared[:, 0].sort(stable=True).indices[:count]
    values = order, near.index[order, 0], near.squared[order, 0].sqrt()
    return Matches(*(v.cpu().numpy() for v in values))


def _beaten(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """For each of a, the share of b below it; equals count half."""
    b = np.sort(b)
    return (np.searchsorted(b, a, "left") + np.searchsorted(b, a, "right")) / (2 * len(b))


def _z(y: np.ndarray, x: np.ndarray) -> float:
    m, n = len(y), len(x)
    u = float(_beaten(y, x).sum()) * n
    return (u - m * n / 2 + 0.5) / math.sqrt(m * n * (m + n + 1) / 12)


def _cells(y: np.ndarray, x: np.ndarray, generated: Tensor, test: Tensor, centres: Tensor) -> dict[str, float | int]:
    """Meehan's C_T over the cells that hold enough of both."""
    of_y, of_x = (torch.cdist(s.double(), centres).argmin(1).cpu().numpy() for s in (generated, test))
    weights, scores = [], []
    for cell in range(len(centres)):
        here, there = y[of_y == cell], x[of_x == cell]
        if len(here) >= min(20, len(y)) and len(there) > 0:
            weights.append(len(there) / len(x))
            scores.append(_z(here, there))
    if not weights:
        return {"cells_used": 0}
    return {"c_t": float(np.dot(weights, scores) / np.sum(weights)), "cells_used": len(weights)}


def _authentic(train: Tensor, queries: Tensor, passes: Passes) -> int:
    """How many queries are further from their nearest training example than that one is from its own nearest.

    Only training examples that are somebody's nearest are looked up: the whole set against itself would be far more.
    """
    near = passes.between(queries, train, 1)
    rows, place = near.index[:, 0].unique(return_inverse=True)
    two = nearest(train[rows], train, 2)
    itself = two.index[:, 0] == rows  # elsewhere a duplicate came first, at distance 0 like the row itself
    own = torch.where(itself, two.squared[:, 1], two.squared[:, 0])
    return int((near.squared[:, 0] > own[place]).sum())


def _ratios(queries: Tensor, train: Tensor, k: int, passes: Passes) -> Tensor:
    """0 where the nearest is a copy; 1 where all k are."""
    distances = passes.between(queries, train, k).squared.sqrt()
    mean = distances[:, 1:].mean(1)
    return torch.where(mean > 0, distances[:, 0] / mean, 1.0).cpu()


def _rank(n: int, quantile: float) -> int:
    return max(1, math.floor(quantile * (n + 1)))

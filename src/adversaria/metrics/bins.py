"""Which parts of the data a model gives too often or too seldom: bins found by k-means, and their proportions."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy import stats
from torch import Tensor

from adversaria.errors import UserError, at_least
from adversaria.metrics.checks import checked, facts
from adversaria.metrics.estimate import Estimate, Null
from adversaria.metrics.two_sample import holm

_FIT = 20_000
_STARTS = 3
_EXPECTED = 10
_SHOWN = 16


@dataclass(frozen=True)
class Bins:
    """Voronoi cells of the centres (K, d), float64."""

    centres: Tensor

    def __len__(self) -> int:
        return len(self.centres)

    def assign(self, x: Float[Tensor, "n d"]) -> tuple[Int[Tensor, " n"], Float[Tensor, " n"]]:
        """The nearest centre of each row, and the distance to it; on the CPU."""
        parts = []
        centres = self.centres.double().cpu()
        middle = centres.mean(0)
        for piece in x.detach().split(4096):
            distance = torch.cdist(piece.double().cpu() - middle, centres - middle)
            parts.append(distance.min(1))
        return torch.cat([part.indices for part in parts]), torch.cat([part.values for part in parts])


def fit_bins(*, train: Float[Tensor, "n d"], bins: int = 100, seed: int = 0) -> Bins:
    """Bins around the centres that k-means finds in `train`, or in 20,000 rows of it; fewer where rows repeat.

    Raises:
        UserError: where there are fewer than two different rows, or fewer rows than bins.
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    checked(2, train=train)
    at_least("bins", bins, 2)
    if len(train) < bins:
        raise UserError(f"{bins} bins for {len(train)} rows of train; give as many rows as bins, or fewer bins")
    rng = np.random.default_rng(seed)
    rows = train.detach().double().cpu().numpy()
    rows = rows[np.sort(rng.permutation(len(rows))[:_FIT])]
    different = len(np.unique(rows, axis=0))
    if different < 2:
        raise UserError("all rows of train are the same, so there is one bin; take features that vary")
    with threadpool_limits(1):  # sums differ between thread counts
        found = KMeans(min(bins, different), n_init=_STARTS, random_state=seed).fit(rows)
    return Bins(torch.from_numpy(found.cluster_centers_))


def bins_test(
    *, train: Float[Tensor, "k d"] | Bins, real: Float[Tensor, "n d"], generated: Float[Tensor, "m d"],
    bins: int | None = None, alpha: float = 0.05, permutations: int = 2000, seed: int = 0,
) -> Estimate:  # fmt: skip
    """Share of statistically different bins (NDB/K).

        NDB/K = (1/K) #{k : |z_k| > z_alpha},   z_k = (p_k - q_k) / sqrt(r_k (1 - r_k) (1/n + 1/m)),
        p_k, q_k, r_k the shares of bin k in real, generated, and both

    Its ideal is about alpha, not 0, and bins are dependent, so the null is simulated: given the pooled counts, those of
    the real set are multivariate hypergeometric. That is every permutation of rows between the sets, and p is exact;
    equal NDB are ordered by the sum of squared z. The bins must come from neither set: train is for making them, and
    real is held out (the rows that k-means was fitted to fill its cells more evenly than fresh ones, which hides
    differences).

    `details["different"]` lists bins that differ after Holm's correction of the exact p-value of each, with the ratio
    q_k / p_k and the rows of both sets in them that lie nearest to the centre.

    Richardson and Weiss (2018), arXiv:1805.12462, Section 3, where p has no null.

    Args:
        train: rows to find bins in, or bins.
        real: held-out reference features.
        generated: features of the model's samples.
        bins: number of bins; without, 100, or as many as leave 10 rows of the smaller set a bin.
        alpha: of each bin's test.
        permutations: for p and the null.
        seed: of k-means and of the permutations.

    Raises:
        UserError: for sets that can't be compared or are too small for two bins.
    """
    made = train if isinstance(train, Bins) else None
    checked(2 * _EXPECTED, real=real, generated=generated)
    checked(2, real=real[:2], train=torch.as_tensor(made.centres if made is not None else train))
    at_least("permutations", permutations, 19)
    if not 0 < alpha < 1:
        raise UserError(f"alpha is {alpha}; give a probability between 0 and 1")
    wanted = bins if bins is not None else min(100, min(len(real), len(generated)) // _EXPECTED)
    if made is None:
        assert isinstance(train, Tensor)
        made = fit_bins(train=train, bins=wanted if bins is not None else min(wanted, len(train)), seed=seed)
    (at_real, far_real), (at_generated, far_generated) = made.assign(real), made.assign(generated)
    k = len(made)
    x, y = (np.bincount(at.numpy(), minlength=k) for at in (at_real, at_generated))
    pooled, n, m = x + y, len(real), len(generated)
    rng = np.random.default_rng(seed)
    drawn = rng.multivariate_hypergeometric(pooled, n, size=permutations, method="marginals")
    limit = float(stats.norm.isf(alpha / 2))
    z = _z(x[None], pooled, n, m)[0]
    null_z = _z(drawn, pooled, n, m)
    ndb, null = int((abs(z) > limit).sum()), (abs(null_z) > limit).sum(1)
    more = (null > ndb) | ((null == ndb) & ((null_z**2).sum(1) >= (z**2).sum() * (1 - 1e-12)))
    jsd, null_jsd = _jsd(x[None] / n, y[None] / m)[0], _jsd(drawn / n, (pooled - drawn) / m)
    true = abs(z) * max(1 - (k - 2) / float((z**2).sum() or 1), 0.0)  # James and Stein: z with its own noise off
    reject = stats.norm.sf(limit - true) + stats.norm.cdf(-limit - true)
    facts_ = {"alpha": alpha, "permutations": permutations, "seed": seed, "bins": k, "starts": _STARTS}
    if not isinstance(train, Bins):
        facts_["n_train"] = len(train)
    return Estimate(
        "share of different bins (NDB/K)", ndb / k, float(np.sqrt((reject * (1 - reject)).sum())) / k, m,
        protocol=facts(real=real, generated=generated) | facts_,
        bias=f"about {alpha:g} between samples of one distribution, not 0",
        p=(1 + int(more.sum())) / (1 + permutations),
        null=Null(float(null.mean()) / k, float(null.std()) / k, permutations, "permutations of rows between the sets"),
        details={
            "ndb": ndb, "binomial_p": float(stats.binom.sf(ndb - 1, k, alpha)),
            "jsd": float(jsd), "jsd_null": float(null_jsd.mean()),
            "jsd_p": (1 + int((null_jsd >= jsd * (1 - 1e-12)).sum())) / (1 + permutations),
            "different": _different(x, y, (at_real, far_real), (at_generated, far_generated), alpha),
        },
    )  # fmt: skip


def _z(x: np.ndarray, pooled: np.ndarray, n: int, m: int) -> np.ndarray:
    """Two-proportion z of each bin, (draws, K); 0 for a bin that holds nothing or everything."""
    share = pooled / (n + m)
    sd = np.sqrt(share * (1 - share) * (1 / n + 1 / m))
    difference: np.ndarray = x / n - (pooled - x) / m
    return np.divide(difference, sd, out=np.zeros_like(difference), where=np.broadcast_to(sd > 0, x.shape))


def _jsd(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Jensen-Shannon divergence in nats of rows of shares, (draws,)."""
    from scipy.special import rel_entr

    middle = (p + q) / 2
    total: np.ndarray = (rel_entr(p, middle) + rel_entr(q, middle)).sum(1) / 2
    return total


def _different(
    x: np.ndarray, y: np.ndarray, real: tuple[Tensor, Tensor], generated: tuple[Tensor, Tensor], alpha: float
) -> list[dict[str, Any]]:  # fmt: skip
    """The bins whose share differs, after Holm; the greatest differences first."""
    n, m, pooled = int(x.sum()), int(y.sum()), x + y
    # Given the pooled counts, a bin's count in the real set is hypergeometric.
    low, high = stats.hypergeom.cdf(x, n + m, pooled, n), stats.hypergeom.sf(x - 1, n + m, pooled, n)
    p = np.minimum(2 * np.minimum(low, high), 1.0)
    adjusted = np.array(holm(p))
    found = []
    for b in np.argsort(p, kind="stable"):
        if adjusted[b] > alpha:
            continue
        ratio = float((y[b] / m) / (x[b] / n)) if x[b] else None
        found.append({
            "bin": int(b), "real": int(x[b]), "generated": int(y[b]), "ratio": ratio, "p": float(p[b]),
            "p_holm": float(adjusted[b]), "real_rows": _nearest(real, int(b)),
            "generated_rows": _nearest(generated, int(b)),
        })  # fmt: skip
    return found


def _nearest(assigned: tuple[Tensor, Tensor], b: int) -> list[int]:
    """Row numbers in bin b, nearest to its centre first."""
    rows = (assigned[0] == b).nonzero().flatten()
    order = assigned[1][rows].argsort(stable=True)
    return rows[order][:_SHOWN].tolist()

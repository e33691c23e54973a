"""AVB on four points with two latent dimensions, where the likelihood is a quadrature, beside the factorised VAE.

Both have the same decoder, data, batches and rounds. The entropy of a posterior that can only be drawn from is
estimated by nearest neighbours (Kozachenko and Leonenko 1987), for both alike; beside the results is kept what the same
estimate gives for the VAE's posterior less its closed form, the error to expect. The most that any model reaches is
-log 4 = -1.386 nats. Table 1 has likelihoods of -1.568 (VAE) and -1.403, bounds of -1.697 and about -1.421; the
thresholds, 0.1 and 0.05 nats, are a good half and a fifth of these differences.

**Tiling** (Section 6.1): the share of codes whose nearest neighbour is the code of another point (overlap) is lower
than the VAE's by 0.05 at least, and KL(q(z) || p(z)) (gaps and overlaps of the aggregate) is lower.
"""

import math

import numpy as np
import torch
from torch import Tensor

from adversaria.catalogue import make
from adversaria.claims.check import Check, Measured, Trial
from adversaria.distributions import log_normal
from adversaria.game import Game

TILES = "On four points the posteriors tile the prior, without the overlaps and gaps of a factorised one (Section 6.1)."
ABOVE = "At an equal decoder, likelihood and bound are above the factorised VAE's (Section 6.1, Table 1)."
FOUR = torch.eye(4)
DRAWS = 20_000
REACH, STEP = 6.0, 0.03
"""Of the grid over z."""
SHARED = ("latent", "hidden", "depth", "batch", "rounds")
"""Hyperparameters that both have."""


def log_likelihood(game: Game, x: Tensor) -> Tensor:
    """log p(x) = log of the integral of p(x | z) p(z) over a plane of z, by the midpoint rule; (n,) in nats."""
    ends = torch.arange(-REACH + STEP / 2, REACH, STEP)
    z = torch.cartesian_prod(ends, ends).to(game.device)
    log_w = game.ask("prior", z).double() + 2 * math.log(STEP)
    rows = [game.ask("likelihood", row.expand(len(z), -1), z).double() + log_w for row in x.to(game.device)]
    return torch.stack([row.logsumexp(0) for row in rows])


def entropy(z: Tensor, k: int = 4) -> float:
    """Differential entropy of draws (n, d) in nats, from distances to the k-th nearest other one.

    H = psi(n) - psi(k) + log V_d + (d / n) sum_i log r_i, with V_d the volume of the unit ball.
    """
    from scipy.spatial import cKDTree
    from scipy.special import digamma, gammaln

    points = z.double().cpu().numpy()
    n, d = points.shape
    r = cKDTree(points).query(points, k + 1)[0][:, k]
    ball = d / 2 * math.log(math.pi) - gammaln(d / 2 + 1)
    return float(digamma(n) - digamma(k) + ball + d * np.log(np.maximum(r, 1e-300)).mean())


def overlap(draws: Tensor) -> float:
    """The share of draws (classes, n, d) whose nearest other draw is of another class."""
    from scipy.spatial import cKDTree

    labels = np.repeat(np.arange(len(draws)), draws.shape[1])
    points = draws.flatten(0, 1).double().cpu().numpy()
    return float((labels[cKDTree(points).query(points, 2)[1][:, 1]] != labels).mean())


def measured(game: Game, seed: int) -> dict[str, float]:
    """Mean log-likelihood, bound, overlap and distance of q(z) from the prior, over the four points."""
    with game.at_rest():
        x = FOUR.to(game.device).repeat_interleave(DRAWS, 0)
        z = game.ask("infer", x, seed=seed)[0] if game.can("infer") else game.encode(x, seed=seed)
        parts = [game.abilities["likelihood"](x, z), log_normal(z)]
        fit, log_prior = (part.double().mean().item() for part in parts)
        draws = z.view(4, DRAWS, 2)
        each = sum(entropy(part) for part in draws) / 4
        found = {
            "log-likelihood": log_likelihood(game, FOUR).mean().item(),
            "reconstruction": -fit,
            "bound": fit + log_prior + each,
            "overlap": overlap(draws[:, : DRAWS // 4]),
            "q(z) from p(z)": -entropy(z) - log_prior,
        }
        if game.can("posterior"):
            log_sd = game.abilities["posterior"](FOUR.to(game.device))[1]
            exact = (log_sd.sum(1) + math.log(2 * math.pi) + 1).mean().item()
            found["entropy's error"] = each - exact
    return found


def four_points(trial: Trial) -> dict[str, Measured]:
    """All four quantities of AVB, against the VAE's."""
    size = {"rounds": 1_000} if trial.quick else {}
    ours = make("avb", "four-points", **size)
    shared = {key: value for key, value in ours.fields().items() if key in SHARED}
    plain = make("vae", None, **shared)
    found = measured(trial.play(ours), trial.seed)
    beside = measured(trial.play(plain), trial.seed)
    facts = {"reconstruction": found["reconstruction"], "the VAE's": beside["reconstruction"],
             "error of the entropy": beside["entropy's error"]}  # fmt: skip
    return {name: Measured(found[key], beside[key], facts) for name, key in NAMES.items()}


NAMES = {
    "log-likelihood by quadrature, less the VAE's": "log-likelihood",
    "evidence bound, less the VAE's": "bound",
    "share of codes nearest to another point's, less the VAE's": "overlap",
    "KL(q(z) || p(z)), less the VAE's": "q(z) from p(z)",
}
LIMITS = {"log-likelihood": 0.1, "bound": 0.05, "overlap": -0.05, "q(z) from p(z)": 0.0}

CHECKS = tuple(
    Check(
        claim=ABOVE if key in ("log-likelihood", "bound") else TILES,
        quantity=name,
        measure=four_points,
        threshold=LIMITS[key],
        holds="above" if LIMITS[key] > 0 else "below",
        data=("four-points",),
    )
    for name, key in NAMES.items()
)

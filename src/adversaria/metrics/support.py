"""How many different examples a model makes, from how often two of them collide."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from scipy import stats
from torch import Tensor

from adversaria.errors import UserError
from adversaria.metrics.checks import checked, facts
from adversaria.metrics.copying import Matches
from adversaria.metrics.estimate import Estimate, Null
from adversaria.metrics.neighbours import Passes, inside


def birthday(
    *, generated: Float[Tensor, "s d"], real: Float[Tensor, "n d"] | None = None, threshold: float | None = None,
    quantile: float = 0.01, passes: Passes | None = None,
) -> Estimate:  # fmt: skip
    """Effective size of the support: pairs over colliding pairs among s generated examples.

        N = s (s - 1) / (2 C),   C = #{i < j: |y_i - y_j| <= threshold},   E[C] = s (s - 1) / 2 sum_i p_i^2

    It estimates 1 / sum p^2 (Simpson's), the N of a uniform distribution that collides as often. Arora and Zhang's s^2
    at an even chance of a duplicate is 1.39 times as much. The threshold is given, or the distance that this share of
    real examples have another real one within. The real set's own N, at the same threshold, is the null.

    The interval is Garwood's for a Poisson count, exact for rare collisions, with the count's variance inflated where
    pairs that share an example collide together (an atom drawn three times makes three pairs), by a U-statistic's
    variance:

        var(C) / C = 1 + max(0, T - C^2 4 (s - 2) / (s (s - 1))) / C,   T = sum_i c_i (c_i - 1),   c_i collisions of i

    With C = 0 the value is infinite, and the interval begins at the one-sided 95% bound s (s - 1) / 2 / 2.996.
    A near-uniform spread over too narrow a region goes unseen, and blurred examples are near without being equal: look
    at the pairs (`closest`).

    Arora and Zhang (2017), arXiv 1706.08224; Simpson (1949); Garwood (1936).

    Args:
        generated: (s, d).
        real: Held-out real examples (n, d); needed where no threshold is given.
        threshold: Distance at which two examples count as one; 0 for equal ones.
        quantile: Share of real examples that the threshold is taken from.
        passes: shared with other metrics on the same tensors.

    Raises:
        UserError: for sets that aren't (n, d) of one d, finite, with at least 2 rows; without threshold and real.
    """
    sets = {"generated": generated} | ({} if real is None else {"real": real})
    checked(2, **sets)
    passes = passes or Passes()
    calibrated = threshold is None
    if threshold is None:
        threshold = _calibrated(real, quantile, passes)
    if not 0 <= threshold < math.inf:
        raise UserError(f"threshold {threshold}; a distance from 0 up")
    degrees = _degrees(generated, threshold)
    value, low, high, details = _effective(degrees)
    null, protocol = None, {**facts(**sets), "threshold": f"{quantile:g} of real" if calibrated else threshold}
    details |= {"threshold": threshold}
    if real is not None:
        size, real_low, real_high, found = _effective(_degrees(real, threshold))
        details |= {"real": size, "real_low": real_low, "real_high": real_high, "real_colliding": found["colliding"]}
        if math.isfinite(size) and found["colliding"] > 1:
            null = Null(size, size * math.sqrt(found["dispersion"] / found["colliding"]), 1, "the real set's own")
    return Estimate("effective support", value, math.nan, len(generated), "examples", protocol, False, (low, high),
                    bias="consistent for 1 / sum p^2", null=null, details=details)  # fmt: skip


def confirmed_support(*, duplicates: int, samples: int, shown: int = 20) -> Estimate:
    """Effective support from pairs that a person, looking at the closest ones, took for the same picture twice.

        N = s (s - 1) / (2 C),   C of the shown pairs confirmed

    The interval is Garwood's for a Poisson count. Where all pairs shown are confirmed there may be more, and N is an
    upper bound.

    >>> round(confirmed_support(duplicates=1, samples=400).value)
    79800

    Arora and Zhang (2017), arXiv 1706.08224, Section 3.

    Args:
        duplicates: C.
        samples: s, of which the closest pairs were shown.
        shown: pairs.

    Raises:
        UserError: for more duplicates than pairs, or fewer than two samples.
    """
    if not 0 <= duplicates <= shown or samples < 2:
        raise UserError(
            f"{duplicates} duplicates among {shown} pairs of {samples} samples; 0 to {shown}, and 2 or more"
        )
    pairs = samples * (samples - 1) / 2
    if duplicates == 0:
        value, limits = math.inf, (pairs / -math.log(0.05), math.inf)
    else:
        low, high = (float(stats.gamma.ppf(q, a)) for q, a in ((0.025, duplicates), (0.975, duplicates + 1)))
        value, limits = pairs / duplicates, (0.0 if duplicates == shown else pairs / high, pairs / low)
    note = "an upper bound: all pairs shown were confirmed" if duplicates == shown else "as a person judged"
    return Estimate("effective support, confirmed by eye", value, math.nan, samples, "examples",
                    {"shown": shown, "n_generated": samples}, False, limits, bias=note,
                    details={"colliding": duplicates, "pairs": pairs})  # fmt: skip


def support_curve(
    *, generated: Float[Tensor, "s d"], thresholds: Sequence[float]
) -> list[tuple[float, float, float, float]]:  # fmt: skip
    """(threshold, N, low, high) for each threshold, as `birthday`."""
    checked(2, generated=generated)
    return [(float(t), *_effective(_degrees(generated, float(t)))[:3]) for t in thresholds]


def closest(*, generated: Float[Tensor, "s d"], count: int = 20, passes: Passes | None = None) -> Matches:
    """The closest pairs among the generated, for a person to confirm; each example with its 5 nearest at most."""
    checked(2, generated=generated)
    near = (passes or Passes()).within(generated, min(5, len(generated) - 1))
    i = torch.arange(len(generated), device=generated.device)[:, None].expand_as(near.index)
    once = (i < near.index) | ~(near.index[near.index] == i[..., None]).any(-1)  # a pair in both lists is one
    first, second, squared = i[once], near.index[once], near.squared[once]
    order = squared.sort(stable=True).indices[:count]
    values = first[order], second[order], squared[order].sqrt()
    return Matches(*(v.cpu().numpy() for v in values))


def collision_probability(s: int, n: int) -> float:
    """Chance that s uniform draws from n are not all different.

        1 - prod_{i < s} (1 - i / n)

    >>> round(collision_probability(23, 365), 6)
    0.507297
    """
    if not (s >= 0 and n >= 1):
        raise UserError(f"{s} draws from {n}; at least 0 and 1")
    return 1.0 if s > n else -math.expm1(float(np.log1p(-np.arange(s) / n).sum()))


def even_draws(n: int) -> int:
    """Fewest uniform draws from n with a chance of at least 1/2 that two are equal.

    >>> even_draws(365), even_draws(160_000)
    (23, 472)
    """
    s = max(2, int(math.sqrt(2 * n * math.log(2))) - 2)
    while collision_probability(s, n) < 0.5:
        s += 1
    return s


def _calibrated(real: Tensor | None, quantile: float, passes: Passes) -> float:
    if real is None:
        raise UserError("no threshold and no real examples to take it from; give one of them")
    if not 0 < quantile < 1:
        raise UserError(f"quantile {quantile}; between 0 and 1")
    nearest = passes.radii(real, 1).sort().values
    return float(nearest[max(0, math.ceil(quantile * len(nearest)) - 1)].sqrt())


def _degrees(x: Tensor, threshold: float) -> np.ndarray:
    """How many others lie within the threshold of each."""
    # the square of a root may fall one bit short of what it came from
    squared = torch.full((len(x),), threshold**2 * (1 + 1e-14), dtype=torch.float64, device=x.device)
    return inside(x, x, squared, same=True).cpu().numpy()


def _effective(degrees: np.ndarray) -> tuple[float, float, float, dict[str, float]]:
    s, colliding = len(degrees), int(degrees.sum()) // 2
    pairs = s * (s - 1) / 2
    if colliding == 0:
        return math.inf, pairs / -math.log(0.05), math.inf, {"colliding": 0, "pairs": pairs, "dispersion": 1.0}
    paths = float((degrees.astype(float) * (degrees - 1)).sum())
    expected = colliding**2 * 4 * (s - 2) / (s * (s - 1))
    dispersion = 1 + max(0.0, paths - expected) / colliding
    count = colliding / dispersion
    low, high = (float(stats.gamma.ppf(q, a)) * dispersion for q, a in ((0.025, count), (0.975, count + 1)))
    found = {"colliding": colliding, "pairs": pairs, "dispersion": dispersion}
    return pairs / colliding, pairs / min(high, pairs), pairs / low, found

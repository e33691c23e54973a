"""Is a better than b? Over seeds, by flipping signs exactly; of two numbers, by their errors."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from adversaria.errors import UserError
from adversaria.metrics.estimate import Estimate, difference

ENUMERATED = 16
"""Differences of which all sign patterns are gone through; of more, `DRAWS` random ones."""
DRAWS = 65_536
POWER = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
"""Standard errors of a difference that would show with probability 80% at the 5% level."""


@dataclass(frozen=True)
class Difference:
    """a - b, its standard error, its two-sided p, and the difference that would have shown in four of five cases."""

    value: float
    error: float
    p: float
    least_p: float
    """The smallest p this many pairs can give; 0 where there is no such limit."""
    detectable: float
    paired: str


def sign_flip(differences: Sequence[float], seed: int = 0) -> float:
    """Two-sided p of a mean difference of 0: the share of sign patterns whose mean is as far from it.

    Exact for symmetric differences; with 5 pairs it can't fall below 1/16, with 6 not below 1/32 = 0.03.

    >>> sign_flip([1.0, 2.0, 3.0, 1.5, 0.5, 2.0])
    0.03125

    Fisher (1935), The Design of Experiments, Section 21.

    Raises:
        UserError: for fewer than two differences, or one that is not finite.
    """
    d = np.asarray(differences, np.float64)
    if len(d) < 2 or not np.isfinite(d).all():
        raise UserError(f"{len(d)} differences, {int((~np.isfinite(d)).sum())} not finite; give 2 finite ones or more")
    if len(d) <= ENUMERATED:
        signs = 1 - 2 * ((np.arange(2 ** len(d))[:, None] >> np.arange(len(d))) & 1)
    else:
        signs = np.random.default_rng(seed).choice([-1, 1], (DRAWS, len(d)))
        signs[0] = 1
    means = np.abs(signs @ d)
    return float((means >= abs(d.sum()) * (1 - 1e-12)).mean())


def over_seeds(a: Sequence[float], b: Sequence[float]) -> Difference:
    """Of two systems' numbers, paired by seed.

    Raises:
        UserError: for lists of different lengths, or fewer than two seeds.
    """
    if len(a) != len(b):
        raise UserError(f"{len(a)} and {len(b)} seeds; compare as many of both")
    d = np.asarray(a, np.float64) - np.asarray(b, np.float64)
    p = sign_flip(d.tolist())
    error = float(d.std(ddof=1) / math.sqrt(len(d)))
    # the sign test's detectable difference by that of the t test, which it comes close to
    detectable = float(stats.t.ppf(0.975, len(d) - 1) + stats.t.ppf(0.8, len(d) - 1)) * error
    return Difference(float(d.mean()), error, p, 2.0 ** (1 - len(d)), detectable, f"{len(d)} seeds")


def of_two(a: Estimate, b: Estimate) -> Difference:
    """Of one number of each of two models, by their standard errors; paired on the reference where that is known.

    Raises:
        UserError: where they were measured differently, or have no standard error.
    """
    found = difference(a, b)
    if not math.isfinite(found.error) or not math.isfinite(found.value):
        raise UserError("no standard error is known")
    p = 2 * float(stats.norm.sf(abs(found.value) / found.error)) if found.error > 0 else float(found.value == 0)
    return Difference(found.value, found.error, p, 0.0, POWER * found.error, str(found.protocol["paired"]))

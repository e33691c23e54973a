"""Interval and verdict: a claim holds where the whole 95% interval lies on its side of the threshold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from adversaria.claims.check import Side

Verdict = Literal["holds", "does not hold", "inconclusive"]
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with its 95% interval; unbounded where one seed, or none, says nothing of the spread."""

    mean: float
    low: float
    high: float
    how: str
    """The kind of interval."""


def interval(values: Sequence[float | bool]) -> Interval:
    """The 95% interval of the mean over seeds.

        numbers         mean +- t_{n-1}(0.975) s / sqrt(n)
        True or False   of the share of True, exact: Clopper and Pearson (1934), Biometrika 26(4), 404-413

    Seeds that agree to the last digit make an interval of no width: say it as True or False where that can happen.
    """
    from scipy import stats  # takes a second, which a page of results has no use for

    n = len(values)
    if n == 0:
        return Interval(math.nan, -math.inf, math.inf, "no seed")
    mean = sum(values) / n
    if all(isinstance(value, bool) for value in values):
        limits = stats.binomtest(sum(values), n).proportion_ci(LEVEL, "exact")
        return Interval(mean, float(limits.low), float(limits.high), "Clopper-Pearson")
    if n == 1:
        return Interval(mean, -math.inf, math.inf, "one seed")
    spread = math.sqrt(sum((value - mean) ** 2 for value in values) / (n - 1))
    reach = float(stats.t.ppf((1 + LEVEL) / 2, n - 1)) * spread / math.sqrt(n)
    return Interval(mean, mean - reach, mean + reach, f"t, {n - 1} degrees of freedom")


def judge(found: Interval, threshold: float | Sequence[float], holds: Side, failed: int = 0) -> Verdict:
    """What the interval says of the claim; a seed that failed can't speak for it.

    The threshold itself is on the claim's side.
    """
    low, high = _bounds(threshold, holds)
    if found.high < low or found.low > high:
        return "does not hold"
    inside = low <= found.low and found.high <= high
    return "holds" if inside and not failed else "inconclusive"


def _bounds(threshold: float | Sequence[float], holds: Side) -> tuple[float, float]:
    """The claim's side of the threshold, as an interval."""
    if not isinstance(threshold, float | int):
        low, high = threshold
        return low, high
    return (threshold, math.inf) if holds == "above" else (-math.inf, threshold)

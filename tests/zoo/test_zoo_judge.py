"""Intervals against independent calculations, and which side of a threshold they lie on."""

import math

import numpy as np
import pytest
from scipy import optimize, special, stats

from adversaria.zoo.judge import Interval, interval, judge


def test_the_interval_of_numbers_is_student_s():
    for values in ([1.0, 2.0, 4.0], [0.3, -0.7], list(np.random.default_rng(0).normal(size=9))):
        told = interval(values)
        low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
        assert (told.mean, told.low, told.high) == pytest.approx((np.mean(values), low, high), rel=1e-12)


def test_it_covers_the_mean_in_95_of_100_cases():
    rng = np.random.default_rng(1)
    hit = sum(i.low <= 3.0 <= i.high for i in (interval(list(rng.normal(3.0, 2.0, 4))) for _ in range(4000)))
    assert abs(hit / 4000 - 0.95) < 3 * math.sqrt(0.95 * 0.05 / 4000)


@pytest.mark.parametrize("right, n", [(0, 3), (3, 3), (5, 6), (6, 6), (1, 9)])
def test_true_and_false_get_the_exact_interval_of_a_share(right, n):
    told = interval([True] * right + [False] * (n - right))

    def tail(p, at_least):  # P(X >= right) or P(X <= right), by summing the binomial law
        counts = range(right, n + 1) if at_least else range(right + 1)
        return sum(special.comb(n, k) * p**k * (1 - p) ** (n - k) for k in counts)

    low = 0.0 if right == 0 else optimize.brentq(lambda p: tail(p, True) - 0.025, 0, 1, xtol=1e-12)
    high = 1.0 if right == n else optimize.brentq(lambda p: tail(p, False) - 0.025, 0, 1, xtol=1e-12)
    assert told.how == "Clopper-Pearson"
    assert (told.mean, told.low, told.high) == pytest.approx((right / n, low, high), abs=1e-9)


def test_six_seeds_of_six_are_the_fewest_that_show_more_than_half():
    assert interval([True] * 5).low < 0.5 < interval([True] * 6).low


def test_one_seed_says_nothing_of_the_spread():
    assert (interval([1.0]).low, interval([1.0]).high) == (-math.inf, math.inf)
    assert math.isnan(interval([]).mean) and judge(interval([]), 0.0, "above") == "inconclusive"


@pytest.mark.parametrize(
    "low, high, threshold, side, verdict",
    [
        (0.96, 0.99, 0.95, "above", "holds"),
        (0.95, 0.99, 0.95, "above", "holds"),
        (0.94, 0.99, 0.95, "above", "inconclusive"),
        (0.90, 0.95, 0.95, "above", "inconclusive"),
        (0.90, 0.94, 0.95, "above", "does not hold"),
        (1.0, 2.0, 2.0, "below", "holds"),
        (1.0, 2.1, 2.0, "below", "inconclusive"),
        (2.1, 2.2, 2.0, "below", "does not hold"),
        (0.9, 1.1, (0.9, 1.1), "within", "holds"),
        (0.8, 1.0, (0.9, 1.1), "within", "inconclusive"),
        (0.8, 1.2, (0.9, 1.1), "within", "inconclusive"),
        (1.2, 1.3, (0.9, 1.1), "within", "does not hold"),
        (0.1, 0.2, [0.9, 1.1], "within", "does not hold"),
        (-math.inf, math.inf, 0.0, "below", "inconclusive"),
    ],
)
def test_a_claim_holds_where_the_whole_interval_is_on_its_side(low, high, threshold, side, verdict):
    assert judge(Interval((low + high) / 2, low, high, ""), threshold, side) == verdict


def test_a_seed_that_failed_speaks_for_no_claim():
    assert judge(Interval(1.0, 0.9, 1.1, ""), 0.5, "above", failed=1) == "inconclusive"
    assert judge(Interval(0.1, 0.0, 0.2, ""), 0.5, "above", failed=1) == "does not hold"

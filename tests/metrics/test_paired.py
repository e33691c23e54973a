"""Paired comparisons: the sign-flip test by hand and by simulation, over seeds, of two numbers."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import stats

from adversaria.errors import UserError
from adversaria.metrics.estimate import Estimate, mean
from adversaria.metrics.paired import ENUMERATED, of_two, over_seeds, sign_flip


def by_hand(differences):
    patterns = list(itertools.product([1, -1], repeat=len(differences)))
    sums = [abs(sum(s * d for s, d in zip(signs, differences, strict=True))) for signs in patterns]
    return sum(x >= abs(sum(differences)) - 1e-12 for x in sums) / len(patterns)


def test_three_differences_by_hand():
    # 1, 2, 4: sums of the patterns are +-7, +-5, +-3, +-1
    assert sign_flip([1, 2, 4]) == 2 / 8
    assert sign_flip([-1, 2, 4]) == 4 / 8
    assert sign_flip([1, -2, 4]) == 6 / 8
    assert sign_flip([1, 2, -4]) == 8 / 8


@pytest.mark.parametrize("n", [2, 4, 5, 7])
def test_equals_enumeration(n):
    rng = np.random.default_rng(n)
    for _ in range(10):
        d = (rng.normal(size=n) + 0.5).tolist()
        assert sign_flip(d) == by_hand(d)


def test_is_what_scipy_says():
    d = np.random.default_rng(0).normal(0.4, 1, 8)
    found = stats.permutation_test((d,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip(d.tolist()) == pytest.approx(found.pvalue, abs=1e-12)


@pytest.mark.parametrize(("n", "p"), [(2, 1 / 2), (5, 1 / 16), (6, 1 / 32), (10, 2**-9), (ENUMERATED, 2.0**-15)])
def test_the_smallest_p_is_two_patterns_of_all(n, p):
    d = np.random.default_rng(n).uniform(0.1, 1, n)
    assert sign_flip(d.tolist()) == p == over_seeds(d.tolist(), [0.0] * n).least_p


def test_signs_scale_and_order_do_not_matter():
    d = [0.3, -0.1, 0.8, 0.2, -0.4, 0.55]
    assert sign_flip(d) == sign_flip([-x for x in d]) == sign_flip([7e-9 * x for x in d]) == sign_flip(d[::-1])
    assert sign_flip([0.0] * 4) == 1


def test_ties_count_though_sums_round_differently():
    assert sign_flip([0.1, 0.2, 0.3]) == 2 / 8
    assert sign_flip([0.1, 0.2, -0.3]) == 1  # a sum of 0, but for rounding


def test_many_differences_are_drawn_by_seed_and_never_give_zero():
    d = np.random.default_rng(3).normal(0.3, 1, ENUMERATED + 9).tolist()
    p = sign_flip(d)
    assert p == sign_flip(d) and p != sign_flip(d, seed=1)
    exact = stats.permutation_test((d,), np.mean, permutation_type="samples", n_resamples=50_000, rng=0).pvalue
    assert p == pytest.approx(exact, abs=4 * math.sqrt(2 * exact / 50_000))
    assert sign_flip([1.0] * 40) > 0


@pytest.mark.parametrize("n", [6, 10])
def test_false_alarms_stay_below_the_level(n):
    rng = np.random.default_rng(n)
    trials = 1500
    p = np.array([sign_flip(rng.standard_t(3, n).tolist()) for _ in range(trials)])
    for level in (0.05, 0.2):
        assert (p <= level).mean() <= level + 4 * math.sqrt(level * (1 - level) / trials)
    assert (p <= 0.2).mean() > 0.1  # and it isn't blind


@pytest.mark.parametrize("d", [[1.0], [], [1.0, math.nan], [1.0, math.inf]])
def test_what_has_no_test_is_refused(d):
    with pytest.raises(UserError, match="finite"):
        sign_flip(d)


def test_seeds_are_paired():
    a, b = [5.0, 7.0, 6.0, 9.0], [4.0, 6.5, 4.0, 8.5]
    found = over_seeds(a, b)
    assert found.value == 1.0 and found.p == sign_flip([1.0, 0.5, 2.0, 0.5]) == 1 / 8
    assert found.error == pytest.approx(math.sqrt(1.5 / 3 / 4))
    assert found.error == pytest.approx(float(stats.sem(np.subtract(a, b))))
    assert over_seeds(b, a).value == -1.0 and over_seeds(b, a).p == found.p
    assert found.paired == "4 seeds" and found.least_p == 1 / 8
    with pytest.raises(UserError, match="4 and 3 seeds"):
        over_seeds(a, b[:3])
    with pytest.raises(UserError):
        over_seeds([1.0], [2.0])


def test_the_detectable_difference_shows_in_four_of_five():
    rng = np.random.default_rng(0)
    n, sd = 12, 1.0
    shift = (stats.t.ppf(0.975, n - 1) + stats.t.ppf(0.8, n - 1)) * sd / math.sqrt(n)
    seen = np.mean([sign_flip(rng.normal(shift, sd, n).tolist()) < 0.05 for _ in range(600)])
    assert 0.75 <= seen <= 0.88
    d = rng.normal(0, sd, n)
    found = over_seeds(d.tolist(), [0.0] * n)
    assert found.detectable == pytest.approx(shift * d.std(ddof=1), rel=1e-9)


def a(value, error, **changes):
    return Estimate(**({"name": "d", "value": value, "error": error, "n": 9} | changes))


def test_two_numbers_are_compared_by_their_errors():
    found = of_two(a(3.0, 0.3), a(2.0, 0.4))
    assert (found.value, found.error) == (1.0, pytest.approx(0.5))
    assert found.p == pytest.approx(2 * stats.norm.sf(2.0)) and found.least_p == 0
    assert found.detectable == pytest.approx((1.959964 + 0.841621) * 0.5, rel=1e-6)
    assert found.paired == "no"
    assert of_two(a(2.0, 0.4), a(3.0, 0.3)).p == found.p


def test_without_error_equal_numbers_are_equal_and_others_not():
    assert of_two(a(1.0, 0.0), a(1.0, 0.0)).p == 1
    assert of_two(a(1.0, 0.0), a(2.0, 0.0)).p == 0


def test_pairing_on_the_reference_finds_what_errors_alone_would_miss():
    shared = torch.randn(200)
    x, y = (mean("d", shared + c + 0.05 * torch.randn(200), "", {}) for c in (0.0, 0.05))
    found = of_two(x, y)
    assert found.paired == "on the reference" and found.p < 1e-4
    assert 2 * stats.norm.sf(0.05 / math.hypot(x.error, y.error)) > 0.5


@pytest.mark.parametrize(
    "other", [a(1.0, math.nan, limits=(0.0, 2.0)), a(math.inf, 0.1), a(1.0, 0.1, protocol={"seed": 1}),
              a(1.0, 0.1, name="e")]
)  # fmt: skip
def test_numbers_that_cannot_be_compared_are_refused(other):
    with pytest.raises(UserError):
        of_two(a(1.0, 0.1), other)

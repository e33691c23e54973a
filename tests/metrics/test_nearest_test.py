import numpy as np
import pytest
import torch

from adversaria.errors import UserError
from adversaria.metrics.nearest_test import expected_accuracy, nearest_neighbour_test, relabelled


def run(x, y, **options):
    return nearest_neighbour_test(real=x, generated=y, **options)


@pytest.mark.parametrize(("n", "want"), [(10, 0.473684), (100, 0.497487)])
def test_null_mean_is_that_of_equal_sizes(n, want):
    assert expected_accuracy(n, n) == pytest.approx((n - 1) / (2 * n - 1), abs=1e-12) == pytest.approx(want, abs=1e-6)


def test_labellings_keep_the_sizes_and_are_even():
    drawn = np.array(list(relabelled(3, 7, 2000, seed=0)))
    assert (drawn.sum(1) == 3).all()
    assert np.abs(drawn.mean(0) - 0.3).max() < 4 * (0.3 * 0.7 / 2000) ** 0.5


def test_relabelling_mean_and_spread_are_those_over_fresh_sets():
    found = [run(torch.randn(30, 3), torch.randn(50, 3), permutations=200, seed=i) for i in range(200)]
    value = np.array([e.value for e in found])
    assert abs(value.mean() - expected_accuracy(30, 50)) < 4 * value.std() / 200**0.5
    assert np.mean([e.null.sd for e in found]) == pytest.approx(value.std(), rel=0.15)
    assert np.mean([e.error for e in found]) == pytest.approx(value.std(), rel=0.25)
    assert 0.01 <= np.mean([e.p <= 0.05 for e in found]) <= 0.09


@pytest.mark.parametrize("levels", [1, 2, 4])
def test_ties_and_duplicates_keep_the_level(levels):
    draw = lambda n: torch.randint(0, levels, (n, 2)).float()  # noqa: E731
    p = np.array([run(draw(60), draw(40), permutations=99, seed=i).p for i in range(150)])
    assert np.mean(p <= 0.05) <= 0.09
    assert np.mean(p <= 0.5) >= 0.3


def test_copies_are_low_and_separable_sets_high():
    x, y = torch.randn(200, 5), torch.randn(200, 5)
    copied = run(x, x + 1e-6 * torch.randn(200, 5))
    assert copied.value == 0 and copied.p == pytest.approx(2 / 1001) and copied.excess < -5
    apart = run(x, y + 10)
    assert apart.value == 1 and apart.p == pytest.approx(2 / 1001) and apart.excess > 5
    assert run(x, y).p > 0.001


def test_accuracy_of_each_set_tells_who_sits_on_whom():
    real = torch.randn(100, 8)
    beside = real + 0.1
    generated = torch.cat([beside, beside + 1e-3])
    details = run(real, generated).details
    assert details["accuracy_generated"] == 1 and details["accuracy_real"] == 0
    e = run(real, generated[:50])
    assert e.value == pytest.approx((100 * e.details["accuracy_real"] + 50 * e.details["accuracy_generated"]) / 150)


def test_graph_is_the_brute_force_one():
    x, y = torch.randn(40, 3).double(), torch.randn(30, 3).double()
    pooled = torch.cat([x, y])
    d = torch.cdist(pooled, pooled)
    d.fill_diagonal_(torch.inf)
    labels = torch.arange(70) < 40
    assert run(x, y).value == pytest.approx(float((labels == labels[d.argmin(1)]).double().mean()))


def test_same_seed_same_bits_and_bad_input_is_refused():
    x, y = torch.randint(0, 3, (40, 2)).float(), torch.randint(0, 3, (40, 2)).float()
    assert run(x, y, seed=1) == run(x, y, seed=1)
    assert run(x, y, seed=1).protocol["permutations"] == 1000
    with pytest.raises(UserError, match="no p-value"):
        run(x, y, permutations=0)
    with pytest.raises(UserError, match="at least 2"):
        run(x[:1], y)

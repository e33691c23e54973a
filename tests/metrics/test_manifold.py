import math

import numpy as np
import pytest
import torch

from adversaria.errors import UserError
from adversaria.metrics.balls import (
    coverage,
    density,
    expected_coverage,
    histogram_curve,
    manifold,
    precision,
    precision_recall_curve,
    recall,
)
from adversaria.metrics.neighbours import Passes

NAMES = ("precision", "recall", "density", "coverage")


def values(x, y, k):
    return tuple(manifold(real=x, generated=y, k=k)[name].value for name in NAMES)


def column(*numbers):
    return torch.tensor(numbers, dtype=torch.float64)[:, None]


def test_golden_line():
    x, y = column(0, 1, 2, 3), column(0.5, 1.5, 2.5, 10)
    assert values(x, y, 1) == (0.75, 1.0, 1.5, 1.0)
    assert values(x, y, 2) == (0.75, 1.0, 1.0, 1.0)


def test_golden_outlier_far_sets_and_constants():
    assert values(column(0, 1, 2, 3, 100), column(50, 51, 52, 53), 1) == (1.0, 0.0, 1.0, 0.2)
    assert values(column(0, 1, 2, 3), column(1000, 1001, 1002, 1003), 2) == (0.0, 0.0, 0.0, 0.0)
    for same in (torch.zeros(20, 3), torch.full((20, 3), 7.3), torch.randn(50, 4)):
        p, r, d, c = values(same, same, 3)
        assert p == r == c == 1 and d >= 1
        assert values(same, same.clone(), 3) == (p, r, d, c)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_neighbours_on_a_balls_edge_are_inside_to_the_last_bit(dtype):
    x = torch.randn(300, 37, dtype=dtype)
    for k in (1, 4):
        # each ball holds its own centre and the k neighbours, the last of them on its edge
        assert density(real=x, generated=x[torch.randperm(300)], k=k).value == pytest.approx((k + 1) / k, rel=1e-12)


@pytest.mark.parametrize(("n", "m", "k", "want"), [(100, 100, 5, 0.9711), (10**6, 10**6, 3, 0.875), (50, 500, 5, 1)])
def test_expected_coverage_is_the_references(n, m, k, want):
    assert expected_coverage(n, m, k) == pytest.approx(want, abs=6e-5)
    assert expected_coverage(10**7, 10**7, k) == pytest.approx(1 - 2.0**-k, abs=1e-5)


@pytest.mark.parametrize(("n", "m", "k"), [(40, 60, 2), (80, 25, 1)])
def test_nulls_of_coverage_and_density_are_exact(float64, n, m, k):
    found = []
    for _ in range(100):
        x, y, passes = torch.randn(n, 3).exp(), torch.randn(m, 3).exp(), Passes()
        cover, dense = (f(real=x, generated=y, k=k, passes=passes) for f in (coverage, density))
        found.append((cover.value, dense.value, cover.null.sd))
    cover, dense, sd = np.array(found).T
    assert abs(cover.mean() - expected_coverage(n, m, k)) < 4 * cover.std() / 10
    assert abs(dense.mean() - 1) < 4 * dense.std() / 10
    assert sd.mean() == pytest.approx(cover.std(), rel=0.25)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_agrees_with_prdc_where_no_distance_ties(k):
    prdc = pytest.importorskip("prdc", reason="the peer is not installed")
    x, y = torch.randn(200, 16).double(), (0.9 * torch.randn(150, 16) + 0.1).double()
    # prdc counts distances < r, ours <= r: equal unless a distance equals a radius exactly
    want = prdc.compute_prdc(x.numpy(), y.numpy(), k)
    for name, estimate in manifold(real=x, generated=y, k=k).items():
        assert estimate.value == pytest.approx(want[name], rel=1e-6)


def test_equality_counts_where_prdc_says_nothing():
    prdc = pytest.importorskip("prdc", reason="the peer is not installed")
    same = np.zeros((20, 3), dtype=np.float32)
    assert set(prdc.compute_prdc(same, same, 3).values()) == {0.0}
    assert min(values(torch.from_numpy(same), torch.from_numpy(same), 3)) == 1


def test_exchanging_the_sets_exchanges_precision_and_recall():
    x, y = torch.randn(120, 4), 0.7 * torch.randn(90, 4)
    a, b = manifold(real=x, generated=y), manifold(real=y, generated=x)
    assert a["precision"].value == b["recall"].value and a["recall"].value == b["precision"].value
    assert a["precision"].value > a["recall"].value


def test_order_scale_rotation_and_precision_of_numbers_change_nothing(float64):
    x, y = torch.randn(80, 5), torch.randn(80, 5) + 0.3
    want = values(x, y, 3)
    rotation = torch.linalg.qr(torch.randn(5, 5)).Q
    for f in (lambda s: s[torch.randperm(len(s))], lambda s: 1e4 + 250 * s, lambda s: s @ rotation, torch.Tensor.float):
        assert values(f(x), f(y), 3) == want


def test_standard_errors_are_of_the_size_of_the_spread():
    found = []
    for i in range(40):
        generator = torch.Generator().manual_seed(i)
        x, y = torch.randn(150, 4, generator=generator), 0.8 * torch.randn(200, 4, generator=generator) + 0.3
        found.append([(e.value, e.error, *e.interval) for e in manifold(real=x, generated=y).values()])
    table = np.array(found)
    for j, name in enumerate(NAMES):
        value, error, low, high = table[:, j].T
        assert 0.65 < error.mean() / value.std(ddof=1) < 1.5, name
        assert ((low <= value.mean()) & (value.mean() <= high)).mean() > 0.85, name
        assert ((low >= 0) & (low <= high)).all() and (name == "density" or (high <= 1).all())


def test_errors_are_at_least_binomial_where_blocks_see_less():
    modes = torch.arange(200) % 10
    x, y = (8.0 * modes[torch.randperm(200)][:, None] + torch.randn(200, 6) for _ in range(2))
    for f in (precision, recall):
        for seed in range(10):
            made = f(real=x, generated=y, k=5, seed=seed)
            assert made.error >= (made.value * (1 - made.value) / 200) ** 0.5 * (1 - 1e-12)


def test_all_four_share_four_passes(monkeypatch):
    from adversaria.metrics import neighbours

    made = []
    real = neighbours.nearest
    monkeypatch.setattr(neighbours, "nearest", lambda *a, **kw: made.append(a) or real(*a, **kw))
    x, y, passes = torch.randn(60, 3), torch.randn(60, 3), Passes()
    shared = manifold(real=x, generated=y, passes=passes)
    assert len(made) == 4
    alone = [f(real=x, generated=y) for f in (precision, recall, density, coverage)]
    assert [e.value for e in shared.values()] == [e.value for e in alone]
    assert [e.error for e in shared.values()] == [e.error for e in alone]


def test_the_protocol_says_k_and_the_seed_repeats_the_bits():
    x, y = torch.randn(60, 3), torch.randn(60, 3)
    a, b = manifold(real=x, generated=y, seed=3), manifold(real=x, generated=y, seed=3)
    assert a == b
    assert a["precision"].protocol["k"] == 3 and a["coverage"].protocol["k"] == 5
    assert a["coverage"].lower_is_better is False and a["density"].lower_is_better is None


def test_few_rows_have_no_standard_error_and_too_few_no_value():
    small = manifold(real=torch.randn(10, 2), generated=torch.randn(10, 2))
    assert all(math.isnan(e.error) and e.limits is None for e in small.values())
    with pytest.raises(UserError, match="real has 5 rows; at least 6"):
        coverage(real=torch.randn(5, 2), generated=torch.randn(50, 2))
    with pytest.raises(UserError, match="not finite"):
        density(real=torch.randn(50, 2), generated=torch.full((50, 2), torch.nan))
    with pytest.raises(UserError, match="k = 0"):
        precision(real=torch.randn(5, 2), generated=torch.randn(50, 2), k=0)
    with pytest.raises(UserError, match="different numbers of features"):
        recall(real=torch.randn(50, 2), generated=torch.randn(50, 3))


def test_curve_golden_cases():
    one, half = np.array([1.0, 0.0]), np.array([0.5, 0.5])
    p, r = histogram_curve(one, half)
    assert p.max() == pytest.approx(0.5) and r.max() == pytest.approx(1)
    p, r = histogram_curve(half, half)
    assert np.minimum(p, r).max() == pytest.approx(1, abs=1e-9)
    assert histogram_curve(one, one[::-1]).max() == 0


def test_curve_of_equal_and_of_far_sets():
    x = torch.cat([torch.randn(60, 2), torch.randn(60, 2) + 50])
    same = precision_recall_curve(real=x, generated=x, runs=2)
    assert same.f_recall == pytest.approx(1, abs=1e-6) and same.f_precision == pytest.approx(1, abs=1e-6)
    far = precision_recall_curve(real=x, generated=x + 1000, runs=2)
    assert far.precision.max() == 0 and far.f_recall == 0
    dropped = precision_recall_curve(real=x, generated=x[:60].repeat(2, 1), runs=2, cells=2)
    assert dropped.recall.max() == pytest.approx(0.5) and dropped.precision.max() == pytest.approx(1)
    assert dropped.f_precision > 0.9 > 0.6 > dropped.f_recall
    with pytest.raises(UserError, match="take as many"):
        precision_recall_curve(real=x, generated=x[:50])

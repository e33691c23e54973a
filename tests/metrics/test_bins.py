"""NDB: bins made of neither set, a null that is every permutation, and the bins that differ by name."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from adversaria.errors import UserError
from adversaria.metrics.bins import Bins, _z, bins_test, fit_bins

pytestmark = pytest.mark.usefixtures("float64")
LINE = Bins(torch.arange(10.0)[:, None])


def places(counts, seed=0):
    """One-dimensional points, so many near each of 0, 1, 2, ..."""
    at = np.repeat(np.arange(len(counts)), counts)
    return torch.from_numpy(at + np.random.default_rng(seed).uniform(-0.4, 0.4, len(at)))[:, None]


def drawn(n, shares, seed):
    return places(np.random.default_rng((seed, 7)).multinomial(n, shares), seed)


def test_counts_z_and_divergence_are_those_of_their_definitions():
    x, y = np.array([30, 30, 20, 20, 0, 0, 0, 0, 0, 0]), np.array([10, 30, 20, 60, 30, 0, 0, 0, 0, 0])
    found = bins_test(train=LINE, real=places(x), generated=places(y, 1))
    n, m = 100, 150
    for k in range(5):
        r = (x[k] + y[k]) / (n + m)
        want = (x[k] / n - y[k] / m) / math.sqrt(r * (1 - r) * (1 / n + 1 / m))
        assert _z(x[None], x + y, n, m)[0, k] == pytest.approx(want)
    assert found.details["ndb"] == 3
    assert found.value == 0.3
    p, q = x / n, y / m
    middle = (p + q) / 2
    jsd = (stats.entropy(p, middle) + stats.entropy(q, middle)) / 2
    assert found.details["jsd"] == pytest.approx(jsd, abs=1e-12)
    assert found.details["binomial_p"] == pytest.approx(float(stats.binom.sf(2, 10, 0.05)))


def test_shares_that_are_disjoint_are_log_two_apart():
    found = bins_test(train=LINE, real=places([20, 20, 0, 0]), generated=places([0, 0, 20, 20]))
    assert found.details["jsd"] == pytest.approx(math.log(2))
    assert (found.value, found.p) == (0.4, 1 / 2001)
    assert [d["ratio"] for d in found.details["different"]].count(None) == 2


def test_the_null_of_ndb_is_alpha_k_and_not_zero():
    shares = np.full(100, 0.01)
    centres = Bins(torch.arange(100.0)[:, None])
    found = bins_test(train=centres, real=drawn(50_000, shares, 1), generated=drawn(10_000, shares, 2))
    assert abs(100 * found.null.mean - 5.1) < 0.4
    low, high = stats.norm.interval(0.95, 100 * found.null.mean, 100 * found.null.sd)
    assert low == pytest.approx(1, abs=0.7)
    assert high == pytest.approx(9.5, abs=0.7)


def test_false_alarms_of_ndb_are_as_many_as_said():
    shares = np.random.default_rng(0).dirichlet(np.ones(10))
    runs = 400
    found = [bins_test(train=LINE, real=drawn(150, shares, 2 * i), generated=drawn(90, shares, 2 * i + 1),
                       permutations=199, seed=i) for i in range(runs)]  # fmt: skip
    for p in ([e.p for e in found], [e.details["jsd_p"] for e in found]):
        for alpha in (0.05, 0.2, 0.5):
            assert abs(np.mean(np.array(p) <= alpha) - alpha) < 3.5 * math.sqrt(alpha * (1 - alpha) / runs)
    assert np.mean([bool(e.details["different"]) for e in found]) < 0.08
    values = [e.value for e in found]
    assert np.mean(values) == pytest.approx(np.mean([e.null.mean for e in found]), abs=0.015)
    assert 0.7 < np.mean([e.error for e in found]) / np.std(values) < 1.5


def test_rows_that_made_the_bins_hide_differences_and_held_out_ones_do_not():
    rng = np.random.default_rng(3)
    p = {"held out": [], "the same": []}
    for i in range(60):
        train, real, fresh = (torch.from_numpy(rng.standard_normal((200, 12))) for _ in range(3))
        bins = fit_bins(train=train, bins=20, seed=i)
        for name, rows in (("held out", real), ("the same", train)):
            p[name].append(bins_test(train=bins, real=rows, generated=fresh, permutations=199).p)
    error = math.sqrt(1 / 12 / 60)
    assert abs(np.mean(p["held out"]) - 0.5) < 3.5 * error
    assert np.mean(p["the same"]) > 0.5 + 4 * error


def test_a_dropped_mode_is_named_with_its_rows():
    full, without = np.full(10, 0.1), np.where(np.arange(10) == 3, 0, 1 / 9)
    found = bins_test(train=LINE, real=drawn(2000, full, 0), generated=drawn(2000, without, 1))
    first = found.details["different"][0]
    assert (first["bin"], first["generated"], first["ratio"]) == (3, 0, 0.0)
    assert first["generated_rows"] == []
    real = drawn(2000, full, 0)[:, 0]
    assert len(first["real_rows"]) == 16
    distance = (real[first["real_rows"]] - 3).abs()
    assert torch.equal(distance, distance.sort().values)
    assert float(distance.max()) <= float((real - 3).abs().sort().values[15])
    table = [[first["real"], 2000 - first["real"]], [0, 2000]]
    assert first["p"] == pytest.approx(2 * stats.fisher_exact(table, alternative="greater").pvalue, rel=1e-6, abs=0)


def test_power_grows_with_the_share_of_a_mode_that_is_dropped():
    real = drawn(1000, np.full(10, 0.1), 0)
    excess = []
    for kept in (1.0, 0.7, 0.4, 0.0):
        shares = np.full(10, 0.1) * np.where(np.arange(10) < 3, kept, 1)
        excess.append(bins_test(train=LINE, real=real, generated=drawn(1000, shares / shares.sum(), 1)).excess)
    assert excess == sorted(excess)
    assert excess[0] < 2 < 5 < excess[-1]


def test_k_means_finds_separate_groups_and_repeats_itself():
    train = drawn(500, np.full(5, 0.2), 0)
    bins = fit_bins(train=train, bins=5)
    assert torch.allclose(bins.centres.flatten().sort().values, torch.arange(5.0), atol=0.1)
    assert torch.equal(bins.centres, fit_bins(train=train, bins=5).centres)
    assert torch.equal(bins.assign(train)[0], bins.assign(train.float())[0])
    a, b = (bins_test(train=train, real=drawn(90, np.full(5, 0.2), 1), generated=drawn(80, np.full(5, 0.2), 2))
            for _ in range(2))  # fmt: skip
    assert a == b
    assert (a.protocol["bins"], a.protocol["n_train"]) == (8, 500)
    assert len(fit_bins(train=torch.tensor([[0.0], [0.0], [1.0], [2.0]]), bins=4)) == 3


def test_sets_that_make_no_bins_are_refused():
    x = places([10, 20])
    for options, message in (
        ({"train": torch.ones(40, 1)}, "all rows of train are the same"),
        ({"train": x[:4], "bins": 5}, "5 bins for 4 rows"),
        ({"train": x, "bins": 1}, "bins is 1"),
        ({"generated": x[:19]}, "at least 20"),
        ({"generated": torch.full((30, 1), math.inf)}, "not finite"),
        ({"train": torch.ones(40, 2)}, "different numbers of features"),
        ({"alpha": 1.5}, "alpha is 1.5"),
        ({"permutations": 2}, "permutations is 2"),
    ):
        with pytest.raises(UserError, match=message):
            bins_test(**({"train": x, "real": x, "generated": x} | options))

"""Floors: closed forms against published-data values, enumeration, quadrature and other libraries."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from adversaria.data import DataSpec, load
from adversaria.errors import UserError
from adversaria.metrics.floors import CELL, bernoulli, chow_liu, closed_forms, dequantised_gaussian, gaussian

DATA = Path(__file__).parents[3] / "shared" / "data" / "small-binary"


@pytest.mark.parametrize(
    ("name", "independent", "tree"),
    [("dna", 100.3881, 87.7381), ("mushrooms", 34.2315, 20.9674), ("nips", 294.8022, 281.1961)],
)
def test_the_small_binary_sets_have_the_floors_that_are_known_for_them(name, independent, tree):
    path = DATA / f"{name}.npz"
    if not path.exists():
        pytest.skip("the folder shared/data is not beside this checkout")
    data = load(path)
    train, test = (data.examples(data.size(split), split).x for split in ("train", "test"))
    found = closed_forms(train, test, data.spec)
    assert found["bernoulli"].value == pytest.approx(independent, abs=5e-5)
    assert found["chow-liu"].value == pytest.approx(tree, abs=5e-5)
    assert found["uniform"].value == pytest.approx(data.spec.size * math.log(2))
    assert all(estimate.unit == "nats" and estimate.n == len(test) for estimate in found.values())


def bits(n, d, seed=0):
    torch.manual_seed(seed)
    x = (torch.rand(n, d) < 0.4).double()
    for k in range(1, d):  # a chain with some noise
        copy = torch.rand(n) < 0.7
        x[copy, k] = x[copy, k - 1]
    return x


def test_the_tree_is_a_distribution_and_the_best_of_all_trees():
    train = bits(300, 4)
    everything = torch.tensor(list(itertools.product((0.0, 1.0), repeat=4)), dtype=torch.float64)
    log_p = chow_liu(train, everything)
    assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-12)
    best = chow_liu(train, train).mean().item()
    n, rivals = len(train), []
    for edges in itertools.combinations(itertools.combinations(range(4), 2), 3):
        reached = {0}
        while True:
            more = {b for e in edges for a, b in (e, e[::-1]) if a in reached} - reached
            if not more:
                break
            reached |= more
        if len(reached) < 4:
            continue
        total = 0.0
        for a, b in edges:
            for u, v in itertools.product((0, 1), repeat=2):
                c = ((train[:, a] == u) & (train[:, b] == v)).sum().item()
                pu = (((train[:, a] == u).sum().item()) + 2 * CELL) / (n + 4 * CELL)
                pv = (((train[:, b] == v).sum().item()) + 2 * CELL) / (n + 4 * CELL)
                total += c / n * math.log((c + CELL) / (n + 4 * CELL) / (pu * pv))
        for k in range(4):
            p = (train[:, k].sum().item() + 2 * CELL) / (n + 4 * CELL)
            f = train[:, k].mean().item()
            total += f * math.log(p) + (1 - f) * math.log(1 - p)
        rivals.append(total)
    assert len(rivals) == 16 and best == pytest.approx(max(rivals), abs=1e-9)


def test_independent_bits_by_hand():
    train = torch.tensor([[0.0, 1], [0, 1], [1, 1]], dtype=torch.float64)
    log_p = bernoulli(train, torch.tensor([[1.0, 0]], dtype=torch.float64))
    assert log_p.item() == pytest.approx(math.log(2 / 5) + math.log(1 / 5))


def test_a_normal_s_density_and_its_mean_over_noise():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((3, 3))
    train = torch.from_numpy(rng.standard_normal((500, 3)) @ A + 2)
    x = torch.from_numpy(rng.standard_normal((6, 3)) + 2)
    m, S = train.mean(0).numpy(), np.cov(train.numpy().T, bias=True)
    torch.testing.assert_close(gaussian(train, x), torch.from_numpy(stats.multivariate_normal(m, S).logpdf(x.numpy())))
    noisy = stats.multivariate_normal(m, S + 0.3 * np.eye(3))
    u = rng.uniform(-1, 1, (200_000, 3)) * (0.9**0.5)  # variance 0.3
    for row, told in zip(x.numpy(), gaussian(train, x, noise=0.3), strict=True):
        drawn = noisy.logpdf(row + u)
        assert told.item() == pytest.approx(drawn.mean(), abs=5 * drawn.std() / len(u) ** 0.5)


def test_a_gaussian_of_pixels_is_a_bound_on_a_probability():
    torch.manual_seed(0)
    levels = torch.arange(256, dtype=torch.float64)
    train = ((torch.randn(4_000, 1, dtype=torch.float64) * 20 + 128).round().clamp(0, 255)) / 127.5 - 1
    log_p = dequantised_gaussian(train, (levels / 127.5 - 1)[:, None], 256)
    mean, sd = ((train + 1) * 127.5 + 0.5).mean().item(), (((train + 1) * 127.5).var(correction=0) + 1 / 12).sqrt()
    exact = stats.norm(mean, sd.item())
    mass = torch.from_numpy(exact.cdf(levels.numpy() + 1) - exact.cdf(levels.numpy()))
    near = mass > 1e-12
    assert (log_p[near] <= mass[near].log() + 1e-9).all() and log_p.exp().sum() <= 1
    assert (mass[near].log() - log_p[near]).max() < 0.02


def test_units_and_kinds():
    pixels = load("digits")
    train, x = pixels.examples(pixels.size()).x, pixels.examples(100, "test").x
    found = closed_forms(train, x, pixels.spec)
    assert found["uniform"].value == pytest.approx(8, abs=1e-12) and found["uniform"].unit == "bits/dim"
    assert found["gaussian"].protocol["kind"] == "dequantised" and found["gaussian"].value < 8
    bits = load("digits-static")
    found = closed_forms(bits.examples(500).x, bits.examples(100, "test").x, bits.spec)
    assert sorted(found) == ["bernoulli", "chow-liu", "uniform"]
    assert found["chow-liu"].value < found["bernoulli"].value < found["uniform"].value
    points = load("ring8")
    found = closed_forms(points.examples(500).x, points.examples(100, "test").x, points.spec)
    assert list(found) == ["gaussian"] and found["gaussian"].unit == "nats"
    tokens = DataSpec("sequence", (5,), categories=7)
    found = closed_forms(torch.zeros(3, 5, dtype=torch.long), torch.zeros(2, 5, dtype=torch.long), tokens)
    assert found["uniform"].value == pytest.approx(math.log(7))


def test_a_column_that_never_varies_breaks_nothing():
    train = torch.cat([torch.randn(50, 2), torch.ones(50, 1)], 1).double()
    assert gaussian(train, train[:5]).isfinite().all()
    with pytest.raises(UserError, match="a floor needs 2 of each"):
        closed_forms(train[:1], train, DataSpec("points", (3,)))

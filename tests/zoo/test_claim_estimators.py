"""What claims are measured with, against closed forms."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from adversaria.claims import avb, bigan
from adversaria.claims.tools import energy_distance
from adversaria.distributions import log_normal


def normals(n, d, sd=1.0, seed=0):
    return sd * torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("d", "sd"), [(1, 1.0), (2, 1.0), (2, 0.1)])
def test_the_entropy_of_draws_is_that_of_their_normal(d, sd):
    exact = d * (0.5 * math.log(2 * math.pi * math.e) + math.log(sd))
    assert avb.entropy(normals(20_000, d, sd)) == pytest.approx(exact, abs=0.03)


def test_draws_of_one_cloud_overlap_by_chance_and_those_of_two_do_not():
    cloud = normals(4_000, 2).view(2, 2_000, 2)
    assert avb.overlap(cloud) == pytest.approx(0.5, abs=0.03)
    assert avb.overlap(torch.stack([cloud[0], cloud[1] + 100])) == 0.0
    three = torch.stack([cloud[0, :900], cloud[1, :900], cloud[0, 900:1_800] + 100])
    assert avb.overlap(three) == pytest.approx(1 / 3, abs=0.03)  # half of two thirds


def test_the_quadrature_of_a_linear_model_is_its_normal():
    """x = W z + sd eps, so that p(x) = N(0, W W' + sd^2 I)."""
    W, sd = torch.tensor([[1.0, -0.3], [0.2, 0.8], [0.5, 0.5], [0.0, -1.0]]), 0.4

    def ask(what, *given):
        if what == "prior":
            return log_normal(given[0])
        x, z = given
        return log_normal(x, z @ W.T, torch.tensor(math.log(sd)))

    game = SimpleNamespace(ask=ask, device="cpu")
    x = normals(3, 4)
    exact = torch.distributions.MultivariateNormal(torch.zeros(4), W @ W.T + sd**2 * torch.eye(4)).log_prob(x)
    torch.testing.assert_close(avb.log_likelihood(game, x), exact.double(), rtol=1e-5, atol=1e-5)


def test_the_energy_distance_of_points_is_twice_their_distance_and_of_one_law_nothing():
    here = torch.zeros(5, 3)
    assert energy_distance(here, here + torch.tensor([2.0, 0.0, 0.0])) == pytest.approx(4.0)
    assert energy_distance(normals(2_000, 3, seed=1), normals(2_000, 3, seed=2)) == pytest.approx(0.0, abs=0.01)


def test_a_probe_reads_what_is_linear_and_nothing_from_noise():
    rng = np.random.default_rng(0)
    labels = torch.from_numpy(rng.permutation(np.arange(600) % 4))
    told = torch.nn.functional.one_hot(labels, 4) + 0.1 * normals(600, 4)
    train, test = (told[:400], labels[:400]), (told[400:], labels[400:])
    assert bigan.probe(train, test, 4) > 0.99
    assert bigan.probe((normals(400, 4), labels[:400]), (normals(200, 4, seed=3), labels[400:]), 4) < 0.4
    offset = torch.tensor([1e3, 0.0, 0.0, 0.0])
    assert bigan.probe((told[:400] * 1e-3 + offset, labels[:400]), (told[400:] * 1e-3 + offset, labels[400:]), 4) > 0.99

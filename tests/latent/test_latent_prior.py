"""The prior is told from its draws: laws, moments, and no trace in anybody's random numbers."""

import pytest
import torch
from latent_helpers import box, game_of, linear, normal
from torch.nn.functional import one_hot

from adversaria import latent
from adversaria.errors import UserError


def laplace(n):
    return torch.distributions.Laplace(0, 1).sample((n, 4))


def skewed(n):
    """Kurtosis near 3, as a normal law's."""
    return torch.distributions.Beta(2.0, 6.0).sample((n, 3))


def humps(n):
    """Skewness 0 and kurtosis 1.8, as a uniform law's, over a wider range."""
    return torch.randint(2, (n, 3)) * 2.0 - 1 + 0.539 * torch.randn(n, 3)


def mixed(n):
    parts = torch.randn(n, 3), 2 * torch.rand(n, 2) - 1, one_hot(torch.randint(10, (n,)), 10).float()
    return torch.cat(parts, 1)


@pytest.mark.parametrize(
    ("prior", "k", "law", "mean", "sd"),
    [
        (normal(200), 200, "normal", 0, 1),
        (lambda n: 3 + 2 * torch.randn(n, 4), 4, "normal", 3, 2),
        (box(100), 100, "uniform", 0, 3**-0.5),
        (box(5, 0, 6), 5, "uniform", 3, 3**0.5),
        (laplace, 4, "other", 0, 2**0.5),
        (lambda n: torch.randn(n, 2).clamp(-1, 1), 2, "other", 0, 0.718),
        (skewed, 3, "other", 0.25, 0.144),
        (humps, 3, "other", 0, 1.136),
        (lambda n: torch.randint(2, (n, 4)) * 2.0 - 1, 4, "discrete", 0, 1),
    ],
)
def test_law_and_moments_are_found(prior, k, law, mean, sd):
    found = latent.Prior.of(game_of(linear(k, 2), prior))
    assert set(found.laws) == {law} and found.law == law
    torch.testing.assert_close(found.mean, torch.full((k,), float(mean)), atol=0.12, rtol=0)
    torch.testing.assert_close(found.sd, torch.full((k,), float(sd)), atol=0, rtol=0.08)


def test_standard_normal_codes_and_edges_of_a_box_are_exact():
    found = latent.Prior.of(game_of(linear(50, 2), normal(50)))
    assert torch.equal(found.mean, torch.zeros(50)) and torch.equal(found.sd, torch.ones(50))
    found = latent.Prior.of(game_of(linear(50, 2), box(50)))
    edge = found.restored(found.inside(torch.full((50,), 9.0)))
    torch.testing.assert_close(edge, torch.ones(50), atol=3e-3, rtol=0)


def test_each_coordinate_has_its_own_law():
    found = latent.Prior.of(game_of(linear(15, 2), mixed))
    assert found.laws == ("normal",) * 3 + ("uniform",) * 2 + ("discrete",) * 10
    assert found.law == "other"
    assert found.where("uniform").nonzero().flatten().tolist() == [3, 4]


def test_looking_leaves_the_random_numbers_as_they_were():
    game, before = game_of(linear(3, 2), normal(3)), torch.get_rng_state()
    latent.Prior.of(game)
    assert torch.equal(torch.get_rng_state(), before)


def test_standard_and_restored_are_inverse():
    found = latent.Prior.of(game_of(linear(4, 2), lambda n: 3 + 2 * torch.randn(n, 4)))
    z = torch.randn(6, 4)
    torch.testing.assert_close(found.restored(found.standard(z)), z, atol=1e-5, rtol=1e-5)


def test_codes_that_are_no_vectors_are_refused():
    with pytest.raises(UserError, match="real vectors"):
        latent.Prior.of(game_of(linear(3, 2), lambda n: torch.randn(n, 3, 2, 2)))
    with pytest.raises(UserError, match="real vectors"):
        latent.Prior.of(game_of(linear(3, 2), lambda n: torch.randint(5, (n, 3))))

"""Evidence bounds: exact where the posterior is, below the likelihood everywhere else, and what the recipes report."""

import math

import pytest
import torch
from torch import distributions as D

from adversaria.data import Batch, DataSpec
from adversaria.distributions import kl_from_standard, log_normal
from adversaria.game import play
from adversaria.recipes.variational.vae import VAE
from adversaria.recipes.variational.vae_iaf import VAEIAF

pytestmark = pytest.mark.usefixtures("float64")


class LinearGaussian:
    """x = W z + b + sigma eps with W'W diagonal, so that the exact posterior factorises."""

    def __init__(self, W, b, variance):
        self.W, self.b, self.variance = W, b, variance
        precision = torch.diag(W.T @ W) / variance + 1
        self.log_sd = -0.5 * precision.log()[None]
        self.to_mean = (W / variance / precision).T

    def posterior(self, x):
        mean = (x - self.b) @ self.to_mean.T
        return mean, self.log_sd.expand_as(mean)

    def log_prob(self, x):
        covariance = self.W @ self.W.T + self.variance * torch.eye(len(self.b))
        return D.MultivariateNormal(self.b, covariance).log_prob(x)

    def log_joint(self, x, z):
        return log_normal(x, z @ self.W.T + self.b, 0.5 * math.log(self.variance)) + log_normal(z)

    def bound(self, x, mean, log_sd):
        """E_q log p(x | z) - KL(q || p), both in closed form."""
        spread = (torch.exp(2 * log_sd) @ self.W.square().T).sum(1) / (2 * self.variance)
        fit = log_normal(x, mean @ self.W.T + self.b, 0.5 * math.log(self.variance))
        return fit - spread - kl_from_standard(mean, log_sd).sum(1)


def model(d=5, k=3):
    Q, _ = torch.linalg.qr(torch.randn(d, k))
    return LinearGaussian(Q * torch.tensor([0.3, 1.0, 2.5])[:k], torch.randn(d), 0.4)


def test_the_bound_at_the_exact_posterior_is_the_log_likelihood():
    p = model()
    x = 2 * torch.randn(50, 5)
    torch.testing.assert_close(p.bound(x, *p.posterior(x)), p.log_prob(x), rtol=1e-12, atol=1e-12)


def test_at_the_exact_posterior_every_single_sample_gives_the_log_likelihood():
    p = model()
    x = 2 * torch.randn(50, 5)
    mean, log_sd = p.posterior(x)
    z = mean + log_sd.exp() * torch.randn_like(mean)
    torch.testing.assert_close(p.log_joint(x, z) - log_normal(z, mean, log_sd), p.log_prob(x))


def test_any_other_posterior_is_short_of_it_by_its_divergence_from_the_exact_one():
    p = model()
    x = 2 * torch.randn(200, 5)
    mean, log_sd = torch.randn(200, 3), torch.randn(200, 3)
    gap = p.log_prob(x) - p.bound(x, mean, log_sd)
    exact_mean, exact_log_sd = p.posterior(x)
    divergence = D.kl_divergence(D.Normal(mean, log_sd.exp()), D.Normal(exact_mean, exact_log_sd.exp())).sum(1)
    assert (gap > 0).all()
    torch.testing.assert_close(gap, divergence)


def test_golden_values_of_a_linear_gaussian_model():
    p = LinearGaussian(torch.tensor([[1.0], [-0.5], [2.0]]), torch.tensor([0.1, 0.0, -0.2]), 0.25)
    x = torch.tensor([[0.7, -0.3, 1.5]])
    mean, log_sd = p.posterior(x)
    assert mean.item() == pytest.approx(0.754545454545, abs=1e-11)
    assert torch.exp(2 * log_sd).item() == pytest.approx(0.045454545455, abs=1e-11)
    assert p.bound(x, mean, log_sd).item() == pytest.approx(-2.640168011886, abs=1e-10)
    assert p.bound(x, torch.zeros(1, 1), torch.zeros(1, 1)).item() == pytest.approx(-17.857374057934, abs=1e-10)


SPEC = DataSpec(kind="points", shape=(2,))


def points(n):
    angle = torch.rand(n) * 2 * math.pi
    return torch.stack([angle.cos(), angle.sin()], 1) + 0.1 * torch.randn(n, 2)


def log_likelihood(game, x, side=8.0, cells=400):
    """log p(x) of a decoder with codes of 1 or 2 numbers, by quadrature over the codes (a sum on an even grid)."""
    G, p = game.networks["decoder"], game.networks["observation"]
    d = game.latent(1).shape[1]
    line = torch.linspace(-side, side, cells * (3 - d) + 1)
    z = torch.cartesian_prod(*[line] * d).view(-1, d)
    with torch.no_grad():
        output = G(z)
        log_p = torch.stack([p.log_prob(one.expand(len(z), -1), output) for one in x])
        return (log_p + log_normal(z)).logsumexp(1) + d * math.log(line[1] - line[0])


def importance_weights(game, x, k):
    """log p(x, z) - log q(z | x), (k, n), of k codes for each example, from the networks alone."""
    E, G, p = (game.networks[name] for name in ("encoder", "decoder", "observation"))
    with torch.no_grad():
        mu, log_sigma = E(x).chunk(2, 1)
        z = mu + log_sigma.exp() * torch.randn(k, *mu.shape)
        return torch.stack([p.log_prob(x, G(one)) + log_normal(one) - log_normal(one, mu, log_sigma) for one in z])


@pytest.fixture(scope="module")
def trained():
    torch.manual_seed(3)
    torch.set_default_dtype(torch.float64)
    try:
        games = {}
        for name, recipe in {
            "vae": VAE(latent=1, hidden=16, depth=1),
            "vae-iaf": VAEIAF(latent=2, hidden=16, depth=1, flow_hidden=16, context=4, steps=2),
        }.items():
            game = recipe.build(SPEC)
            for _ in play(game.stage(), [points(64) for _ in range(150)], rounds=150):
                pass
            games[name] = game
        return games
    finally:
        torch.set_default_dtype(torch.float32)


def test_bound_is_at_most_the_importance_weighted_bound_is_at_most_the_log_likelihood(trained):
    x, game = points(100), trained["vae"]
    log_w = importance_weights(game, x, 2_000).view(100, 20, 100)
    bound, weighted = log_w.mean((0, 1)), (log_w.logsumexp(1) - math.log(20)).mean(0)
    exact = log_likelihood(game, x)
    assert bound.mean() + 0.01 < weighted.mean() < exact.mean() + 0.002
    assert (weighted - bound > -0.05).all() and (exact - weighted > -0.05).all()
    many = torch.stack([game.bound(x) for _ in range(500)]).mean(0)
    assert many.mean().item() == pytest.approx(bound.mean().item(), abs=0.02)


@pytest.mark.parametrize("name", ["vae", "vae-iaf"])
def test_the_reported_bound_lies_below_the_exact_log_likelihood_on_average(trained, name):
    x, game = points(60), trained[name]
    bounds = torch.stack([game.bound(x) for _ in range(400)])
    gap = log_likelihood(game, x) - bounds.mean(0)
    error = bounds.std(0) / 400**0.5
    assert (gap > -4 * error).all() and 0 < gap.mean() < 3


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_the_iaf_vaes_bound_is_the_logarithm_of_an_unbiased_estimate_of_the_likelihood(steps):
    recipe = VAEIAF(latent=2, hidden=16, depth=1, flow_hidden=8, context=4, steps=steps)
    game, x = recipe.build(SPEC), points(8)
    last = game.networks["encoder"].head
    last.weight.data.mul_(0.2)
    last.bias.data[2:4] = 0.3 + 0.15 * steps  # a posterior that stays wider than the prior: weights are tame
    log_w = game.bound(x.repeat(20_000, 1)).view(20_000, 8)
    w = (log_w - log_likelihood(game, x)).exp()
    error = w.std(0) / 20_000**0.5
    assert ((w.mean(0) - 1).abs() < 4 * error).all() and (error < 0.1).all()


@pytest.mark.parametrize("beta", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("kind", ["points", "image"])
def test_the_vaes_bound_is_minus_distortion_and_rate_whatever_the_rates_weight(beta, kind):
    spec = SPEC if kind == "points" else DataSpec(kind="image", shape=(1, 8, 8))
    game = VAE(latent=3, hidden=8, depth=1, width=2, beta=beta).build(spec).double()
    x = torch.randint(256, (16, *spec.shape)) / 127.5 - 1
    torch.manual_seed(5)
    terms = game.stage().players[0].objective(Batch(x))
    bound = game.bound(x, seed=5)
    assert bound.shape == (16,)
    assert bound.mean().item() == pytest.approx(-(terms["distortion"] + terms["rate"] / beta).item(), rel=1e-12)


def test_the_iaf_vae_without_steps_estimates_the_vaes_rate():
    game = VAEIAF(latent=3, hidden=8, depth=1, flow_hidden=4, context=2, steps=0).build(SPEC)
    x = points(1).expand(50_000, 2)
    with torch.no_grad():
        terms = game.stage().players[0].objective(Batch(x))
        mu, log_sigma, _ = game.networks["encoder"](x[:1]).split([3, 3, 2], 1)
    assert terms["rate"].item() == pytest.approx(kl_from_standard(mu, log_sigma).sum().item(), abs=0.03)

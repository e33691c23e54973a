"""Annealed importance sampling holds the truth: from below on any data, from both sides on simulated ones."""

import math

import numpy as np
import pytest
import torch
from torch import distributions as D

from adversaria.data import Batch, DataSpec
from adversaria.distributions import log_normal
from adversaria.errors import UserError
from adversaria.game import play
from adversaria.metrics.annealing import Annealing, annealed_importance, bdmc_gap, bidirectional, reverse_annealing
from adversaria.metrics.decoders import (
    annealed_estimate,
    annealed_likelihood,
    from_box,
    gaussian_observation,
    matched_normal,
    tune_sigma,
)
from adversaria.metrics.hamiltonian import Path
from adversaria.metrics.kinds import compare_likelihoods
from adversaria.metrics.likelihood import negative_log_likelihood
from adversaria.recipes.adversarial.cgan import CGAN
from adversaria.recipes.adversarial.dcgan import DCGAN
from adversaria.recipes.adversarial.gan import GAN
from adversaria.recipes.variational.vae import VAE
from adversaria.recipes.variational.vae_iaf import VAEIAF

pytestmark = pytest.mark.usefixtures("float64")


class Linear:
    """x = W z + b + sigma eps: log p(x) = log N(x; b, W W' + sigma^2 I)."""

    def __init__(self, d=4, k=2, sigma=0.4):
        self.W, self.b, self.k, self.sigma = torch.randn(d, k), torch.randn(d), k, sigma
        self.log_likelihood = gaussian_observation(self.decode, sigma)

    def decode(self, z):
        return z @ self.W.T + self.b

    def simulate(self, z):
        mean = self.decode(z)
        return mean + self.sigma * torch.randn_like(mean)

    def log_p(self, x):
        covariance = self.W @ self.W.T + self.sigma**2 * torch.eye(len(self.b))
        return D.MultivariateNormal(self.b, covariance).log_prob(x)

    def posterior(self, x):
        """Of one code, for which it is normal with a diagonal."""
        assert self.k == 1
        precision = self.W.square().sum() / self.sigma**2 + 1
        mean = (x - self.b) @ self.W / self.sigma**2 / precision
        return mean, torch.full_like(mean, -0.5 * float(precision.log()))


def bent(sigma):
    """A likelihood whose posterior has two unequal modes."""
    return lambda x, z: log_normal(x, torch.sin(2 * z) + z.square(), math.log(sigma))


def by_quadrature(log_likelihood, x):
    """log p(x) of one x, and its posterior's weight on a grid."""
    z = torch.linspace(-8, 8, 40_001)[:, None]
    log_joint = log_likelihood(x.expand(len(z), 1), z) + log_normal(z)
    return float(torch.logsumexp(log_joint, 0)) + math.log(16 / 40_000), z, torch.exp(log_joint - log_joint.max())


def test_truth_lies_between_the_bounds_in_99_percent_of_runs():
    p, runs, each = Linear(), 50, 4
    z = torch.randn(runs * each, p.k)
    how = Annealing(temperatures=60, chains=8, leapfrog=4)
    x, below, above = bidirectional(z, simulate=p.simulate, log_likelihood=p.log_likelihood, how=how)
    truth = p.log_p(x).view(runs, each).mean(1)

    def side(found):
        error = found.error.square().view(runs, each).sum(1).sqrt() / each
        return found.log_p.view(runs, each).mean(1), 3 * error

    (low, low_error), (high, high_error) = side(below), side(above)
    inside = (low - low_error <= truth) & (truth <= high + high_error)
    assert inside.double().mean() >= 0.98
    # Without any allowance for noise the means of many runs lie on their sides.
    assert low.mean() < truth.mean() < high.mean()
    assert abs(float(low.mean() - truth.mean())) < 0.3
    assert 0.5 < below.accepted.mean() < 0.8


def test_the_slack_falls_as_one_over_the_temperatures():
    p = Linear(sigma=0.8)
    z = torch.randn(50, p.k)
    gaps = []
    for T in (50, 200):
        how = Annealing(temperatures=T, chains=4, leapfrog=4)
        found = bdmc_gap(z, simulate=p.simulate, log_likelihood=p.log_likelihood, how=how)
        gaps.append(found.details["one_chain"])
        assert found.value > -3 * found.error and found.unit == "nats"
        assert found.details["lower"] == pytest.approx(found.details["upper"] - found.value)
    assert 2.7 < gaps[0] / gaps[1] < 5.5


@pytest.mark.parametrize("T", [1, 3, 12])
def test_weights_average_to_the_density_at_any_number_of_temperatures(T):
    x = torch.tensor([[1.1]])
    truth, _, _ = by_quadrature(bent(0.3), x)
    how = Annealing(temperatures=T, chains=20_000, leapfrog=3, chunk=20_000)
    found = annealed_importance(x, log_likelihood=bent(0.3), latent=1, how=how)
    p = torch.exp(found.log_weights[0] - truth)
    assert abs(float(p.mean()) - 1) < 4 * float(p.std()) / len(p) ** 0.5


@pytest.mark.parametrize(("T", "posterior"), [
    (4, None), (12, None), (12, lambda x: (0 * x + 0.3, 0 * x + math.log(0.7)))
])  # fmt: skip
def test_downwards_from_exact_codes_inverse_weights_average_to_the_inverse_density(T, posterior):
    def floored(x, z):  # else 1 / w has no variance
        return torch.logaddexp(bent(0.5)(x, z), torch.tensor(-3.0))

    x, n = torch.tensor([[1.1]]), 10_000
    truth, z, weight = by_quadrature(floored, x)
    exact = z[torch.multinomial(weight, n, replacement=True)]
    how = Annealing(temperatures=T, chains=1, leapfrog=3, chunk=n)
    found = reverse_annealing(x.expand(n, 1), exact, log_likelihood=floored, posterior=posterior, how=how)
    inverse = torch.exp(truth - found.log_weights[:, 0])
    assert abs(float(inverse.mean()) - 1) < 4 * float(inverse.std()) / n**0.5


def test_an_upper_bound_is_the_mean_of_inverse_weights():
    p, z = Linear(), torch.randn(6, 2)
    how = Annealing(temperatures=3, chains=5, leapfrog=2)
    _, below, above = bidirectional(z, simulate=p.simulate, log_likelihood=p.log_likelihood, how=how)
    torch.testing.assert_close(below.log_p, torch.exp(below.log_weights).mean(1).log())
    torch.testing.assert_close(above.log_p, -torch.exp(-above.log_weights).mean(1).log())


def test_a_chain_leaves_every_density_of_the_path_as_it_is():
    n = 20_000
    path = Path(lambda u: log_normal(u, 1.0, math.log(0.5)))
    beta, generator = 0.6, torch.Generator().manual_seed(0)
    precision = (1 - beta) + beta / 0.25
    mean, sd = beta / 0.25 / precision, precision**-0.5
    point = path.at(mean + sd * torch.randn(n, 1))
    for _ in range(3):
        point, chance = path.move(point, beta, torch.full((n,), 1.0), 2, generator)
    assert 0.3 < chance.mean() < 0.95
    assert abs(float(point.u.mean()) - mean) < 4 * sd / n**0.5
    assert abs(float(point.u.std()) - sd) < 4 * sd / (2 * n) ** 0.5
    torch.testing.assert_close(point.slope, -(point.u - 1) / 0.25)


def test_small_steps_keep_the_energy_and_chains_never_leave_for_where_there_is_no_density():
    target = lambda u: torch.where(u[:, 0].abs() < 1.5, log_normal(u, 1.0, math.log(0.5)), math.nan)  # noqa: E731
    path, generator = Path(target), torch.Generator().manual_seed(0)
    inside = 2 * torch.rand(500, 1) - 1
    smooth = Path(lambda u: log_normal(u, 1.0, math.log(0.5)))
    _, chance = smooth.move(smooth.at(inside), 0.4, torch.full((500,), 0.01), 60, generator)
    assert chance.min() > 0.999
    point = path.at(inside)
    for _ in range(10):
        point, chance = path.move(point, 0.4, torch.full((500,), 0.7), 2, generator)
        assert bool(point.target.isfinite().all()) and bool(point.slope.isfinite().all())
    assert chance.min() == 0


def test_the_pilot_run_has_draws_of_its_own():
    seen = []
    annealed_importance(torch.zeros(3, 1), log_likelihood=lambda x, z: (seen.append(z.detach()), log_normal(x, z))[1],
                        latent=1, how=Annealing(temperatures=1, chains=4, pilot=4))  # fmt: skip
    assert seen[0].shape == seen[-1].shape and not torch.equal(seen[0], seen[-1])


def test_from_the_exact_posterior_every_weight_is_the_likelihood():
    p = Linear(d=3, k=1)
    x = torch.randn(5, 3)
    found = annealed_importance(x, log_likelihood=p.log_likelihood, latent=1, posterior=p.posterior,
                                how=Annealing(temperatures=3, chains=4))  # fmt: skip
    torch.testing.assert_close(found.log_p, p.log_p(x), rtol=0, atol=1e-9)
    torch.testing.assert_close(found.ess, torch.full((5,), 4.0), rtol=0, atol=1e-9)
    assert found.error.max() < 1e-7


def test_the_golden_number_from_both_starts():
    x = torch.ones(2, 1)
    for posterior in (None, lambda x: (x - 0.2, torch.full_like(x, 0.1))):
        found = annealed_importance(x, log_likelihood=log_normal, latent=1, posterior=posterior,
                                    how=Annealing(temperatures=50, chains=200, leapfrog=3))  # fmt: skip
        assert bool(((found.log_p + 1.515512).abs() < 4 * found.error + 1e-6).all())


def test_the_error_over_chains_is_the_spread_over_runs():
    p = Linear()
    x = p.simulate(torch.randn(1, p.k)).expand(100, -1)
    found = annealed_importance(x, log_likelihood=p.log_likelihood, latent=p.k,
                                how=Annealing(temperatures=80, chains=16, leapfrog=4))  # fmt: skip
    assert float(found.error.mean()) == pytest.approx(float(found.log_p.std()), rel=0.3)


def test_a_uniform_box_of_codes_becomes_a_normal_prior():
    x, sigma = torch.tensor([[0.9], [-0.2]]), 0.3
    log_likelihood = gaussian_observation(from_box(lambda z: z), sigma)
    found = annealed_importance(x, log_likelihood=log_likelihood, latent=1,
                                how=Annealing(temperatures=60, chains=300, leapfrog=3))  # fmt: skip
    truth = torch.log((torch.special.ndtr((x + 1) / sigma) - torch.special.ndtr((x - 1) / sigma)) / 2)[:, 0]
    assert bool(((found.log_p - truth).abs() < 4 * found.error).all())


def test_another_prior_is_annealed_to():
    wide = lambda z: log_normal(z, 1.0, math.log(2.0))  # noqa: E731
    x = torch.tensor([[2.0]])
    found = annealed_importance(x, log_likelihood=log_normal, latent=1, log_prior=wide,
                                how=Annealing(temperatures=60, chains=300, leapfrog=3))  # fmt: skip
    truth = float(D.Normal(1.0, 5**0.5).log_prob(x))
    assert abs(float(found.log_p) - truth) < 4 * float(found.error)


def test_the_schedule_is_a_stretched_sigmoid():
    betas = Annealing(temperatures=4).betas()
    s = 1 / (1 + np.exp(-np.linspace(-4, 4, 5)))
    np.testing.assert_allclose(betas, (s - s[0]) / (s[-1] - s[0]), atol=1e-15)
    assert Annealing(temperatures=4, schedule="linear").betas().tolist() == [0, 0.25, 0.5, 0.75, 1]


def test_one_call_gives_one_answer_and_another_seed_another():
    p, x = Linear(), torch.randn(6, 4)
    run = lambda **more: annealed_importance(  # noqa: E731
        x, log_likelihood=p.log_likelihood, latent=2, how=Annealing(temperatures=10, chains=3, **more))  # fmt: skip
    random = torch.get_rng_state()
    first = run()
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.equal(first.log_weights, run().log_weights)
    assert not torch.equal(first.log_weights, run(seed=1).log_weights)
    assert first.log_weights.shape == (6, 3) and first.steps.shape == (6, 10)
    assert not torch.equal(first.log_weights[:3], run(chunk=9).log_weights[3:])  # pieces don't repeat their draws


def test_float32_agrees_with_float64():
    p, x = Linear(), torch.randn(20, 4)
    how = Annealing(temperatures=200, chains=16, leapfrog=4)
    double = annealed_importance(x, log_likelihood=p.log_likelihood, latent=2, how=how)
    p.W, p.b = p.W.float(), p.b.float()
    single = annealed_importance(x.float(), log_likelihood=p.log_likelihood, latent=2, how=how)
    assert single.log_p.dtype == torch.float64
    error = (single.error.square() + double.error.square()).sum().sqrt() / 20
    assert abs(float((single.log_p - double.log_p).mean())) < 4 * float(error)


def trained():
    game = VAE(latent=2, width=2, hidden=8).build(DataSpec("image", (1, 8, 8))).double()
    x = torch.rand(64, 1, 1, 1).expand(-1, 1, 8, 8) * 2 - 1
    grid = torch.round(x * 127.5 + 127.5) / 127.5 - 1
    for _ in play(game.stage(), [Batch(grid)], rounds=60):
        pass
    return game, grid[:10].contiguous()


def test_bound_then_importance_weights_then_annealing_for_one_vae():
    game, x = trained()
    bound = negative_log_likelihood(game, x, data="8-bit pixels", by="lower bound", samples=64)
    weighted = negative_log_likelihood(game, x, data="8-bit pixels", samples=64)
    how = Annealing(temperatures=20, chains=16, leapfrog=3)
    game.train()
    before = {name: p.clone() for name, p in game.state_dict().items()}
    annealed = annealed_likelihood(game, x, data="8-bit pixels", how=how)
    assert all(torch.equal(before[name], p) for name, p in game.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in game.parameters())
    assert all(m.training for m in game.modules())
    noise = annealed.details["monte_carlo_error"]
    assert bound.value > weighted.value > annealed.value - 4 * noise - 1e-4
    assert annealed.unit == "bits/dim" and annealed.protocol["start"] == "posterior"
    assert annealed.protocol["kind"] == "annealed importance sampling (T=20, chains=16)"
    assert compare_likelihoods(bound, weighted, same_model=True).ordered
    assert "slack unmeasured" in annealed.bias
    far = annealed_likelihood(game, x, data="8-bit pixels", how=how, start="prior")
    assert far.protocol["start"] == "prior" and far.value > annealed.value - 4 * noise

    decode, scale = game.networks["decoder"], game.networks["observation"].log_scale

    def simulate(z):  # a logistic draw, on the level it falls into
        u = torch.rand(len(z), 1, 8, 8).clamp(1e-9, 1 - 1e-9)
        drawn = decode(z) + scale.exp() * torch.log(u / (1 - u))
        return torch.round((drawn * 127.5 + 127.5).clamp(0, 255)) / 127.5 - 1

    with game.at_rest():
        gap = bdmc_gap(torch.randn(10, 2), simulate=simulate, log_likelihood=game.abilities["likelihood"],
                       posterior=game.abilities["posterior"], how=how)  # fmt: skip
    assert -4 * gap.error < gap.value < 0.5


def test_without_a_density_of_its_posterior_a_model_starts_at_a_matched_normal():
    game = VAEIAF(latent=2, hidden=8, flow_hidden=8).build(DataSpec("points", (3,)))
    x = torch.randn(10, 3)
    how = Annealing(temperatures=200, chains=16, leapfrog=4)
    annealed = annealed_likelihood(game, x, data="continuous", how=how, scale="standardised")
    assert annealed.protocol["start"] == "posterior"
    even = torch.linspace(-7, 7, 201)
    z = torch.cartesian_prod(even, even)
    log_joint = torch.stack([game.ask("likelihood", one.expand(len(z), 3), z) + log_normal(z) for one in x])
    truth = -float((torch.logsumexp(log_joint, 1) + 2 * math.log(14 / 200)).mean())
    assert abs(annealed.value - truth) < 4 * annealed.details["monte_carlo_error"]
    mean, log_sd = matched_normal(lambda x: (x + torch.randn_like(x), None), 4000)(x)
    assert (mean - x).abs().max() < 0.1 and log_sd.abs().max() < 0.1


def test_any_generator_is_measured_with_a_stated_sigma():
    x = torch.randn(8, 2)
    gan, how = GAN(latent=2, hidden=8).build(DataSpec("points", (2,))), Annealing(temperatures=30, chains=8, leapfrog=3)
    found = annealed_likelihood(gan, x, data="continuous", sigma=0.5, how=how)
    assert found.protocol["kind"].endswith("sigma=0.5)") and found.protocol["start"] == "prior"
    images = torch.rand(2, 1, 8, 8) * 2 - 1
    boxed = DCGAN(width=2, latent=3).build(DataSpec("image", (1, 8, 8)))
    assert boxed.latent(500).abs().max() <= 1  # uniform codes, which the normal path must not leave
    used = []
    decode = boxed.abilities["decode"]
    boxed.abilities["decode"] = lambda z: (used.append(float(z.detach().abs().max())), decode(z))[1]
    found = annealed_likelihood(boxed, images, data="continuous", sigma=0.5,
                                how=Annealing(temperatures=3, chains=2, leapfrog=2))  # fmt: skip
    assert max(used) <= 1 and math.isfinite(found.value)
    with pytest.raises(UserError, match="state sigma"):
        annealed_likelihood(gan, x, data="continuous")
    with pytest.raises(UserError, match="a density, not one of '8-bit pixels'"):
        annealed_likelihood(boxed, images, data="8-bit pixels", sigma=0.5)
    odd = GAN(latent=2, hidden=8).build(DataSpec("points", (2,)))
    odd.abilities["latent"] = lambda n: 3 * torch.randn(n, 2)
    with pytest.raises(UserError, match="neither standard normal nor uniform"):
        annealed_likelihood(odd, x, data="continuous", sigma=0.5)
    with pytest.raises(UserError, match="conditional"):
        annealed_likelihood(CGAN().build(DataSpec("points", (2,), classes=3)), x, data="continuous", sigma=0.5)


def test_sigma_is_the_standard_deviation_and_found_by_annealing():
    x = torch.zeros(1, 3)
    log_likelihood = gaussian_observation(lambda z: torch.zeros(len(z), 3), 0.5)
    assert log_likelihood(x, x).item() == pytest.approx(3 * D.Normal(0.0, 0.5).log_prob(torch.tensor(0.0)).item())
    p = Linear(sigma=0.2)
    held = p.simulate(torch.randn(20, p.k))
    how = Annealing(temperatures=200, chains=4, leapfrog=4)
    best, all_of_them = tune_sigma(held, decode=p.decode, latent=p.k, sigmas=(0.05, 0.2, 0.8), how=how)
    assert best == 0.2 and set(all_of_them) == {0.05, 0.2, 0.8}


def test_a_large_gap_takes_the_standard_error_away():
    p = Linear()
    z = torch.randn(10, p.k)
    rough, fine = (Annealing(temperatures=T, chains=2, leapfrog=3) for T in (4, 200))
    said = {}
    for how in (rough, fine):
        gap = bdmc_gap(z, simulate=p.simulate, log_likelihood=p.log_likelihood, how=how)
        found = annealed_importance(p.simulate(z), log_likelihood=p.log_likelihood, latent=p.k, how=how)
        said[how] = annealed_estimate(found, how=how, data="continuous", dims=4, gap=gap, sigma=p.sigma)
        assert said[how].details["bdmc_gap"] == gap.value
        assert said[how].interval[0] <= said[how].value - gap.interval[1] + 1e-9
    assert math.isnan(said[rough].error) and "+-" not in str(said[rough])
    assert math.isfinite(said[fine].error)


def test_what_cannot_be_annealed_is_refused():
    x = torch.randn(3, 2)
    noisy = gaussian_observation(lambda z: z + torch.randn_like(z), 0.1)
    with pytest.raises(UserError, match="differs between two calls"):
        annealed_importance(x, log_likelihood=noisy, latent=2, how=Annealing(temperatures=2))
    for sigma in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(UserError, match="positive number"):
            gaussian_observation(torch.sin, sigma)
    with pytest.raises(UserError, match="temperatures is 0"):
        Annealing(temperatures=0)
    with pytest.raises(UserError, match="acceptance 1"):
        Annealing(acceptance=1.0)
    with pytest.raises(UserError, match="one code for each"):
        reverse_annealing(x, x[:1], log_likelihood=log_normal)
    with pytest.raises(UserError, match="at least one"):
        annealed_importance(x[:0], log_likelihood=log_normal, latent=2)


def test_examples_where_a_decoder_breaks_are_named():
    def broken(x, z):
        return torch.where(x[:, 0] > 5, math.nan, 1.0) * log_normal(x, z)

    x = torch.tensor([[0.0], [9.0], [1.0]])
    how = Annealing(temperatures=5, chains=4, leapfrog=2)
    found = annealed_estimate(annealed_importance(x, log_likelihood=broken, latent=1, how=how), how=how,
                              data="continuous", dims=1)  # fmt: skip
    assert math.isnan(found.value) and found.details["not_finite_examples"] == [1]

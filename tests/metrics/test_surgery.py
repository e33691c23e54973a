"""The rate taken apart, active units and code use: closed forms, limits and nulls."""

import math

import numpy as np
import pytest
import torch

from adversaria.data import DataSpec
from adversaria.errors import UserError
from adversaria.metrics.surgery import active_units, codebook_use, elbo_surgery, game_surgery
from adversaria.recipes.adversarial.gan import GAN
from adversaria.recipes.quantised.vq_vae import VQVAE
from adversaria.recipes.variational.vae import VAE
from adversaria.recipes.variational.vae_iaf import VAEIAF

pytestmark = pytest.mark.usefixtures("float64")
IMAGES = DataSpec("image", (1, 8, 8))


@pytest.mark.parametrize("n", [2, 64, 1000])
def test_disjoint_posteriors_hold_all_of_log_n(n):
    mean = torch.arange(n)[:, None] * 1.0
    found = elbo_surgery(mean=mean, log_sd=torch.full((n, 1), -12.0))
    information = found["mutual information"]
    assert information.value == pytest.approx(math.log(n), abs=1e-9)
    assert information.value <= math.log(n) + 1e-14 * n and information.details["most"] == math.log(n)
    assert math.log(60_000) == pytest.approx(11.002100, abs=1e-6)


def test_the_prior_as_posterior_holds_nothing():
    found = elbo_surgery(mean=torch.zeros(50, 3), log_sd=torch.zeros(50, 3))
    for name in ("rate", "mutual information", "marginal KL"):
        assert found[name].value == pytest.approx(0, abs=1e-9)
    assert found["active units"].value == 0 and found["active units"].interval == (0, 0)


def test_information_and_marginal_kl_are_those_of_the_linear_gaussian_case():
    # z | x ~ N(a x, s^2), x ~ N(0, 1): q(z) = N(0, a^2 + s^2), I = log(1 + a^2 / s^2) / 2.
    n, a, s = 4000, 0.9, 0.5
    x = torch.randn(n, 1)
    found = elbo_surgery(mean=a * x, log_sd=torch.full((n, 1), math.log(s)))
    total = a**2 + s**2
    information, marginal = 0.5 * math.log(total / s**2), 0.5 * (total - 1 - math.log(total))
    got = found["mutual information"]
    assert abs(got.value - information) < 4 * got.error
    assert abs(found["marginal KL"].value - marginal) < 4 * found["marginal KL"].error
    assert found["rate"].value == pytest.approx(got.value + found["marginal KL"].value, abs=1e-12)


def test_the_standard_error_of_the_information_is_its_spread_over_samples_of_examples():
    errors, values = [], []
    for seed in range(60):
        x = torch.randn(200, 1)
        got = elbo_surgery(mean=x, log_sd=torch.full((200, 1), -1.0), seed=seed)["mutual information"]
        values.append(got.value)
        errors.append(got.error)
    assert float(np.mean(errors)) == pytest.approx(float(np.std(values, ddof=1)), rel=0.35)


def test_information_does_not_depend_on_pieces_or_on_where_codes_lie():
    mean, log_sd = torch.randn(40, 3), torch.randn(40, 3) * 0.3
    whole = elbo_surgery(mean=mean, log_sd=log_sd)["mutual information"].value
    pieces = elbo_surgery(mean=mean, log_sd=log_sd, chunk=1)["mutual information"].value
    assert pieces == pytest.approx(whole, abs=1e-12)
    moved = elbo_surgery(mean=mean + 1e3, log_sd=log_sd)["mutual information"].value
    assert moved == pytest.approx(whole, abs=1e-8)


def test_each_dimension_tells_its_rate_and_the_bound_is_rate_and_distortion():
    mean = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    found = elbo_surgery(mean=mean, log_sd=torch.zeros(2, 2), reconstruction=torch.tensor([-3.0, -5.0]))
    assert found["rate"].details["per_dimension"] == pytest.approx([0.5, 0.0])
    assert (found["rate"].value, found["distortion"].value, found["bound"].value) == (0.5, 4.0, 4.5)


def test_active_units_are_those_whose_mean_moves():
    x = torch.randn(5000, 4) * torch.tensor([1.0, 0.2, 0.01, 0.0])
    found = active_units(mean=x)
    assert found.value == 2 and found.interval == (2, 2) and found.unit == "of 4"
    assert sum(found.details["histogram"]) == 4
    near = active_units(mean=torch.randn(50, 1) * 0.1)
    assert near.interval == (0, 1)
    assert active_units(mean=x, threshold=2.0).value == 0


def test_means_by_draws_are_freed_of_their_noise():
    noise = torch.full((3,), 0.25)
    mean = torch.randn(20_000, 3) * torch.tensor([1.0, 0.0, 0.0]) + 0.5 * torch.randn(20_000, 3)
    assert active_units(mean=mean).value == 3
    found = active_units(mean=mean, noise=noise)
    assert found.value == 1
    assert found.details["variances"] == pytest.approx([1.0, 0.0, 0.0], abs=0.05)


def test_a_game_with_a_normal_posterior_is_taken_apart_and_left_as_it_was():
    game = VAE(latent=3, width=2, hidden=8).build(IMAGES).train()
    x = torch.rand(30, 1, 8, 8) * 2 - 1
    random = torch.get_rng_state()
    found = game_surgery(game, x, protocol={"split": "test"})
    assert torch.equal(torch.get_rng_state(), random)
    assert all(m.training for m in game.modules()) and all(p.grad is None for p in game.parameters())
    assert {"rate", "mutual information", "marginal KL", "active units", "distortion", "bound"} == set(found)
    mean, log_sd = game.ask("posterior", x)
    assert found["rate"].value == pytest.approx(elbo_surgery(mean=mean, log_sd=log_sd)["rate"].value)
    assert all(e.protocol["split"] == "test" for e in found.values())
    expected = -torch.stack([game.bound(x, seed=s) for s in range(20)]).mean()
    assert found["bound"].value == pytest.approx(float(expected), rel=0.02)


def test_a_game_that_only_draws_tells_rate_and_active_units_and_no_information():
    game = VAEIAF(latent=3, hidden=8, flow_hidden=8, steps=0).build(DataSpec("points", (5,)))
    x = torch.randn(400, 5)
    found = game_surgery(game, x, samples=64)
    assert {"rate", "active units", "distortion", "bound"} == set(found)
    assert found["rate"].bias == "by draws of q"
    # With no step the flow is a plain VAE's posterior, whose rate is known.
    mu, log_sigma, _ = game.networks["encoder"](x).split([3, 3, 32], 1)
    exact = elbo_surgery(mean=mu, log_sd=log_sigma)
    assert found["rate"].value == pytest.approx(exact["rate"].value, abs=0.05)
    assert found["active units"].details["variances"] == pytest.approx(
        exact["active units"].details["variances"], abs=0.02
    )


def test_what_cannot_be_taken_apart_is_refused():
    with pytest.raises(UserError, match="no posterior over codes"):
        game_surgery(GAN(latent=2).build(DataSpec("points", (2,))), torch.randn(4, 2))
    with pytest.raises(UserError, match="don't agree"):
        elbo_surgery(mean=torch.zeros(3, 2), log_sd=torch.zeros(4, 2))
    with pytest.raises(UserError, match="not finite"):
        elbo_surgery(mean=torch.tensor([[0.0], [math.nan]]), log_sd=torch.zeros(2, 1))
    with pytest.raises(UserError, match="at least 2"):
        elbo_surgery(mean=torch.zeros(1, 1), log_sd=torch.zeros(1, 1))
    game = VAE(latent=2, hidden=8).build(DataSpec("points", (2,)))
    game.abilities["prior"] = lambda z: -z.abs().sum(1)
    with pytest.raises(UserError, match="prior isn't standard normal"):
        game_surgery(game, torch.randn(4, 2))


def test_one_code_has_perplexity_one_and_an_even_user_lies_on_the_null():
    one = codebook_use(torch.zeros(10, 4, dtype=torch.long), 8)
    assert one["perplexity"].value == 1 and one["unused"].value == 7 / 8
    assert one["unused"].details["counts"] == [40] + [0] * 7
    assert abs(one["perplexity"].excess) > 10 and one["unused"].excess > 10
    even = codebook_use(torch.arange(8).repeat(5)[:, None], 8)
    assert even["perplexity"].value == pytest.approx(8, abs=1e-12) and even["unused"].value == 0
    drawn = codebook_use(torch.randint(100, (60, 5)), 100)
    assert abs(drawn["perplexity"].excess) < 4 and abs(drawn["unused"].excess) < 4
    assert drawn["unused"].null.mean == pytest.approx(0.99**300, rel=1e-12)


def test_errors_of_code_use_are_the_spread_over_samples_of_examples():
    share = torch.softmax(torch.randn(40), 0)
    found = []
    for _ in range(80):
        # Four tokens of an example are two pairs of equal ones: dependent, as codes of one image are.
        tokens = torch.multinomial(share, 120, replacement=True).view(60, 2).repeat(1, 2)
        found.append(codebook_use(tokens, 40, draws=2))
    spread = {name: float(np.std([f[name].value for f in found], ddof=1)) for name in found[0]}
    error = {name: float(np.mean([f[name].error for f in found])) for name in found[0]}
    assert error["perplexity"] == pytest.approx(spread["perplexity"], rel=0.35)
    # Leaving one out overstates a variance in expectation (Efron and Stein 1981), here of a count.
    assert spread["unused"] < error["unused"] < 2 * spread["unused"]


def test_tokens_of_a_game_are_counted_and_wrong_ones_refused():
    game = VQVAE(codes=8, dim=4, width=8, prior_width=8, prior_layers=2).build(IMAGES)
    tokens = game.ask("tokens", torch.rand(20, 1, 8, 8))
    found = codebook_use(tokens, game.codebook)
    assert 1 <= found["perplexity"].value <= 8 and found["unused"].protocol["tokens"] == tokens.numel()
    with pytest.raises(UserError, match="outside 0 to 3"):
        codebook_use(torch.tensor([[4], [0]]), 4)
    with pytest.raises(UserError, match="expected integers"):
        codebook_use(torch.zeros(4, 2), 4)

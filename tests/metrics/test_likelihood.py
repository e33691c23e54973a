"""The likelihood contract: estimates that hold the truth from the side they claim, and rows that aren't confused."""

import json
import math

import pytest
import torch
from torch import distributions as D

from adversaria.data import DataSpec
from adversaria.distributions import log_normal
from adversaria.errors import UserError
from adversaria.metrics.estimate import Estimate, comparable
from adversaria.metrics.kinds import compare_likelihoods, dequantised_bits, in_unit, kind, likelihood_estimate
from adversaria.metrics.likelihood import PASS, importance_weighted, negative_log_likelihood
from adversaria.recipes.sequence.seqgan import SeqGAN
from adversaria.recipes.variational.vae import VAE
from adversaria.recipes.variational.vae_iaf import VAEIAF

pytestmark = pytest.mark.usefixtures("float64")
LOG_P = -0.25 - 0.5 * math.log(4 * math.pi)  # z ~ N(0, 1), x | z ~ N(z, 1), x = 1


def likelihood(x, z):
    return log_normal(x, z)


def prior_as_posterior(x):
    return torch.zeros_like(x), torch.zeros_like(x)


def exact_posterior(x):
    return x / 2, torch.full_like(x, 0.5 * math.log(0.5))


def ones(n):
    return torch.ones(n, 1)


def abilities(posterior):
    return {"likelihood": likelihood, "prior": log_normal, "posterior": posterior}


def test_a_pass_has_so_many_numbers_at_most():
    """Memory follows the size of examples, not their number."""
    seen = []
    game = {"log_prob": lambda x: seen.append(x.numel()) or -x.flatten(1).sum(1)}
    told = negative_log_likelihood(game, torch.ones(40, 3, 100, 100), data="8-bit pixels")
    assert len(seen) == 3 and max(seen) <= PASS and told.n == 40


def test_the_golden_number_is_the_closed_form():
    assert abs(LOG_P + 1.515512) < 1e-6


def test_with_the_exact_posterior_every_weight_is_the_likelihood():
    found = importance_weighted(ones(3), likelihood=likelihood, posterior=exact_posterior, samples=7)
    torch.testing.assert_close(found.log_p, torch.full((3,), LOG_P), rtol=0, atol=1e-9)
    torch.testing.assert_close(found.bound, torch.full((3,), LOG_P), rtol=0, atol=1e-9)
    torch.testing.assert_close(found.ess, torch.full((3,), 7.0), rtol=0, atol=1e-9)


@pytest.mark.parametrize(("samples", "n", "golden"), [(1, 40_000, -1.918939), (5, 20_000, -1.560), (50, 5000, -1.519)])
def test_the_prior_as_posterior_gives_the_golden_bounds(samples, n, golden):
    found = importance_weighted(ones(n), likelihood=likelihood, posterior=prior_as_posterior, samples=samples)
    error = float(found.log_p.std()) / n**0.5
    assert abs(float(found.log_p.mean()) - golden) < 4 * error + 6e-4  # three decimals in the golden table
    assert abs(float(found.bound.mean()) + 1.918939) < 4 * float(found.bound.std()) / n**0.5 + 1e-6


def test_the_bound_rises_to_the_likelihood_and_its_first_order_slack_is_the_measured_one():
    means = []
    for samples in (1, 5, 50):
        nll = negative_log_likelihood(abilities(prior_as_posterior), ones(40_000), data="continuous", samples=samples)
        means.append(nll.value)
    assert means == sorted(means, reverse=True)
    slack, said = means[-1] + LOG_P, nll.details["slack_to_first_order_nats"]
    assert abs(slack - said) < 4 * nll.error + 2e-4
    assert 0.0025 < said < 0.0045  # -1.519 + 1.5155 in the golden table


def test_the_weights_average_to_the_density_whatever_the_proposal():
    wide = lambda x: (x - 0.3, torch.full_like(x, 0.2))  # noqa: E731
    found = importance_weighted(ones(20_000), likelihood=likelihood, posterior=wide, samples=2)
    p = torch.exp(found.log_p)
    assert abs(float(p.mean()) - math.exp(LOG_P)) < 4 * float(p.std()) / len(p) ** 0.5


def test_pieces_change_memory_and_not_the_answer():
    x = torch.randn(13, 1)
    whole = importance_weighted(x, likelihood=likelihood, posterior=prior_as_posterior, samples=40)
    for chunk in (1, 7, 100, 10_000):
        most = 0

        def counted(x, z):
            nonlocal most
            most = max(most, len(z))
            return likelihood(x, z)

        found = importance_weighted(x, likelihood=counted, posterior=prior_as_posterior, samples=40, chunk=chunk)
        assert most <= chunk
        torch.testing.assert_close(found, whole, rtol=0, atol=1e-12)


def test_a_posterior_known_by_its_draws_alone_gives_the_same_answer_to_its_error():
    def infer(x):
        z = torch.randn_like(x)
        return z, log_normal(z)

    x = ones(2000)
    by_draws = importance_weighted(x, likelihood=likelihood, infer=infer, samples=50, chunk=999)
    by_density = importance_weighted(x, likelihood=likelihood, posterior=prior_as_posterior, samples=50)
    error = float((by_draws.log_p.var() + by_density.log_p.var()) / len(x)) ** 0.5
    assert abs(float(by_draws.log_p.mean() - by_density.log_p.mean())) < 4 * error
    again = importance_weighted(x, likelihood=likelihood, infer=infer, samples=50, chunk=999)
    assert torch.equal(again.log_p, by_draws.log_p)
    other = importance_weighted(x, likelihood=likelihood, infer=infer, samples=50, chunk=999, seed=1)
    assert not torch.equal(other.log_p, by_draws.log_p)


def test_a_game_is_left_as_it_was_found():
    game = VAE(latent=2, width=2, hidden=8).build(DataSpec("image", (1, 8, 8))).float()
    x = torch.rand(6, 1, 8, 8, dtype=torch.float32) * 2 - 1
    likelihood, states = game.abilities["likelihood"], []
    game.abilities["likelihood"] = lambda x, z: (states.append(game.training), likelihood(x, z))[1]
    game.train()
    before = {name: p.clone() for name, p in game.state_dict().items()}
    random = torch.get_rng_state()
    first = negative_log_likelihood(game, x, data="8-bit pixels", samples=20)
    assert torch.equal(torch.get_rng_state(), random)
    assert not any(states) and all(p.grad is None for p in game.parameters())
    weighted = importance_weighted(x, **{k: game.abilities[k] for k in ("likelihood", "posterior")}, samples=2)
    assert not weighted.log_p.requires_grad
    assert all(module.training for module in game.modules())
    assert all(torch.equal(before[name], p) for name, p in game.state_dict().items())
    assert json.dumps(first.to_dict()) == json.dumps(
        negative_log_likelihood(game, x, data="8-bit pixels", samples=20).to_dict()
    )
    with torch.autocast("cpu", torch.bfloat16):
        assert negative_log_likelihood(game, x, data="8-bit pixels", samples=20).value == first.value


@pytest.mark.parametrize("recipe", [VAE(latent=2, hidden=8), VAEIAF(latent=2, hidden=8, flow_hidden=8)])
def test_models_with_codes_are_weighted_and_the_bound_is_looser(recipe):
    game = recipe.build(DataSpec("points", (3,)))
    x = torch.randn(300, 3)
    tight = negative_log_likelihood(game, x, data="continuous", samples=64)
    loose = negative_log_likelihood(game, x, data="continuous", by="lower bound", samples=16)
    assert tight.protocol["kind"] == "importance weighted (K=64)"
    assert loose.protocol["kind"] == "lower bound (samples=16)"
    assert tight.value < loose.value
    assert tight.unit == "nats" and tight.details["K"] == 64 and tight.details["bound_nats"] > tight.value
    with pytest.raises(UserError, match="kind importance weighted"):
        comparable(tight, loose)
    told = compare_likelihoods(loose, tight, same_model=True)
    assert told.ordered and not told.certified and "at least 'importance weighted (K=64)' in expectation" in told.words


def test_a_sequence_model_is_exact_and_told_for_each_token():
    game = SeqGAN().build(DataSpec("sequence", (6,), categories=5))
    x = torch.randint(5, (8, 6))
    found = negative_log_likelihood(game, x, data="tokens")
    assert (found.protocol["kind"], found.unit, found.protocol["d"]) == ("exact", "nats/token", 6)
    assert found.value == pytest.approx(-float(game.log_prob(x).mean()) / 6)
    assert found.bias == ""


def test_what_a_model_lacks_is_said():
    x = ones(4)
    with pytest.raises(UserError, match=r"no likelihood.*annealed importance sampling with a stated sigma"):
        negative_log_likelihood({"decode": likelihood}, x, data="continuous")
    with pytest.raises(UserError, match="no likelihood by 'exact'"):
        negative_log_likelihood(abilities(exact_posterior), x, data="continuous", by="exact")
    with pytest.raises(UserError, match="pass infer= or posterior="):
        importance_weighted(x, likelihood=likelihood)
    with pytest.raises(UserError, match="at least one row"):
        importance_weighted(x[:0], likelihood=likelihood, posterior=exact_posterior)
    with pytest.raises(UserError, match="samples is 0"):
        importance_weighted(x, likelihood=likelihood, posterior=exact_posterior, samples=0)
    with pytest.raises(UserError, match="n of 2 or more"):
        negative_log_likelihood(abilities(exact_posterior), x[:1], data="continuous")
    with pytest.raises(UserError, match="unknown kind of data"):
        negative_log_likelihood(abilities(exact_posterior), x, data="images")


def test_a_point_without_likelihood_is_counted_and_named_and_never_dropped():
    log_p = torch.tensor([-1.0, -math.inf, -2.0, math.nan])
    found = likelihood_estimate(log_p, kind="exact", data="continuous", dims=1)
    assert not math.isfinite(found.value) and math.isnan(found.error) and found.n == 4
    assert found.details == {"not_finite": 2, "not_finite_examples": [1, 3]}
    assert "2 of 4 examples have no finite log-likelihood (rows 1, 3)" in found.bias
    broken = lambda x, z: torch.where(x[:, 0] > 1, math.nan, likelihood(x, z))  # noqa: E731
    model = abilities(exact_posterior) | {"likelihood": broken}
    found = negative_log_likelihood(model, torch.tensor([[0.0], [2.0], [1.0]]), data="continuous", samples=10)
    assert math.isnan(found.value) and found.details["not_finite_examples"] == [1]


def test_a_poor_posterior_is_flagged_by_its_effective_samples():
    off = lambda x: (x + 9, torch.full_like(x, -1.0))  # noqa: E731
    found = negative_log_likelihood(abilities(off), ones(50), data="continuous", samples=100)
    assert found.details["ess_below_10"] > 0.9 and "q misses the posterior" in found.bias
    fine = negative_log_likelihood(abilities(exact_posterior), ones(50), data="continuous", samples=100)
    assert fine.details["ess_below_10"] == 0 and "misses" not in fine.bias
    assert fine.details["ess_median"] == pytest.approx(100)


def test_units_are_those_of_the_data():
    assert in_unit(64 * math.log(256), "8-bit pixels", 64) == pytest.approx(8, abs=1e-12)
    assert in_unit(math.log(100), "8-bit pixels", 3072) == pytest.approx(0.0021627, abs=5e-8)
    assert in_unit(784 * math.log(2), "binary", 784) == pytest.approx(543.4274, abs=5e-5)
    assert in_unit(12.0, "tokens", 6) == 2
    # Reported numbers of NICE: MNIST on [0, 1], CIFAR-10 on [-1, 1].
    assert dequantised_bits(torch.tensor([1980.50]), dims=784).item() == pytest.approx(4.3555, abs=5e-5)
    assert dequantised_bits(torch.tensor([5371.78]), dims=3072, span=2).item() == pytest.approx(4.4773, abs=5e-5)


def test_a_mixture_with_99_percent_noise_costs_at_most_log_100():
    p, noise = D.Normal(0.0, 0.01), D.Normal(0.0, 5.0)
    x = p.sample((200,))
    mixed = torch.logaddexp(p.log_prob(x) + math.log(0.01), noise.log_prob(x) + math.log(0.99))
    lost = (p.log_prob(x) - mixed).max()
    assert 4 < lost <= math.log(100)  # 0.0022 bits/dim on 3072 dimensions


def test_kinds_carry_their_parameters():
    said = kind("annealed importance sampling", T=100, chains=16, sigma=0.1)
    assert said == "annealed importance sampling (T=100, chains=16, sigma=0.1)"
    assert kind("importance weighted", K=5, sigma=None) == "importance weighted (K=5)"
    with pytest.raises(UserError, match="unknown kind of likelihood 'exat'; did you mean 'exact'"):
        kind("exat")
    with pytest.raises(UserError, match="unknown kind"):
        likelihood_estimate(torch.zeros(2), kind="guess", data="binary", dims=1)


def made(value, said, error=0.01, data="continuous", **more):
    given = {"details": more.pop("details", {}), "limits": more.pop("limits", None)}
    facts = {"kind": said, "data_kind": data} | more
    return Estimate("negative log-likelihood", value, error, 50, "nats", facts, **given)


def test_the_order_of_models_is_certified_only_where_intervals_say_so():
    exact, bound = "exact", "lower bound (samples=1)"
    assert compare_likelihoods(made(1.0, exact), made(2.0, exact)).better == "first"
    assert compare_likelihoods(made(2.0, exact), made(1.0, exact)).better == "second"
    assert compare_likelihoods(made(1.0, exact), made(1.001, exact)).better is None
    assert compare_likelihoods(made(1.0, bound, error=0.2), made(1.5, exact, error=0.2)).better is None
    # A bound below an exact value is better for certain; a bound above it may be anything.
    assert compare_likelihoods(made(1.0, bound), made(2.0, exact)).better == "first"
    undecided = compare_likelihoods(made(2.0, bound), made(1.0, exact))
    assert undecided.better is None and "'lower bound (samples=1)' holds the first from above" in undecided.words
    both = compare_likelihoods(made(1.0, bound), made(2.0, bound))
    assert both.better is None and "slack of each is unknown" in both.words
    below = made(3.0, "reverse annealing (T=9)")
    assert compare_likelihoods(made(2.0, bound), below, names=("a", "b")).words.startswith("a is better, certified")
    annealed = "annealed importance sampling (T=9, chains=2)"
    with_gap = made(5.0, annealed, details={"bdmc_gap": 0.2}, limits=(4.7, 5.02))
    told = compare_likelihoods(made(4.0, bound), with_gap)
    assert told.certified and "if the gap measured on simulated data holds" in told.words
    assert compare_likelihoods(made(4.0, bound), made(5.0, annealed)).better is None


def test_paired_examples_decide_between_exact_models_that_intervals_cannot():
    x = torch.randn(100) * 5
    one = likelihood_estimate(x, kind="exact", data="continuous", dims=1)
    two = likelihood_estimate(x - 0.1 + 0.01 * torch.randn(100), kind="exact", data="continuous", dims=1)
    assert one.interval[1] > two.interval[0]
    assert compare_likelihoods(one, two).better == "first"


def test_kinds_of_one_model_are_ordered_by_theorem_or_not_at_all():
    k5, k50, annealed = "importance weighted (K=5)", "importance weighted (K=50)", "annealed importance sampling (T=9)"
    told = compare_likelihoods(made(1, k50), made(2, k5), same_model=True)
    assert "'importance weighted (K=5)' is at least 'importance weighted (K=50)'" in told.words
    assert compare_likelihoods(made(2, k5), made(1, "exact"), same_model=True).ordered
    assert not compare_likelihoods(made(2, k5), made(1, annealed), same_model=True).ordered
    assert compare_likelihoods(made(1, "reverse annealing"), made(2, annealed), same_model=True).ordered
    wrong = compare_likelihoods(made(1, k5), made(2, k50), same_model=True)
    assert "one of the two is wrong" in wrong.words


def test_different_data_units_and_scales_are_not_comparable():
    words = compare_likelihoods(made(1, "exact"), made(1, "exact", data="binary")).words
    assert words.startswith("not comparable") and "data_kind continuous against binary" in words
    assert "scale [0, 1] against [-1, 1]" in compare_likelihoods(
        made(1, "exact", scale="[0, 1]"), made(1, "exact", scale="[-1, 1]")).words  # fmt: skip
    assert compare_likelihoods(made(1, "exact", seed=1), made(9, "exact", seed=2)).certified

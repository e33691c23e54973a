"""AVB: the ratio that the adversary learns, the bound that it stands for, and four points measured by quadrature."""

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

from adversaria.claims import avb as claim
from adversaria.data import Batch, DataSpec
from adversaria.distributions import kl_from_standard, log_normal
from adversaria.game import Referee
from adversaria.nn.implicit import ImplicitPosterior, NoiseBasis
from adversaria.recipes.adversarial.avb import AVB

pytestmark = pytest.mark.usefixtures("float64")
POINTS = DataSpec(kind="points", shape=(3,))
SMALL = {"latent": 2, "vectors": 3, "noise": 2, "hidden": 6, "depth": 1, "moments": 5}


def networks(game):
    return (game.networks[name] for name in ("encoder", "decoder", "observation", "adversary"))


def terms_of(game, player, x):
    objective = {p.name: p.objective for p in game.stage().players}[player]
    torch.manual_seed(5)
    return objective(Batch(x))


class Fixed(nn.Module):
    """Normal noise of z, standing at (+-1, +-1): over every 4 rows the mean of any quadratic in z is exact."""

    corners = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]], dtype=torch.float64)
    draws = 8  # of the moments, whose variance divides by 7

    def forward(self, n):
        v = torch.diag_embed(self.corners.repeat(n // 4, 1))
        return v * (7 / 8) ** 0.5 if n == self.draws else v


class Given(nn.Module):
    """An encoder that says the same b and a of every x."""

    def __init__(self):
        super().__init__()
        self.b = nn.Parameter(torch.tensor([0.6, -0.8]))
        self.log_a = nn.Parameter(torch.tensor([-0.5, 0.3]))

    def forward(self, x):
        return torch.cat([self.b, torch.diag(self.log_a.exp()).flatten()]).expand(len(x), -1)


class Ratio(nn.Module):
    """T* = log q(z | x) - log p(z) of `Given`, a function of z: how it depends on q is cut off."""

    def __init__(self, given):
        super().__init__()
        self.given = [given]

    def forward(self, x, z):
        given = self.given[0]
        return log_normal(z, given.b.detach(), given.log_a.detach()) - log_normal(z)


def exactly_normal(contrast):
    game = AVB(**SMALL | {"moments": Fixed.draws}, contrast=contrast).build(POINTS)
    given = Given()
    game.networks["encoder"].body, game.networks["encoder"].basis = given, Fixed()
    game.networks["adversary"].forward = (
        Ratio(given).forward if contrast == "prior" else lambda x, z: torch.zeros_like(z[:, 0])
    )
    return game, given


@pytest.mark.parametrize("contrast", ["prior", "adaptive"])
def test_at_the_best_adversary_value_and_gradient_are_the_closed_form_bound_s(contrast):
    """For a normal posterior T* is known: log q - log p against the prior (Prop. 1), 0 against the normal contrast."""
    game, given = exactly_normal(contrast)
    terms = terms_of(game, "model", torch.randn(4, 3))
    rate = kl_from_standard(given.b[None], given.log_a[None]).sum()
    ours = terms["contrast"] + terms["ratio"]
    torch.testing.assert_close(ours, rate)
    own = [given.b, given.log_a]
    found = torch.autograd.grad(ours, own)  # Prop. 2: nothing is lost with what T* depends on
    for a, b in zip(found, torch.autograd.grad(rate, own), strict=True):
        torch.testing.assert_close(a, b)


def test_the_logistic_loss_is_least_at_the_log_ratio():
    """Prop. 1 by enumeration: on 5 codes the loss's gradient vanishes at log q - log p, and the loss is convex."""
    q, p = torch.rand(5).softmax(0), torch.rand(5).softmax(0)

    def loss(T):
        return (q * softplus(-T) + p * softplus(T)).sum()

    best = (q / p).log().requires_grad_()
    torch.testing.assert_close(torch.autograd.grad(loss(best), best)[0], torch.zeros(5))
    assert (torch.linalg.eigvalsh(torch.autograd.functional.hessian(loss, torch.randn(5))) > 0).all()


@pytest.mark.parametrize("contrast", ["prior", "adaptive"])
def test_terms_are_the_equations_on_the_same_noise(contrast):
    game, x = AVB(**SMALL, contrast=contrast).build(POINTS), torch.randn(8, 3)
    E, G, p, T = networks(game)
    p.log_scale.data.normal_()

    def inferred():
        numbers = E.body(x).view(8, 4, 2)
        b, a = numbers[:, 0], numbers[:, 1:]
        if contrast == "prior":
            z = b + (a * E.basis(8)).sum(1)
            return z, z, torch.zeros(8)
        v = E.basis(5)  # the moments come first
        mean = b + (a * v.mean(0)).sum(1)
        variance = (a.square() * v.var(0)).sum(1)
        z = b + (a * E.basis(8)).sum(1)
        r = torch.distributions.Normal(mean, variance.sqrt())
        prior = torch.distributions.Normal(0.0, 1.0)
        return z, (z - mean) / variance.sqrt(), (r.log_prob(z) - prior.log_prob(z)).sum(1)

    torch.manual_seed(5)
    z, place, known = inferred()
    log_p = torch.distributions.Normal(G(z), p.log_scale.exp()).log_prob(x).sum(1)
    expected = {"distortion": -log_p.mean(), "contrast": known.mean(), "ratio": T(x, place).mean()}
    found = terms_of(game, "model", x)
    assert found.keys() == expected.keys()
    for name, term in expected.items():
        torch.testing.assert_close(found[name], term)
    own = [*E.parameters(), *G.parameters(), *p.parameters()]
    ours = torch.autograd.grad(sum(found.values()), own)
    for a, b in zip(ours, torch.autograd.grad(sum(expected.values()), own), strict=True):
        torch.testing.assert_close(a, b)

    torch.manual_seed(5)
    place = inferred()[1]
    drawn = torch.randn(8, 2)
    found = terms_of(game, "adversary", x)
    assert found["real"].item() == pytest.approx(-torch.sigmoid(T(x, place)).log().mean().item())  # Eq. 3.3
    assert found["fake"].item() == pytest.approx(-(1 - torch.sigmoid(T(x, drawn))).log().mean().item())


def test_an_adversary_that_is_trained_tells_the_divergence():
    """E_q T is KL(q || p), the closed form of a normal q against the prior."""
    game, given = AVB(**SMALL | {"hidden": 32}, contrast="prior").build(POINTS), Given()
    E, _, _, T = networks(game)
    E.body, E.basis = given, nn.Module()
    E.basis.forward = lambda n: torch.diag_embed(torch.randn(n, 2))
    rate = kl_from_standard(given.b[None], given.log_a[None]).sum().item()

    def told():
        with torch.no_grad():
            many = torch.zeros(20_000, 3)
            return T(many, E(many)).mean().item()

    before, steps = told(), 150
    referee, adversary = Referee(game.stage(), rounds=steps), game.stage().players[0]
    for step in range(steps):
        for group in referee.optimizers["adversary"].param_groups:
            group["lr"] = 2e-2 * (1 - step / steps)
        referee.backward(adversary, adversary.objective(Batch(torch.zeros(200, 3))))
        referee.step(adversary)
    assert abs(before - rate) > 0.5
    assert told() == pytest.approx(rate, abs=0.1)


def test_moments_are_those_of_the_draws():
    E = ImplicitPosterior(nn.Linear(3, 5 * 2), NoiseBasis(4, 2, 3, 8), 2)
    x = torch.randn(1, 3)
    with torch.no_grad():
        z = E(x.expand(50_000, 3))
        _, mean, log_sd = E.with_moments(x, 50_000)
    error = z.std(0) / 50_000**0.5
    assert ((z.mean(0) - mean[0]).abs() < 6 * error).all()
    torch.testing.assert_close(log_sd[0].exp(), z.std(0), rtol=0.03, atol=0)


def test_noise_vectors_do_not_depend_on_one_another_or_on_the_rest_of_the_batch():
    basis = NoiseBasis(3, 2, 4, 8)
    eps = torch.randn(3, 6, 4)

    def through(eps):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("adversaria.nn.implicit.normal", lambda *_, like: eps)
            return basis(6)

    moved = eps.clone()
    moved[1, 2] += 1.0
    changed = (through(moved) - through(eps)).abs().sum(2) > 0
    assert changed.nonzero().tolist() == [[2, 1]]


def test_no_bound_is_offered_and_the_likelihood_is():
    game = AVB(**SMALL).build(POINTS)
    assert not any(game.can(ability) for ability in ("bound", "infer", "posterior", "log_prob"))
    x, z = torch.randn(4, 3), torch.randn(4, 2)
    expected = game.networks["observation"].log_prob(x, game.networks["decoder"](z))
    torch.testing.assert_close(game.ask("likelihood", x, z), expected)
    torch.testing.assert_close(game.ask("prior", z), log_normal(z))
    codes = game.encode(x[:1].expand(500, 3), seed=0)
    assert codes.std(0).min() > 0.01, "a code is a draw from the posterior"
    assert math.isfinite(game.reconstruct(x, seed=0).sum().item())


def four_points_game():
    game = AVB(latent=2, vectors=2, noise=2, hidden=6, depth=1).build(DataSpec(kind="binary", shape=(4,)))
    for parameter in game.networks["decoder"].parameters():
        parameter.data.mul_(3.0)
    return game


def test_the_quadrature_is_exact_enough_to_sum_to_one_over_all_states():
    states = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 4)
    log_p = claim.log_likelihood(four_points_game(), states)
    assert log_p.exp().sum().item() == pytest.approx(1.0, abs=1e-6)
    assert log_p.exp().std() > 1e-3


@pytest.mark.parametrize("mean, log_sd", [(0.0, [0.0, 0.0]), (1.5, [-1.0, 0.5])])
def test_the_entropy_by_neighbours_is_that_of_a_normal(mean, log_sd):
    log_sd = torch.tensor(log_sd)
    z = mean + log_sd.exp() * torch.randn(20_000, 2)
    exact = log_sd.sum().item() + math.log(2 * math.pi) + 1
    assert claim.entropy(z) == pytest.approx(exact, abs=0.03)


def test_overlap_is_nothing_for_sets_apart_and_chance_for_one_law():
    one = torch.randn(4, 2_000, 2)
    assert claim.overlap(one) == pytest.approx(0.75, abs=0.03)
    apart = one + 100 * torch.arange(4.0)[:, None, None]
    assert claim.overlap(apart) == 0

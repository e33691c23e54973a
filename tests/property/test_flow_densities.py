"""Flows as densities: the autograd Jacobian, the inverse, the mass, and samples from the prior that was trained."""

import pytest
import torch
from scipy import stats

import adversaria as adv
from adversaria.data import DataSpec
from adversaria.distributions import log_normal
from adversaria.nn.flows import ActNorm, Autoregressive, Coupling, Inverse, Scaling
from adversaria.nn.mlp import MLP
from adversaria.nn.splines import Splines

pytestmark = pytest.mark.usefixtures("float64")
NAMES = ["maf", "iaf", "spline-flow", "planar", "radial", "realnvp", "nice"]


def game_of(name, d, **changed):
    torch.manual_seed(0)
    game = adv.recipe(name, "smoke", **changed).build(DataSpec("points", (d,)))
    for p in game.parameters():  # far from the identity
        p.data = p.data + 0.3 * torch.randn_like(p)
    return game.eval()


@pytest.mark.parametrize("d", [1, 2, 5])
@pytest.mark.parametrize("name", NAMES)
def test_the_log_determinant_is_that_of_the_jacobian_and_the_inverse_comes_back(name, d):
    flow, x = game_of(name, d).networks["model"], torch.randn(16, d)
    z, log_det = flow(x)
    J = torch.stack([torch.autograd.functional.jacobian(lambda v: flow(v[None])[0][0], row) for row in x])
    torch.testing.assert_close(log_det, torch.linalg.slogdet(J).logabsdet)
    torch.testing.assert_close(flow.inverse(z), x, atol=1e-7, rtol=1e-7)
    assert log_det.std() > 1e-3 or d == 1 or name == "nice"


@pytest.mark.parametrize("d", [2, 3, 4])
@pytest.mark.parametrize("name", NAMES)
def test_no_coordinate_goes_through_unbent(name, d):
    flow = game_of(name, d).networks["model"]
    x = 0.7 * torch.randn(32, d)
    J = torch.stack([torch.autograd.functional.jacobian(lambda v: flow(v[None])[0][0], row) for row in x])
    assert (J.std(0).amax(1) > 1e-6).all(), "a coordinate of z is linear in x"


@pytest.mark.parametrize("name", NAMES)
def test_the_density_has_as_much_mass_in_a_square_as_there_are_samples(name):
    game = game_of(name, 2)
    edge, n = 14.0, 1_401
    side = torch.linspace(-edge, edge, n)
    points = torch.cartesian_prod(side, side)
    mass = torch.cat([game.log_prob(part) for part in points.split(200_000)]).exp().sum() * (side[1] - side[0]) ** 2
    inside = (game.sample(40_000, seed=0).abs() < edge).all(1).double().mean().item()
    assert mass.item() == pytest.approx(inside, abs=4e-3) and inside > 0.9


@pytest.mark.parametrize("name", NAMES)
def test_samples_come_from_the_prior_whose_likelihood_is_told(name):
    game = game_of(name, 2)
    x = game.sample(4_000, seed=0)
    z = game.encode(x)
    base = "logistic" if name == "nice" else "norm"
    assert all(stats.kstest(z[:, k].numpy(), base).pvalue > 1e-3 for k in range(2))
    density = stats.gaussian_kde(x[:3_000].numpy().T)
    at = x[3_000:][
        torch.from_numpy(density(x[3_000:].numpy().T)).argsort(descending=True)[:400]
    ]  # where there are many
    ratio = game.log_prob(at) - torch.from_numpy(density(at.numpy().T)).log()
    assert abs(ratio.median().item()) < 0.35


LAYERS = {
    "scaling": lambda d: Scaling((d,)),
    "actnorm": lambda d: ActNorm(d, image=False),
    "autoregressive": lambda d: Autoregressive(d, 16),
    "inverse": lambda d: Inverse(Autoregressive(d, 16)),
    "additive": lambda d: Coupling((torch.arange(d) % 2).double(), MLP(d, d, 16, 2), affine=False),
    "affine": lambda d: Coupling((torch.arange(d) % 2).double(), MLP(d, 2 * d, 16, 2), affine=True),
    "splines": lambda d: Splines((torch.arange(d) % 2).double(), MLP(d, (d + 1) // 2 * 11, 16, 2), bins=4),
}


@pytest.mark.parametrize("name", LAYERS)
def test_each_layer_against_the_jacobian(name):
    torch.manual_seed(0)
    layer = LAYERS[name](4).eval()
    for p in layer.parameters():
        p.data = p.data + 0.4 * torch.randn_like(p)
    x = 2 * torch.randn(20, 4)
    z, log_det = layer(x)
    J = torch.stack([torch.autograd.functional.jacobian(lambda v: layer(v[None])[0][0], row) for row in x])
    torch.testing.assert_close(log_det.expand(20), torch.linalg.slogdet(J).logabsdet)
    torch.testing.assert_close(layer.inverse(z), x, atol=1e-8, rtol=1e-8)


def test_splines_start_as_the_identity_and_are_smooth_at_their_edge():
    layer = Splines(torch.zeros(2), MLP(2, 2 * 11, 8, 1), bins=4, edge=3.0)
    torch.nn.init.zeros_(layer.read.layers[-1].weight)
    torch.nn.init.zeros_(layer.read.layers[-1].bias)
    x = torch.randn(50, 2) * 3
    torch.testing.assert_close(layer(x)[0], x)
    torch.nn.init.normal_(layer.read.layers[-1].bias)
    for edge in (-3.0, 3.0):
        near, beyond = (layer(torch.full((1, 2), edge * k)) for k in (1 - 1e-9, 1 + 1e-9))
        assert (near[0] - beyond[0]).abs().max() < 1e-7 and (near[1] - beyond[1]).abs().max() < 1e-6


def test_activation_normalisation_starts_from_the_first_batch_in_training_and_only_that():
    layer, x = ActNorm(3, image=True), 5 + 2 * torch.randn(8, 3, 4, 4)
    assert torch.equal(layer.eval()(x)[0], x)
    z, log_det = layer.train()(x)
    assert z.mean((0, 2, 3)).abs().max() < 1e-12 and (z.std((0, 2, 3), correction=0) - 1).abs().max() < 1e-12
    torch.testing.assert_close(log_det, -16 * x.std((0, 2, 3), correction=0).log().sum().expand(8))
    again = layer(3 * x)[0]
    assert again.std() > 2, "the second batch changes nothing"


def test_a_first_batch_that_does_not_vary_says_nothing_of_the_scale():
    layer, x = ActNorm(3, image=False), torch.randn(50, 3)
    x[:, 0], x[:, 1] = 4.0, 1e-3 * x[:, 1]
    z, _ = layer.train()(x)
    assert layer.s[0].item() == 0 and (z[:, 0] == 0).all(), "all alike: moved to 0 alone"
    assert layer.s[1].exp().item() == pytest.approx(10), "ten times at most"
    one = ActNorm(2, image=False)
    one.train()(torch.tensor([[3.0, -2.0]]))
    assert (one.s == 0).all(), "a batch of one example"


def test_a_flow_fitted_to_normal_data_finds_their_entropy():
    torch.manual_seed(0)
    A = torch.tensor([[1.0, 0.0], [0.8, 0.5]])
    game = adv.recipe("maf", "smoke").build(DataSpec("points", (2,)))
    (player,) = game.stage().players
    optimizer = torch.optim.Adam(player.parameters(), lr=0.02)
    for _ in range(300):
        batch = adv.data.Batch(torch.randn(256, 2) @ A.T)
        optimizer.zero_grad()
        sum(player.objective(batch).values()).backward()
        optimizer.step()
    x = torch.randn(20_000, 2) @ A.T
    exact = log_normal(x @ torch.linalg.inv(A).T) - torch.linalg.slogdet(A).logabsdet
    assert -game.log_prob(x).mean().item() == pytest.approx(-exact.mean().item(), abs=0.02)

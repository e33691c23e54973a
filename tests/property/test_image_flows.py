"""Flows of images: Jacobian, inverse, dequantisation against quadrature, and that the bound is one."""

import math

import numpy as np
import pytest
import torch

import adversaria as adv
from adversaria.data import DataSpec
from adversaria.density import LOGISTIC, flow_game
from adversaria.errors import UserError
from adversaria.game import Adam
from adversaria.nn.dequantise import Dequantised
from adversaria.nn.flows import Composite, Rows, Scaling
from adversaria.nn.multiscale import Given, Levels, Mixing, Squeeze, channelwise, checkerboard, halvings

pytestmark = pytest.mark.usefixtures("float64")
NAMES = ["nice", "realnvp", "glow"]
SHAPES = [(1, 4, 4), (3, 2, 4), (1, 8, 6)]
FLOWS = [*((name, {}) for name in NAMES), ("glow", {"mixing": "permutation"})]


def game_of(name, shape, **changed):
    torch.manual_seed(0)
    game = adv.recipe(name, "smoke", **changed).build(DataSpec("image", shape))
    for p in game.parameters():  # far from the identity
        p.data = p.data + 0.1 * torch.randn_like(p)
    return game.eval()


def levels(n, shape):
    return torch.randint(0, 256, (n, *shape)).double() / 127.5 - 1


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("name", "changed"), FLOWS)
def test_the_log_determinant_is_that_of_the_jacobian_and_the_inverse_comes_back(name, changed, shape):
    flow, h = game_of(name, shape, **changed).networks["model"], torch.randn(3, *shape)
    z, log_det = flow(h)
    assert z.shape == (3, math.prod(shape))
    J = torch.stack([torch.autograd.functional.jacobian(lambda v: flow(v[None])[0][0], row).flatten(1) for row in h])
    torch.testing.assert_close(log_det, torch.linalg.slogdet(J).logabsdet)
    torch.testing.assert_close(flow.inverse(z), h, atol=1e-8, rtol=1e-8)
    assert name == "nice" or log_det.std() > 1e-3


@pytest.mark.parametrize("noise", ["uniform", "variational"])
@pytest.mark.parametrize("name", NAMES)
def test_codes_decode_to_the_very_pixels(name, noise):
    game, x = game_of(name, (1, 8, 6), dequantisation=noise), levels(20, (1, 8, 6))
    assert (game.decode(game.encode(x)) - x).abs().max() < 1e-12
    assert not game.can("log_prob") and torch.equal(game.bound(x, seed=1), game.bound(x, seed=1))
    drawn = (game.sample(50, seed=0) + 1) * 127.5
    torch.testing.assert_close(drawn, drawn.round())
    assert drawn.min() >= -1e-9 and drawn.max() <= 255 + 1e-9


def logistic_cdf(h, mean, scale):
    return 1 / (1 + np.exp(-(h - mean) / scale))


class Shift(Scaling):
    """An affine map of one number, whose density is known."""

    def forward(self, x):
        return super().forward(x - 0.4)

    def inverse(self, z):
        return super().inverse(z) + 0.4


def one_pixel(noise=None):
    shape = (1, 1, 1)
    flow = Composite([Rows(shape), Shift((1,))])
    flow.maps[1].s.data.fill_(0.3)
    pixels = Dequantised(noise)
    return flow_game(flow, DataSpec("image", shape), Adam(), base=LOGISTIC, pixels=pixels), pixels


def exact(pixels):
    """log P of each of the 256 levels: the mass of the logistic between the ends of a step."""
    v = np.arange(257) / 256
    w = pixels.a + (1 - 2 * pixels.a) * v
    cdf = logistic_cdf(np.log(w / (1 - w)), 0.4, math.exp(-0.3))
    return torch.from_numpy(np.log(np.diff(cdf)))


def test_the_bound_is_below_the_mass_of_each_level_and_close_to_it_where_steps_are_small():
    game, pixels = one_pixel()
    x = torch.arange(256.0).view(-1, 1, 1, 1) / 127.5 - 1
    told = torch.stack([game.bound(x, seed=k) for k in range(400)]).mean(0)
    assert (told < exact(pixels) + 1e-3).all()
    torch.testing.assert_close(told, exact(pixels), atol=2e-3, rtol=0)
    assert game.bound(x, seed=0).exp().sum() < 1, "what lies beyond the ends of the unit interval is lost"


class Fixed(torch.nn.Module):
    """Mean and log standard deviation of the noise, the same for every pixel."""

    def __init__(self, mean, log_sd):
        super().__init__()
        self.numbers = torch.nn.Parameter(torch.tensor([mean, log_sd]))

    def forward(self, x):
        return self.numbers.view(1, 2, 1, 1).expand(len(x), 2, *x.shape[2:])


@pytest.mark.parametrize(("mean", "log_sd"), [(0.0, 0.0), (1.0, 0.5), (-2.0, 1.0)])
def test_variational_noise_has_the_density_it_tells(mean, log_sd):
    pixels = Dequantised(Fixed(mean, log_sd))
    u, log_q = pixels.draw(torch.zeros(200_000, 1, 1, 1))
    u, log_q = u.flatten(), log_q
    counts, edges = torch.histogram(u, 40, range=(0, 1), density=True)
    inside = torch.bucketize(u, edges[1:-1])
    for k in range(3, 37):  # a bin's mean density against the share of draws in it
        here = log_q[inside == k].exp()
        if len(here) > 2_000:
            assert 1 / (1 / here).mean().item() == pytest.approx(counts[k].item(), rel=0.05)


def test_the_variational_bound_falls_short_by_the_divergence_of_its_noise():
    game, pixels = one_pixel(Fixed(0.7, 0.4))
    x = torch.full((1, 1, 1, 1), 100 / 127.5 - 1)
    told = game.bound(x.expand(200_000, -1, -1, -1), seed=0).mean().item()
    u = (torch.arange(200_000) + 0.5) / 200_000
    g = torch.logit(u)
    log_q = torch.distributions.Normal(0.7, math.exp(0.4)).log_prob(g) - torch.log(u * (1 - u))
    h, log_slope = pixels.spread(x.expand(len(u), -1, -1, -1), u.view(-1, 1, 1, 1))
    z = (h.flatten() - 0.4) * math.exp(0.3)
    log_p = torch.nn.functional.logsigmoid(z) + torch.nn.functional.logsigmoid(-z) + 0.3 + log_slope
    assert log_p.exp().mean().log().item() == pytest.approx(exact(pixels)[100].item(), abs=1e-6)
    assert told == pytest.approx((log_q.exp() * (log_p - log_q)).mean().item(), abs=5e-3)
    assert told < exact(pixels)[100].item() - 0.1


def test_squeezing_and_mixing_by_hand():
    x = torch.arange(16.0).view(1, 1, 4, 4)
    assert Squeeze()(x)[0][0, :, 0, 0].tolist() == [0, 1, 4, 5]
    layer, y = Mixing(3), torch.randn(2, 3, 4, 5)
    layer.W.data += 0.3 * torch.randn(3, 3)
    z, log_det = layer(y)
    torch.testing.assert_close(z[1, :, 2, 3], layer.W @ y[1, :, 2, 3])
    torch.testing.assert_close(log_det[0], 20 * torch.linalg.det(layer.W).abs().log())


def test_channels_left_behind_are_normal_given_the_others():
    layer, x = Given(2, 3), torch.randn(4, 5, 4, 4)
    assert torch.equal(layer(x)[0], x), "the identity at first"
    layer.read.weight.data.normal_(0, 0.2)
    z, log_det = layer(x)
    assert torch.equal(z[:, :2], x[:, :2])
    m, s = layer._parts(x[:, :2])
    expected = torch.distributions.Normal(m, s.exp()).log_prob(x[:, 2:]).flatten(1).sum(1)
    found = torch.distributions.Normal(0.0, 1.0).log_prob(z[:, 2:]).flatten(1).sum(1) + log_det
    torch.testing.assert_close(found, expected)


def test_a_level_sends_half_of_its_channels_on():
    flow = Levels((1, 8, 8), [Squeeze(), Squeeze()])
    assert flow.left == [(2, 4, 4), (8, 2, 2)] and flow.training
    assert halvings((1, 28, 20), 5) == 2 and halvings((3, 32, 32), 3) == 3 and halvings((1, 7, 8), 3) == 0


def test_masks_are_halves_of_each_other():
    for a, b in [(checkerboard((1, 3, 4), odd) for odd in (True, False)),
                 (channelwise(6, first) for first in (True, False))]:  # fmt: skip
        assert torch.equal(a + b, torch.ones_like(a))
    assert checkerboard((1, 3, 4), odd=True)[0, 0].tolist() == [0, 1, 0, 1]


def test_the_first_batch_of_activation_norm_is_a_batch_of_data():
    torch.manual_seed(0)
    game = adv.recipe("glow", "smoke").build(DataSpec("image", (1, 8, 8)))
    norms = [m for m in game.modules() if type(m).__name__ == "ActNorm"]
    assert norms and not any(bool(m.ready) for m in norms)
    (player,) = game.stage().players
    player.objective(adv.data.Batch(levels(64, (1, 8, 8))))
    assert all(bool(m.ready) for m in norms)


def test_glow_says_what_it_can_t_halve():
    with pytest.raises(UserError, match=r"Glow halves grey images and these have shape \(1, 7, 8\)"):
        adv.recipe("glow", "smoke").build(DataSpec("image", (1, 7, 8)))

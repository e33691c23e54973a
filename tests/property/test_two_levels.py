"""Black and white images: every exact model sums to 1 over them, and draws as it scores."""

import itertools

import pytest
import torch
from scipy import stats

import adversaria as adv
from adversaria import catalogue
from adversaria.data import DataSpec
from adversaria.nn.dequantise import Dequantised

pytestmark = pytest.mark.usefixtures("float64")
ORDERED = [name for name, entry in catalogue.entries().items() if entry.family == "autoregressive"]
SHAPE = {"multiscale-pixelcnn": (1, 4, 2)}


def game_of(name, shape):
    torch.manual_seed(0)
    game = adv.recipe(name, "smoke").build(DataSpec("image", shape, classes=3, levels=2)).double()
    for p in game.parameters():
        p.data = p.data + 0.3 * torch.randn_like(p)
    return game.eval()


def everything(shape):
    size = shape[0] * shape[1] * shape[2]
    return torch.tensor(list(itertools.product((-1.0, 1.0), repeat=size))).view(-1, *shape)


@pytest.mark.parametrize("name", ORDERED)
def test_probabilities_of_all_images_sum_to_one_and_samples_have_them(name):
    shape = SHAPE.get(name, (1, 2, 3))
    game, x = game_of(name, shape), everything(shape)
    p = game.log_prob(x).exp()
    assert p.sum().item() == pytest.approx(1, abs=1e-12)
    drawn = game.sample(3_000, seed=0)
    place = 2 ** torch.arange(p.numel().bit_length() - 2, -1, -1)
    counts = torch.bincount((((drawn + 1) / 2).flatten(1).long() * place).sum(1), minlength=len(x))
    assert set(drawn.unique().tolist()) == {-1.0, 1.0}
    keep = p * 3_000 >= 5
    observed = torch.cat([counts[keep], counts[~keep].sum()[None]]).double()
    expected = torch.cat([p[keep], p[~keep].sum()[None]]) * 3_000
    if not expected[-1] > 1:
        observed, expected = observed[:-1], expected[:-1] * observed[:-1].sum() / expected[:-1].sum()
    assert stats.chisquare(observed.numpy(), expected.detach().numpy()).pvalue > 1e-4


@pytest.mark.parametrize("name", ["vae", "vae-iaf", "avb"])
def test_a_decoder_s_bits_sum_to_one_given_a_code(name):
    shape = (1, 3, 3)
    game, x = game_of(name, shape), everything(shape)
    z = game.latent(1, seed=0).expand(len(x), -1)
    log_p = game.ask("likelihood", x, z)
    assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-12)
    assert set(game.sample(50, seed=0).unique().tolist()) == {-1.0, 1.0}
    mean = game.decode(z[:1])
    torch.testing.assert_close(mean[0], (log_p.exp()[:, None, None, None] * x).sum(0))


def test_pixelcnn_pp_s_logistics_have_two_steps():
    game, x = game_of("pixelcnn-pp", (3, 1, 2)), everything((3, 1, 2))
    assert game.log_prob(x).exp().sum().item() == pytest.approx(1, abs=1e-12)
    assert set(game.sample(50, seed=0).unique().tolist()) == {-1.0, 1.0}


def test_two_levels_dequantised_share_the_unit_interval():
    pixels, x = Dequantised(levels=2), torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1)
    h = torch.cat([pixels.spread(x, torch.full_like(x, u))[0] for u in (0.0, 1.0)], 1).view(2, 2)
    w = torch.sigmoid(h)
    torch.testing.assert_close(w, torch.tensor([[0.05, 0.5], [0.5, 0.95]]))
    assert torch.equal(pixels.pixels(pixels.middle(x)), x)
    log_slope = pixels.spread(x, torch.full_like(x, 0.3))[1]
    numeric = [(pixels.spread(x, torch.full_like(x, 0.3 + e))[0]).flatten() for e in (1e-6, -1e-6)]
    torch.testing.assert_close(log_slope.exp(), (numeric[0] - numeric[1]) / 2e-6, rtol=1e-6, atol=0)

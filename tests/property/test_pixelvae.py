"""PixelVAE: pixels given maps, and maps of codes given a code, as laws that sum and integrate to one."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import stats

import adversaria as adv
from adversaria.data import Batch, DataSpec
from adversaria.game.game import seeded
from adversaria.nn.observation import PixelwiseObservation
from adversaria.nn.spatial import OrderedMaps
from adversaria.ordered import alphabet

pytestmark = pytest.mark.usefixtures("float64")


def shaken(net):
    for p in net.parameters():
        p.data = p.data + 0.3 * torch.randn_like(p)
    return net


def test_pixels_given_maps_sum_to_one_and_are_drawn_so():
    torch.manual_seed(0)
    spec = DataSpec("image", (1, 2, 3), levels=2)
    p = shaken(PixelwiseObservation(alphabet(spec), spec.shape, 2, 8, 2))
    maps = torch.randn(1, 2, 2, 3)
    x = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=6))).view(-1, *spec.shape)
    probabilities = p.log_prob(x, maps.expand(64, -1, -1, -1)).exp().detach()
    assert probabilities.sum().item() == pytest.approx(1, abs=1e-12)
    with seeded(0):
        drawn = p.show(maps.expand(4_000, -1, -1, -1))
    place = (((drawn + 1) / 2).flatten(1).long() * 2 ** torch.arange(5, -1, -1)).sum(1)
    counts = torch.bincount(place, minlength=64).numpy()
    often = probabilities.numpy() * 4_000 >= 5
    observed = np.append(counts[often], counts[~often].sum())
    expected = np.append(probabilities.numpy()[often], probabilities.numpy()[~often].sum()) * 4_000
    observed, expected = (observed[:-1], expected[:-1]) if expected[-1] == 0 else (observed, expected)
    assert stats.chisquare(observed, expected).pvalue > 1e-4


def test_what_a_code_is_shown_as_is_the_same_each_time_and_differs_with_the_maps():
    torch.manual_seed(0)
    spec = DataSpec("image", (3, 4, 4))
    p = shaken(PixelwiseObservation(alphabet(spec), spec.shape, 2, 9, 2))
    maps = 3 * torch.randn(2, 2, 4, 4)
    state = torch.get_rng_state()
    one, two = p.mean(maps), p.mean(maps.flip(0)).flip(0)
    assert torch.equal(one, two) and not torch.equal(one[0], one[1])
    assert torch.equal(state, torch.get_rng_state()), "without touching anybody's random numbers"


def test_ordered_maps_of_codes_integrate_to_one_and_are_drawn_as_they_are_scored():
    torch.manual_seed(0)
    q, maps = shaken(OrderedMaps((1, 1, 2), 3, 6, 2)), torch.randn(1, 3, 1, 2)
    line = torch.linspace(-12, 12, 601)
    z = torch.cartesian_prod(line, line)
    with torch.no_grad():
        log_p = q.log_prob(z, maps.expand(len(z), -1, -1, -1))
        drawn = q.draw(maps.expand(4_000, -1, -1, -1))
    assert (log_p.logsumexp(0) + 2 * math.log(line[1] - line[0])).exp().item() == pytest.approx(1, abs=1e-3)
    density = log_p.exp().view(601, 601)
    for k in range(2):
        mass = density.sum(1 - k)
        cdf = ((mass.cumsum(0) - mass / 2) / mass.sum()).numpy()
        assert stats.kstest(np.interp(drawn[:, k].numpy(), line.numpy(), cdf), "uniform").pvalue > 1e-4


@pytest.mark.parametrize("levels", [1, 2])
def test_the_bound_is_that_of_the_parts(levels):
    torch.manual_seed(0)
    game = adv.recipe("pixelvae", "smoke", levels=levels).build(DataSpec("image", (1, 8, 8))).eval()
    x = torch.randint(0, 256, (6, 1, 8, 8)) / 127.5 - 1
    (player,) = game.stage().players
    with seeded(3), torch.no_grad():
        loss = sum(player.objective(Batch(x)).values())
    torch.testing.assert_close(-game.bound(x, seed=3).mean(), loss)
    z = game.encode(x)
    assert z.shape == (6, 4 + (32 if levels == 2 else 0))
    torch.testing.assert_close(game.ask("prior", z).isfinite().all(), torch.tensor(True))
    assert game.latent(3, seed=0).shape == (3, z.shape[1]) and game.decode(z[:2]).shape == (2, 1, 8, 8)

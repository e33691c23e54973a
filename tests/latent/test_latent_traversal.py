"""Effects of coordinates against their closed forms, and traversals that move one coordinate."""

import pytest
import torch
from latent_helpers import box, game_of, linear, normal
from torch import nn

from adversaria import latent
from adversaria.errors import UserError

pytestmark = pytest.mark.usefixtures("float64")


class Product(nn.Module):
    """x = z_0 z_1: each coordinate alone can undo all there is."""

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(()))

    def forward(self, z):
        return self.factor * z[:, :1] * z[:, 1:2]


@pytest.mark.parametrize(("prior", "variance"), [(normal(5), 1.0), (box(5), 1 / 3)])
def test_of_a_linear_decoder_each_coordinate_makes_its_weights_squares(prior, variance):
    G = linear(5, 7)
    found = latent.effects(game_of(G, prior), 4000, seed=1)
    squares = G.weight.detach().square().sum(0) * variance
    assert ((found.share - squares / squares.sum()).abs() < 4 * found.error).all()
    assert float(found.share.sum()) == pytest.approx(1, abs=4 * float(found.error.square().sum().sqrt()))
    assert found.error.max() < 0.03 and found.n == 4000
    assert found.largest(5) == squares.argsort(descending=True).tolist()


def test_coordinates_that_act_only_together_have_the_whole_effect_each():
    found = latent.effects(game_of(Product(), normal(3)), 8000)
    assert ((found.share[:2] - 1).abs() < 4 * found.error[:2]).all()
    assert float(found.share[2]) == 0
    assert found.largest(1)[0] in (0, 1)


class Curved(Product):
    """x = z_0^3 + z_1 / 5: one coordinate makes most of the variance, and of its error."""

    def forward(self, z):
        return self.factor * z[:, :1] ** 3 + z[:, 1:2] / 5


def test_the_error_of_an_effect_is_its_spread_over_seeds():
    game = game_of(Curved(), box(2))
    runs = [latent.effects(game, 100, seed=2 * s) for s in range(200)]
    spread = torch.stack([run.share for run in runs]).std(0)
    told = torch.stack([run.error for run in runs]).mean(0)
    assert ((told / spread - 1).abs() < 0.2).all()


def test_chunks_change_nothing_and_the_seed_fixes_everything():
    game = game_of(linear(3, 4), normal(3))
    here = latent.effects(game, 50, seed=1)
    torch.testing.assert_close(latent.effects(game, 50, seed=1, chunk=7).share, here.share)
    assert not torch.equal(latent.effects(game, 50, seed=2).share, here.share)


def test_a_traversal_moves_one_coordinate_over_even_places():
    G = linear(4, 6)
    game, code = game_of(G, lambda n: 1 + 2 * torch.randn(n, 4)), torch.randn(4)
    prior = latent.Prior.of(game)
    examples, codes = latent.traverse(game, code, [2, 0], steps=5, reach=2.0)
    assert examples.shape == (2, 5, 6) and codes.shape == (2, 5, 4)
    for row, j in enumerate((2, 0)):
        expected = prior.mean[j] + prior.sd[j] * torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0])
        torch.testing.assert_close(codes[row, :, j], expected)
        others = [i for i in range(4) if i != j]
        assert (codes[row][:, others] == code[others]).all()
    torch.testing.assert_close(examples, G(codes).detach())


def test_a_traversal_stays_where_a_uniform_prior_has_mass():
    game = game_of(linear(2, 3), box(2))
    codes = latent.traverse(game, torch.zeros(2), [1], steps=9, reach=4.0)[1]
    torch.testing.assert_close(codes[0, [0, -1], 1], torch.tensor([-1.0, 1.0]), atol=3e-3, rtol=0)


def test_what_cannot_be_traversed_is_refused():
    game = game_of(linear(2, 3), normal(2))
    for coordinates in ([2], [-1], []):
        with pytest.raises(UserError, match="give some from 0 to 1"):
            latent.traverse(game, torch.zeros(2), coordinates)
    with pytest.raises(UserError, match="reach is 0"):
        latent.traverse(game, torch.zeros(2), [0], reach=0.0)
    with pytest.raises(UserError, match="shape"):
        latent.traverse(game, torch.zeros(3), [0])
    constant = game_of(linear(2, 3), normal(2))
    nn.init.zeros_(constant.networks["decoder"].weight)
    with pytest.raises(UserError, match="collapsed"):
        latent.effects(constant)

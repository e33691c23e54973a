"""Codes found for examples: closed forms of linear decoders, a decoder's own samples, and nothing left behind."""

import numpy as np
import pytest
import torch
from latent_helpers import box, game_of, linear, normal
from scipy.optimize import lsq_linear
from torch import nn

from adversaria import latent
from adversaria.errors import UserError
from adversaria.game import play

pytestmark = pytest.mark.usefixtures("float64")


def small_net(k=4, d=24):
    net = nn.Sequential(nn.Linear(k, 32), nn.Tanh(), nn.Linear(32, d))
    for part in net:
        if isinstance(part, nn.Linear):
            nn.init.normal_(part.weight, std=1.5 / part.in_features**0.5)
    return net


def test_of_a_linear_decoder_it_is_the_least_squares_solution():
    G, x = linear(5, 12), 3 * torch.randn(6, 12)
    found = latent.invert(game_of(G, normal(5)), x, starts=3, steps=600)
    exact = torch.linalg.lstsq(G.weight, (x - G.bias).T).solution.T.detach()
    torch.testing.assert_close(found.codes, exact, atol=1e-4, rtol=1e-4)
    residual = (G(exact) - x).square().mean(1).detach()
    torch.testing.assert_close(found.error, residual, rtol=1e-7, atol=0)
    torch.testing.assert_close(found.errors, residual[:, None].expand(-1, 3), rtol=1e-6, atol=0)
    torch.testing.assert_close(found.examples, G(found.codes).detach())
    assert found.agreeing.tolist() == [1.0] * 6


def test_with_the_prior_weighed_in_it_is_ridge_regression():
    G, x, weight = linear(5, 12), 3 * torch.randn(6, 12), 0.7
    found = latent.invert(game_of(G, normal(5)), x, starts=2, steps=600, weight=weight)
    W = G.weight.detach()
    exact = torch.linalg.solve(W.T @ W / 12 + weight / 5 * torch.eye(5), W.T @ (x - G.bias.detach()).T / 12).T
    torch.testing.assert_close(found.codes, exact, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found.error, (G(exact) - x).square().mean(1).detach(), rtol=1e-4, atol=0)


def test_codes_of_a_uniform_prior_stay_within_its_range():
    G, x = linear(3, 8), 3 * torch.randn(5, 8)
    found = latent.invert(game_of(G, box(3)), x, starts=4, steps=800)
    W, b = G.weight.detach().numpy(), G.bias.detach().numpy()
    exact = torch.from_numpy(np.stack([lsq_linear(W, row - b, (-1, 1)).x for row in x.numpy()]))
    assert (exact.abs() > 0.999).any()  # the range does bind
    torch.testing.assert_close(found.codes, exact, atol=5e-3, rtol=0)  # its edges are known from draws


def test_discrete_coordinates_keep_a_value_the_prior_has():
    def draw(n):
        return torch.cat([torch.randn(n, 2), torch.randint(2, (n, 1)) * 4.0], 1)

    game = game_of(linear(3, 8), draw)
    own = draw(6)
    found = latent.invert(game, game.decode(own), starts=16, steps=500)
    assert set(found.codes[:, 2].tolist()) <= {0.0, 4.0}
    assert 0.2 < float((found.errors < 1e-6).double().mean()) < 0.8  # those that started at the other value stay off
    torch.testing.assert_close(found.codes, own, atol=1e-3, rtol=0)


def test_a_decoders_own_samples_are_found_again():
    game = game_of(small_net(), normal(4))
    z = game.latent(8, seed=9)
    found = latent.invert(game, game.decode(z), steps=400)
    assert (found.error < 1e-4 * found.before.amin(1)).all()
    assert (found.errors <= found.before).all()
    assert (found.error == found.errors.amin(1)).all()
    away = (found.codes - z).norm(dim=1) / z.norm(dim=1)
    assert (away < 0.05).double().mean() >= 0.75


def test_the_same_seed_finds_the_same_and_chunks_change_nothing():
    game = game_of(small_net(), normal(4))
    x = torch.randn(5, 24)
    here = latent.invert(game, x, starts=3, steps=40, seed=2)
    torch.manual_seed(77)
    again, apart = (latent.invert(game, x, starts=3, steps=40, seed=2, chunk=c) for c in (512, 4))
    assert torch.equal(again.codes, here.codes) and torch.equal(again.errors, here.errors)
    torch.testing.assert_close(apart.codes, here.codes, atol=1e-6, rtol=1e-6)
    other = latent.invert(game, x, starts=3, steps=40, seed=3)
    assert not torch.equal(other.before, here.before)


def test_examples_do_not_touch_one_another():
    game = game_of(small_net(), normal(4))
    x = torch.randn(3, 24)
    here = latent.invert(game, x, starts=2, steps=60)
    y = torch.cat([x[:1], 100 * x[1:]])
    torch.testing.assert_close(latent.invert(game, y, starts=2, steps=60).codes[0], here.codes[0])


class Fickle(nn.Module):
    """Batch norm and dropout: what evaluation mode changes."""

    def __init__(self):
        super().__init__()
        self.linear, self.norm, self.drop = nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5)

    def forward(self, z):
        return self.drop(self.norm(self.linear(z)))


def test_it_asks_the_averaged_networks_at_rest_and_leaves_nothing_behind():
    net = Fickle()
    game = game_of(net, normal(3), averages={"decoder": 0.9})
    list(play(game.stage(), [torch.randn(8, 3) for _ in range(5)], rounds=5))
    net.linear.weight.grad = torch.ones(8, 3)
    before = {name: value.clone() for name, value in game.state_dict().items()}
    rng = torch.get_rng_state()
    x = game.decode(game.latent(4, seed=1))
    found = latent.invert(game, x, starts=2, steps=300)
    torch.testing.assert_close(found.examples, game.decode(found.codes))  # the averaged ones, in evaluation mode
    assert found.error.max() < 1e-5
    assert all(torch.equal(game.state_dict()[name], value) for name, value in before.items())
    assert torch.equal(torch.get_rng_state(), rng)
    assert net.training and torch.equal(net.linear.weight.grad, torch.ones(8, 3))
    assert net.linear.bias.grad is None and net.norm.weight.grad is None
    assert all(p.requires_grad for p in net.parameters())
    assert not found.codes.requires_grad and not found.examples.requires_grad and torch.is_grad_enabled()


def test_a_start_never_ends_worse_than_it_began():
    game = game_of(small_net(), normal(4))
    found = latent.invert(game, torch.randn(4, 24), steps=3, rate=50.0)
    assert (found.errors <= found.before).all()


def test_starts_agree_to_a_share_of_what_was_gained():
    errors, before = torch.tensor([[0.1, 0.1, 0.108, 0.111, 0.5]]), torch.tensor([[1.0, 1.1, 2.0, 5.0, 9.0]])
    found = latent.Inversion(torch.zeros(1, 2), torch.zeros(1, 3), errors[:, 0], errors, before)
    assert found.agreeing.tolist() == [0.6]
    assert str(found) == (
        "mean squared error 0.1 (median of 1; quartiles 0.1 to 0.1), 1 at the best of 5 starts; 60% of the starts "
        "end as well as the best"
    )


def test_starts_that_end_apart_are_told():
    class Folded(nn.Module):
        """|z| - 1 on the right, a shallower valley on the left."""

        def __init__(self):
            super().__init__()
            self.one = nn.Parameter(torch.ones(()))

        def forward(self, z):
            return self.one * torch.where(z > 0, (z - 1).abs(), (z + 1).abs() + 1)

    found = latent.invert(game_of(Folded(), normal(1)), torch.zeros(1, 1), starts=40, steps=500)
    assert float(found.error) < 1e-4 and abs(float(found.codes) - 1) < 0.01
    assert 0.2 < float(found.agreeing) < 0.8
    assert "at the best of 40 starts" in str(found) and "end as well as the best" in str(found)


def test_decoders_that_cannot_be_descended_are_refused():
    G, x = linear(3, 5), torch.zeros(2, 5)
    for decode, said in (
        (lambda z: G(z) + torch.randn(len(z), 5), "draws noise with every call"),
        (lambda z: G(z).round(), "no derivative"),
        (lambda z: G(z).detach(), "no derivative"),
        (lambda z: G(z)[:, :4], "the model makes"),
    ):
        with pytest.raises(UserError, match=said):
            latent.invert(game_of(G, normal(3), decode=decode), x)
    game = game_of(G, normal(3))
    for options, said in (
        ({"starts": 0}, "starts is 0"), ({"steps": 0}, "steps is 0"), ({"rate": 0.0}, "rate is 0"),
        ({"weight": -1.0}, "weight is -1"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=said):
            latent.invert(game, x, **options)
    with pytest.raises(UserError, match="not finite"):
        latent.invert(game, torch.full((2, 5), torch.nan))
    with pytest.raises(UserError, match="number of examples"):
        latent.invert(game, x[:0])


def test_labels_are_held_while_codes_are_sought():
    G = linear(3, 5)
    game = game_of(G, normal(3), decode=lambda z, labels: G(z) * (1 + labels[:, None]), condition="label")
    z = torch.randn(3, 3)
    found = latent.invert(game, 3 * G(z).detach(), label=2, steps=600)
    torch.testing.assert_close(found.codes, z, atol=1e-3, rtol=1e-3)

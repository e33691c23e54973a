"""Where networks begin: what would keep a model from learning at all, or take most of its training to get away from."""

import math

import pytest
import torch

import adversaria as adv
from adversaria.data import DataSpec
from adversaria.nn.pixelcnn import GatedStacks
from adversaria.nn.pseudo import PseudoInputs
from adversaria.ops import flows

GREY = DataSpec("image", (1, 8, 8))


@pytest.mark.parametrize("layers", [2, 32])
def test_planar_layers_begin_near_the_identity_however_many(layers):
    torch.manual_seed(0)
    game = adv.recipe("planar", layers=layers).build(DataSpec("points", (2,)))
    x = torch.randn(500, 2)
    z = game.encode(x)
    assert 0.5 < float(z.std()) < 2
    own = -(z.square() / 2 + math.log(2 * math.pi) / 2).sum(1).mean()
    assert abs(float(game.log_prob(x).mean() - own)) < 1


def test_a_shift_moves_where_planar_is_the_identity_and_keeps_it_invertible():
    torch.manual_seed(0)
    w, u, b, z = torch.randn(4, 3), torch.randn(4, 3), torch.randn(4), torch.randn(4, 3)
    along = (w * flows.invertible_direction(w, u, flows.SHIFT)).sum(1)
    torch.testing.assert_close(along, torch.nn.functional.softplus((w * u).sum(1) + flows.SHIFT) - 1)
    y, log_det = flows.planar(z, w, u, b, flows.SHIFT)
    torch.testing.assert_close(flows.planar_inverse(y, w, u, b, flows.SHIFT), z, atol=1e-5, rtol=0)
    rows = [torch.func.jacrev(lambda x, k=k: flows.planar(x[None], w[k], u[k], b[k], flows.SHIFT)[0][0])(z[k])
            for k in range(4)]  # fmt: skip
    torch.testing.assert_close(torch.stack(rows).det().abs().log(), log_det, atol=1e-5, rtol=1e-4)
    still, _ = flows.planar(z, w, torch.zeros(4, 3), b, flows.SHIFT)
    torch.testing.assert_close(still, z, atol=1e-6, rtol=0)


@torch.no_grad()
def test_the_vertical_stack_of_a_gated_pixelcnn_keeps_what_it_sees():
    torch.manual_seed(0)
    net = GatedStacks(1, 32, 7, 2)
    x = torch.randint(0, 2, (200, 1, 12, 12)) * 2.0 - 1
    v = h = x
    spread = []
    for layer in net.layers:
        v, h = layer(v, h, None)
        spread.append(float(v[:, :, 9, 5].std(0).mean()))
    assert spread[-1] > 0.1 * spread[0] > 0.01


def test_nice_begins_with_every_coordinate_at_unit_scale():
    torch.manual_seed(0)
    game = adv.recipe("nice", "smoke").build(GREY).train()
    x = torch.randn(400, 64) * torch.logspace(-0.5, 1.5, 64) + 5
    norm = game.networks["model"].maps[1]
    z, _ = norm(x)
    assert z.mean(0).abs().max() < 1e-4 and (z.std(0) - 1).abs().max() < 0.01


def test_the_couplings_of_glow_begin_with_normed_units():
    torch.manual_seed(0)
    game = adv.recipe("glow", "smoke").build(GREY).train()
    seen = []
    for m in game.networks.modules():
        if type(m).__name__ == "Normed":
            m.register_forward_hook(lambda module, given, y: seen.append(y))
    next(iter(game.stages)).players[0].objective(adv.data.Batch(torch.rand(64, 1, 8, 8) * 2 - 1, torch.zeros(64)))
    assert seen
    for y in seen:
        assert y.mean((0, 2, 3)).abs().max() < 1e-3 and (y.std((0, 2, 3)) - 1).abs().max() < 0.1


def test_pseudo_inputs_reach_the_ends_of_their_range_in_some_hundred_steps():
    torch.manual_seed(0)
    pseudo, target = PseudoInputs(3, "image", (1, 4, 4)), torch.randint(0, 2, (3, 1, 4, 4)) * 2.0 - 1
    assert 0.2 < float(pseudo().detach().abs().mean()) < 0.5
    adam = torch.optim.Adam(pseudo.parameters(), lr=1e-3)
    for _ in range(600):
        adam.zero_grad()
        (pseudo() - target).square().mean().backward()
        adam.step()
    assert float((pseudo() - target).detach().abs().mean()) < 0.1


def test_multiscale_is_multiscale_on_digits():
    game = adv.recipe("multiscale-pixelcnn", "small").build(DataSpec("image", (1, 8, 8), levels=2))
    assert "scale_1" in game.networks


def test_units_of_made_know_their_connections():
    torch.manual_seed(0)
    spec = DataSpec("binary", (6,))
    game = adv.recipe("made", "smoke", masks=3).build(spec)
    net = game.networks["model"]
    before = [net.masked(k)[1] for k in range(3)]
    for told in before[1:]:  # it begins as if they didn't
        for a, b in zip(before[0], told, strict=True):
            torch.testing.assert_close(a, b)
    for u in net.U:
        u.data = torch.randn_like(u)
    W, offsets = net.masked(1)
    for w, u, b, told in zip(W, net.U, net.b, offsets, strict=False):
        torch.testing.assert_close(told - b, (u * (w != 0)).sum(1))
    assert not list(adv.recipe("made", "smoke").build(spec).networks["model"].U)

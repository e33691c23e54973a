"""The transformer: order, places, and a cached sampler that draws what the whole network would."""

import pytest
import torch

import adversaria as adv
from adversaria.data import load
from adversaria.distributions.alphabet import quantile
from adversaria.nn.captions import CaptionedGrid
from adversaria.nn.transformer import Transformer

pytestmark = pytest.mark.usefixtures("float64")


def made(length=7, size=5, layers=2):
    torch.manual_seed(0)
    allowed = torch.ones(length, size, dtype=torch.bool)
    allowed[:2, 3:] = False  # the first two places have a smaller alphabet
    net = Transformer(allowed, 16, layers, 4)
    for p in net.parameters():
        p.data = p.data + 0.3 * torch.randn_like(p)
    return net


def test_a_token_s_logits_see_those_before_it_and_all_of_them():
    net, tokens = made(), torch.randint(0, 3, (4, 7))
    logits = net(tokens)
    for i in range(7):
        other = tokens.clone()
        other[:, i] = (other[:, i] + 1) % 3
        change = (net(other) - logits).nan_to_num().abs().amax((0, 2))
        assert (change[: i + 1] == 0).all() and (change[i + 1 :] > 1e-9).all()


def test_tokens_that_can_t_stand_at_a_place_have_no_probability():
    p = made()(torch.randint(0, 3, (3, 7))).softmax(2)
    assert (p[:, :2, 3:] == 0).all() and (p[:, 2:] > 0).all()
    torch.testing.assert_close(p.sum(2), torch.ones(3, 7))


@pytest.mark.parametrize("given", [0, 2, 7])
def test_the_cached_sampler_draws_what_the_naive_one_draws(given):
    net, noise = made(), torch.rand(6, 7, 1)
    first = torch.randint(0, 3, (6, given))
    drawn = net.draw(noise, first if given else None)
    tokens = torch.zeros(6, 7, dtype=torch.long)
    tokens[:, :given] = first
    for t in range(given, 7):
        tokens[:, t] = quantile(net(tokens)[:, t], noise[:, t])
    assert torch.equal(drawn, tokens)


@pytest.mark.parametrize("classes", [0, 3])
def test_a_grid_sums_to_one_and_samples_follow_it(classes):
    torch.manual_seed(0)
    net = CaptionedGrid(3, (2, 2), torch.arange(classes)[:, None] if classes else None, 8, 1, 2)
    for p in net.parameters():
        p.data = p.data + 0.5 * torch.randn_like(p)
    codes = torch.cartesian_prod(*[torch.arange(3)] * 4).view(-1, 2, 2)
    labels = torch.full((81,), 1) if classes else None
    log_p = -torch.nn.functional.cross_entropy(net(codes, labels), codes, reduction="none").sum((1, 2)).detach()
    assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-12)
    n = 6_000
    drawn = net.sample(n, (2, 2), torch.full((n,), 1) if classes else None)
    index = (drawn.flatten(1) * 3 ** torch.arange(3, -1, -1)).sum(1)
    found = torch.bincount(index, minlength=81) / n
    assert 0.5 * (found - log_p.exp()).abs().sum() < 0.06
    if classes:
        other = net(codes, torch.full((81,), 2))
        assert not torch.allclose(other, net(codes, labels))


@pytest.mark.parametrize("conditional", [False, True])
def test_a_vq_vae_with_a_transformer_learns_and_samples(conditional):
    torch.set_default_dtype(torch.float32)
    recipe = adv.recipe("vq-vae", "smoke", prior_network="transformer", conditional=conditional)
    data = load("digits")
    game = recipe.build(data.spec)
    batch = data.batches(8, seed=0).at(0)
    stage = game.stage("prior")
    (player,) = stage.players
    loss = player.objective(stage.data(batch))["nll"]
    loss.backward()
    assert all(p.grad is not None for p in player.parameters())
    given = torch.arange(5) if conditional else None
    assert game.sample(5, given, seed=0).shape == (5, 1, 8, 8)

"""Multiscale PixelCNN: a distribution over whole images, each group from those before it, drawn in few steps."""

import itertools

import pytest
import torch

import adversaria as adv
from adversaria.data import DataSpec
from adversaria.nn.between import Between, split

pytestmark = pytest.mark.usefixtures("float64")
LEVELS = torch.arange(256, dtype=torch.float64) / 127.5 - 1


def game_of(shape, **changed):
    torch.manual_seed(0)
    game = adv.recipe("multiscale-pixelcnn", "smoke", **changed).build(DataSpec("image", shape))
    for p in game.parameters():
        p.data = p.data + 0.2 * torch.randn_like(p)
    return game


@pytest.mark.parametrize("shape", [(1, 1, 2), (1, 2, 1)])
def test_probabilities_of_all_images_sum_to_one(shape):
    x = torch.cartesian_prod(LEVELS, LEVELS).view(-1, *shape)
    p = torch.cat([game_of(shape, base=1).log_prob(part) for part in x.split(8192)]).exp()
    assert p.sum().item() == pytest.approx(1, abs=1e-12) and p.max() / p.min() > 2


@pytest.mark.parametrize("size", [(4, 6), (5, 3), (1, 4)])
def test_drawing_and_splitting_fit_together(size):
    game = game_of((3, *size), base=2)
    x = game.sample(20, seed=0)
    assert x.shape == (20, 3, *size) and x.abs().max() <= 1
    parts = split(x)
    scale = game.networks[f"scale_{sum('scale' in name for name in game.networks)}"]
    assert isinstance(scale, Between)
    with torch.no_grad():
        drawn, _ = scale.draw(parts[0])
    assert torch.equal(split(drawn)[0], parts[0]) and not torch.equal(drawn, x)


@pytest.mark.parametrize("size", [(4, 6), (5, 3), (1, 4), (4, 4)])
def test_the_order_is_the_small_image_and_then_group_by_group(size):
    game = game_of((3, *size), base=2)
    rank = torch.empty(3 * size[0] * size[1])
    rank[list(game.order)] = torch.arange(len(rank)).double()
    rank = rank.view(*size, 3).permute(2, 0, 1)[None]
    for _ in range(sum("scale" in name for name in game.networks)):
        parts = split(rank + 1)  # 0 beyond the edge
        for before, after in itertools.pairwise([part[part > 0] for part in parts]):
            assert not len(after) or before.max() < after.min()
        rank = parts[0] - 1
    assert torch.equal(rank[0].permute(1, 2, 0).flatten(), torch.arange(rank.numel()).double())


def test_a_group_sees_the_known_pixels_and_the_groups_before_it():
    game = game_of((1, 4, 4), base=2)
    scale = game.networks["scale_1"]
    x = torch.randn(1, 1, 4, 4)
    for k in range(3):
        parts = [part.clone().requires_grad_() for part in split(x)]
        y = scale.outputs(parts, k).sum()
        grads = torch.autograd.grad(y, parts, allow_unused=True)
        assert [g is not None and bool(g.any()) for g in grads] == [j <= k for j in range(4)]


def test_samples_are_as_likely_as_the_model_says():
    game = game_of((3, 4, 4), base=2)
    (player,) = game.stage().players
    x = game.sample(4_000, seed=0)
    bias = game.networks["scale_1"].nets[2][-1].bias
    scores = []
    for part in x.split(50):  # E grad log p is 0 over draws from p
        game.zero_grad()
        (-sum(player.objective(adv.data.Batch(part)).values())).backward()
        scores.append(bias.grad.clone())
    scores = torch.stack(scores)
    z = scores.mean(0) / (scores.std(0) / len(scores) ** 0.5)
    assert z.abs().max() < 5


def test_drawing_takes_far_fewer_steps_than_there_are_pixels():
    game = adv.recipe("multiscale-pixelcnn", "smoke", base=8).build(DataSpec("image", (1, 32, 32)))
    steps = []
    for name, network in game.networks.items():
        parts = network.nets if name.startswith("scale") else [network]
        for part in parts:
            part.register_forward_hook(lambda *_: steps.append(1))
    base = 8 * 8  # the small image's own sampler goes pixel by pixel and calls no forward
    game.sample(1, seed=0)
    assert len(steps) == 6 and 32 * 32 / (base + len(steps)) > 10

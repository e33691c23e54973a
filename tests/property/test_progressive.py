"""Growing networks: a level fades in from exactly the level below to exactly itself, on a schedule that adds up."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from adversaria import catalogue
from adversaria.data import Batch, DataSpec
from adversaria.errors import UserError
from adversaria.game import Referee, plan, play
from adversaria.nn.progressive import Critic, Generator, down, pyramid, up

SHAPES = [(1, 28, 20), (3, 32, 32), (5, 9, 13), (1, 64, 48)]
LEVELS = [(shape, level) for shape in SHAPES for level in range(1, len(pyramid(*shape[1:])))]
IMAGE = DataSpec("image", (1, 16, 16))
N = 5


def pair(shape):
    return Generator(6, shape, 4, 8), Critic(shape, 4, 8)


def smoke(**changes):
    return catalogue.make("progressive-gan", "smoke", **changes)


def images(shape, n=N):
    return torch.rand(n, *shape) * 2 - 1


def halved_by_hand(x):
    """The mean over each 2 x 2 square, pixel by pixel."""
    h, w = x.shape[2:]
    out = x.new_empty(*x.shape[:2], math.ceil(h / 2), math.ceil(w / 2))
    for i in range(out.shape[2]):
        for j in range(out.shape[3]):
            out[:, :, i, j] = x[:, :, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].flatten(2).mean(2)
    return out


def doubled_by_hand(x, size):
    rows, columns = torch.arange(size[0]) // 2, torch.arange(size[1]) // 2
    return x[:, :, rows][:, :, :, columns]


@given(st.integers(1, 300), st.integers(1, 300))
@settings(max_examples=200, deadline=None)
def test_each_size_is_half_the_next_rounded_up_and_the_first_has_4_to_7_pixels(height, width):
    sizes = pyramid(height, width)
    assert sizes[-1] == (height, width)
    for small, large in pairwise(sizes):
        assert small == (math.ceil(large[0] / 2), math.ceil(large[1] / 2))
    assert 4 <= min(sizes[0]) <= 7 or (len(sizes) == 1 and min(height, width) < 4)


def test_pyramids_of_common_sizes():
    assert pyramid(32, 32) == ((4, 4), (8, 8), (16, 16), (32, 32))
    assert pyramid(28, 28) == ((7, 7), (14, 14), (28, 28))
    assert pyramid(64, 48) == ((8, 6), (16, 12), (32, 24), (64, 48))
    assert pyramid(8, 8) == ((4, 4), (8, 8))
    assert pyramid(15, 15) == ((4, 4), (8, 8), (15, 15))


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("size", [(8, 8), (9, 13), (10, 7), (5, 5)])
def test_down_takes_means_of_the_pixels_that_are_there_and_up_is_its_right_inverse(size):
    x, half = torch.randn(2, 3, *size), (math.ceil(size[0] / 2), math.ceil(size[1] / 2))
    torch.testing.assert_close(down(x), halved_by_hand(x))
    y = torch.randn(2, 3, *half)
    assert torch.equal(up(y, size), doubled_by_hand(y, size))
    torch.testing.assert_close(down(up(y, size)), y)


@pytest.mark.parametrize(("shape", "level"), LEVELS)
def test_a_generator_s_level_fades_from_the_one_below_enlarged_to_itself(shape, level):
    G, _ = pair(shape)
    z = torch.randn(N, 6)
    below, above = G.at(z, level - 1, 1.0), G.at(z, level, 1.0)
    assert below.shape[2:] == G.sizes[level - 1] and above.shape[2:] == G.sizes[level]
    enlarged = doubled_by_hand(below, G.sizes[level])
    assert torch.equal(G.at(z, level, 0.0), enlarged)
    torch.testing.assert_close(G.at(z, level, 0.3), 0.7 * enlarged + 0.3 * above)
    assert not torch.allclose(enlarged, above)


@pytest.mark.parametrize(("shape", "level"), LEVELS)
def test_a_critic_s_level_fades_from_the_one_below_on_smaller_images_to_itself(shape, level):
    _, f = pair(shape)
    x = images((shape[0], *f.body.sizes[level]))
    assert torch.equal(f.at(x, level, 0.0), f.at(down(x), level - 1, 1.0))
    whole = f.at(x, level, 1.0)
    torch.nn.init.ones_(f.body.reads[level - 1][0].weight)  # what the level replaces has no say in it any more
    assert torch.equal(f.at(x, level, 1.0), whole)
    assert not torch.equal(f.at(x, level, 0.5), whole)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("alpha", [0.25, 0.75])
def test_what_fades_in_learns_by_alpha_and_what_fades_out_by_the_rest(alpha):
    G, _ = pair((1, 16, 16))
    z = torch.randn(N, 6)
    old, new = G.images[1].weight, G.images[2].weight

    def slopes(alpha, level, *weights):
        return torch.autograd.grad(G.at(z, level, alpha).sum(), weights)

    fading_out, fading_in = slopes(alpha, 2, old, new)
    torch.testing.assert_close(fading_in, alpha * slopes(1.0, 2, new)[0])
    torch.testing.assert_close(fading_out, (1 - alpha) * 4 * slopes(1.0, 1, old)[0])  # each pixel is there four times
    assert slopes(0.0, 2, new)[0].abs().max() == 0


@pytest.mark.parametrize(("shape", "level"), LEVELS)
def test_data_fade_as_samples_do(shape, level):
    G, _ = pair(shape)
    x = images(shape)
    at = x
    for _ in range(G.top - level):
        at = halved_by_hand(at)
    blurred = doubled_by_hand(halved_by_hand(at), G.sizes[level])
    torch.testing.assert_close(G.seen(x, level, 1.0), at)
    torch.testing.assert_close(G.seen(x, level, 0.0), blurred)
    torch.testing.assert_close(G.seen(x, level, 0.6), 0.4 * blurred + 0.6 * at)
    torch.testing.assert_close(G.seen(x, 0, 0.5).shape, (N, shape[0], *G.sizes[0]))


@pytest.mark.parametrize(("shape", "level"), LEVELS)
def test_images_are_of_the_data_s_size_and_scores_are_of_them_at_any_level(shape, level):
    G, f = pair(shape)
    z, x = torch.randn(N, 6), images(shape)
    G.grow(level, 0.25)
    f.body.grow(level, 0.25)
    y = G.at(z, level, 0.25)
    for size in G.sizes[level + 1 :]:
        y = doubled_by_hand(y, size)
    assert G(z).shape == (N, *shape) and torch.equal(G(z), y)
    assert f(x).shape == (N,) and f.features(x).shape == (N, f.width)
    torch.testing.assert_close(f(x), f.at(f.body.seen(x, level, 0.25), level, 0.25))
    torch.testing.assert_close(f(G(z)), f.at(G.seen(G(z), level, 0.25), level, 0.25))


def test_the_generator_s_features_have_a_mean_square_of_1_at_each_pixel_and_codes_have_no_length():
    G, _ = pair((1, 32, 32))
    kept = []
    for part in (G.start, *G.blocks):
        part.register_forward_hook(lambda module, given, h: kept.append(h))
    for layer in G.modules():
        if hasattr(layer, "bias"):
            torch.nn.init.normal_(layer.bias)  # without offsets every layer would pass a factor on to the last norm
    z = torch.randn(N, 6)
    y = G.at(z, 3, 1.0)
    for h in kept:
        torch.testing.assert_close(h.square().mean(1), torch.ones_like(h[:, 0]), atol=1e-4, rtol=0)
    torch.testing.assert_close(G.at(7 * z, 3, 1.0), y, atol=1e-3, rtol=1e-3)


def test_a_score_depends_on_how_much_its_batch_deviates_and_on_nothing_else_of_it():
    _, f = pair((1, 8, 8))
    f.body.grow(1, 1.0)
    x = images((1, 8, 8), 6)
    alone = torch.cat([f(x[i : i + 1]) for i in range(6)])
    alike = torch.cat([f(x[i : i + 1].expand(4, -1, -1, -1))[:1] for i in range(6)])
    torch.testing.assert_close(alone, alike)
    assert (f(x) - alone).abs().min() > 1e-4
    torch.testing.assert_close(f(x.flip(0)), f(x).flip(0))
    (gradient,) = torch.autograd.grad(f(x[:1].expand(4, -1, -1, -1)).sum(), f.body.end[0].weight)
    assert torch.isfinite(gradient).all(), "the slope of a deviation of 0"


@pytest.mark.parametrize("rounds", [7, 60, 1_999])
def test_shares_add_up_and_every_stage_but_the_last_is_as_long(rounds):
    recipe = catalogue.make("progressive-gan", rounds=rounds)
    game = recipe.build(DataSpec("image", (1, 32, 32)))
    names = [stage.name for stage in game.stages]
    assert names == ["4x4", "to 8x8", "8x8", "to 16x16", "16x16", "to 32x32", "32x32"]
    lengths = plan(game.stages, rounds)
    assert sum(lengths) == rounds
    one = rounds / (6 + recipe.last)
    assert all(abs(length - max(1, one)) <= 1 for length in lengths[:-1])
    assert lengths[-1] == pytest.approx(max(1, recipe.last * one), abs=4)


def played(recipe, watch):
    data = [Batch(images(IMAGE.shape, recipe.batch))]
    game = recipe.build(IMAGE)
    for stage, rounds in zip(game.stages, plan(game.stages, recipe.rounds), strict=True):
        for record in play(stage, data, rounds=rounds):
            watch(game, stage, record)


def grown(network):
    """Levels that are there: k where level k shows in full, k - 1 + alpha while it fades in."""
    return max(0.0, int(network.level) - 1 + network.alpha)


def test_growth_is_even_in_each_fade_the_same_in_both_networks_and_the_average_does_not_lag_behind():
    seen = {}

    def watch(game, stage, record):
        G, f = game.networks["generator"], game.networks["critic"]
        seen.setdefault(stage.name, []).append(grown(G))
        assert grown(f.body) == grown(G)
        with game.at_rest():
            assert grown(G) == seen[stage.name][-1]

    recipe = smoke(rounds=24, last=1.0)
    played(recipe, watch)
    assert [len(values) for values in seen.values()] == list(plan(recipe.build(IMAGE).stages, 24))
    for name, values in seen.items():
        k, n = ["4x4", "8x8", "16x16"].index(name.removeprefix("to ")), len(values)
        fading = [k - 1 + (r + 1) / (n + 1) for r in range(n)]
        assert values == pytest.approx(fading if name.startswith("to") else [k] * n, abs=1e-6)


def test_each_level_sees_its_share_of_the_images():
    drawn = {}

    def watch(game, stage, record):
        level = stage.name.removeprefix("to ")
        drawn[level] = drawn.get(level, 0) + record.drawn

    recipe = smoke(rounds=50, last=2.0)
    played(recipe, watch)
    each = 50 // 6 + 1
    assert sum(drawn.values()) == 50 * 2 * recipe.batch  # a batch for each player's move
    assert drawn["4x4"] == pytest.approx(each * 2 * recipe.batch, abs=2 * recipe.batch)
    assert drawn["8x8"] == pytest.approx(2 * drawn["4x4"], abs=2 * recipe.batch)
    assert drawn["16x16"] == pytest.approx(3 * drawn["4x4"], abs=6 * recipe.batch)


def test_samples_are_enlarged_ones_of_the_level_at_hand():
    def watch(game, stage, record):
        x, sizes = game.sample(3, seed=0), pyramid(16, 16)
        assert x.shape == (3, 1, 16, 16) and x.abs().max() <= 1
        coarse = {"4x4": 2, "to 8x8": 1, "8x8": 1}.get(stage.name, 0)
        for size in sizes[:-1][::-1][:coarse]:
            small = down(x)
            torch.testing.assert_close(up(small, x.shape[2:]), x)
            x = small
            assert x.shape[2:] == size

    played(smoke(rounds=10), watch)


@pytest.mark.parametrize("name", ["4x4", "to 8x8", "8x8", "to 16x16", "16x16"])
def test_a_stage_s_players_own_what_their_objectives_depend_on_at_its_level_and_nothing_else(name):
    recipe = smoke()
    game = recipe.build(IMAGE)
    stage, batch = game.stage(name), Batch(images(IMAGE.shape, recipe.batch))
    next(play(stage, [batch], rounds=1))  # half of the level shows, where it fades in
    for player, network in zip(stage.players, ("critic", "generator"), strict=True):
        parameters = dict(game.networks[network].named_parameters())
        loss = player.loss(player.objective(stage.data(batch)))
        slopes = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
        used = {name for name, slope in zip(parameters, slopes, strict=True) if slope is not None and slope.any()}
        owned = {id(p) for p in player.parameters()}
        assert used == {name for name, p in parameters.items() if id(p) in owned}


@pytest.mark.parametrize("grow", [True, False])
def test_every_parameter_is_played_or_frozen_and_full_size_alone_is_one_stage(grow):
    game = smoke(grow=grow).build(DataSpec("image", (3, 32, 32)))
    owned = {id(p) for stage in game.stages for player in stage.players for p in player.parameters()}
    free = {id(p) for p in game.networks.parameters() if p.requires_grad}
    assert owned == free
    assert [stage.name for stage in game.stages][-1:] == ["32x32"]
    assert len(game.stages) == (7 if grow else 1)
    whole = smoke(grow=True).build(DataSpec("image", (3, 32, 32))).stages[-1]
    sizes = [[sum(p.numel() for p in player.parameters()) for player in s.players] for s in (game.stages[-1], whole)]
    assert sizes[0] == sizes[1], "the full size is played with the same networks either way"


@pytest.mark.parametrize("name", ["4x4", "to 8x8", "8x8", "to 16x16", "16x16"])
def test_the_critic_s_terms_are_those_of_the_paper_at_the_level_s_size(name):
    recipe = smoke(drift=0.5)
    game = recipe.build(IMAGE)
    G, f = game.networks["generator"], game.networks["critic"]
    stage = game.stage(name)
    level, alpha = {"4x4": (0, 1.0), "to 8x8": (1, 0.75), "8x8": (1, 1.0), "to 16x16": (2, 0.75), "16x16": (2, 1.0)}[
        name
    ]
    for network in (G, f.body):
        network.grow(level, alpha)
    x = images(IMAGE.shape, recipe.batch)
    torch.manual_seed(3)
    terms = stage.players[0].objective(stage.data(Batch(x)))
    torch.manual_seed(3)
    y = G.at(torch.randn(recipe.batch, recipe.latent), level, alpha).detach()
    real = G.seen(x, level, alpha)
    u = torch.rand(recipe.batch, 1, 1, 1)
    between = (u * real + (1 - u) * y).requires_grad_()
    slope = torch.autograd.grad(f.at(between, level, alpha).sum(), between)[0].flatten(1).norm(dim=1)
    expected = {
        "wasserstein": f.at(y, level, alpha).mean() - f(x).mean(),
        "gradient": 10 * (slope - 1).square().mean(),
        "drift": 0.5 * f(x).square().mean(),
    }
    assert terms.keys() == expected.keys()
    for key, value in expected.items():
        torch.testing.assert_close(terms[key], value, atol=1e-4, rtol=1e-4)
    torch.manual_seed(3)
    told = stage.players[1].objective(stage.data(Batch(x)))
    torch.testing.assert_close(told["wasserstein"], -f.at(y, level, alpha).mean(), atol=1e-4, rtol=1e-4)


def test_a_stage_in_full_plays_so_wherever_the_networks_were_left():
    recipe = smoke()
    game = recipe.build(IMAGE)
    stage, batch = game.stage("8x8"), Batch(images(IMAGE.shape, recipe.batch))
    told = []
    for level, alpha in ((1, 1.0), (0, 1.0), (2, 0.25)):
        game.networks["generator"].grow(level, alpha)
        game.networks["critic"].body.grow(level, alpha)
        torch.manual_seed(3)
        told.append([player.objective(stage.data(batch)) for player in stage.players])
    assert told[0] == told[1] == told[2]


def test_a_fade_without_an_end_is_refused():
    game = smoke().build(DataSpec("image", (1, 8, 8)))
    referee = Referee(game.stage("to 8x8"))
    with pytest.raises(UserError, match="'to 8x8' fades in over its rounds; say how many: rounds=N"):
        next(play(referee.stage, [Batch(images((1, 8, 8), 8))], referee=referee))

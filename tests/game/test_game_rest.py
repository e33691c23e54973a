"""Averages against their closed form, and a model at rest: asked for samples it comes back as it was."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from adversaria.game import SGD, Average, Game, Player, Stage, play, seeded


class Net(nn.Module):
    """A layer with batch norm and dropout: everything that evaluation mode changes."""

    def __init__(self):
        super().__init__()
        self.linear, self.norm, self.drop = nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Dropout(0.5)

    def forward(self, x):
        return self.drop(self.norm(self.linear(x)))


def model(decay=0.9):
    net = Net()
    game = Game(
        Player("net", (net,), lambda b: {"loss": net(b.x).square().mean()}, SGD(lr=0.5)),
        networks={"net": net},
        averages={"net": decay},
        sample=lambda n: net(torch.randn(n, 3)),
        latent=lambda n: torch.randn(n, 3),
    )
    return game, net


def run(game, rounds=5):
    return list(play(game.stage(), [torch.randn(8, 3) for _ in range(rounds)], rounds=rounds))


def state(game):
    return {name: value.clone() for name, value in game.state_dict().items()}


def assert_same(game, before):
    now = game.state_dict()
    assert now.keys() == before.keys()
    assert all(torch.equal(now[name], value) for name, value in before.items())


@pytest.mark.parametrize("decay", [0.3, 0.9, 0.999])
def test_averages_equal_their_closed_form(decay, float64):
    w = nn.Linear(2, 1)
    average, history = Average(w, decay), []
    expected = torch.full((1, 2), torch.nan)
    start = w.weight.detach().clone()
    for t in range(30):
        w.weight.data.normal_()
        history.append(w.weight.detach().clone())
        average.update()
        betas = [min(decay, (1 + s) / (10 + s)) for s in range(t + 1)]
        shares = [(1 - b) * torch.tensor(betas[s + 1 :]).prod() for s, b in enumerate(betas)]
        expected = sum(a * h for a, h in zip(shares, history, strict=True)) + torch.tensor(betas).prod() * start
        torch.testing.assert_close(average.value_0, expected)
    assert int(average.count) == 30


def test_averages_follow_floating_buffers_and_copy_counters():
    game, net = model()
    run(game, 4)
    average = game.averages["net"]
    kept = dict(zip([n for n, _ in (*net.named_parameters(), *net.named_buffers())], average._kept(), strict=True))
    assert int(kept["norm.num_batches_tracked"]) == int(net.norm.num_batches_tracked) == 4
    assert not torch.equal(kept["norm.running_mean"], net.norm.running_mean)
    assert not torch.equal(kept["linear.weight"], net.linear.weight)


def test_an_average_is_updated_once_a_round_and_only_in_stages_that_move_its_network():
    a, b = nn.Linear(3, 1), nn.Linear(3, 1)
    stages = [
        Stage((Player(name, (net,), lambda x, net=net: {"loss": net(x.x).mean()}, SGD(), moves=3),), name)
        for name, net in (("a", a), ("b", b))
    ]
    game = Game(stages=stages, networks={"a": a, "b": b}, sample=lambda n: a, averages={"a": 0.9, "b": 0.9})
    for _ in play(game.stage("a"), [torch.ones(2, 3)], rounds=4):
        pass
    assert int(game.averages["a"].count) == 4 and int(game.averages["b"].count) == 0


def test_at_rest_the_network_is_the_averaged_one_in_evaluation_mode_without_gradient():
    game, net = model()
    run(game)
    kept = game.averages["net"].value_0.clone()
    live = net.linear.weight.clone()
    assert not torch.equal(kept, live)
    with game.at_rest():
        assert torch.equal(net.linear.weight, kept)
        assert not any(m.training for m in game.modules()) and not torch.is_grad_enabled()
    assert torch.equal(net.linear.weight, live) and torch.is_grad_enabled()


def test_after_rest_weights_and_modes_are_as_before_to_the_bit():
    game, net = model()
    run(game)
    net.drop.eval()
    modes, before = [m.training for m in game.modules()], state(game)
    game.sample(5, seed=1)
    game.sample(5)
    assert_same(game, before)
    assert [m.training for m in game.modules()] == modes


def test_after_an_exception_weights_and_modes_are_as_before_to_the_bit():
    game, net = model()
    run(game)
    modes, before = [m.training for m in game.modules()], state(game)
    game.abilities["sample"] = lambda n: 1 / 0
    with pytest.raises(ZeroDivisionError):
        game.sample(3)
    with pytest.raises(KeyError), game.at_rest():
        raise KeyError
    assert_same(game, before)
    assert [m.training for m in game.modules()] == modes and torch.is_grad_enabled()
    game.abilities["sample"] = lambda n: net.linear.weight.clone()
    assert torch.equal(game.sample(1), game.averages["net"].value_0), "it no longer comes to rest"


def test_rest_within_rest_is_rest():
    game, net = model()
    run(game)
    before, alone = state(game), game.sample(5, seed=1)
    with game.at_rest():
        kept = net.linear.weight.clone()
        assert torch.equal(game.sample(5, seed=1), alone), "samples came from the weights in training"
        assert torch.equal(net.linear.weight, kept)
        with torch.enable_grad(), game.at_rest():
            assert not torch.is_grad_enabled()
    assert_same(game, before)


def test_samples_do_not_depend_on_the_rest_of_the_batch():
    game, _ = model()
    run(game)
    game.abilities["reconstruct"] = game.networks["net"]
    x = torch.randn(6, 3)
    torch.testing.assert_close(game.reconstruct(x)[:2], game.reconstruct(x[:2]))


def test_before_the_first_round_the_average_is_the_network():
    game, net = model()
    weight = net.linear.weight.data.normal_().clone()  # as weights that were learned elsewhere
    with game.at_rest():
        assert torch.equal(net.linear.weight, weight)


def test_a_seed_makes_samples_a_function_of_it_and_leaves_the_generator_where_it_was():
    game, _ = model()
    run(game)
    before = torch.get_rng_state()
    one, again, other = game.sample(4, seed=1), game.sample(4, seed=1), game.sample(4, seed=2)
    assert torch.equal(one, again) and not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)
    first = game.sample(4)
    assert not torch.equal(torch.get_rng_state(), before) and not torch.equal(first, game.sample(4))


def test_the_generator_is_put_back_after_an_exception_too():
    before = torch.get_rng_state()
    with pytest.raises(KeyError), seeded(3):
        torch.rand(5)
        raise KeyError
    assert torch.equal(torch.get_rng_state(), before)


def test_a_copied_game_is_a_game_of_its_own():
    game, _net = model()
    run(game)
    before = state(game)
    twin = deepcopy(game)
    twin.networks["net"].linear.weight.data.zero_()
    twin.averages["net"].update()
    assert_same(game, before)
    assert twin.averages["net"]._network[0] is twin.networks["net"]


def test_averages_are_kept_by_checkpoints():
    game, _ = model()
    run(game)
    names = [name for name in game.state_dict() if name.startswith("averages.net.")]
    assert "averages.net.count" in names and len(names) == 1 + 4 + 3

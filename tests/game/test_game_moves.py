"""A move changes what its player owns and nothing else; rules say in which order; play is hand-written training."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from adversaria.data import Batch, DataSpec
from adversaria.errors import UserError
from adversaria.game import SGD, Adam, Game, Player, Referee, Stage, alternating, play, simultaneous
from adversaria.recipes.adversarial.dcgan import DCGAN
from adversaria.recipes.adversarial.wgan_gp import WGANGP


class Number(nn.Module):
    def __init__(self, value):
        super().__init__()
        self.value = nn.Parameter(torch.tensor(float(value)))


def snapshot(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def changed(module, before):
    return {name for name, value in module.state_dict().items() if not torch.equal(value, before[name])}


def bilinear(rule=alternating, **settings):
    """a minimises a b, b maximises it: the game whose rules differ most."""
    a, b = Number(2.0), Number(3.0)
    players = (
        Player("a", (a,), lambda _: {"value": a.value * b.value}, SGD(lr=0.1)),
        Player("b", (b,), lambda _: {"value": -a.value * b.value}, SGD(lr=0.1)),
    )
    return a, b, Stage(players, rule=rule, **settings)


BATCHES = [torch.zeros(1, 1)]


@pytest.mark.parametrize("recipe", [DCGAN(latent=3, width=2), WGANGP(latent=3, width=2, critic_steps=1)])
def test_a_move_changes_what_its_player_owns_and_leaves_no_gradient_anywhere(recipe):
    game = recipe.build(DataSpec(kind="image", shape=(1, 8, 8)))
    critic, generator = game.stage().players
    for player, own, other in ((critic, 1, 0), (generator, 0, 1)):
        networks = list(game.networks.values())
        before = [snapshot(network) for network in networks]
        next(play(Stage((player,)), [torch.randn(4, 1, 8, 8)], rounds=1))
        still = {name for name, _ in networks[own].named_parameters()} - changed(networks[own], before[own])
        # The critic's last offset drops out of a Wasserstein distance.
        assert still <= ({"head.bias"} if recipe == WGANGP(latent=3, width=2, critic_steps=1) else set())
        buffers = {name for name, _ in networks[other].named_buffers()}  # batch norm counts what it sees
        assert changed(networks[other], before[other]) <= buffers
        assert all(p.grad is None for p in game.parameters())


def test_players_in_turn_see_what_those_before_them_changed():
    a, b, stage = bilinear()
    next(play(stage, BATCHES, rounds=1))
    assert a.value.item() == pytest.approx(2 - 0.1 * 3)
    assert b.value.item() == pytest.approx(3 + 0.1 * (2 - 0.1 * 3))


def test_simultaneous_players_move_from_the_same_point():
    a, b, stage = bilinear(simultaneous)
    next(play(stage, BATCHES, rounds=1))
    assert a.value.item() == pytest.approx(2 - 0.1 * 3)
    assert b.value.item() == pytest.approx(3 + 0.1 * 2)


def test_simultaneous_play_spirals_out_and_alternating_play_stays_on_its_orbit():
    """Each simultaneous round multiplies the distance from the equilibrium by (1 + lr^2)^1/2."""
    a, b, stage = bilinear(simultaneous)
    for _ in play(stage, BATCHES, rounds=100):
        pass
    assert (a.value**2 + b.value**2).item() == pytest.approx(13 * 1.01**100, rel=1e-4)
    a, b, stage = bilinear(alternating)
    for _ in play(stage, BATCHES, rounds=100):
        pass
    assert 13 / 1.2 < (a.value**2 + b.value**2).item() < 13 * 1.2


def test_a_joint_forward_gives_the_same_updates_as_separate_ones():
    results = []
    for shared in (False, True):
        a, b, stage = bilinear(simultaneous)
        if shared:

            def joint(_, a=a, b=b):
                value = a.value * b.value
                return {"a": {"value": value}, "b": {"value": -value}}

            stage = replace(stage, joint=joint)
        for _ in play(stage, BATCHES, rounds=5):
            pass
        results.append((a.value.item(), b.value.item()))
    assert results[0] == results[1]


def test_simultaneous_players_who_share_a_parameter_step_with_their_own_gradients():
    a = Number(1.0)
    players = (
        Player("up", (a,), lambda _: {"value": -3 * a.value}, SGD(lr=1.0), shares=("down",)),
        Player("down", (a,), lambda _: {"value": a.value}, SGD(lr=1.0)),
    )
    record = next(play(Stage(players, rule=simultaneous), BATCHES, rounds=1))
    assert a.value.item() == 1 + 3 - 1
    assert record.gradient_norms == {"up": 3, "down": 1}


def test_a_gradient_that_someone_left_behind_does_not_enter_a_move():
    a, b, stage = bilinear()
    (100 * a.value + 100 * b.value).backward()
    next(play(stage, BATCHES, rounds=1))
    assert a.value.item() == pytest.approx(2 - 0.1 * 3)
    assert b.value.item() == pytest.approx(3 + 0.1 * (2 - 0.1 * 3))


def test_one_adam_serves_two_players():
    """The guest's move goes through the host's moments, as if the host had moved twice."""

    def play_it(shared):
        w = Number(1.0)
        spec = Adam(lr=0.1, betas=(0.5, 0.9))
        loss = lambda _: {"loss": w.value**2}  # noqa: E731
        penalty = lambda _: {"penalty": 5 * w.value}  # noqa: E731
        host = Player("critic", (w,), loss, spec)
        guest = Player("penalty", (w,), penalty, "critic" if shared else spec, shares=("critic",))
        referee = Referee(Stage((host, guest)), 4)
        for _ in play(referee.stage, BATCHES, referee=referee):
            pass
        return w.value.item(), referee

    by_hand = nn.Parameter(torch.tensor(1.0))
    optimizer = torch.optim.Adam([by_hand], 0.1, (0.5, 0.9), fused=True)
    for _ in range(4):
        for loss in (lambda: by_hand**2, lambda: 5 * by_hand):
            optimizer.zero_grad()
            loss().backward()
            optimizer.step()
    value, referee = play_it(True)
    assert value == by_hand.item() != play_it(False)[0]
    assert list(referee.optimizers) == ["critic"]


def test_a_guest_of_an_optimiser_does_not_move_what_only_the_host_owns():
    w, v = Number(1.0), Number(1.0)
    host = Player("host", (w, v), lambda _: {"loss": w.value + v.value}, SGD(lr=0.1))
    guest = Player("guest", (w,), lambda _: {"loss": w.value}, "host", shares=("host",))
    next(play(Stage((host, guest)), BATCHES, rounds=1))
    assert w.value.item() == pytest.approx(0.8)
    assert v.value.item() == pytest.approx(0.9), "the host's last gradient was applied again"


def test_the_number_of_moves_is_a_function_of_the_round():
    _a, _b, stage = bilinear()
    seen = []

    def moves(round):
        seen.append(round)
        return [3, 0, 2][round]

    stage = replace(stage, players=(replace(stage.players[0], moves=moves), replace(stage.players[1], moves=2)))
    records = list(play(stage, BATCHES, rounds=3))
    assert seen == [0, 1, 2]
    assert [r.moves.get("a", 0) for r in records] == [3, 0, 2]
    assert [r.moves["b"] for r in records] == [2, 2, 2]
    assert [r.drawn for r in records] == [5, 2, 4] and [r.images for r in records] == [5, 7, 11]
    assert "a" not in records[1].terms


def test_more_than_one_move_under_the_simultaneous_rule_is_an_error():
    _a, _b, stage = bilinear()
    with pytest.raises(UserError, match=r"'a'.*simultaneous"):
        replace(stage, players=(replace(stage.players[0], moves=2), stage.players[1]), rule=simultaneous)


def test_after_is_called_without_gradient_after_every_step_of_its_player():
    a, b, stage = bilinear()
    calls = []

    def after():
        assert not torch.is_grad_enabled()
        calls.append((a.value.item(), b.value.item()))
        a.value.clamp_(-1, 1)

    stage = replace(stage, players=(replace(stage.players[0], moves=2, after=after), stage.players[1]))
    next(play(stage, BATCHES, rounds=1))
    assert [value for value, _ in calls] == pytest.approx([2 - 0.3, 1 - 0.3])
    assert {value for _, value in calls} == {3.0}, "after was called once more, for the other player"
    assert a.value.item() == pytest.approx(0.7)


def test_terms_of_the_record_are_means_over_the_rounds_moves():
    _a, _b, stage = bilinear()
    stage = replace(stage, players=(replace(stage.players[0], moves=2), stage.players[1]))
    record = next(play(stage, BATCHES, rounds=1))
    assert record.terms["a"]["value"] == pytest.approx((2 * 3 + 1.7 * 3) / 2)
    assert record.terms["b"]["value"] == pytest.approx(-1.4 * 3)
    assert record.gradient_norms == pytest.approx({"a": 3, "b": 1.4})
    assert record.number == 1 and record.moves == {"a": 2, "b": 1} and record.skipped == {}


def test_the_stages_data_are_made_without_gradient_from_the_batch():
    w, seen = Number(2.0), []

    def data(batch):
        assert not torch.is_grad_enabled()
        return Batch(batch.x * w.value)

    def objective(batch):
        seen.append(batch.x)
        return {"loss": (batch.x * w.value).mean()}

    next(play(Stage((Player("w", (w,), objective, SGD()),), data=data), [torch.ones(3, 1)], rounds=1))
    assert seen[0].tolist() == [[2.0]] * 3 and not seen[0].requires_grad


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_play_equals_hand_written_training_to_the_bit(average):
    spec, recipe = DataSpec(kind="image", shape=(1, 8, 8)), DCGAN(latent=4, width=2, average=average)
    game = recipe.build(spec)
    hand = deepcopy(game.networks)
    batches = [torch.rand(6, 1, 8, 8) * 2 - 1 for _ in range(6)]

    torch.manual_seed(11)
    records = list(play(game.stage(), batches, rounds=3))

    torch.manual_seed(11)
    G, D = hand["generator"], hand["discriminator"]
    optimizers = [torch.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999), fused=True) for net in (D, G)]
    kept = [p.detach().clone() for p in G.parameters()]
    for r in range(3):
        x = batches[2 * r]
        with torch.no_grad():
            y = G(torch.rand(6, 4) * 2 - 1)
        loss_D = F.softplus(-D(x)).mean() + F.softplus(D(y)).mean()
        optimizers[0].zero_grad()
        loss_D.backward()
        optimizers[0].step()
        loss_G = F.softplus(-D(G(torch.rand(6, 4) * 2 - 1))).mean()
        optimizers[1].zero_grad()
        loss_G.backward()
        optimizers[1].step()
        decay = min(0.9, (1 + r) / (10 + r))
        kept = [decay * k + (1 - decay) * p.detach() for k, p in zip(kept, G.parameters(), strict=True)]
        assert records[r].terms["generator"]["non-saturating"] == loss_G.item()
        assert sum(records[r].terms["discriminator"].values()) == pytest.approx(loss_D.item(), rel=1e-6)
    assert changed(game.networks, snapshot(hand)) == set()
    if average:
        with game.at_rest():
            for p, k in zip(game.networks["generator"].parameters(), kept, strict=True):
                torch.testing.assert_close(p, k)


def test_a_game_of_one_player_is_plain_training():
    net = nn.Linear(3, 1)
    by_hand, x = deepcopy(net), torch.randn(8, 3)
    objective = lambda b: {"fit": (net(b.x) - 1).square().mean(), "size": 0.1 * net.weight.square().sum()}  # noqa: E731
    game = Game(Player("net", (net,), objective, SGD(lr=0.1, momentum=0.9)), networks={"net": net}, sample=lambda n: x)
    for _ in play(game.stage(), [x], rounds=5):
        pass
    optimizer = torch.optim.SGD(by_hand.parameters(), 0.1, momentum=0.9)
    for _ in range(5):
        optimizer.zero_grad()
        ((by_hand(x) - 1).square().mean() + 0.1 * by_hand.weight.square().sum()).backward()
        optimizer.step()
    torch.testing.assert_close(net.weight, by_hand.weight)
    torch.testing.assert_close(net.bias, by_hand.bias)

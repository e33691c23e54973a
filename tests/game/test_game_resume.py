"""A state that was captured and put back goes on as if play had never stopped, bit for bit."""

import pytest
import torch
from torch import nn

from adversaria.data import Batch
from adversaria.errors import UserError
from adversaria.game import SGD, Adam, AdamW, Game, Player, Referee, RMSProp, play
from adversaria.game.state import capture, restore, restore_game


class Steps:
    """Batches as a function of the step."""

    def at(self, step):
        generator = torch.Generator().manual_seed(step)
        return Batch(torch.randn(8, 3, generator=generator))


def model(spec, seed, hidden=4):
    """A small adversarial game with noise in its moves, batch norm, dropout, an average and a player's own counter."""
    torch.manual_seed(seed)
    G = nn.Sequential(nn.Linear(2, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, 3))
    D = nn.Sequential(nn.Linear(3, hidden), nn.Dropout(0.3), nn.Tanh(), nn.Linear(hidden, 1))
    fake = lambda n: G(torch.randn(n, 2))  # noqa: E731
    return Game(
        Player("d", (D,), lambda b: {"w": D(fake(len(b))).mean() - D(b.x).mean(), "size": D(b.x).square().mean()},
               spec, moves=lambda r: 1 + r % 2),
        Player("g", (G,), lambda b: {"w": -D(fake(len(b))).mean()}, spec),
        networks={"G": G, "D": D},
        averages={"G": 0.9},
        sample=fake,
    )  # fmt: skip


def run(game, referee, until):
    return [
        (r.terms, r.gradient_norms, r.images)
        for _, r in zip(range(until - referee.round), play(referee.stage, Steps(), referee=referee), strict=False)
    ]


SPECS = [
    Adam(lr=0.05, schedule="cosine", warmup=2),
    AdamW(lr=0.05, decay=0.1, clip=0.5),
    RMSProp(lr=0.01, schedule="linear", hold=0.3),
    SGD(lr=0.05, momentum=0.9),
    SGD(lr=0.05),
]
IDS = ["Adam", "AdamW", "RMSProp", "momentum", "SGD"]


def everything(game, referee):
    tensors, facts = capture(game, referee)
    return tensors, facts


def assert_same(one, other):
    (tensors, facts), (others, other_facts) = one, other
    assert facts == other_facts and tensors.keys() == others.keys()
    assert [name for name in tensors if not torch.equal(tensors[name], others[name])] == []


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_going_on_equals_never_having_stopped(spec):
    game = model(spec, seed=1)
    referee = Referee(game.stage(), 8)
    run(game, referee, 4)
    tensors, facts = capture(game, referee)
    rest = run(game, referee, 8)
    at_the_end = everything(game, referee)

    other = model(spec, seed=2)  # another start, other moments, another place in the random numbers
    again = Referee(other.stage(), 8)
    run(other, again, 3)
    restore(other, again, tensors, facts)
    assert again.round == 4
    assert run(other, again, 8) == rest
    assert_same(everything(other, again), at_the_end)


@pytest.mark.parametrize("spec", SPECS[:1], ids=IDS[:1])
def test_what_was_captured_stays_as_it_was_and_serves_more_than_once(spec):
    game = model(spec, seed=1)
    referee = Referee(game.stage(), 8)
    run(game, referee, 4)
    tensors, facts = capture(game, referee)
    kept = {name: value.clone() for name, value in tensors.items()}, dict(facts, strikes=dict(facts["strikes"]))
    first = run(game, referee, 8)
    referee.strikes["d"] = 7
    assert_same((tensors, facts), kept)
    for _ in range(2):
        restore(game, referee, tensors, facts)
        assert run(game, referee, 8) == first
        assert_same((tensors, facts), kept)


def test_the_state_holds_everything_that_decides_how_play_goes_on():
    game = model(SPECS[0], seed=1)
    referee = Referee(game.stage(), 8)
    run(game, referee, 4)
    referee.strikes["g"], referee.slowdown = 2, 0.25
    tensors, facts = capture(game, referee)
    assert facts == {"stage": "main", "stage_round": 4, "draws": 10, "images": 80, "slowdown": 0.25,
                     "strikes": {"d": 0, "g": 2}}  # fmt: skip
    for part in ("game/networks.G.0.weight", "game/networks.G.1.running_mean", "game/averages.G.count",
                 "game/averages.G.value_0", "optimizer/d/0/exp_avg", "optimizer/g/1/exp_avg_sq",
                 "optimizer/g/0/step", "generator/cpu"):  # fmt: skip
        assert part in tensors
    fresh = Referee(model(SPECS[0], seed=2).stage(), 8)
    restore(game, fresh, tensors, facts)
    assert (fresh.slowdown, fresh.strikes) == (0.25, {"d": 0, "g": 2})


def test_a_game_alone_is_put_back_without_its_optimisers():
    game, other = model(SPECS[0], seed=1), model(SPECS[0], seed=2)
    referee = Referee(game.stage(), 3)
    run(game, referee, 3)
    restore_game(other, capture(game, referee)[0])
    assert torch.equal(game.sample(5, seed=3), other.sample(5, seed=3))


def test_a_checkpoint_of_another_game_is_an_error_that_names_a_tensor():
    game, wider = model(SPECS[0], seed=1), model(SPECS[0], seed=1, hidden=5)
    tensors, _ = capture(game, Referee(game.stage(), 1))
    before = wider.networks["D"][0].weight.clone()
    with pytest.raises(UserError, match=r"doesn't fit this game: .* such as 'networks\.G\.0\.weight'"):
        restore_game(wider, tensors)
    assert torch.equal(wider.networks["D"][0].weight, before)
    short = {name: value for name, value in tensors.items() if name != "game/averages.G.count"}
    with pytest.raises(UserError, match=r"1 tensors differ, such as 'averages\.G\.count'"):
        restore_game(game, short)

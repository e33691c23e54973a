"""Extragradient and optimistic moves: by hand, on the game that makes simultaneous ones spiral, and after a stop."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from adversaria.data import Batch
from adversaria.errors import UserError
from adversaria.game import SGD, Adam, Game, Player, Referee, Stage, extragradient, optimistic, play, simultaneous
from adversaria.game.state import capture, restore

BATCHES = [torch.zeros(1, 1)]
LR = 0.1


class Number(nn.Module):
    def __init__(self, value):
        super().__init__()
        self.value = nn.Parameter(torch.tensor(float(value), dtype=torch.float64))


def bilinear(rule, spec=None, after=None):
    a, b = Number(2.0), Number(3.0)
    spec = spec or SGD(lr=LR)
    players = (
        Player("a", (a,), lambda _: {"value": a.value * b.value}, spec, after=after),
        Player("b", (b,), lambda _: {"value": -a.value * b.value}, spec),
    )
    return a, b, Stage(players, rule=rule)


def distance(a, b):
    return (a.value**2 + b.value**2).item()


def test_extragradient_steps_with_the_gradient_of_a_step_ahead():
    a, b, stage = bilinear(extragradient)
    next(play(stage, BATCHES, rounds=1))
    ahead = (2 - LR * 3, 3 + LR * 2)
    assert (a.value.item(), b.value.item()) == pytest.approx((2 - LR * ahead[1], 3 + LR * ahead[0]))


def test_extragradient_contracts_where_simultaneous_moves_spiral_out():
    """Squared distance from the equilibrium: times 1 - lr^2 + lr^4 a round, against 1 + lr^2."""
    for rule, factor in ((extragradient, 1 - LR**2 + LR**4), (simultaneous, 1 + LR**2)):
        a, b, stage = bilinear(rule)
        for _ in play(stage, BATCHES, rounds=50):
            pass
        assert distance(a, b) == pytest.approx(13 * factor**50, rel=1e-9)


def test_optimistic_moves_follow_their_recursion_and_contract():
    a, b, stage = bilinear(optimistic)
    w, last = torch.tensor([2.0, 3.0], dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    for _ in play(stage, BATCHES, rounds=300):
        step = -LR * torch.stack([w[1], -w[0]])
        w, last = w + 2 * step - last, step
        assert torch.allclose(torch.stack([a.value, b.value]), w, rtol=1e-9)
    assert distance(a, b) < 13 / 10


@pytest.mark.parametrize("rule", [extragradient, optimistic])
@pytest.mark.parametrize("spec", [Adam(lr=LR, betas=(0.5, 0.9)), SGD(lr=LR, momentum=0.5)])
def test_a_stop_changes_no_bit(rule, spec):
    def game():
        a, b, stage = bilinear(rule, spec)
        return Game(stages=[stage], networks={"a": a, "b": b}, sample=lambda n: torch.zeros(n, 1))

    whole = game()
    for _ in play(whole.stage(), BATCHES, rounds=6):
        pass
    first, second = game(), game()
    referee = Referee(first.stage(), 6)
    rounds = play(first.stage(), BATCHES, referee=referee)
    for _ in range(3):
        next(rounds)
    tensors, facts = deepcopy(capture(first, referee))
    again = Referee(second.stage(), 6)
    restore(second, again, tensors, facts)
    for _ in play(second.stage(), BATCHES, referee=again):
        pass
    for key, value in whole.state_dict().items():
        assert torch.equal(value, second.state_dict()[key])


def test_extra_adam_moves_its_moments_twice_and_reports_one_move():
    a, _, stage = bilinear(extragradient, Adam(lr=LR))
    referee = Referee(stage, 2)
    record = next(play(stage, BATCHES, referee=referee))
    assert float(referee.optimizers["a"].state[a.value]["step"]) == 2
    assert record.moves == {"a": 1, "b": 1}
    ahead = 3 + LR  # Adam's first step is lr towards the sign
    assert record.terms["a"]["value"] == pytest.approx((2 - LR) * ahead)


def test_what_follows_a_move_follows_the_second_step_and_the_corrected_one():
    for rule in (extragradient, optimistic):
        seen = []
        _, _, stage = bilinear(rule, after=lambda seen=seen: seen.append(1))
        for _ in play(stage, BATCHES, rounds=3):
            pass
        assert len(seen) == 3
    a = Number(1.0)
    player = Player("a", (a,), lambda _: {"value": a.value}, SGD(lr=1.0), after=lambda: a.value.data.clamp_(-0.5, 0.5))
    next(play(Stage((player,), rule=optimistic), BATCHES, rounds=1))
    assert a.value.item() == -0.5  # 1 - 2, then clamped


def test_extragradient_looks_at_two_batches():
    seen = []
    a = Number(1.0)

    def objective(batch):
        seen.append(batch.x.item())
        return {"value": a.value * batch.x.sum()}

    stage = Stage((Player("a", (a,), objective, SGD(lr=0.1)),), rule=extragradient)
    next(play(stage, [Batch(torch.tensor([[float(i)]])) for i in (1, 2)], rounds=1))
    assert seen == [1.0, 2.0]
    assert a.value.item() == pytest.approx(1 - 0.1 * 2)


@pytest.mark.parametrize("rule", [extragradient, optimistic])
def test_everyone_moves_once(rule):
    a = Number(1.0)
    with pytest.raises(UserError, match=f"moves=2; the {rule.__name__} rule moves everyone once"):
        Stage((Player("a", (a,), lambda _: {"value": a.value}, SGD(lr=0.1), moves=2),), rule=rule)

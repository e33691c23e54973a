"""What is not finite: moves are skipped and counted, weights stay, and play ends with a reason."""

import math

import pytest
import torch
from torch import nn

from adversaria.data import Batch
from adversaria.game import SGD, Adam, NonFiniteError, Player, Referee, Stage, play


def stage_of(net, objective, spec=None, **settings):
    return Stage((Player("net", (net,), objective, spec or Adam(lr=0.1), **settings),))


def poisoned(net, bad):
    """An objective whose value at batch b is bad[b], and finite where that is None."""
    calls = iter(bad)

    def objective(batch):
        factor = next(calls)
        loss = net(batch.x).square().mean()
        return {"fit": loss, "bad": loss * (1.0 if factor is None else factor)}

    return objective


X = [torch.ones(4, 2)]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_is_skipped_and_counted_and_nothing_moves(bad):
    net, after = nn.Linear(2, 1), []
    stage = stage_of(net, poisoned(net, [None, bad, None]), after=lambda: after.append(1))
    referee = Referee(stage, 3)
    rounds = play(stage, X, referee=referee)
    next(rounds)
    weights = [p.clone() for p in net.parameters()]
    moments = [v.clone() for s in referee.optimizers["net"].state.values() for v in s.values()]
    record = next(rounds)
    assert record.skipped == {"net": 1} and record.moves == {} and record.terms == {} and after == [1]
    assert all(torch.equal(p, w) for p, w in zip(net.parameters(), weights, strict=True))
    now = [v for s in referee.optimizers["net"].state.values() for v in s.values()]
    assert all(torch.equal(a, b) for a, b in zip(now, moments, strict=True)), "the optimiser saw it"
    assert all(p.grad is None for p in net.parameters()) and referee.strikes == {"net": 1}
    record = next(rounds)
    assert record.skipped == {} and record.moves == {"net": 1} and referee.strikes == {"net": 0}
    assert not torch.equal(net.weight, weights[0])


def test_a_finite_loss_with_a_gradient_that_is_not_is_skipped_too():
    w = nn.Parameter(torch.zeros(2))
    module = nn.ParameterList([w])
    stage = stage_of(module, lambda _: {"root": w.sqrt().sum()})  # 0, with a slope of infinity
    record = next(play(stage, X, rounds=1))
    assert record.skipped == {"net": 1} and torch.equal(w, torch.zeros(2))


def test_a_loss_that_is_not_finite_is_skipped_though_its_gradient_is():
    net = nn.Linear(2, 1)
    before = net.weight.clone()
    stage = stage_of(net, lambda b: {"fit": net(b.x).mean(), "bad": torch.tensor(math.nan)})
    record = next(play(stage, X, rounds=1))
    assert record.skipped == {"net": 1} and torch.equal(net.weight, before)


def test_means_of_a_round_leave_skipped_moves_out():
    net = nn.Linear(2, 1)
    stage = stage_of(net, poisoned(net, [math.nan, None, math.nan]), SGD(lr=0.0), moves=3)
    record = next(play(stage, X, rounds=1))
    assert record.skipped == {"net": 2} and record.moves == {"net": 1}
    assert record.terms["net"]["fit"] == pytest.approx(net(X[0]).square().mean().item())


@pytest.mark.parametrize("patience", [1, 3])
def test_play_ends_after_as_many_such_moves_in_a_row_as_patience_allows(patience):
    net = nn.Linear(2, 1)
    stage = stage_of(net, poisoned(net, [None, math.nan, None] + [math.nan] * 10))
    referee = Referee(stage, 20, patience=patience)
    with pytest.raises(NonFiniteError) as caught:
        for _ in play(stage, X, referee=referee):
            pass
    first = 1 if patience == 1 else 2 + patience
    assert referee.round == first
    message = str(caught.value)
    assert f"player 'net' broke down in round {first + 1}" in message and "not finite: bad" in message
    assert f"{patience} moves in a row" in message and "lower its learning rate" in message
    assert torch.isfinite(net.weight).all()


def test_strikes_are_counted_for_each_player_alone():
    a, b = nn.Linear(2, 1), nn.Linear(2, 1)
    players = (
        Player("a", (a,), poisoned(a, [math.nan, None] * 10), SGD()),
        Player("b", (b,), poisoned(b, [None, math.nan] * 10), SGD()),
    )
    records = list(play(Stage(players), X, referee=Referee(Stage(players), 20, patience=2)))
    assert [r.skipped for r in records] == [{"a": 1}, {"b": 1}] * 10


class Normed(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.linear = nn.BatchNorm1d(2), nn.Linear(2, 1)

    def forward(self, x):
        return self.linear(self.norm(x))


def test_running_statistics_that_are_not_finite_end_play_at_once():
    net = Normed()
    x = [torch.randn(4, 2), torch.full((4, 2), math.nan), torch.randn(4, 2)]
    stage = stage_of(net, lambda b: {"loss": net(b.x).square().mean()})
    rounds = play(stage, x, rounds=3)
    next(rounds)
    with pytest.raises(NonFiniteError, match="running statistics are no longer finite"):
        next(rounds)


def test_running_statistics_of_a_network_that_was_only_looked_through_count_too():
    G, D = nn.Linear(2, 2), Normed()
    scale = iter([1.0, math.nan])
    players = (
        Player("d", (D,), lambda b: {"loss": D(b.x).square().mean()}, SGD()),
        Player("g", (G,), lambda b: {"loss": D(G(b.x) * next(scale)).mean()}, SGD()),
    )
    rounds = play(Stage(players), [torch.randn(4, 2)], rounds=2)
    next(rounds)
    with pytest.raises(NonFiniteError, match=r"player 'g' broke down in round 2: a network's running statistics"):
        next(rounds)


def test_a_long_gradient_is_cut_not_skipped():
    net = nn.Linear(2, 1)
    before = net.weight.clone()
    stage = stage_of(net, lambda b: {"loss": 1e15 * net(b.x).mean()}, SGD(lr=1.0, clip=1.0))
    record = next(play(stage, X, rounds=1))
    assert record.skipped == {} and (net.weight - before).norm() <= 1
    assert record.gradient_norms["net"] > 1e14


def test_the_batch_that_broke_a_move_counts_as_drawn():
    net = nn.Linear(2, 1)
    referee = Referee(stage_of(net, poisoned(net, [math.nan, None])), 2)
    records = list(play(referee.stage, [Batch(torch.ones(3, 2))], referee=referee))
    assert [r.images for r in records] == [3, 6] and referee.draws == 2

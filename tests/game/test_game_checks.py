"""Silent bugs that construction and the first move turn into messages."""

import pytest
import torch
from torch import nn

from adversaria.data import Batch
from adversaria.errors import UserError
from adversaria.game import SGD, Adam, Game, OptimizerSpec, Player, Stage, plan, play


def loss_of(net):
    return lambda batch: {"loss": net(batch.x).mean()}


def player(name, *owns, optimizer=None, **settings):
    return Player(name, owns, loss_of(owns[0]), optimizer or SGD(), **settings)


def linear():
    return nn.Linear(2, 1)


def game(*players, **networks):
    return Game(*players, networks=networks, sample=lambda n: torch.zeros(n, 2))


def test_a_trainable_parameter_that_nobody_owns_is_named():
    G, D = linear(), linear()
    with pytest.raises(UserError, match=r"no player owns 'D\.weight'.*requires_grad_\(False\)"):
        game(player("g", G), G=G, D=D)
    game(player("g", G), G=G, D=D.requires_grad_(False))


def test_a_parameter_of_no_named_network_is_an_error():
    G, extra = linear(), linear()
    with pytest.raises(UserError, match="'g' owns a parameter of no named network"):
        game(player("g", G, extra), G=G)


def test_a_parameter_owned_twice_must_be_declared():
    G = linear()
    with pytest.raises(UserError, match=r"'a' and 'b' own the same parameter of shape \(1, 2\).*shares=\('a',\)"):
        Stage((player("a", G), player("b", G)))
    Stage((player("a", G), player("b", G, shares=("a",))))
    Stage((player("a", G, shares=("b",)), player("b", G)))


def test_stages_may_train_the_same_network_one_after_the_other():
    G = linear()
    found = Game(
        stages=[Stage((player("a", G),), "first"), Stage((player("b", G),), "second")],
        networks={"G": G},
        sample=lambda n: torch.zeros(n, 2),
    )
    assert found.stage("second").players[0].name == "b"
    with pytest.raises(UserError, match=r"game.stage\('first'\)"):
        found.stage()
    with pytest.raises(UserError, match="did you mean 'second'"):
        found.stage("secnd")


def test_an_optimiser_shared_with_nobody_is_an_error():
    G = linear()
    with pytest.raises(UserError, match="'a' shares the optimiser of 'critic', who does not play"):
        Stage((player("a", G, optimizer="critic"),))


def test_an_optimiser_borrowed_from_a_borrower_is_an_error():
    G = linear()
    with pytest.raises(UserError, match=r"'b'.*has none of its own"):
        Stage((player("a", G, optimizer="b", shares=("b",)), player("b", G, optimizer="a")))
    with pytest.raises(UserError, match=r"'a'.*has none of its own"):
        Stage((player("a", G, optimizer="a"),))


def test_a_guest_may_not_own_what_its_hosts_optimiser_does_not_know():
    G, extra = linear(), linear()
    with pytest.raises(UserError, match=r"'b' owns a parameter.*'a'"):
        Stage((player("a", G), player("b", G, extra, optimizer="a", shares=("a",))))


@pytest.mark.parametrize("names", [(), ("a", "a")])
def test_a_stage_has_players_with_names_of_their_own(names):
    with pytest.raises(UserError, match="at least one, each with its own name"):
        Stage(tuple(player(name, linear()) for name in names))


def test_a_player_without_trainable_parameters_is_an_error():
    with pytest.raises(UserError, match="'a' owns no trainable parameter"):
        Stage((player("a", linear().requires_grad_(False)),))


def test_an_average_of_no_network_is_an_error():
    G = linear()
    with pytest.raises(UserError, match="unknown network in averages 'generator'; known: G"):
        Game(player("g", G), networks={"G": G}, sample=lambda n: torch.zeros(n, 2), averages={"generator": 0.9})
    with pytest.raises(ValueError, match=r"1\.0.*\[0, 1\)"):
        Game(player("g", G), networks={"G": G}, sample=lambda n: torch.zeros(n, 2), averages={"G": 1.0})


def round_of(objective, *owns):
    return next(play(Stage((Player("a", owns, objective, SGD()),)), [torch.ones(3, 2)], rounds=1))


def test_terms_are_scalars_and_there_is_at_least_one():
    G = linear()
    with pytest.raises(UserError, match=r"term 'loss' of player 'a' has shape \(3, 1\).*take its mean"):
        round_of(lambda b: {"loss": G(b.x)}, G)
    with pytest.raises(UserError, match="term 'weight' of player 'a' is a float"):
        round_of(lambda b: {"loss": G(b.x).mean(), "weight": 1.0}, G)
    with pytest.raises(UserError, match="returned no term"):
        round_of(lambda b: {}, G)


def test_an_objective_that_does_not_depend_on_what_its_player_owns_is_an_error():
    G, D = linear(), linear()
    before = [p.clone() for p in (*G.parameters(), *D.parameters())]
    with pytest.raises(UserError, match="'a' does not depend on what it owns"):
        round_of(lambda b: {"loss": b.x.mean()}, G)
    with pytest.raises(UserError, match="'a' does not depend on what it owns"):  # it does on what another owns
        round_of(lambda b: {"loss": D(G(b.x).detach().expand(-1, 2)).mean()}, G)
    assert all(torch.equal(p, old) for p, old in zip((*G.parameters(), *D.parameters()), before, strict=True))
    assert all(p.grad is None for p in (*G.parameters(), *D.parameters()))


def test_a_parameter_the_loss_passes_by_is_no_error():
    G = nn.ModuleList([linear(), linear()])
    before = [p.clone() for p in G.parameters()]
    round_of(lambda b: {"loss": G[0](b.x).mean()}, G)
    assert [torch.equal(p, old) for p, old in zip(G.parameters(), before, strict=True)] == [False, False, True, True]


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_a_falling_schedule_must_know_where_it_ends(schedule):
    G = linear()
    stage = Stage((player("a", G, optimizer=Adam(schedule=schedule)),))
    with pytest.raises(UserError, match=r"'a' has a falling rate.*rounds=N"):
        next(play(stage, [torch.ones(3, 2)]))
    next(play(stage, [torch.ones(3, 2)], rounds=2))


def test_the_bare_optimiser_spec_builds_nothing():
    with pytest.raises(TypeError, match="one of Adam"):
        OptimizerSpec().build([])


@pytest.mark.parametrize(
    ("shares", "rounds", "parts"),
    [
        ((1.0,), 7, (7,)),
        ((1.0, 1.0), 10, (5, 5)),
        ((1.0, 1.0), 11, (6, 5)),
        ((0.6, 0.1, 0.3), 100, (60, 10, 30)),
        ((0.6, 0.1, 0.3), 3, (1, 1, 1)),
        ((0.6, 0.1, 0.3), 4, (2, 1, 1)),
        ((1.0, 0.0), 5, (4, 1)),
        ((0.0, 1.0), 5, (1, 4)),
        ((1.0, 1.0, 98.0), 10, (1, 1, 8)),
        ((98.0, 1.0, 1.0), 3, (1, 1, 1)),
    ],
)
def test_rounds_are_divided_between_stages_by_their_shares(shares, rounds, parts):
    stages = [Stage((player("a", linear()),), str(i), share) for i, share in enumerate(shares)]
    assert sorted(plan(stages, rounds)) == sorted(parts) or plan(stages, rounds) == parts
    assert sum(plan(stages, rounds)) == rounds and min(plan(stages, rounds)) >= 1


def test_every_stage_gets_a_round_and_none_is_lost_whatever_the_shares():
    for shares in [(0.5, 0.2, 0.3), (5, 1, 1), (1, 10, 100), (0.01, 0.01, 1)]:
        stages = [Stage((player("a", linear()),), str(i), share) for i, share in enumerate(shares)]
        for rounds in range(3, 60):
            parts = plan(stages, rounds)
            assert sum(parts) == rounds and min(parts) >= 1
            exact = [max(1, rounds * share / sum(shares)) for share in shares]
            assert max(abs(a - b) for a, b in zip(parts, exact, strict=True)) <= 2


def test_fewer_rounds_than_stages_is_an_error():
    stages = [Stage((player("a", linear()),), str(i)) for i in range(3)]
    with pytest.raises(UserError, match=r"2 rounds for 3 stages.*--rounds 3"):
        plan(stages, 2)


def test_a_model_says_what_it_can_do():
    G = linear()
    model = game(player("g", G), G=G)
    assert model.can("sample") and not model.can("log_prob")
    with pytest.raises(UserError, match="cannot log_prob; it can sample"):
        model.log_prob(torch.zeros(2, 2))


def test_a_conditional_model_is_given_as_many_conditions_as_samples():
    G = linear()
    model = Game(player("g", G), networks={"G": G}, sample=lambda given: given.float(), condition="label")
    assert model.sample(2, torch.tensor([1, 2])).tolist() == [1, 2]
    with pytest.raises(UserError, match="given labels; pass given= with 3 of them, got none"):
        model.sample(3)
    with pytest.raises(UserError, match="with 3 of them, got 2"):
        model.sample(3, torch.tensor([1, 2]))


def test_a_batch_is_as_long_as_its_examples():
    assert len(Batch(torch.zeros(3, 2))) == 3

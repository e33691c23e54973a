"""Both players' terms against their equations on the same networks and noise, and each part by what it changes."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import adversaria as adv
from adversaria.data import Batch, DataSpec
from adversaria.duel import Duel, Parts
from adversaria.errors import UserError
from adversaria.game import SGD, Adam, Game, Referee, play
from adversaria.nn.mlp import MLP
from adversaria.nn.reader import Reader
from adversaria.objectives.losses import LOSSES, NonSaturating, Relativistic

pytestmark = pytest.mark.usefixtures("float64")
N = 8


def networks(d=3, pack=1):
    G = MLP(2, (d,), 5, 1, nn.Tanh)
    D = Reader(nn.Sequential(nn.Linear(pack * d, 6), nn.Tanh()), 6)
    return G, D


def duel_of(G, D, loss=None, rounds=10, batch=N, parts_loss="own", **parts):
    parts |= {"loss": parts_loss}
    return Duel(G, D, loss=loss or NonSaturating(), fake=lambda b: (G(torch.randn(len(b), 2)),), parts=Parts(**parts),
                batch=batch, rounds=rounds)  # fmt: skip


def seeded(objective, batch):
    torch.manual_seed(5)
    return objective(batch)


def noise(*shape):
    torch.manual_seed(5)
    return torch.randn(*shape)


def total(terms):
    return sum(term.item() for term in terms.values())


@pytest.mark.parametrize("name", LOSSES)
def test_terms_and_gradients_are_the_losses_on_the_two_sides_logits(name):
    G, D = networks()
    loss, x = LOSSES[name](), torch.randn(N, 3)
    duel = duel_of(G, D, loss)
    real, fake = D(x), D(G(noise(N, 2)))
    for terms, expected, own in (
        (seeded(duel.discriminator, Batch(x)), loss.discriminator(real, fake), D.parameters()),
        (seeded(duel.generator, Batch(x)), loss.generator(fake, real), G.parameters()),
    ):
        assert terms.keys() == expected.keys()
        own = list(own)
        ours = torch.autograd.grad(sum(terms.values()), own, allow_unused=True, retain_graph=True)
        theirs = torch.autograd.grad(sum(expected.values()), own, allow_unused=True, retain_graph=True)
        for a, b in zip(ours, theirs, strict=True):
            torch.testing.assert_close(a, b)


def test_parts_loss_takes_the_recipes_place():
    G, D = networks()
    duel, x = duel_of(G, D, parts_loss="hinge"), torch.randn(N, 3)
    assert seeded(duel.generator, Batch(x))["hinge"].item() == pytest.approx(-D(G(noise(N, 2))).mean().item())


def test_one_sided_smoothing_moves_the_target_on_data_only():
    G, D = networks()
    x, s = torch.randn(N, 3), 0.1
    terms = seeded(duel_of(G, D, smooth=s).discriminator, Batch(x))
    real, fake = D(x), D(G(noise(N, 2)))
    expected = F.binary_cross_entropy_with_logits(real, torch.full((N,), 1 - s))
    assert terms["real"].item() == pytest.approx(expected.item())
    assert terms["fake"].item() == pytest.approx(F.softplus(fake).mean().item())
    with pytest.raises(UserError, match="Hinge has no targets to smooth"):
        duel_of(G, D, LOSSES["hinge"](), smooth=s)


def slope(f, x):
    x = x.detach().requires_grad_()
    return torch.autograd.grad(f(x).sum(), x, create_graph=True)[0].flatten(1).norm(dim=1)


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("gradient", lambda D, x, y, u: (slope(D, u * x + (1 - u) * y) - 1).square().mean()),
        ("one_sided", lambda D, x, y, u: (slope(D, u * x + (1 - u) * y) - 1).clamp_min(0).square().mean()),
        ("zero_centred", lambda D, x, y, u: slope(D, u * x + (1 - u) * y).square().mean()),
        ("r1", lambda D, x, y, u: slope(D, x).square().mean() / 2),
        ("r2", lambda D, x, y, u: slope(D, y).square().mean() / 2),
    ],
)
def test_a_penalty_is_a_term_of_the_discriminators(part, expected):
    G, D = networks()
    x = torch.randn(N, 3)
    y = G(noise(N, 2)).detach()
    u = torch.rand(N, 1)
    terms = seeded(duel_of(G, D, **{part: 3.0}).discriminator, Batch(x))
    assert set(terms) == {"real", "fake", part.replace("_", "-")}
    assert terms[part.replace("_", "-")].item() == pytest.approx(3 * expected(D, x, y, u).item(), rel=1e-9)
    assert set(seeded(duel_of(G, D, **{part: 3.0}).generator, Batch(x))) == {"non-saturating"}


def test_lazy_penalties_come_every_kth_round_k_times_as_heavy():
    G, D = networks()
    duel = duel_of(G, D, r1=2.0, every=4)
    stage = duel.stage(Adam(lr=1e-3), Adam(lr=1e-3), steps=2)
    seen, x = [], torch.randn(N, 3)
    for record in play(stage, [x], rounds=9):
        seen.append("penalty" in record.terms)
        assert set(record.terms["discriminator"]) == {"real", "fake"}
        if record.number == 1:
            lazy = record.terms["penalty"]["r1"]
    assert seen == [round % 4 == 0 for round in range(9)]
    G, D = networks()
    duel = duel_of(G, D, r1=2.0, every=4)
    lazy = duel.stage(Adam(), Adam(), steps=2).players[1].objective(Batch(x))
    eager = duel_of(G, D, r1=2.0).discriminator(Batch(x))
    assert lazy["r1"].item() == pytest.approx(4 * 2 * eager["r1"].item())
    with pytest.raises(UserError, match="no penalty to be lazy with"):
        next(play(duel_of(G, D, every=4).stage(Adam(), Adam()), [x], rounds=1))


def test_clipped_weights_stay_within_the_bound():
    G, D = networks()
    before = [p.clone() for p in G.parameters()]
    stage = duel_of(G, D, clip=0.05).stage(SGD(lr=0.5), SGD(lr=0.0))
    next(play(stage, [torch.randn(N, 3)], rounds=1))
    assert max(p.abs().max() for p in D.parameters()) <= 0.05
    assert all(torch.equal(a, b) for a, b in zip(before, G.parameters(), strict=True))


def test_feature_matching_is_the_distance_of_mean_features_and_the_generators_only_term():
    G, D = networks()
    x = torch.randn(N, 3)
    terms = seeded(duel_of(G, D, matching=True).generator, Batch(x))
    distance = D.features(x).mean(0) - D.features(G(noise(N, 2))).mean(0)
    assert {k: v.item() for k, v in terms.items()} == pytest.approx({"matching": distance.square().sum().item()})


def test_historical_averaging_pulls_to_the_mean_of_all_parameters_so_far():
    G, D = networks()
    duel = duel_of(G, D, history=0.5)
    stage = duel.stage(SGD(lr=0.1), SGD(lr=0.1))
    seen = {name: [[p.detach().clone() for p in net.parameters()]] for name, net in (("d", D), ("g", G))}
    x = torch.randn(N, 3)
    for _ in play(stage, [x], rounds=5):
        seen["d"].append([p.detach().clone() for p in D.parameters()])
        seen["g"].append([p.detach().clone() for p in G.parameters()])
    for name, net, objective in (("d", D, duel.discriminator), ("g", G, duel.generator)):
        means = [torch.stack(values).mean(0) for values in zip(*seen[name], strict=True)]
        expected = 0.5 * sum((p - m).square().sum() for p, m in zip(net.parameters(), means, strict=True))
        term = objective(Batch(x))["history"]
        assert term.item() == pytest.approx(expected.item())
        own = list(net.parameters())
        for p, m, g in zip(own, means, torch.autograd.grad(term, own), strict=True):
            torch.testing.assert_close(g, p.detach() - m)


def test_packed_discriminators_see_consecutive_examples_side_by_side():
    G, D = networks(pack=2)
    x = torch.randn(N, 3)
    terms = seeded(duel_of(G, D, pack=2).discriminator, Batch(x))
    pairs = torch.stack([torch.cat([x[i], x[i + 1]]) for i in range(0, N, 2)])
    assert terms["real"].item() == pytest.approx(F.softplus(-D(pairs)).mean().item())
    scores = duel_of(G, D, pack=2).score(x[:5])
    torch.testing.assert_close(scores[:4], D(pairs)[:2].repeat_interleave(2))
    torch.testing.assert_close(scores[4:], D(torch.cat([x[4], x[0]])[None]))
    with pytest.raises(UserError, match="batches of 8 don't divide into packs of 3; --batch 24"):
        duel_of(G, D, pack=3)
    images = duel_of(G, D, pack=2)
    images.D = nn.Identity()
    stacked = images.see((torch.randn(N, 3, 4, 5),))[0]
    assert stacked.shape == (N // 2, 6, 4, 5)


def test_instance_noise_falls_linearly_with_the_rounds_and_is_off_at_rest():
    G, D = networks()
    duel = duel_of(G, D, noise=2.0, noise_until=0.4, rounds=10)
    levels = [duel.noise.level().item()]
    for _ in play(duel.stage(Adam(), Adam()), [torch.randn(N, 3)], rounds=6):
        levels.append(duel.noise.level().item())
    assert levels == pytest.approx([2.0, 1.5, 1.0, 0.5, 0, 0, 0])
    duel = duel_of(G, D, noise=2.0)
    x = torch.zeros(20_000, 3)
    assert duel.see((x,))[0].std().item() == pytest.approx(2.0, rel=0.02)
    duel.noise.eval()
    assert torch.equal(duel.see((x,))[0], x)


def test_noise_falls_at_the_same_pace_with_several_discriminator_moves_a_round():
    G, D = networks()
    duel = duel_of(G, D, noise=2.0, noise_until=0.4, rounds=10)
    stage = duel.stage(Adam(), Adam(), steps=5)
    levels = [duel.noise.level().item() for _ in play(stage, [torch.randn(N, 3)], rounds=4)]
    assert levels == pytest.approx([1.5, 1.0, 0.5, 0])


def test_adaptive_augmentation_follows_the_sign_of_the_datas_logits():
    G, D = networks()
    duel = duel_of(G, D, augment="adaptive", augment_target=0.5, augment_ramp=16 * N)
    for logits, expected in ((torch.ones(N), 0.25), (torch.ones(N), 0.5), (-torch.ones(N), 0.25), (-torch.ones(N), 0.0),
                             (-torch.ones(N), 0.0)):  # fmt: skip
        for _ in range(4):
            duel.augment.latest = logits
            duel.augment.update()
        assert duel.augment.p.item() == pytest.approx(expected)


def test_both_sides_are_augmented_and_nothing_is_at_rest():
    G, D = MLP(2, (1, 8, 8), 5, 1), Reader(nn.Sequential(nn.Flatten(), nn.Linear(64, 4)), 4)
    duel = duel_of(G, D, augment="differentiable")
    x = torch.rand(N, 1, 8, 8)
    assert not torch.equal(duel.see((x,))[0], x)
    (slope,) = torch.autograd.grad(duel.generator(Batch(x))["non-saturating"], [next(G.parameters())])
    assert slope.abs().max() > 0
    duel.augment.eval()
    assert torch.equal(duel.see((x,))[0], x)


def test_unrolling_is_the_loss_after_k_steps_of_the_discriminator():
    G, D = networks()
    x = torch.randn(N, 3)
    value = total(seeded(duel_of(G, D, unroll=3, unroll_step=0.5).generator, Batch(x)))
    y = G(noise(N, 2)).detach()
    optimizer = torch.optim.SGD(D.parameters(), lr=0.5)
    for _ in range(3):
        optimizer.zero_grad()
        (F.softplus(-D(x)).mean() + F.softplus(D(y)).mean()).backward()
        optimizer.step()
    assert value == pytest.approx(F.softplus(-D(y)).mean().item())


def test_the_discriminators_rate_is_a_multiple_of_the_recipes():
    G, D = networks()
    stage = duel_of(G, D, ratio=4.0).stage(Adam(lr=1e-3), Adam(lr=1e-3))
    assert [p.optimizer.lr for p in stage.players] == pytest.approx([4e-3, 1e-3])


@pytest.mark.parametrize("rule", ["simultaneous", "extragradient", "optimistic"])
def test_one_shared_forward_gives_what_separate_objectives_give(rule):
    finals = []
    for shared in (True, False):
        torch.manual_seed(0)
        G, D = networks()
        duel = duel_of(G, D, rule=rule, gradient=1.0)
        duel.fake = lambda b, G=G: (G(b.x[:, :2]),)  # the same codes however often it is called
        stage = duel.stage(SGD(lr=0.1), SGD(lr=0.1))
        assert stage.joint is not None and stage.rule.__name__ == rule
        torch.manual_seed(1)
        stage = stage if shared else replace(stage, joint=None)
        for _ in play(stage, [torch.randn(N, 3)], rounds=1):
            pass
        finals.append([p.detach().clone() for p in (*G.parameters(), *D.parameters())])
    if rule == "extragradient":
        return  # its second look draws other segments
    for a, b in zip(*finals, strict=True):
        torch.testing.assert_close(a, b)


def test_what_parts_remember_is_saved_with_the_game():
    recipe = adv.recipe("gan", "smoke", parts={"noise": 1.0, "history": 0.1})
    game = recipe.build(DataSpec("points", (2,)))
    assert isinstance(game, Game)
    names = {name.split(".")[1] for name in game.state_dict() if name.startswith("networks")}
    assert {"noise", "history of discriminator", "history of generator"} <= names


def test_a_hyperparameter_of_the_recipes_own_is_not_set_twice():
    with pytest.raises(UserError, match=r"parts\.gradient is 5\.0 and this recipe has a hyperparameter for it"):
        adv.recipe("wgan-gp", "smoke", parts={"gradient": 5.0}).build(DataSpec("points", (2,)))


def test_relativistic_pairs_move_both_the_pairs_logits():
    G, D = networks()
    x = torch.randn(N, 3)
    real, fake = D(x), D(G(noise(N, 2)))
    assert total(seeded(duel_of(G, D, Relativistic()).generator, Batch(x))) == pytest.approx(
        F.softplus(real - fake).mean().item()
    )


def test_a_referee_plays_what_a_duel_says():
    G, D = networks()
    stage = duel_of(G, D, r1=1.0, r2=1.0, noise=0.1, history=0.01).stage(Adam(lr=1e-3), Adam(lr=1e-3), steps=2)
    referee = Referee(stage, 3)
    for record in play(stage, [torch.randn(N, 3)], referee=referee):
        assert record.moves == {"discriminator": 2, "generator": 1} and not record.skipped

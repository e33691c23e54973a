"""What a discriminator learned by heart, and the gradient that a fresh one leaves."""

import math

import numpy as np
import pytest
import torch
from diagnose_helpers import Number
from torch import nn

from adversaria import catalogue
from adversaria.data import Batch, load
from adversaria.diagnose.critics import gradient_probe, held_out_gap, renew
from adversaria.diagnose.untouched import alone
from adversaria.errors import UserError
from adversaria.game import Adam, Game, Player, play
from adversaria.nn.mlp import MLP
from adversaria.objectives.adversarial import is_fake, is_real, saturating
from adversaria.ops import gradient_penalty


def scorer(name="discriminator"):
    """A game whose score is the example itself."""
    a, b = Number(1.0), Number(1.0)
    players = (Player(name, (a,), lambda _: {"x": a.value}, Adam()), Player("generator", (b,), lambda _: {"x": b.value},
               Adam()))  # fmt: skip
    return Game(*players, networks={"a": a, "b": b}, sample=lambda n: torch.zeros(n, 1), score=lambda x: x[:, 0])


def column(*values):
    return torch.tensor(values)[:, None]


def test_r_v_and_r_t_equal_their_definitions(float64):
    found = held_out_gap(
        scorer(), train=column(4.0, 2.0, -1.0, 3.0), valid=column(1.0, 1.5), generated=column(-2.0, -1.0)
    )
    assert found.r_v.value == pytest.approx((2 - 1.25) / (2 + 1.5)) and found.r_t.value == 0.5
    assert found.scores["valid"][0] == 1.25
    a, b, c, r = np.var([4, 2, -1, 3], ddof=1) / 4, 0.25**2, 0.5**2, 0.75 / 3.5
    assert found.r_v.error == pytest.approx(math.sqrt(a * (1 - r) ** 2 + b + c * r * r) / 3.5)
    for limit in found.r_v.interval:  # where T - V - limit (T - G) is 1.96 of its standard deviations from 0
        assert (0.75 - limit * 3.5) ** 2 == pytest.approx(1.959964**2 * (a * (1 - limit) ** 2 + b + c * limit**2), 1e-6)


def test_a_critics_scores_have_their_midpoint_between_the_means(float64):
    sets = {"train": column(5.0, 5.0, 5.0, 1.0), "valid": column(5.0, 4.0), "generated": column(2.0, 2.0)}
    found = held_out_gap(scorer("critic"), **sets)
    assert found.r_t.details["midpoint"] == 3.0 and found.r_t.value == 0.5
    shifted = held_out_gap(scorer("critic"), **{name: x + 100 for name, x in sets.items()})
    assert shifted.r_t.value == 0.5 and shifted.r_v.value == pytest.approx(found.r_v.value)
    assert held_out_gap(scorer("critic"), **sets, midpoint=0.0).r_t.value == 1


def test_r_v_covers_its_truth_and_its_test_keeps_its_level(float64):
    rng = np.random.default_rng(0)
    covered, rejected = 0, 0
    for _ in range(400):
        T, V, G = (torch.from_numpy(rng.normal(m, 1, (n, 1))) for m, n in ((1.0, 200), (0.7, 150), (-0.5, 100)))
        low, high = held_out_gap(scorer(), train=T, valid=V, generated=G).r_v.interval
        covered += low <= 0.2 <= high
        same = torch.from_numpy(rng.normal(1, 1, (150, 1)))
        rejected += held_out_gap(scorer(), train=T, valid=same, generated=G).r_v.p <= 0.05
    assert 0.92 <= covered / 400 <= 0.98
    assert 0.02 <= rejected / 400 <= 0.085


def test_alike_scores_leave_r_v_undefined_in_words(float64):
    x = torch.randn(200, 1)
    found = held_out_gap(scorer(), train=x, valid=torch.randn(200, 1), generated=x + 1e-3)
    assert found.r_v.interval == (-math.inf, math.inf) and "undefined" in found.r_v.bias
    with pytest.raises(UserError, match="valid has 1"):
        held_out_gap(scorer(), train=x, valid=x[:1], generated=x)
    with pytest.raises(UserError, match="1 of 2 scores of train"):
        held_out_gap(scorer(), train=column(1.0, math.nan), valid=x, generated=x)


def test_a_discriminator_trained_on_16_examples_knows_them_by_heart():
    data = load("ring8")
    torch.manual_seed(0)
    game = catalogue.make("gan", "smoke", hidden=64, depth=2, latent=2).build(data.spec)
    train, valid = data.examples(16, seed=0).x, data.examples(500, "valid", seed=0).x
    gaps = []
    for rounds in (0, 400):
        for _ in play(alone(game.stage(), game.stage().players[0], rounds), [train], rounds=rounds):
            pass
        gaps.append(held_out_gap(game, train=train, valid=valid, generated=game.sample(500, seed=0)))
    assert gaps[0].r_v.p > 0.01 and gaps[1].r_v.p < 1e-3 and gaps[1].r_t.value == 1
    assert 0 < gaps[1].r_v.interval[0] < gaps[1].r_v.interval[1] < 1


# --------------------------------------------------------------------------------------------------- gradient probe


def uniforms(kind, away=3.0):
    """Samples U(theta, theta + 1), data U(0, 1): disjoint supports."""
    G = Number(away)
    D = MLP(1, (), 32, 2)

    def fake(n):
        return G.value + torch.rand(n, 1, dtype=G.value.dtype)

    def discriminator(batch):
        y = fake(len(batch)).detach()
        if kind == "wasserstein":
            return {"w": D(y).mean() - D(batch.x).mean(), "penalty": 10 * gradient_penalty(D, batch.x, y)}
        return {"real": is_real(D(batch.x)), "fake": is_fake(D(y))}

    def generator(batch):
        logits = D(fake(len(batch)))
        return {"loss": -logits.mean() if kind == "wasserstein" else saturating(logits)}

    adam = Adam(lr=5e-3, betas=(0.5, 0.9))
    name = "critic" if kind == "wasserstein" else "discriminator"
    return Game(
        Player(name, (D,), discriminator, adam), Player("generator", (G,), generator, adam),
        networks={"G": G, "D": D}, sample=fake, score=D,
    )  # fmt: skip


BATCHES = [torch.rand(64, 1, generator=torch.Generator().manual_seed(i)) for i in range(20)]


def test_between_disjoint_uniforms_the_gradient_vanishes_for_js_and_stays_for_a_wasserstein_critic():
    js = gradient_probe(uniforms("js"), BATCHES, steps=200, every=10, repeats=3)
    assert js.slope.interval[1] < -1 and js.slope.details["accuracy"] == 1
    assert js.own[:, -1].max() < 0.01 * js.own.max() and js.saturating is not None
    np.testing.assert_allclose(js.own, js.saturating, rtol=1e-9)
    assert (js.non_saturating[:, -1] > 10 * js.saturating[:, -1]).all(), "-log D keeps a gradient"
    assert js.jsd[:, -1].min() > 0.67 and js.jsd.max() <= math.log(2)
    w = gradient_probe(uniforms("wasserstein"), BATCHES, steps=200, every=10, repeats=3)
    assert abs(w.slope.value) < 1 and w.jsd is None
    np.testing.assert_allclose(w.own[:, -8:], 1, atol=0.25)  # the slope of W1 in theta


def test_the_probe_begins_afresh_and_returns_the_old_discriminator():
    game = uniforms("js")
    old = [p.detach().clone() for p in game.parameters()]
    one = gradient_probe(game, BATCHES, steps=16, every=2, repeats=2)
    assert one.own[0, 0] != one.own[1, 0], "repeats begin from other weights"
    assert all(torch.equal(p, q) for p, q in zip(game.parameters(), old, strict=True))
    with torch.no_grad():
        for p in game.networks["D"].parameters():
            p.mul_(3)
    np.testing.assert_array_equal(one.own, gradient_probe(game, BATCHES, steps=16, every=2, repeats=2).own)
    other = lambda: uniforms("js")  # noqa: E731
    assert gradient_probe(game, BATCHES, steps=16, repeats=1, fresh=other).slope.protocol["initial"] == "the recipe's"


def test_dcgans_critic_is_begun_by_dcgans_rule_and_batch_norm_anew():
    data = load("digits")
    game = catalogue.make("dcgan", "smoke", width=16).build(data.spec)
    D = game.stage().players[0]
    for module in game.networks["discriminator"].modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.fill_(7)
    renew(D, game, None, 0)
    weights = torch.cat([p.detach().flatten() for p in D.parameters() if p.ndim > 1])
    assert float(weights.std()) == pytest.approx(0.02, rel=0.1)
    assert all(not m.running_mean.any() for m in game.networks["discriminator"].modules()
               if isinstance(m, nn.BatchNorm2d))  # fmt: skip


def test_a_layer_that_cant_begin_anew_is_named():
    a, b = Number(1.0), Number(1.0)
    players = (Player("critic", (a,), lambda _: {"x": a.value}, Adam()), Player("generator", (b,),
               lambda _: {"x": b.value}, Adam()))  # fmt: skip
    game = Game(*players, networks={"a": a, "b": b}, sample=lambda n: torch.zeros(n, 1))
    with pytest.raises(UserError, match="fresh="):
        gradient_probe(game, [Batch(torch.zeros(2, 1))])

"""Every adversarial recipe takes every part by its field, and a stop changes no bit of what the part remembers."""

from copy import deepcopy
from dataclasses import fields

import numpy as np
import pytest
import torch

import adversaria as adv
from adversaria import catalogue
from adversaria.cli import show
from adversaria.data import load
from adversaria.duel import Parts
from adversaria.errors import UserError
from adversaria.game import Referee, play
from adversaria.game.state import capture, restore

ENTRIES = [entry for entry in catalogue.entries().values() if entry.family == "adversarial"]
NAMES = [e.name for e in ENTRIES if any(h.name == "parts" for h in e.hyperparameters)]
LAYERS = {"virtual", "pixel", "resnet", "modern", "gated", "mlp", "tanh, constant"}
REFUSED = {
    "avb": {"smooth", "least squares", "hinge, spectral", "wasserstein, penalty", "minimax", "relativistic, r2",
            "matching", "deviation", "discrimination", "both", "pack", "differentiable", "adaptive"},
    "cgan": {"pack"},
    "hali": LAYERS,
    "improved-gan": LAYERS | {"hinge, spectral", "both", "matching", "deviation", "discrimination", "pack"},
    "progressive-gan": LAYERS | {"hinge, spectral", "both", "lazy", "deviation", "discrimination"},
}  # fmt: skip
"""Which parts a recipe hasn't got, and says so: its layers are its own, or the part would make it another system."""
PARTS = {
    "smooth": {"smooth": 0.1, "loss": "non-saturating"},
    "least squares": {"loss": "least-squares"},
    "hinge, spectral": {"loss": "hinge", "spectral": True},
    "wasserstein, penalty": {"loss": "wasserstein", "one_sided": 10.0},
    "minimax": {"loss": "minimax"},
    "relativistic, r2": {"loss": "relativistic", "zero_centred": 1.0},
    "matching": {"matching": True},
    "dragan": {"dragan": 10.0},
    "lazy": {"dragan": 1.0, "every": 2, "rule": "alternating"},
    "deviation": {"minibatch": "deviation"},
    "discrimination": {"minibatch": "discrimination"},
    "both": {"minibatch": "deviation", "spectral": True},
    "pack": {"pack": 2},
    "history": {"history": 0.1},
    "extragradient": {"rule": "extragradient"},
    "optimistic": {"rule": "optimistic"},
    "simultaneous": {"rule": "simultaneous"},
    "ratio": {"ratio": 4.0},
    "differentiable": {"augment": "differentiable"},
    "adaptive": {"augment": "adaptive"},
    "virtual": {"generator_norm": "virtual", "critic_norm": "virtual"},
    "pixel": {"generator_norm": "pixel", "critic_norm": "layer"},
    "resnet": {"network": "resnet"},
    "modern": {"network": "modern", "critic_norm": "none"},
    "gated": {"network": "gated"},
    "mlp": {"network": "mlp"},
    "tanh, constant": {"network": "tanh", "generator_network": "constant"},
}
REMEMBERED = {"hinge, spectral", "both", "history", "extragradient", "optimistic", "adaptive", "virtual", "lazy"}
"""Parts with a state of their own, which a checkpoint has to hold."""


def recipe_with(name, part):
    return adv.recipe(name, "smoke", parts=PARTS[part], batch=8, rounds=4, **one_step(name))


def one_step(name):
    """Rules that move everyone once need a discriminator with one move."""
    return {h.name: 1 for h in catalogue.find(name).hyperparameters if h.name in ("critic_steps", "adversary_steps")}


def state_of(game):
    return {key: value.clone() for key, value in game.state_dict().items()}


def test_every_adversarial_recipe_takes_parts():
    assert {e.name for e in ENTRIES} == set(NAMES)


def test_every_part_is_tried():
    tried = {field for values in PARTS.values() for field in values}
    numbers = {"noise", "noise_until", "unroll", "unroll_step", "clip", "gradient", "r1", "r2"}  # some recipe's own
    rest = {"augment_target", "augment_ramp"}
    assert tried | numbers | rest == {f.name for f in fields(Parts)}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_plays_with_the_part_and_stops_without_a_trace(name, part):
    recipe = recipe_with(name, part)
    data = recipe.arrange(load("digits"))
    if part in REFUSED.get(name, ()):
        with pytest.raises(UserError, match=r"(, but .*; leave it at|packs of 2 examples have 2 labels)"):
            game = recipe.build(data.spec)
            next(play(game.stages[-1], data.batches(8, seed=0), rounds=1))
        return
    torch.manual_seed(0)
    game = recipe.build(data.spec)
    referee = Referee(game.stages[-1], 4)
    batches = data.batches(8, seed=0)
    rounds = play(game.stages[-1], batches, referee=referee)
    for _ in range(2):
        record = next(rounds)
        assert not record.skipped
        assert all(np.isfinite(list(terms.values())).all() for terms in record.terms.values())
    given = torch.tensor([0, 1, 2]) if game.condition else None
    assert game.sample(3, given, seed=0).shape == (3, 1, 8, 8)
    if part not in REMEMBERED:
        return
    tensors, facts = deepcopy(capture(game, referee))
    for _ in rounds:
        pass
    whole = state_of(game)
    torch.manual_seed(9)
    again = recipe.build(data.spec)
    second = Referee(again.stages[-1], 4)
    restore(again, second, tensors, facts)
    for _ in play(again.stages[-1], batches, referee=second):
        pass
    for key, value in whole.items():
        assert torch.equal(value, again.state_dict()[key]), key


@pytest.mark.parametrize("name", [n for n in NAMES if "points" in adv.recipe(n, "smoke").KINDS])
def test_points_take_what_needs_no_image(name):
    data = load("ring8")
    parts = {"dragan": 1.0, "history": 0.1, "rule": "optimistic"}
    if "deviation" not in REFUSED.get(name, ()):
        parts["minibatch"] = "deviation"
    if name not in ("sn-gan", "improved-gan"):
        parts["spectral"] = True
    recipe = adv.recipe(name, "smoke", parts=parts, labels=8, **one_step(name)) if name == "improved-gan" else (
        adv.recipe(name, "smoke", parts=parts, **one_step(name)))  # fmt: skip
    data = recipe.arrange(data)
    game = recipe.build(data.spec)
    record = next(play(game.stages[-1], data.batches(8, seed=0), rounds=1))
    assert not record.skipped
    with pytest.raises(UserError, match=r"augment.* is (for images|adaptive, but)"):
        game = adv.recipe(name, "smoke", parts={"augment": "adaptive"}).build(data.spec)
        next(play(game.stages[-1], data.batches(8, seed=0), rounds=1))


def test_lazy_penalties_need_alternation():
    with pytest.raises(UserError, match=r"a lazy penalty needs --parts\.rule alternating"):
        adv.recipe("ali", "smoke", parts={"r1": 1.0, "every": 2}).build(load("ring8").spec)


def test_every_discriminator_move_needs_alternation():
    with pytest.raises(UserError, match="moves=5; the extragradient rule moves everyone once"):
        adv.recipe("wgan-gp", parts={"rule": "extragradient"}).build(load("ring8").spec)


def test_a_card_lists_the_parts(capsys):
    assert show.run(["dcgan"]) == 0
    page = capsys.readouterr().out
    assert all(f"--parts.{f.name.replace('_', '-')} " in page for f in fields(Parts))
    assert all(part.meaning for part in catalogue.parts())
    assert show.run(["vae"]) == 0
    assert "--parts" not in capsys.readouterr().out

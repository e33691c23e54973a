"""What every recipe must do, driven by the catalogue."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

import adversaria as adv
from adversaria import catalogue
from adversaria.api import begin
from adversaria.cli import show
from adversaria.data import Batch, DataSpec, load
from adversaria.game import Referee, plan, play
from adversaria.runs import checkpoints
from adversaria.runs.checking import Checker

NAMES = sorted(catalogue.entries())
SOURCES = {"image": "digits", "points": "ring8", "sequence": "oracle-tokens"}


@pytest.fixture(autouse=True)
def _unchecked(monkeypatch):
    """What is measured while training has tests of its own."""
    monkeypatch.setattr(Checker, "due", lambda self, last: False)


def smoke(name):
    return catalogue.make(name, "smoke")


def data_for(recipe, kind=None):
    return recipe.arrange(load(SOURCES[kind or recipe.KINDS[0]]))


def given(game, data, n):
    batch = data.examples(n, seed=0)
    return {"label": batch.labels, "image": batch.x, None: None}[game.condition]


def train(recipe, data, seed=0):
    torch.manual_seed(seed)
    game = recipe.build(data.spec)
    for stage, rounds in zip(game.stages, plan(game.stages, recipe.rounds), strict=True):
        for _ in play(stage, data.batches(recipe.batch, seed=seed), rounds=rounds):
            pass
    return game


def test_the_suite_sees_every_recipe_file():
    files = [p for p in catalogue.HERE.glob("*/*.py") if not p.stem.startswith("_")]
    assert len(NAMES) == len(files) >= 11
    assert {
        "gan",
        "dcgan",
        "wgan-gp",
        "vae",
        "ali",
        "unrolled-gan",
        "vae-iaf",
        "vq-vae",
        "cyclegan",
        "seqgan",
    } <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_file_says_what_it_is(name):
    entry = catalogue.find(name)
    text = entry.path.read_text()
    assert len(text.splitlines()) <= 150
    assert "Eq" in entry.docstring or "min" in entry.docstring or "max" in entry.docstring
    assert entry.reference["title"] and entry.reference["year"]
    assert {"smoke", "small"} <= set(entry.presets)
    assert entry.departures and entry.claims
    assert all(h.meaning for h in entry.hyperparameters), "a hyperparameter without a meaning"
    assert {"batch", "rounds"} <= {h.name for h in entry.hyperparameters}
    for preset in entry.presets:
        catalogue.make(name, preset)


@pytest.mark.parametrize("name", NAMES)
def test_config_survives_json(name):
    recipe = smoke(name)
    again = TypeAdapter(type(recipe)).validate_python(json.loads(json.dumps(recipe.fields())))
    assert again == recipe


@pytest.mark.parametrize("name", NAMES)
def test_the_card_renders(name, capsys):
    assert show.run([name]) == 0
    page = capsys.readouterr().out
    for part in ("HYPERPARAMETERS", "PLAYERS", "DEPARTURES", "CITATION", "parameters), "):
        assert part in page


CASES = [(name, kind) for name in NAMES for kind in SOURCES if kind in smoke(name).KINDS]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_move_changes_its_owner_and_nobody_else(name, kind):
    recipe = smoke(name)
    data = data_for(recipe, kind)
    game = recipe.build(data.spec)
    batches = data.batches(recipe.batch, seed=0)
    for stage in game.stages:
        referee = Referee(stage, rounds=3)
        for player in stage.players:
            draw = batches.at(0) if stage.data is None else stage.data(batches.at(0))
            terms = player.objective(draw)
            before = {key: value.clone() for key, value in game.networks.named_parameters()}
            referee.backward(player, terms)
            referee.step(player)
            own = {id(p) for p in player.parameters()}
            changed = {id(p) for key, p in game.networks.named_parameters() if not torch.equal(p, before[key])}
            followers = {id(p) for p in game.networks.parameters() if not p.requires_grad}
            assert changed <= own | followers, "a move changed what its player doesn't own"
            for module in player.owns:
                assert changed & {id(p) for p in module.parameters()}, "an owned module did not change"
            for parameter in game.networks.parameters():
                assert id(parameter) in own or parameter.grad is None, "a move left a gradient behind"
                parameter.grad = None


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_terms_are_finite_and_samples_are_of_the_data_s_kind(name, kind):
    recipe = smoke(name)
    data = data_for(recipe, kind)
    torch.manual_seed(0)
    game = recipe.build(data.spec)
    for stage, rounds in zip(game.stages, plan(game.stages, recipe.rounds), strict=True):
        for record in play(stage, data.batches(recipe.batch, seed=0), rounds=rounds):
            assert not record.skipped
            for player in stage.players:
                values = record.terms[player.name]
                assert values and all(np.isfinite(list(values.values())))
                assert np.isfinite(record.gradient_norms[player.name])
    x = game.sample(5, given(game, data, 5), seed=0)
    assert x.shape == (5, *data.spec.shape)
    shown = data.spec.to_user(x)
    if kind == "image":
        assert x.min() >= -1 and x.max() <= 1
        assert shown.dtype == np.uint8 and shown.shape == (5, 8, 8, 1)
    elif kind == "sequence":
        assert x.dtype == torch.long and x.min() >= 0 and x.max() < data.spec.categories
    else:
        assert shown.dtype == np.float32 and np.isfinite(shown).all()
    assert torch.equal(x, game.sample(5, given(game, data, 5), seed=0)), "a seed decides the samples"


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_trains_the_same_bits(name):
    recipe = smoke(name)
    data = data_for(recipe)
    one, two, other = train(recipe, data), train(recipe, data), train(recipe, data, seed=1)
    for key, value in one.state_dict().items():
        assert torch.equal(value, two.state_dict()[key]), key
    assert any(not torch.equal(v, other.state_dict()[k]) for k, v in one.state_dict().items())


SHAPES = [(1, 28, 20), (3, 32, 32), (5, 9, 13), (2, 28, 28), (1, 64, 48)]
SMALLER = [(1, 28, 20), (3, 16, 16), (5, 9, 13), (2, 12, 12), (1, 32, 24)]
"""For those that draw a number after another."""
SHAPED = [
    (name, shape)
    for name in NAMES
    if "image" in smoke(name).KINDS
    for shape in (SMALLER if catalogue.find(name).family == "autoregressive" or name == "pixelvae" else SHAPES)
]


@pytest.mark.parametrize(("name", "shape"), SHAPED)
def test_images_of_any_channels_and_non_square_shapes(name, shape):
    recipe = smoke(name)
    spec = recipe.spec_for(DataSpec("image", shape, classes=3))
    game = recipe.build(spec)
    x = torch.rand(recipe.batch, *shape) * 2 - 1
    batch = Batch(x, torch.arange(recipe.batch) % 3, x.flip(0) if spec.domains == 2 else None)
    for stage in game.stages:
        next(play(stage, [batch], rounds=1))
    conditions = {"label": torch.tensor([0, 1]), "image": x[:2], None: None}
    assert game.sample(2, conditions[game.condition]).shape == (2, *shape)


@pytest.mark.parametrize("name", NAMES)
def test_resumed_equals_never_stopped(name, tmp_path):
    """Stops after every round, in a fresh process state each time; ends with the bits, and the samples, of one go."""
    recipe = smoke(name)
    whole = begin(recipe, load(SOURCES[recipe.KINDS[0]]), out=tmp_path / "whole").play()
    begin(recipe, load(SOURCES[recipe.KINDS[0]]), out=tmp_path / "parts")
    for attempt in range(3 * recipe.rounds):
        torch.manual_seed(attempt)  # whatever the generator holds when a run resumes must not matter
        run = adv.load_run(tmp_path / "parts")
        if run.finished:
            break
        for _ in run.steps(stop=lambda: True):
            pass
    one, two = checkpoints.newest(whole.folder), checkpoints.newest(run.folder)
    assert one.round == two.round == recipe.rounds
    assert one.tensors.keys() == two.tensors.keys()
    for key, value in one.tensors.items():
        assert torch.equal(value, two.tensors[key]), key
    terms = [[(r["round"], r["terms"], r["gradient_norms"]) for r in x.history()] for x in (whole, run)]
    assert terms[0] == terms[1]
    sheets = [[(r, p.read_bytes()) for r, p in x.folder.sheets] for x in (whole, run)]
    assert sheets[0] == sheets[1]
    assert run.recipe == recipe
    drawn = [x.draw(7, seed=3) for x in (whole, run)]
    np.testing.assert_array_equal(drawn[0][0], drawn[1][0])
    assert (drawn[0][1] is None) == (drawn[1][1] is None) == (run.game.condition != "label")


ONE_OF_EACH = {entry.family: entry.name for entry in catalogue.entries().values()}


@pytest.mark.parametrize("name", ONE_OF_EACH.values())
def test_a_run_has_a_report(name, tmp_path):
    run = adv.train(smoke(name), SOURCES[smoke(name).KINDS[0]], out=tmp_path / "run")
    assert Path(run.report()).stat().st_size > 1000

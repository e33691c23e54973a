"""The table of likelihoods: equal budgets, the best look kept, cells measured once, and a page that ranks them."""

import json
import math

import pytest
import torch

from adversaria import catalogue
from adversaria.claims import held
from adversaria.claims.held import Watch, rounds_within
from adversaria.cli import main
from adversaria.data import load
from adversaria.errors import UserError
from adversaria.game import play
from adversaria.zoo import held_out, kept, likelihoods, results
from adversaria.zoo.held_out import Cell, hold_out
from adversaria.zoo.likelihood_page import PUBLISHED, page
from adversaria.zoo.likelihoods import Row, rows, why_not
from adversaria.zoo.pool import Failure


@pytest.fixture
def short(monkeypatch):
    """Forty rounds for every cell, and codes for no more than a moment."""
    monkeypatch.setattr(held_out, "rounds_within", lambda recipe, data, budget: 40)
    monkeypatch.setattr(held, "SAMPLES", 4)
    return likelihoods.Wish(
        data=("digits-static",), recipes=("fvsbn", "vae, mlp"), seeds=2, budget=1.0, command="typed"
    )


def cell(label, seed=0, **changed):
    recipe = label.partition(",")[0]
    return Cell(label, recipe, "small", json.dumps(changed), "digits-static", None, seed, 1.0, 100)


def test_every_cell_is_trained_once_and_a_second_run_trains_none(short, tmp_path):
    said = []
    assert likelihoods.fill(short, tmp_path, said.append) == 0
    assert said[0] == "4 cells, 0 measured already" and len(said) == 5
    told = json.loads((tmp_path / "likelihoods" / "digits-static.json").read_text())
    assert [(c["label"], c["seed"]) for c in told["cells"]] == [
        ("fvsbn", 0), ("fvsbn", 1), ("vae, mlp", 0), ("vae, mlp", 1),
    ]  # fmt: skip
    assert told["cells"][2]["fields"]["network"] == "mlp" and "rounds" not in told["cells"][2]["fields"]
    assert told["n"] == 179 and set(told["floors"]) == {"uniform", "bernoulli", "chow-liu"}
    said.clear()
    likelihoods.fill(short, tmp_path, said.append)
    assert said == ["4 cells, 4 measured already"]
    said.clear()
    likelihoods.fill(likelihoods.Wish(**vars(short) | {"budget": 2.0}), tmp_path, said.append, dry_run=True)
    assert said == ["4 cells, 0 measured already"], "another budget is another cell"


def test_a_cell_is_the_likelihood_of_the_game_at_its_best_look(short):
    told = hold_out(cell("fvsbn")).numbers
    data = load("digits-static")
    valid, x = data.examples(179, "valid").x, data.examples(100, "test").x
    torch.manual_seed(0)
    recipe = catalogue.make("fvsbn", "small", rounds=40)
    game = recipe.build(data.spec)
    looks = {}
    for record in play(game.stage(), data.batches(recipe.batch, seed=0), rounds=40):
        if record.number % 2 == 0:
            looks[record.number] = float(-game.log_prob(valid).mean()), float(-game.log_prob(x).double().mean())
    assert told["best round"] == min(looks, key=lambda k: looks[k][0])
    assert told["nll"] == pytest.approx(looks[told["best round"]][1], abs=1e-4)
    assert (told["kind"], told["unit"], told["n"], told["rounds"]) == ("exact", "nats", 100, 40)


def test_a_model_that_gets_worse_is_measured_where_it_was_best():
    data = load("digits-static")
    game = catalogue.make("fvsbn", "smoke").build(data.spec)
    (player,) = game.stage().players
    watch = Watch(data, rounds=20)
    record = type("Record", (), {"number": 1})()
    best = game.state_dict()["networks.model.bias"].clone()
    watch(game, record)
    with torch.no_grad():
        next(iter(player.parameters())).add_(3.0)
    record.number = 2
    watch(game, record)
    assert watch.at == 1 and torch.equal(watch.state["networks.model.bias"], best)


def test_a_budget_ten_times_as_long_has_about_ten_times_the_rounds():
    data, recipe = load("digits-static"), catalogue.make("fvsbn", "small")
    short, long = (rounds_within(recipe, data, budget) for budget in (2.0, 20.0))
    assert 2 * short < long < 50 * short


def test_latent_codes_are_weighted_by_as_many_samples_as_are_told(short):
    told = hold_out(cell("vae, mlp", network="mlp", hidden=16)).numbers
    assert told["kind"] == "importance weighted (K=4)" and 1 <= told["effective samples"] <= 4
    assert told["bound"] > told["nll"]


def test_rows_are_all_recipes_with_a_likelihood_and_what_cannot_play_says_why():
    spec = load("digits-static").spec
    labels = {row.label for row in rows() if not why_not(row, spec)}
    families = {
        entry.name for entry in catalogue.entries().values() if entry.family in ("autoregressive", "variational")
    }
    assert families | {"nice", "realnvp", "glow", "made, 16 masks"} <= labels
    assert "plays on points" in why_not(Row("maf"), spec) and "no likelihood" in why_not(Row("vq-vae"), spec)
    for row in likelihoods.VARIANTS:
        assert row.recipe in catalogue.entries() and catalogue.make(row.recipe, likelihoods.PRESET, **row.changed)


def test_a_cell_that_failed_is_told_and_tried_again(short, tmp_path, monkeypatch):
    broken = lambda task, items, jobs: ((item, Failure("UserError: diverged")) for item in items)  # noqa: E731
    with monkeypatch.context() as patched:
        patched.setattr(kept, "spread", broken)
        assert likelihoods.fill(short, tmp_path, lambda line: None) == 4
    assert "fvsbn, seed 1: UserError: diverged" in page(likelihoods.read_all(tmp_path))
    said = []
    assert likelihoods.fill(short, tmp_path, said.append) == 0 and said[0] == "4 cells, 0 measured already"


def test_a_likelihood_that_is_not_finite_is_no_number(short, tmp_path):
    table = likelihoods.Likelihoods("digits-static", short, tmp_path)
    wanted = table.cells(lambda line: None)[0]
    numbers = {"nll": math.nan, "error": math.nan, "n": 179}
    table.keep(wanted, held_out.Held(numbers, 1.0))
    assert not table.holds(wanted) and "no finite likelihood" in page(likelihoods.read_all(tmp_path))


def test_a_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "digits-static.json"
    path.write_text('{"format": 99}')
    with pytest.raises(UserError, match="format 99, expected 1"):
        kept.read(path, 1)


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"recipes": ("vee",)}, "row of the table"), ({"budget": 0.0}, "--seconds"), ({"seeds": 0}, "--seeds")],
)
def test_a_wish_that_makes_no_sense_is_refused(changed, message):
    with pytest.raises(UserError, match=message):
        likelihoods.Wish(**changed)


def test_the_command_writes_numbers_and_page_and_says_where(short, tmp_path, capsys):
    arguments = ["zoo", "likelihoods", "--data", "digits-static", "--recipes", "fvsbn", "--seeds", "1", "--jobs", "1"]
    assert main([*arguments, "--out", str(tmp_path), "--page", str(tmp_path / "page.md")]) == 0
    assert "1/1  fvsbn, digits-static, seed 0: " in capsys.readouterr().out
    assert "| fvsbn | exact | " in (tmp_path / "page.md").read_text()


def measured(label, seed, nll, **changed):
    numbers = {"nll": nll, "error": 0.25, "kind": "exact", "unit": "nats", "n": 100, "effective samples": None,
               "rounds": 100, "best round": 90, "parameters": 7} | changed  # fmt: skip
    return {"label": label, "recipe": label.partition(",")[0], "seed": seed, "budget": 60.0, "seconds": 61.0,
            "numbers": numbers}  # fmt: skip


def test_the_page_ranks_by_the_mean_over_seeds_with_both_errors_and_papers_beside():
    told = {"data": "mnist-static", "d": 784, "train": 10, "n": 100, "fingerprint": "f" * 64, "samples": 128,
            "lossy": False, "floors": {"uniform": {"nll": 543.43, "error": 0.0, "unit": "nats"}},
            "cells": [measured("vae", 0, 100.0, kind="importance weighted (K=128)"), measured("nade", 0, 90.0),
                      measured("nade", 1, 92.0)]}  # fmt: skip
    lines = page([told]).splitlines()
    ranked = [line for line in lines if line.startswith(("| nade", "| vae", "| *uniform*"))]
    assert ranked[0] == "| nade | exact | 91.00 ± 0.25 | ± 1.00 | 2 | 90 of 100 | 7 | 61 | 88.33 (500 units) |"
    assert ranked[1].startswith("| vae | importance weighted | 100.00 ± 0.25 |  | 1 |")
    assert ranked[2].startswith("| *uniform* | closed form | 543.43 ± 0.00 |")
    assert "arXiv:1605.02226, the authors' code" in "\n".join(lines)
    lossy = page([told | {"data": "cifar10", "lossy": True}])
    assert "JPEG-coded" in lossy and "published" not in lossy.split("## cifar10")[1].split("JPEG")[0]


def test_numbers_of_papers_are_of_rows_there_are():
    known = {name for row in rows() for name in (row.label, row.recipe)}
    assert all(label in known for cited in PUBLISHED.values() for label in cited)


def test_the_committed_page_is_that_of_the_committed_numbers():
    folder = results.places()[0]
    docs = folder.parent / "docs" / "likelihoods.md"
    if list((folder / "likelihoods").glob("*.json")):
        assert docs.read_text(encoding="utf-8") == page(likelihoods.read_all(folder)) + "\n"
    else:
        assert not docs.exists()

"""The table of modes: cells are measured once, kept as long as they are what they would be, and told on a page."""

import json
import math

import numpy as np
import pytest
import torch
from torch import nn

from adversaria.catalogue import entries, make
from adversaria.cli import main
from adversaria.data import DataSpec, load
from adversaria.data.made import draw, modes
from adversaria.errors import UserError
from adversaria.evaluation.stacks import StackClassifier
from adversaria.metrics.estimate import Estimate
from adversaria.zoo import budgets, coverage, results
from adversaria.zoo import kept as kept_cells
from adversaria.zoo import modes as table
from adversaria.zoo.budgets import Row
from adversaria.zoo.page import _mean, page
from adversaria.zoo.pool import Failure

TINY = {"hidden": 8, "depth": 1, "batch": 8, "rounds": 2}
SPECS = {"points": DataSpec("points", (2,), classes=8), "stacks": DataSpec("image", (3, 8, 8), classes=1000)}


@pytest.fixture
def small(monkeypatch):
    """Two rows that take milliseconds, and few samples."""
    monkeypatch.setattr(budgets, "ROWS", (Row("gan", TINY, None), Row("gan, k = 2", TINY | {"steps": 2}, None)))
    monkeypatch.setattr(coverage, "SAMPLES", {"points": 400, "image": 300})
    monkeypatch.setattr(table, "SAMPLES", {"points": 400, "image": 300})
    return table.Wish(data=("ring8",), recipes=("gan",), seeds=2, command="typed")


def kept(tmp_path):
    return json.loads((tmp_path / "modes" / "ring8.json").read_text())


def test_every_cell_is_trained_once_and_a_second_run_trains_none(small, tmp_path):
    said = []
    assert table.fill(small, tmp_path, said.append) == 0
    assert said[0] == "4 cells, 0 measured already" and len(said) == 5
    told = kept(tmp_path)
    assert [(cell["label"], cell["seed"]) for cell in told["cells"]] == [
        ("gan", 0), ("gan", 1), ("gan, k = 2", 0), ("gan, k = 2", 1),
    ]  # fmt: skip
    cell = told["cells"][2]
    assert cell["fields"]["steps"] == 2 and cell["fields"]["hidden"] == 8 and cell["command"] == "typed"
    assert set(cell["numbers"]) == {"high quality", "modes", "modes in force", "KL", "JSD"} <= set(told["perfect"])
    assert told["fingerprint"] == load("ring8").fingerprint and told["samples"] == 400
    said.clear()
    table.fill(small, tmp_path, said.append)
    assert said == ["4 cells, 4 measured already"] and kept(tmp_path) == told


def test_a_cell_is_what_playing_the_recipe_gives(small, tmp_path):
    table.fill(small, tmp_path, lambda line: None)
    game = coverage.Trial(1, "ring8", tmp_path).play(make("gan", **TINY))
    expected, _ = coverage.on_points(game.sample(400, seed=0), "ring8")
    told = kept(tmp_path)
    assert next(c for c in told["cells"] if (c["label"], c["seed"]) == ("gan", 1))["numbers"] == expected
    assert told["perfect"]["high quality"][0] == pytest.approx(1 - math.exp(-4.5), abs=1e-9)


def test_what_was_measured_before_a_kill_is_kept(small, tmp_path, monkeypatch):
    def killed(task, items, jobs):
        yield items[0], task(items[0])
        raise KeyboardInterrupt

    whole = kept_cells.spread
    monkeypatch.setattr(kept_cells, "spread", killed)
    with pytest.raises(KeyboardInterrupt):
        table.fill(small, tmp_path, lambda line: None)
    monkeypatch.setattr(kept_cells, "spread", whole)
    said = []
    table.fill(small, tmp_path, said.append)
    assert said[0] == "4 cells, 1 measured already"


@pytest.mark.parametrize("what", ["code", "fields", "samples", "fingerprint"])
def test_a_cell_is_measured_anew_where_anything_it_rests_on_has_changed(what, small, tmp_path):
    table.fill(small, tmp_path, lambda line: None)
    told = kept(tmp_path)
    if what in ("code", "fields"):
        told["cells"][0][what] = "another" if what == "code" else told["cells"][0]["fields"] | {"rounds": 3}
    else:
        told[what] = 1
    (tmp_path / "modes" / "ring8.json").write_text(json.dumps(told))
    said = []
    table.fill(small, tmp_path, said.append)
    assert said[0] == f"4 cells, {3 if what in ('code', 'fields') else 0} measured already"


def test_a_cell_that_failed_is_told_counted_and_tried_again(small, tmp_path, monkeypatch):
    broken = lambda task, items, jobs: ((item, Failure("UserError: diverged")) for item in items)  # noqa: E731
    with monkeypatch.context() as patched:
        patched.setattr(kept_cells, "spread", broken)
        assert table.fill(small, tmp_path, lambda line: None) == 4
    assert "gan, k = 2, seed 1: UserError: diverged" in page(table.read_all(tmp_path))
    said = []
    assert table.fill(small, tmp_path, said.append) == 0 and said[0] == "4 cells, 0 measured already"


def test_a_dry_run_trains_nothing(small, tmp_path):
    assert table.fill(small, tmp_path, lambda line: None, dry_run=True) == 0
    assert not (tmp_path / "modes").exists()


def test_the_command_writes_numbers_and_page_and_says_where(small, tmp_path, capsys):
    arguments = ["zoo", "modes", "--data", "ring8", "--recipes", "gan, k = 2;", "--seeds", "1", "--jobs", "1"]
    assert main([*arguments, "--out", str(tmp_path), "--page", str(tmp_path / "modes.md")]) == 0
    assert "1/1  gan, k = 2, ring8, seed 0: " in capsys.readouterr().out
    assert "| gan, k = 2 | 1 | " in (tmp_path / "modes.md").read_text()


def test_a_model_that_is_told_the_mode_has_no_row():
    assert "so the mode" in budgets.why_not(Row("cgan", {}, {}, "smoke"), SPECS["points"])
    game = make("cgan", "smoke").build(SPECS["points"])
    with pytest.raises(UserError, match="told the mode"):
        coverage.samples_of(game, 10)


def test_every_adversarial_recipe_has_a_row_and_every_row_builds():
    rows = budgets.rows()
    assert {row.recipe for row in rows} == {e.name for e in entries().values() if e.family == "adversarial"}
    assert len({row.label for row in rows}) == len(rows)
    played = {kind: [row.label for row in rows if not budgets.why_not(row, spec)] for kind, spec in SPECS.items()}
    assert {"gan", "unrolled-gan, k = 0", "ali", "wgan-gp"} <= set(played["points"])
    assert {"dcgan", "dcgan, packed by 2", "gan"} <= set(played["stacks"]) and "dcgan" not in played["points"]


class Reader(nn.Module):
    """The class of a grey 2 x 5 image is its brightest pixel."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))  # says where the network is

    def forward(self, x):
        return self.weight * x.flatten(1)


def reader():
    confusion = 90 * torch.eye(10, dtype=torch.long) + 1
    accuracy = Estimate("accuracy", 0.91, 0.01, 1000, "share",
                        {"data": "toy", "classifier": "toy", "classifier_seed": 0}, False)  # fmt: skip
    return StackClassifier(Reader(), 10, (3, 2, 5), accuracy, confusion, torch.full((1000,), 1e-3))


def stacks_of(labels):
    digits = torch.stack([labels // 100, labels // 10 % 10, labels % 10], 1)
    return nn.functional.one_hot(digits, 10).float().view(-1, 3, 2, 5)


def test_stacks_are_counted_by_class_once_and_in_force():
    labels = torch.cat([torch.arange(500).repeat_interleave(50), torch.arange(500, 510), torch.tensor([510] * 3)])
    numbers, perfect = coverage.on_stacks(stacks_of(labels), reader())
    shares = np.bincount(labels) / len(labels)
    assert numbers["modes"] == 511 and numbers["modes in force"] == 501  # 25,013 / 10,000: three make a mode in force
    assert numbers["KL"] == pytest.approx(float((shares * np.log(1000 * shares)).sum()), abs=1e-9)
    assert {"modes", "KL"} <= perfect.keys()


def test_fresh_data_cover_every_mode():
    numbers, _ = coverage.on_points(torch.from_numpy(draw("grid25", 10_000, 7)[0]), "grid25")
    assert numbers["modes"] == numbers["modes in force"] == len(modes("grid25").centres)
    assert numbers["KL"] < 0.003 and numbers["high quality"] == pytest.approx(0.9889, abs=0.004)


@pytest.mark.parametrize("source, stacked", [("spiral", False), ("digits", False), ("ring8", True)])
def test_data_without_known_modes_are_refused(source, stacked):
    with pytest.raises(UserError):
        coverage.data_of(source, stacked)


def cell(label, seed, **numbers):
    full = {"modes": 8.0, "modes in force": 7.0, "high quality": 0.5, "KL": 0.1} | numbers
    return {"label": label, "seed": seed, "numbers": full, "seconds": 20.4, "machine": {}}


def test_the_page_has_means_with_errors_beside_what_papers_say():
    told = {"data": "ring8", "modes": 8, "samples": 10_000, "perfect": {"modes": [8.0, 0.0], "KL": [3.5e-4, 2e-4]},
            "classifier": {}, "cells": [cell("gan", 0, modes=6.0), cell("gan", 1), cell("gan", 2, KL=0.4),
                                        cell("mine", 0)]}  # fmt: skip
    said = page([told])
    rows = {line.split("|")[1].strip(): [c.strip() for c in line.split("|")[2:-1]] for line in said.splitlines()
            if line.startswith("| ")}  # fmt: skip
    assert rows["gan"][:5] == ["3", "7.33 ± 0.67", "7.00 ± 0.00", "50.0 ± 0.0 %", "0.20 ± 0.10"]
    assert rows["gan"][5:] == ["20", "1, 99.3 %", "6.3 ± 0.5, 98.2 %, 0.45 ± 0.09"]
    assert rows["mine"][0] == "1" and rows["mine"][6:] == ["", ""]
    assert rows["VEEGAN"] == ["", "", "", "", "", "", "8, 52.9 %", ""]
    assert rows["*a perfect sampler*"][1:5] == ["8", "", "", "0.00035 ± 0.0002"]
    assert "arXiv:1705.07761" in said and "radius 1" in said


def test_stacks_are_set_beside_stacks_and_the_classifier_is_told():
    told = {"data": "stacked-mnist", "modes": 1000, "samples": 26_000, "perfect": {"modes": [1000.0, 0.0]},
            "classifier": {"accuracy": 0.99, "stacks": 0.97, "images": 12_000},
            "cells": [cell("dcgan", 0)]}  # fmt: skip
    said = page([told])
    assert "99 , 3.4" not in said and "| 99, 3.4 | 78.9 ± 6.46, 4.5 ± 0.127 | 30.6 ± 20.73, 5.99 ± 0.42 |" in said
    assert "reads 99.00% of 12,000 held-out grey images right, and so 97.00% of real stacks" in said
    assert "8 x 8" in said and "high quality" not in said.split("##")[2].split("How the papers")[0]


def test_a_number_that_is_not_finite_is_told_as_such():
    assert _mean([1.0, None], "KL") == "not finite" and _mean([2.0], "KL") == "2"


def test_the_committed_page_is_that_of_the_committed_numbers():
    folder = results.places()[0]
    docs = folder.parent / "docs" / "modes.md"
    if list((folder / "modes").glob("*.json")):
        assert docs.read_text(encoding="utf-8") == page(table.read_all(folder)) + "\n"
    else:
        assert not docs.exists()

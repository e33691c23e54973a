"""The committed table of the small binary sets: its results' own, below every floor, a word on rows that are apart."""

import importlib.util
import json
from pathlib import Path
from statistics import fmean

import pytest

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results" / "small-binary"
_spec = importlib.util.spec_from_file_location("small_binary", ROOT / "benchmarks" / "small_binary.py")
assert _spec and _spec.loader
small_binary = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(small_binary)

SETS = ("dna", "mushrooms", "nips")


@pytest.mark.parametrize("name", SETS)
def test_every_model_is_there_and_below_every_floor(name):
    told = json.loads((RESULTS / f"{name}.json").read_text())
    assert set(told["models"]) == set(small_binary.MODELS)
    lowest = min(floor["nll"] for floor in told["floors"].values())
    for label, model in told["models"].items():
        assert model["nll"] + 2 * model["error"] < lowest, label
        assert model["nll"] == pytest.approx(fmean(model["seeds"])) and len(model["seeds"]) == 3


@pytest.mark.parametrize("name", SETS)
def test_the_setting_is_the_best_of_a_grid_that_was_tried_whole(name):
    for label, model in json.loads((RESULTS / f"{name}.json").read_text())["models"].items():
        tried = [trial["setting"] for trial in model["valid"]]
        assert all(setting in tried for setting in small_binary.settings(small_binary.MODELS[label])), label
        assert model["setting"] == min(model["valid"], key=lambda trial: trial["nll"])["setting"], label


def test_the_page_is_the_results_and_says_why_a_row_is_apart():
    page = (ROOT / "docs" / "small-binary.md").read_text()
    assert page == small_binary.page(RESULTS)
    assert "not yet known" not in page

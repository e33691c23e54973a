"""Every experiment at its quick budget, with its own verdict; and what their files must be."""

import ast
import json

import pytest
from PIL import Image

from adversaria.lab import running, shelf

NAMES = sorted(shelf.cards())
OPEN = {"convergence-race", "inception-score", "vae-collapse", "ali-reconstruction", "pixelvae-levels"}
"""Experiments whose claim does not hold at the quick budget: what they find stands on the page."""


@pytest.mark.parametrize("name", NAMES)
def test_the_claim_holds_at_the_quick_budget(name, tmp_path):
    (task,) = running.settings([name], tmp_path, quick=True, source="digits", seeds=0, command=str)
    done = running.run(task)
    assert done.holds == (name not in OPEN), done.lines
    told = json.loads((tmp_path / name / "numbers.json").read_text(), parse_constant=pytest.fail)
    assert told["verdict"] == ("holds" if done.holds else "does not hold") and told["said"] and told["findings"]
    for kept, line in zip(told["findings"], done.lines, strict=True):
        found = running.finding_of(kept)
        assert found.holds == kept["holds"] and (found.low > -float("inf") or found.high < float("inf"))
        assert str(found).split(":")[0] == line.split(":")[0]
    with Image.open(tmp_path / name / "figure.png") as picture:
        assert picture.width > 600 and len(picture.convert("L").getcolors(1 << 20)) > 10


@pytest.mark.parametrize("name", NAMES)
def test_a_file_says_what_it_asks_and_uses_the_library(name):
    card = shelf.find(name)
    text = card.path.read_text()
    assert len(text.splitlines()) < 120
    assert card.question.endswith("?") and card.setup and card.more
    assert card.sources and set(card.sources) <= set(shelf.LECTURES)
    tree = ast.parse(text)
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert {"run", "draw"} <= functions
    called = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not called & {"backward", "zero_grad"}, "the referee owns optimisation"
    bases = {ast.unparse(base) for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for base in node.bases}
    assert not any(base.endswith("Optimizer") for base in bases)

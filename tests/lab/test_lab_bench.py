"""What a finding says, what is kept of an experiment, and the commands."""

import json
import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from adversaria.lab import running, shelf
from adversaria.lab.bench import Bench, Finding, Outcome, above, below, near
from adversaria.lab.experiments import hard_architectures
from adversaria.lab.page import gallery, page

QUICK = ("run", "earth-mover-discrete", "--quick", "--jobs", "1", "--out", "lab")


def test_a_finding_speaks_of_the_median_and_counts_the_seeds():
    found = Finding("x", (0.9, 1.0, 5.0), 0.8, 1.2)
    assert found.value == 1.0 and found.agreed == 2 and found.holds
    assert "2 of 3 seeds agree" in str(found)
    assert not Finding("x", (0.9, 5.0, 5.0), 0.8, 1.2).holds
    assert above("x", 1.0, 1.0).holds and not above("x", 0.999, 1.0).holds
    assert below("x", [1.0], 1.0).holds and not below("x", 1.001, 1.0).holds
    assert near("x", 1.05, 1.0, 0.1).holds and not near("x", 1.2, 1.0, 0.1).holds
    assert not near("x", math.nan, 1.0, 0.1).holds and not above("x", math.nan, 1.0).holds
    assert str(near("x", 1.2, 1.0, 0.1)).endswith("must be 1 ± 0.1, and is not")
    assert not Outcome((near("x", 1.0, 1.0, 0.1), near("y", 2.0, 1.0, 0.1))).holds


def test_a_bench_has_its_budget_and_its_seeds(tmp_path):
    full, quick = (Bench(quick, "digits", tmp_path) for quick in (False, True))
    assert (full.pick(1, 2), quick.pick(1, 2)) == (2, 1)
    assert full.each(lambda trial: trial.seed) == [0, 1, 2, 3, 4] and quick.each(lambda trial: trial.seed) == [0]
    assert Bench(True, "digits", tmp_path, seeds=2).each(lambda trial: trial.quick) == [True, True]
    assert quick.images.name == "digits" and quick.trial(0, "ring8").data.name == "ring8"


def test_what_is_kept_is_json_whatever_was_measured():
    told = running._kept(running._arrays({"a": np.arange(3), "b": [torch.tensor(1 / 3), math.inf], "d": "x"}))
    assert told == {"a": [0, 1, 2], "b": [0.333333, None], "d": "x"}
    for many in (np.zeros((300, 300)), [torch.zeros(300)] * 300, {"a": [np.zeros(90_000)]}):
        assert running._kept(running._arrays(many)) == "90,000 numbers, in the figure"
    found = running.finding_of(running._found(Finding("x", (1.0, math.nan), low=0.5, unit="nats")))
    tight = running.finding_of(running._found(near("x", math.pi, math.pi, 1e-9)))
    assert tight.holds and tight.limits == "3.14159 ± 1e-09", "limits are not rounded away"
    assert found.low == 0.5 and found.high == math.inf and math.isnan(found.values[1]) and found.unit == "nats"


def test_where_wgan_gp_trains_alone_is_counted():
    scores = {"dcgan": {"a": 0.05, "b": 0.3, "c": 2.0}, "wgan": {"a": 0.02, "b": 0.11, "c": 0.1},
              "wgan-gp": {"a": 0.01, "b": 0.1, "c": 0.4}}  # fmt: skip
    assert hard_architectures.lead(scores) == ({"b"}, {"c"}, 0)
    assert hard_architectures.lead(scores | {"wgan-gp": scores["dcgan"]}) == (set(), {"c"}, -1)


def test_tiny_networks_are_narrow_at_the_full_budget(tmp_path, monkeypatch):
    asked = []

    def make(name, **changed):
        asked.append((changed["width"], changed["rounds"]))
        raise ZeroDivisionError

    monkeypatch.setattr(hard_architectures, "make", make)
    for tiny in (False, True):
        with pytest.raises(ZeroDivisionError):
            hard_architectures.run(Bench(False, "digits", tmp_path, tiny=tiny))
    assert asked == [(64, 2_000), (16, 2_000)]


def test_a_card_is_read_from_the_file_alone():
    card = shelf.find("earth-mover-discrete")
    assert card.question == "What does it cost to move one pile of dirt onto another?"
    assert card.equation.startswith("W(P, Q) = min_T") and "linear programming" in card.setup
    slips = [card.slip for card in shelf.cards().values() if card.slip]
    assert slips and not any(re.search(r"\b00[0-4]\b", slip) for slip in slips), "lectures have names"
    assert card.command(True) == "adversaria lab run earth-mover-discrete --quick"


def test_run_then_not_again_then_a_page_and_a_gallery(shell, tmp_path):
    out = shell("lab", *QUICK, check=0).stdout
    assert "holds           earth-mover-discrete" in out and "1 of 1 hold" in out
    assert "as before" in shell("lab", *QUICK, check=0).stdout
    assert "as before" not in shell("lab", *QUICK, "--again", check=0).stdout
    told = json.loads((tmp_path / "lab/earth-mover-discrete/numbers.json").read_text())
    assert told["command"] == "adversaria lab run earth-mover-discrete --quick"
    assert "lab/lab.html" in shell("lab", "report", check=0).stdout
    text = (tmp_path / "lab/lab.html").read_text()
    assert text.rstrip() == page(tmp_path / "lab")
    for part in ("one pile of dirt", "min_T", "data:image/webp", "holds", told["command"], "Villani"):
        assert part in text
    assert "<script" not in text and "http-equiv" in text
    shell("lab", "run", "earth-mover-discrete", "--seeds", "2", "--data", "digits-static", "--out", "other", check=0)
    told = json.loads((tmp_path / "other/earth-mover-discrete/numbers.json").read_text())
    assert told["command"] == "adversaria lab run earth-mover-discrete --data digits-static --seeds 2"
    (tmp_path / "docs").mkdir()
    shell("lab", "gallery", "--page", "docs/lab.md", check=0)
    written = (tmp_path / "docs/lab.md").read_text()
    assert written.rstrip() == gallery(tmp_path / "lab", tmp_path / "docs/lab.md")
    assert "](../lab/earth-mover-discrete/figure.png)" in written
    other = shell("lab", "run", "earth-mover-discrete", "--jobs", "1", "--out", "lab", check=0).stdout
    assert "as before" not in other, "another budget is another run"
    narrow = shell("lab", "run", "earth-mover-discrete", "--tiny", "--jobs", "1", "--out", "lab", check=0).stdout
    assert "as before" not in narrow, "and so are narrow networks"
    refused = shell("lab", *QUICK, check=2).stderr
    assert "earth-mover-discrete" in refused and "--again" in refused and "\n" not in refused.strip()
    assert json.loads((tmp_path / "lab/earth-mover-discrete/numbers.json").read_text())["tiny"]
    assert "1 of 1 hold" in shell("lab", *QUICK, "--again", check=0).stdout


def test_what_does_not_hold_or_breaks_is_told_and_the_rest_goes_on(shell, tmp_path, monkeypatch):
    from adversaria.lab.experiments import earth_mover_discrete as module

    shown = {"plan": torch.eye(4), "P": torch.ones(4), "Q": torch.ones(4)}
    monkeypatch.setattr(module, "run", lambda bench: Outcome((near("x", 2.0, 1.0, 0.1),), shown))
    out = shell("lab", *QUICK, check=1).stdout
    assert "DOES NOT HOLD" in out and "0 of 1 hold" in out
    monkeypatch.setattr(module, "run", lambda bench: 1 / 0)
    out = shell("lab", *QUICK, "--again", check=1).stdout
    assert "FAILED" in out and "ZeroDivisionError" in out and "1 failed" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["lsit"], "did you mean 'list'"),
        (["run"], "say all"),
        (["run", "paralel-lines"], "did you mean 'parallel-lines'"),
        (["run", "parallel-lines", "--jobs", "0"], "--jobs"),
        (["run", "parallel-lines", "--seeds", "-1"], "--seeds"),
        (["run", "parallel-lines", "--data", "nowhere"], "nowhere"),
        (["run", "parallel-lines", "--data", "ring8"], "take images"),
        (["report"], "lab run all --quick"),
        (["gallery", "--out", "elsewhere"], "elsewhere"),
    ],
)
def test_a_mistake_gets_one_line_and_code_2(shell, arguments, said):
    error = shell("lab", *arguments, check=2).stderr.strip()
    assert said in error and "\n" not in error


def test_list_has_every_question_without_torch(shell):
    lines = shell("lab", "list", check=0).stdout.splitlines()
    assert [line.split()[0] for line in lines] == sorted(shelf.cards())
    import subprocess

    code = "import sys; from adversaria.cli import main; main(['lab', 'list']); assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60).returncode == 0


def test_the_gallery_is_that_of_the_results_and_has_its_pictures():
    root = Path(__file__).parents[2]
    page, folder = root / "docs" / "lab.md", root / "results" / "lab"
    assert page.read_text().rstrip() == gallery(folder, page)
    assert {place.name for place in folder.iterdir()} == set(shelf.cards())
    for picture in re.findall(r"\]\((\S+\.png)\)", page.read_text()):
        assert (page.parent / picture).is_file()

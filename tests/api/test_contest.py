"""Training recipes at equal budget: what is there isn't trained again, and what can't be is refused at once."""

import json

import pytest

from adversaria.api import contest
from adversaria.api.run import Run
from adversaria.api.start import recipe
from adversaria.data import load
from adversaria.errors import UserError
from adversaria.runs.checking import Checker


@pytest.fixture(autouse=True)
def _unchecked(monkeypatch):
    monkeypatch.setattr(Checker, "due", lambda self, last: False)


def train(out, names=("gan", "wgan-gp"), source="ring8", seeds=2, budget=1.0, preset="smoke", tell=None):
    return contest.train_all(list(names), source, seeds, budget, out, preset, None, tell or (lambda line: None))


def stamps(folder):
    return {path: path.stat().st_mtime_ns for path in folder.glob("*/metrics.jsonl")}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checker, "due", lambda self, last: False)
        lines = []
        folder, runs = train(tmp_path_factory.mktemp("contest") / "a", tell=lines.append)
    return folder, runs, lines


def test_every_recipe_plays_with_every_seed_for_the_budget(trained):
    _, runs, lines = trained
    assert [run.path.name for run in runs] == ["gan-seed0", "gan-seed1", "wgan-gp-seed0", "wgan-gp-seed1"]
    assert [run.folder.config.seed for run in runs] == [0, 1, 0, 1]
    rounds = [run.folder.config.rounds for run in runs]
    assert rounds[0] == rounds[1] and rounds[2] == rounds[3]
    assert len(lines) == 5 and lines[0].startswith("4 runs of 1 s each, 4 s in all")
    assert all(run.round > 0 for run in runs if run.game)


def test_a_second_call_trains_nothing(trained):
    folder, runs, _ = trained
    before = stamps(folder)
    again = train(folder)[1]
    assert stamps(folder) == before and len(before) == 4
    assert [run.path for run in again] == [run.path for run in runs]


def test_a_missing_seed_plays_as_long_as_the_others(trained, monkeypatch):
    folder, runs, _ = trained
    monkeypatch.setattr(contest, "fitting", lambda *_: pytest.fail("timed anew"))
    more = train(folder, seeds=3)[1]
    assert len(more) == 6
    assert more[2].folder.config.rounds == runs[0].folder.config.rounds


@pytest.mark.parametrize("other", [{"source": "grid25"}, {"preset": None}, {"budget": 2.0}])
def test_runs_of_another_comparison_are_not_taken(trained, other):
    folder, _, _ = trained
    before = stamps(folder)
    with pytest.raises(UserError, match=f"holds runs of another comparison .*{'data' if 'source' in other else ''}"):
        train(folder, **other)
    assert stamps(folder) == before


def test_a_run_whose_time_is_up_gets_no_more(tmp_path, monkeypatch):
    monkeypatch.setattr(contest, "fitting", lambda *_: 10**6)  # as if the machine had slowed down since
    folder, runs = train(tmp_path / "a", budget=0.4, seeds=1)
    assert all(run.game and 0 < run.round < 10**6 for run in runs)
    before = stamps(folder)
    train(folder, budget=0.4, seeds=1)
    assert stamps(folder) == before


def test_a_run_that_was_interrupted_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(contest, "fitting", lambda *_: 40)

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Run, "play", interrupted)
        train(tmp_path / "a", budget=5.0, seeds=1)
    runs = train(tmp_path / "a", budget=5.0, seeds=1)[1]
    assert all(run.finished for run in runs) and len(runs) == 2


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"names": ["gan"]}, "give two or more, each once"),
        ({"names": ["gan", "gan"]}, "each once"),
        ({"names": ["gan", "wgan-pg"]}, "did you mean 'wgan-gp'"),
        ({"names": ["gan", ""]}, "unknown recipe ''"),
        ({"names": ["gan", "dcgan"]}, "plays on image data"),
        ({"source": "rng8"}, "did you mean 'ring8'"),
        ({"seeds": 0}, "--seeds is 0"),
        ({"preset": "smok"}, "did you mean 'smoke'"),
    ],
)
def test_a_mistake_is_told_before_anything_is_trained(tmp_path, asked, said):
    with pytest.raises(UserError, match=said):
        train(tmp_path / "a", **asked)
    assert not (tmp_path / "a").exists()


def test_rounds_are_those_that_fit(monkeypatch):
    made, data = recipe("gan", "smoke"), load("ring8")
    few, many = contest.fitting(made, data, 1.0), contest.fitting(made, data, 100.0)
    assert 20 * few < many < 500 * few  # a hundred times as many, but for the noise of the clock
    assert contest.fitting(recipe("vq-vae", "smoke"), load("digits"), 1e-6) == 2  # a round for each stage


def test_what_was_asked_is_noted(trained):
    told = json.loads((trained[0] / "contest.json").read_text())
    assert told == {"data": load("ring8").fingerprint, "preset": "smoke", "budget": 1.0, "over": told["over"]}
    assert {"gan-seed0", "gan-seed1", "wgan-gp-seed0", "wgan-gp-seed1"} <= set(told["over"])

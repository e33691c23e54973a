"""Training as a user calls it from Python."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

import adversaria as adv
from adversaria.data import Batch
from adversaria.errors import UserError
from adversaria.runs import checkpoints
from adversaria.runs.exhibits import nearest
from adversaria.runs.training import Training


def test_play_in_a_plain_script():
    spec = adv.DataSpec("points", (2,))
    stage = adv.recipe("gan", "smoke").game(spec).stage()
    seen = [r.number for r, _ in zip(adv.play(stage, [torch.randn(16, 2)], rounds=5), range(9), strict=False)]
    assert seen == [1, 2, 3, 4, 5]


def test_the_surface_is_about_ten_names_and_importing_it_is_cheap():
    code = "import sys, adversaria; assert 'torch' not in sys.modules; print(*dir(adversaria))"
    names = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"recipe", "train", "load_run", "play", "Run", "load"} <= set(names) and len(names) <= 12
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        adv.trian


def test_a_run_folder_holds_what_it_should(tmp_path):
    seen = []
    run = adv.train("gan", "ring8", rounds=40, out=tmp_path / "a", seed=3, every=10, watch=seen.append)
    assert [step.round for step in seen] == list(range(1, 41))
    assert seen[-1].sheet.is_file()
    names = {p.name for p in (tmp_path / "a").iterdir()}
    assert {"config.json", "recipe.py", "environment.json", "data.json", "metrics.jsonl", "checkpoints", "samples",
            "exhibits"} <= names  # fmt: skip
    last = run.history()[-1]
    assert last["round"] == 40 and last["stage"] == "main"
    assert set(last["terms"]) == {"discriminator", "generator"} == set(last["gradient_norms"])
    assert last["images_per_second"] > 0 and last["seconds"] > 0 and last["images"] == 40 * 2 * 256
    scores = [s for s in run.history("score") if "metric" not in s]
    assert [s["round"] for s in scores] == [10, 20, 30, 40]
    score = scores[-1]
    assert score["error"] > 0 and score["n"] == 1000 and score["protocol"]["split"] == "valid"
    assert json.loads((run.path / "environment.json").read_text())["torch"] == torch.__version__
    assert run.finished and run.sample(5).shape == (5, 2)


def test_minutes_stop_and_play_goes_on(tmp_path):
    run = adv.train("gan", "ring8", rounds=100_000, out=tmp_path / "a", minutes=1 / 60)
    reached = int(checkpoints.names(run.folder)[-1])
    assert not run.finished and 1 < reached < 100_000
    assert run.sample(5).shape == (5, 2)
    for step in run.steps():
        if step.round >= reached + 3:
            break
    assert step.round == reached + 3


def test_a_run_that_breaks_down_rolls_back_three_times_and_says_why(tmp_path, monkeypatch):
    recipe = adv.recipe("gan", "smoke", rounds=30)
    data = adv.load("ring8")
    at = data.batches(16, seed=0).at

    class Poisoned:
        def at(self, step):
            batch = at(step)
            return Batch(batch.x * float("nan")) if step >= 20 else batch

    monkeypatch.setattr(type(data), "batches", lambda *_, **__: Poisoned())
    with pytest.raises(UserError, match=r"broke down in round 20.*not finite: real.*rolled back 3 times"):
        adv.train(recipe, data, out=tmp_path / "a", every=5)
    monkeypatch.undo()
    run = adv.load_run(tmp_path / "a")
    events = [e["event"] for e in run.history("event")]
    assert events.count("rolled-back") == 3 and events[-1] == "broke-down"
    skipped = [r for r in run.history() if r["skipped"]]
    assert skipped and all(np.isfinite(list(r["terms"]["generator"].values())).all() for r in skipped)
    weights = checkpoints.newest(run.folder).tensors
    assert all(torch.isfinite(v).all() for k, v in weights.items() if k.startswith("game/"))


def test_one_bad_batch_is_skipped_and_play_goes_on(tmp_path, monkeypatch):
    data = adv.load("ring8")
    at = data.batches(16, seed=0).at

    class Poisoned:
        def at(self, step):
            return Batch(at(step).x * (float("inf") if step == 20 else 1.0))

    monkeypatch.setattr(type(data), "batches", lambda *_, **__: Poisoned())
    run = adv.train(adv.recipe("gan", "smoke", rounds=30), data, out=tmp_path / "a", every=10)
    assert run.finished
    assert [(r["round"], r["skipped"]) for r in run.history() if r["skipped"]] == [(11, {"discriminator": 1})]


def test_tensorboard_gets_the_same_numbers(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = adv.train(adv.recipe("gan", "smoke"), "ring8", out=tmp_path / "a", tensorboard=True)
    events = EventAccumulator(str(run.path / "tensorboard")).Reload()
    logged = [(s.step, s.value) for s in events.Scalars("generator/non-saturating")]
    ours = [(r["round"], r["terms"]["generator"]["non-saturating"]) for r in run.history()]
    assert [step for step, _ in logged] == [step for step, _ in ours]
    np.testing.assert_allclose([v for _, v in logged], [v for _, v in ours], rtol=1e-6)


def test_sampling_while_training_does_not_change_training(tmp_path):
    often = adv.train(adv.recipe("dcgan", "smoke", rounds=8), "digits", out=tmp_path / "a", every=1)
    seldom = adv.train(adv.recipe("dcgan", "smoke", rounds=8), "digits", out=tmp_path / "b", every=8)
    one, two = checkpoints.newest(often.folder).tensors, checkpoints.newest(seldom.folder).tensors
    assert all(torch.equal(value, two[key]) for key, value in one.items())


def test_neighbours_are_found_piece_by_piece():
    data = adv.load("digits")
    pool = data.members("train")[0][:500]
    x = data.examples(20, "test").x.flatten(1)
    distance, places = nearest(x, data, pool, k=3, piece=64)
    rows = data.spec.to_game(data.store.gather(pool)).flatten(1).double()
    every = torch.cdist(x.double(), rows, compute_mode="donot_use_mm_for_euclid_dist")
    torch.testing.assert_close(distance.double(), every.topk(3, 1, largest=False).values, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(places, pool[every.topk(3, 1, largest=False).indices])
    copies = data.spec.to_game(data.store.gather(pool[:5])).flatten(1)
    assert (nearest(copies, data, pool, 1)[0] == 0).all()


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path):
    run = adv.train(adv.recipe("gan", "smoke"), "ring8", out=tmp_path / "a")
    other = adv.recipe("gan", "smoke", hidden=17)
    run.folder.write_config(run.folder.config.__class__(**{**run.folder.config.__dict__, "fields": other.fields()}))
    with pytest.raises(UserError, match="doesn't fit this game"):
        adv.load_run(tmp_path / "a").sample(3)


def test_the_number_of_threads_is_the_run_s(tmp_path):
    run = adv.train(adv.recipe("gan", "smoke"), "ring8", out=tmp_path / "a")
    assert run.folder.config.threads == torch.get_num_threads()
    assert Training(run.folder, run.recipe, run.data).config.threads == torch.get_num_threads()

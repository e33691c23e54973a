"""A checkpoint that is visible is whole; one that was damaged is noticed; the last two and the best are kept."""

import errno
import json
import os
import shutil

import pytest
import torch

import adversaria as adv
from adversaria.data import load
from adversaria.errors import UserError
from adversaria.runs import checkpoints
from adversaria.runs.checkpoints import Checkpoint, DamagedError
from adversaria.runs.folder import RunFolder


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path)
    for number in (1, 2, 3, 4):
        state = Checkpoint(number, {"x": torch.full((50,), float(number)), "n": torch.arange(3)}, {"stage": "main"})
        checkpoints.write(folder, state, score={1: 5.0, 2: 1.0, 3: 2.0, 4: None}[number])
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return adv.train(adv.recipe("gan", "smoke", rounds=20), "ring8", out=tmp_path_factory.mktemp("run") / "a", every=5)


@pytest.fixture
def run(trained, tmp_path):
    shutil.copytree(trained.path, tmp_path / "a")
    return tmp_path / "a"


def test_the_last_two_and_the_best_are_kept(folder):
    assert checkpoints.names(folder) == ["00000002", "00000003", "00000004"]
    assert checkpoints.best(folder) == "00000002"
    assert torch.equal(checkpoints.read(folder, "00000002").tensors["x"], torch.full((50,), 2.0))


def damage(place, how):
    state = place / "state.safetensors"
    content = state.read_bytes()
    if how == "truncated":
        state.write_bytes(content[: len(content) // 2])
    elif how == "empty":
        state.write_bytes(b"")
    elif how == "bit":
        state.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    elif how == "header":
        state.write_bytes(bytes([content[0] ^ 0xFF]) + content[1:])
    elif how == "facts":
        (place / "facts.json").write_text((place / "facts.json").read_text().replace("4", "5", 1))
    elif how == "manifest":
        (place / "manifest.json").unlink()
    elif how == "manifest is a list":
        (place / "manifest.json").write_text("[1]")
    elif how == "no state":
        state.unlink()


HOWS = ["truncated", "empty", "bit", "header", "facts", "manifest", "manifest is a list", "no state"]


@pytest.mark.parametrize("how", HOWS)
def test_a_damaged_newest_one_is_told_of_and_the_one_before_is_used(folder, how):
    damage(folder.path / "checkpoints" / "00000004", how)
    with pytest.raises(DamagedError):
        checkpoints.read(folder, "00000004")
    assert checkpoints.newest(folder).round == 3
    (event,) = folder.records("event")
    assert event["event"] == "damaged-checkpoint" and "00000004" in event["text"]


def test_all_damaged_is_a_clear_stop(folder):
    for name in checkpoints.names(folder):
        damage(folder.path / "checkpoints" / name, "bit")
    with pytest.raises(UserError, match=r"all checkpoints .* are damaged"):
        checkpoints.newest(folder)


@pytest.mark.parametrize("step", ["mkdir", "write", "fsync", "rename"])
def test_a_write_that_fails_leaves_the_older_ones(folder, step, monkeypatch):
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fail(*_, **__):
        raise full

    targets = {
        "mkdir": ("pathlib.Path.mkdir", fail),
        "write": ("adversaria.runs.checkpoints._write_synced", fail),
        "fsync": ("os.fsync", fail),
        "rename": ("pathlib.Path.rename", fail),
    }
    monkeypatch.setattr(*targets[step])
    with pytest.raises(OSError, match="No space"):
        checkpoints.write(folder, Checkpoint(5, {"x": torch.zeros(3)}, {}), None)
    monkeypatch.undo()
    assert checkpoints.names(folder) == ["00000002", "00000003", "00000004"]
    assert not list(folder.path.glob("checkpoints/.0*"))
    assert checkpoints.newest(folder).round == 4


def test_disk_full_while_training_is_one_line_and_keeps_the_checkpoints(run, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(checkpoints, "_write_synced", fail)
    with pytest.raises(UserError, match=r"disk of .* is full"):
        adv.load_run(run).play(rounds=30)
    monkeypatch.undo()
    again = adv.load_run(run)
    assert not again.finished and checkpoints.newest(again.folder).round == 20
    assert again.play().finished


def test_a_damaged_checkpoint_is_named_and_play_goes_on_from_the_one_before(run):
    damage(run / "checkpoints" / "00000020", "bit")
    again = adv.load_run(run)
    assert again.game is not None and again.round == 15
    again.play()
    assert any(e["event"] == "damaged-checkpoint" for e in again.history("event"))
    assert checkpoints.newest(again.folder).round == 20


def test_a_newer_format_asks_for_an_upgrade(run):
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "format": 99, "new": 1}))
    with pytest.raises(UserError, match=r"format 99.*upgrade"):
        adv.load_run(run)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"colour": 1}, "colour"),
        ({"seed": "x"}, "seed is 'x'"),
        ({"fields": {"latnt": 3}}, "latnt"),
        ({"recipe": "gam"}, "did you mean 'gan'"),
    ],
)
def test_a_config_that_was_edited_wrongly_is_told_of(run, change, said):
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(UserError, match=said):
        adv.load_run(run)


def test_a_config_that_is_no_json_is_told_of(run):
    (run / "config.json").write_text('{"format": 1,')
    with pytest.raises(UserError, match=r"config\.json is damaged"):
        adv.load_run(run)


def test_a_torn_log_line_is_passed_over_and_played_again_rounds_count_once(run):
    folder = RunFolder(run)
    before = folder.records("round")
    with (run / "metrics.jsonl").open("a") as log:
        log.write(json.dumps(before[3]) + "\n" + '{"kind": "round", "rou')
    assert folder.records("round") == before


def test_extending_a_run_goes_on_with_it(run):
    again = adv.load_run(run).play(rounds=30)
    assert again.folder.config.rounds == 30 and again.recipe.rounds == 30 and again.finished
    assert [r["round"] for r in again.history()][-1] == 30
    with pytest.raises(UserError, match="has 30 rounds, 10 asked for"):
        again.play(rounds=10)


def test_data_that_have_changed_are_noticed(tmp_path):
    import numpy as np

    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32))
    run = adv.train(adv.recipe("gan", "smoke"), tmp_path / "x.npy", out=tmp_path / "a")
    assert run.sample(3).shape == (3, 2)
    np.save(tmp_path / "x.npy", np.random.default_rng(1).normal(size=(200, 2)).astype(np.float32))
    with pytest.raises(UserError, match="have changed since"):
        adv.load_run(tmp_path / "a").sample(3)


def test_a_run_on_an_array_asks_for_it_again(tmp_path):
    import numpy as np

    x = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)
    adv.train(adv.recipe("gan", "smoke"), x, out=tmp_path / "a")
    run = adv.load_run(tmp_path / "a")
    with pytest.raises(UserError, match="array in memory"):
        run.sample(3)
    run.data = load(x)
    assert run.sample(3).shape == (3, 2)


def test_a_folder_that_holds_a_run_is_not_overwritten(run):
    with pytest.raises(UserError, match="holds a run already"):
        adv.train(adv.recipe("gan", "smoke"), "ring8", out=run)

"""Checks while training: scores and verdicts in the log, within their share, and without a trace in the weights."""

import json
import time

import pytest
import torch

import adversaria as adv
from adversaria.data import load
from adversaria.errors import UserError
from adversaria.runs import checkpoints
from adversaria.runs.checking import SHARE, Checker
from adversaria.runs.folder import RunFolder

NAMES = {
    "fit", "collapse", "memorisation", "blur", "posterior collapse", "unused codes", "discriminator overfit",
    "vanishing gradient", "cycling", "divergence",
}  # fmt: skip
CASES = {"gan": "ring8", "vae": "digits", "seqgan": "oracle-tokens"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Each case in one go, with its checks made at every checkpoint."""
    place = tmp_path_factory.mktemp("checked")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checker, "due", lambda self, last: self.n >= 20)
        for name, data in CASES.items():
            adv.train(adv.recipe(name, "smoke"), data, rounds=6, out=place / name, every=3)
    return place


def tensors(folder):
    return checkpoints.newest(RunFolder(folder)).tensors


@pytest.mark.parametrize("name", CASES)
def test_the_log_has_every_verdict_and_quick_scores(trained, name):
    folder = RunFolder(trained / name)
    said = folder.records("verdict")
    for at in {record["round"] for record in said}:
        assert sorted(record["name"] for record in said if record["round"] == at) == sorted(NAMES)
    assert 6 in {record["round"] for record in said} and len({record["round"] for record in said}) >= 2
    assert all(record["sentence"] and record["state"] for record in said)
    scores = {record.get("metric") for record in folder.records("score")}
    assert {"precision", "coverage", "copying", "bins"} <= scores
    assert "kernel" not in scores  # not a quick one
    for line in (folder.path / "metrics.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=pytest.fail)


@pytest.mark.parametrize("name", CASES)
def test_checks_leave_the_bits_of_training_alone(trained, tmp_path, monkeypatch, name):
    monkeypatch.setattr(Checker, "due", lambda self, last: False)
    adv.train(adv.recipe(name, "smoke"), CASES[name], rounds=6, out=tmp_path / name, every=3)
    without, checked = tensors(tmp_path / name), tensors(trained / name)
    assert without.keys() == checked.keys()
    assert all(torch.equal(without[key], checked[key]) for key in checked)
    assert not RunFolder(tmp_path / name).records("verdict")


def test_stopping_between_checks_changes_nothing(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(Checker, "due", lambda self, last: self.n >= 20)
    run = adv.train(adv.recipe("vae", "smoke"), "digits", rounds=6, out=tmp_path / "vae", every=3, minutes=0)
    while not run.finished:
        run = adv.load_run(tmp_path / "vae").play(every=3, minutes=0)
    whole, parts = tensors(trained / "vae"), tensors(tmp_path / "vae")
    assert all(torch.equal(whole[key], parts[key]) for key in whole)

    def scores(path):
        return {(r["round"], r["metric"]): r["value"] for r in RunFolder(path).records("score") if "metric" in r}

    told = scores(tmp_path / "vae")
    assert told == {key: value for key, value in scores(trained / "vae").items() if key in told} and told


def test_a_check_waits_until_there_is_time_for_it(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    checker = Checker(RunFolder(tmp_path), load("digits"))
    checked = []
    for second in range(1, 1001):
        clock[0] = float(second)
        if checker.due(last=False):
            checked.append(second)
            checker.cost = 2.0
            checker.spent += checker.cost
        assert checker.spent <= max(SHARE * second, 2.0)
    assert len(checked) >= 0.9 * SHARE * 1000 / 2
    checker.spent = 1e9
    assert not checker.due(last=False) and checker.due(last=True)


def test_too_few_validation_examples_for_a_check(tmp_path):
    data = load("digits")
    checker = Checker(RunFolder(tmp_path), data)
    checker.n = 19
    assert not checker.due(last=True)


def spoilt(run):
    with torch.no_grad():
        for values in run.game.state_dict().values():  # averaged weights too: samples are theirs
            if values.is_floating_point():
                values.fill_(float("nan"))
    return run.game


@pytest.mark.parametrize("name", CASES)
def test_a_model_that_diverged_is_a_verdict_and_no_error(trained, name):
    run = adv.load_run(trained / name)
    said = Checker(run.folder, run.data).check(spoilt(run), 6)
    assert {record["name"]: record["state"] for record in said} == dict.fromkeys(NAMES, "not applicable") | {
        "divergence": "fail"
    }
    sentence = next(record["sentence"] for record in said if record["name"] == "divergence")
    assert "not finite" in sentence


def test_what_cannot_be_checked_does_not_end_training(trained, monkeypatch):
    run = adv.load_run(trained / "gan")

    def refused(*_, **__):
        raise UserError("no features for these; give others")

    monkeypatch.setattr("adversaria.runs.checking.features_for", refused)
    (record,) = Checker(run.folder, run.data).check(run.game, 6)
    assert (record["name"], record["state"]) == ("fit", "not applicable") and "no features" in record["sentence"]

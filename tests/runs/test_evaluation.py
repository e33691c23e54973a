"""Evaluating and diagnosing a run of every kind of system: numbers with what they rest on, words, the same twice."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import adversaria as adv
from adversaria import catalogue
from adversaria.data import load
from adversaria.errors import UserError
from adversaria.evaluation.choice import features_for
from adversaria.evaluation.sets import prepare
from adversaria.evaluation.suite import METRICS
from adversaria.metrics.estimate import Estimate
from adversaria.runs import checkpoints, evaluation
from adversaria.runs.checking import Checker
from adversaria.runs.folder import RunFolder

DATA = {"gan": "ring8", "unrolled-gan": "ring8", "seqgan": "oracle-tokens"} | {
    name: "ring8" for name in catalogue.entries() if catalogue.make(name, "smoke").KINDS[0] == "points"
}
N = 80


def one_of_a_kind():
    """Of all systems that can do the same on the same kind of data, the first: evaluation sees nothing else of them."""
    seen, specs = {}, {source: load(source).spec for source in {"digits", *DATA.values()}}
    for name in catalogue.entries():
        recipe = catalogue.make(name, "smoke")
        spec = recipe.spec_for(specs[DATA.get(name, "digits")])
        game = recipe.build(spec)
        seen.setdefault((spec.kind, game.condition, game.codebook > 0, *sorted(game.abilities)), name)
    return list(seen.values())


NAMES = one_of_a_kind()
VERDICTS = sorted([
    "fit", "collapse", "memorisation", "blur", "posterior collapse", "unused codes", "discriminator overfit",
    "vanishing gradient", "cycling", "divergence",
])  # fmt: skip


class Runs:
    """Short runs, each trained when it is first asked for."""

    def __init__(self, place):
        self.place = place

    def __truediv__(self, name):
        if not (self.place / name).exists():
            adv.train(adv.recipe(name, "smoke"), DATA.get(name, "digits"), out=self.place / name)
        return self.place / name


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Runs of systems, unchecked while training."""
    place = tmp_path_factory.mktemp("evaluated")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checker, "due", lambda self, last: False)
        patch.setattr("adversaria.runs.diagnosis.PROBE", 60)
        patch.setitem(prepare.__kwdefaults__, "most", 2000)  # of 100,000 training examples, for the sake of speed
        yield Runs(place)


def features(name):
    return "pixels" if DATA.get(name) else "pca"


def size(name):
    return 30 if name == "cyclegan" else N  # of two domains, few held-out examples are left


def strict(path):
    return json.loads(path.read_text(), parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


def steady(told):
    return {key: value for key, value in told.items() if key not in ("time", "seconds")}


@pytest.mark.parametrize("name", NAMES)
def test_evaluation_of_every_kind_of_system_says_what_it_rests_on(runs, name):
    run = adv.load_run(runs / name)
    told = run.evaluate(size(name), features=features(name))
    kept = strict(run.path / "evaluation.json")
    assert steady(kept) == steady(told)
    assert (told["n"], told["n_real"], told["round"]) == (size(name), size(name), run.round)
    for values in told["estimates"]:
        estimate, facts = Estimate.from_dict(values), values["protocol"]
        assert estimate.n > 0 and estimate.name
        assert {"data", "data_fingerprint", "split", "seed"} <= facts.keys()
        if METRICS[next(m for m, entry in METRICS.items() if values["metric"] in entry.gives)].in_features:
            assert facts["features"] == told["features"]["name"] and len(facts["features_hash"]) == 12
            assert f"[{facts['features']}]" in estimate.name
    found = {values["metric"] for values in told["estimates"]}
    assert found or told["undefined"]
    for metric, entry in METRICS.items():
        assert found & set(entry.gives) or told["undefined"][metric], metric
    for picture in told["pictures"]:
        with Image.open(run.path / "exhibits" / f"{picture}.png") as image:
            assert image.width > 20
    assert ("closest-to-training" in told["pictures"]) == (run.data.spec.kind == "image")


@pytest.mark.parametrize("name", ["gan", "vae", "seqgan"])
def test_an_evaluation_says_the_same_again(runs, name):
    told = []
    for state in (1, 123):
        torch.manual_seed(state)  # whatever the generator's state
        told.append(steady(adv.load_run(runs / name).evaluate(size(name), features=features(name))))
    assert told[0] == told[1]


@pytest.mark.parametrize("name", NAMES)
def test_diagnosis_of_every_kind_of_system_has_every_verdict_once(runs, name):
    run = adv.load_run(runs / name)
    said = run.diagnose(size(name), features=features(name))
    kept = strict(run.path / "diagnosis.json")
    assert sorted(verdict.name for verdict in said) == VERDICTS
    assert [verdict["name"] for verdict in kept["verdicts"]] == [verdict.name for verdict in said]
    assert kept["round"] == run.round
    for verdict in said:
        assert verdict.sentence and not verdict.sentence.startswith("not applicable")
        assert verdict.state == "not applicable" or verdict.evidence
        assert verdict.state != "fail" or verdict.advice


def test_an_evaluation_is_that_of_the_same_samples_as_an_array(runs):
    run = adv.load_run(runs / "vae")
    told = run.evaluate(N, features="pca", metrics=["frechet", "kernel", "coverage", "mmd", "copies"])
    x = evaluation.samples_of(run.game, run.data, N)
    x = run.data.spec.to_game(run.data.spec.to_user(x))  # as they come back from a file
    again = evaluation.evaluate(prepare(run.data, x, features_for(run.data, "pca")),
                                ["frechet", "kernel", "coverage", "mmd", "copies"])  # fmt: skip
    assert again["estimates"] == told["estimates"]


def test_a_subset_joins_what_was_measured_under_the_same_protocol(runs, tmp_path):
    shutil.copytree(runs / "vae", tmp_path / "vae")
    (tmp_path / "vae" / "evaluation.json").unlink(missing_ok=True)
    run = adv.load_run(tmp_path / "vae")

    def kept():
        return [values["metric"] for values in strict(run.path / "evaluation.json")["estimates"]]

    first = run.evaluate(N, features="pca", metrics=["coverage", "likelihood"])
    assert [values["metric"] for values in first["estimates"]] == kept() == ["coverage", "likelihood"]
    second = run.evaluate(N, features="pca", metrics=["frechet", "modes"])
    assert [values["metric"] for values in second["estimates"]] == ["frechet"] and "modes" in second["undefined"]
    assert kept() == ["frechet", "coverage", "likelihood"]
    whole = strict(run.path / "evaluation.json")
    assert "modes" in whole["undefined"]
    assert whole["estimates"][1:] == first["estimates"]
    run.evaluate(N, features="pca", metrics=["vendi"], seed=1)  # other samples: the old numbers go
    assert kept() == ["vendi"]
    run.evaluate(N, features="pixels", metrics=["coverage"], seed=1)
    assert kept() == ["coverage"]


def test_what_has_become_known_is_no_longer_undefined():
    common = {"format": 1, "round": 3, "n": 10, "against": "test", "seed": 0, "features": {"hash": "a"}, "pictures": {}}
    before = common | {"estimates": [], "undefined": {"manifold": "too few", "codes": "no codebook", "gone": "?"}}
    told = common | {"estimates": [{"metric": "coverage"}], "undefined": {}}
    assert evaluation.joined(before, told)["undefined"] == {"codes": "no codebook"}
    assert evaluation.joined(None, told) == told
    assert evaluation.joined(before | {"n": 11}, told) == told
    assert evaluation.joined(before | {"features": {"hash": "b"}}, told) == told


def test_plain_values_are_strict_json():
    told = evaluation.plain({1: (np.float32(0.5), float("nan")), "a": [np.inf, -np.inf], "b": torch.tensor([1, 2])})
    assert told == {"1": [0.5, None], "a": ["inf", "-inf"], "b": [1, 2]}
    json.dumps(told, allow_nan=False)


def test_estimates_survive_their_json(runs):
    for values in adv.load_run(runs / "gan").evaluate(N)["estimates"]:
        estimate = Estimate.from_dict(values)
        again = Estimate.from_dict(json.loads(json.dumps(evaluation.plain(estimate.to_dict()), allow_nan=False)))
        assert evaluation.plain(again.to_dict()) == evaluation.plain(estimate.to_dict())
        assert estimate.fingerprint == values["fingerprint"]


@pytest.mark.parametrize("against", ["test", "valid", "train"])
def test_the_reference_is_the_split_asked_for(runs, against):
    run = adv.load_run(runs / "vae")
    told = run.evaluate(features="pca", metrics=["frechet"], against=against)
    wanted = {"test": run.data.size("test") + run.data.size("valid"), "valid": run.data.size("valid")}
    assert told["n_real"] == wanted.get(against, run.data.size("train"))
    assert told["against"] == {"test": "test and valid"}.get(against, against)
    assert run.evaluate(N, features="pca", metrics=["copies"], against="train")["undefined"].keys() == {"copies"}


def test_more_samples_than_real_examples(runs):
    told = adv.load_run(runs / "vae").evaluate(2000, features="pca", metrics=["frechet", "coverage"])
    assert (told["n"], told["n_real"]) == (2000, 358)
    by = {values["metric"]: Estimate.from_dict(values) for values in told["estimates"]}
    assert by["frechet"].null is None  # there aren't 2000 other real examples
    assert by["coverage"].null is not None  # known exactly


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"metrics": ["coverag"]}, "did you mean 'coverage'"),
        ({"features": "nonsense"}, "give pixels, pca, trained"),
        ({"features": "no/such.py"}, "no features 'no/such.py'"),
        ({"against": "nonsense"}, "unknown reference"),
        ({"n": 5}, "10 of each at least"),
        ({"n": 20, "anneal": 5, "sigma": -1.0}, "positive number"),
    ],
)
def test_what_cannot_be_had_is_one_line(runs, options, said):
    with pytest.raises(UserError, match=said) as caught:
        adv.load_run(runs / "vae").evaluate(**({"features": "pca"} | options))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "sigma"), [("vae", None), ("vae", 0.5), ("gan", None), ("gan", 0.1)])
def test_annealing_states_its_kind_and_sigma(runs, name, sigma):
    run = adv.load_run(runs / name)
    told = run.evaluate(N, features=features(name), metrics=["vendi"], anneal=5, temperatures=4, sigma=sigma)
    by = {values["metric"]: values for values in told["estimates"]}
    facts = by["annealed"]["protocol"]
    assert by["annealed"]["n"] == 5 and "T=4" in facts["kind"]
    if name == "vae" and sigma is None:
        assert "sigma" not in facts["kind"] and "annealing-gap" not in by
    else:
        assert float(facts["kind"].split("sigma=")[1].rstrip(")")) > 0 and "annealing-gap" in by
        assert sigma is None or f"sigma={sigma}" in facts["kind"]


def test_annealing_without_a_prior_is_refused_before_anything_is_measured(runs, monkeypatch):
    monkeypatch.setattr("adversaria.api.assess.measure", lambda *_, **__: pytest.fail("measured first"))
    with pytest.raises(UserError, match="prior"):
        adv.load_run(runs / "cgan").evaluate(N, features="pca", anneal=5, temperatures=5)


def diverged(source, folder):
    """A copy of a run whose newest checkpoint holds no numbers any more."""
    shutil.copytree(source, folder)
    for name in ("evaluation.json", "diagnosis.json"):
        (folder / name).unlink(missing_ok=True)
    found = checkpoints.newest(RunFolder(folder))
    spoilt = {key: torch.full_like(v, torch.nan) if v.is_floating_point() else v for key, v in found.tensors.items()}
    checkpoints.write(RunFolder(folder), checkpoints.Checkpoint(found.round, spoilt, found.facts), None)
    return adv.load_run(folder)


@pytest.mark.parametrize("name", ["vae", "gan", "vq-vae", "seqgan", "cyclegan"])
def test_a_model_that_diverged_is_diagnosed_and_not_measured(runs, tmp_path, name):
    run = diverged(runs / name, tmp_path / name)
    first, *others = run.diagnose(size(name), features=features(name))
    assert (first.name, first.state) == ("divergence", "fail") and "not finite" in first.sentence and first.advice
    assert {verdict.state for verdict in others} == {"not applicable"}
    assert sorted([first.name, *(verdict.name for verdict in others)]) == VERDICTS
    assert strict(run.path / "diagnosis.json")["verdicts"][0]["state"] == "fail"
    with pytest.raises(evaluation.DivergedError, match="not finite"):
        run.evaluate(size(name), features=features(name))
    assert not (run.path / "evaluation.json").exists()


def test_another_error_while_sampling_is_not_taken_for_divergence(runs):
    run = adv.load_run(runs / "vae")

    def broken(*_, **__):
        raise RuntimeError("out of memory")

    run.game.abilities["sample"] = broken
    with pytest.raises(RuntimeError, match="out of memory"):
        evaluation.samples_of(run.game, run.data, N)


def test_dynamics_are_a_sentence_each(runs):
    told = adv.load_run(runs / "gan").dynamics()
    assert list(told) == ["eigenvalues", "rotation", "path", "duality gap"]
    assert not any(sentence.startswith("not applicable") for sentence in told.values()), told
    alone = adv.load_run(runs / "vae").dynamics()
    assert all(sentence.count("not applicable") <= 1 for sentence in alone.values())


def test_labels_are_drawn_as_in_the_training_set(runs):
    run = adv.load_run(runs / "cgan")
    given = evaluation.conditions(run.game, run.data, 20_000, 0)
    law = np.bincount(run.data.labels[run.data.members("train")[0]], minlength=10)
    shares = np.bincount(given, minlength=10) / 20_000
    assert np.abs(shares - law / law.sum()).max() < 4 * np.sqrt(0.1 * 0.9 / 20_000)

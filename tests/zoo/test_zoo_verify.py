"""From checks to results to states, with checks that take milliseconds."""

import json
import math
import subprocess
import sys
from dataclasses import replace

import fake_claims
import fake_trouble
import numpy as np
import pytest
from PIL import Image
from scipy import stats

from adversaria import catalogue, load
from adversaria.claims.check import Check, Measured, Trial
from adversaria.cli import main
from adversaria.errors import UserError
from adversaria.evaluation.likelihoods import CODED
from adversaria.zoo import results, verify
from adversaria.zoo.results import Result


@pytest.fixture
def run(tmp_path):
    """Runs the fake checks, and returns results by quantity; `lines` has what was said."""

    def run(module="fake_claims", **options):
        run.lines = []
        found = verify.verify("gan", module=module, folder=tmp_path, say=run.lines.append, command="typed", **options)
        return {r.quantity: r for r in found}

    return run


def row(path, quantity):
    return next(r for r in json.loads(path.read_text())["checks"] if r["quantity"] == quantity)


def test_a_check_s_outcome_is_that_of_its_seeds(run, tmp_path):
    told = run()["number"]
    values = [2.0, 2.1, 2.2, 2.3]
    low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert list(told.seeds) == [0, 1, 2, 3] and list(told.values) == pytest.approx(values)
    assert (told.mean, *told.interval) == pytest.approx((np.mean(values), low, high))
    assert told.verdict == "holds" and str(told).startswith("holds: 2.15 [1.94, 2.36] >= 1.5, 4 seeds, made up (20")
    written = row(tmp_path / "gan" / "made up.json", "number")
    assert written["command"] == "typed" and written["machine"]["threads"] == 1 and len(written["code"]) == 16
    assert {"commit", "trained", "seconds", "fingerprint", "threshold", "holds", "quick"} <= written.keys()


def test_with_an_ablation_the_paired_difference_is_judged(run, tmp_path):
    told = run()["first"]
    assert list(told.against) == [0.5] * 4 and told.mean == pytest.approx(2.5 - 0.5)
    assert told.interval_of == "t, 3 degrees of freedom, paired differences"
    assert row(tmp_path / "gan" / "made up.json", "first")["facts"] == [{"kl": "inf"}] * 4


def test_true_or_false_is_judged_as_a_share_of_seeds(run):
    told = run()["second"]
    assert list(told.values) == [True, True, False, False] and told.interval_of == "Clopper-Pearson"
    assert told.verdict == "inconclusive" and told.interval == pytest.approx((0.0676, 0.9324), abs=1e-4)


def test_what_is_written_is_read_back_as_it_was(run, tmp_path):
    found = run(seeds=1)  # the interval of one seed is unbounded, which JSON can't say
    entry = catalogue.find("gan")
    again = {r.quantity: r for r in results.read(entry, [tmp_path])}
    assert again["number"].interval == (-math.inf, math.inf)
    assert {k: str(v) for k, v in again.items()} == {k: str(v) for k, v in found.items()}
    assert again["first"].facts == found["first"].facts and again["first"].code == found["first"].code


def test_quick_has_fewer_seeds_and_stands_beside_the_full_result(run, tmp_path):
    full, quick = run()["number"], run(quick=True)["number"]
    assert (len(full.seeds), len(quick.seeds)) == (4, 3) and "made up, quick (" in str(quick)
    kept = results.read(catalogue.find("gan"), [tmp_path])
    assert {(r.quick, len(r.seeds)) for r in kept if r.quantity == "number"} == {(False, 4), (True, 3)}


def test_pixels_that_were_jpeg_coded_are_said_to_be(run, tmp_path):
    for k in range(40):
        place = tmp_path / "images" / "ab"[k % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(k).integers(0, 256, (8, 8, 3), np.uint8)).save(place / f"{k}.jpg")
    told = run(data=str(tmp_path / "images"))["on_data"]
    assert told.facts == [{"pixels": CODED}] * 4 and CODED in run.lines
    assert not run(data="digits")["on_data"].facts and CODED not in run.lines


def test_checks_that_share_a_measure_share_its_trainings(run):
    run()
    assert sum("first" in line for line in run.lines) == sum("second" in line for line in run.lines) == 4
    plans = verify.plans_for("fake_claims", fake_claims.CHECKS, False, None, None, print)
    assert [plan.checks for plan in plans] == [(0,), (1, 2), (3,)]


def test_data_are_the_check_s_own_or_those_it_is_made_for(run):
    assert run()["on_data"].data == "digits" and "left out, it needs MNIST (--data PATH): needs more" in run.lines
    told = run(data="ring8")
    assert list(told) == ["on_data"] and told["on_data"].verdict == "does not hold"
    assert told["on_data"].fingerprint == load("ring8").fingerprint
    with pytest.raises(UserError, match="no check is for grid25; take digits, made up, ring8"):
        run(data="grid25")


def test_data_of_one_s_own_are_taken_where_they_fit(tmp_path):
    np.savez(tmp_path / "mine.npz", images=np.zeros((40, 9, 9), np.uint8), labels=np.arange(40) % 4)
    np.save(tmp_path / "bare.npy", np.zeros((40, 9, 9), np.uint8))
    check = fake_claims.CHECKS[3]
    assert verify.source_for(check, str(tmp_path / "mine.npz"))[0] == str(tmp_path / "mine.npz")
    assert verify.source_for(check, str(tmp_path / "bare.npy")) == (None, "it is for labelled images")
    assert verify.source_for(replace(check, own="images"), str(tmp_path / "bare.npy"))[0]


def test_images_of_one_s_own_are_made_black_and_white_for_the_checks_on_such_digits(run, tmp_path):
    path = tmp_path / "mine.npz"
    np.savez(path, images=np.random.default_rng(0).integers(0, 256, (200, 9, 9), np.uint8))
    told = run("fake_bits", data=str(path), binarise="dynamic")
    assert list(told) == ["white"] and told["white"].values == [1.0] * 4
    assert told["white"].data == "mine-dynamic" and told["white"].fingerprint
    assert "left out, it is for digits-static: on_data" in run.lines
    assert run("fake_bits", data=str(path), binarise="static")["on_data"].values == [81.0] * 4
    with pytest.raises(UserError, match="give --data PATH with it"):
        run("fake_bits", binarise="static")
    with pytest.raises(UserError, match=r"no check is for .*mine.npz, dynamic; take digits"):
        run(data=str(path), binarise="dynamic")
    with pytest.raises(UserError, match=r"grid25.*leave it out"):
        run("fake_bits", data="grid25", binarise="dynamic")


def test_seeds_that_fail_are_told_and_the_rest_is_kept(run, tmp_path):
    told = run("fake_trouble", jobs=2)
    assert "seed 1 failed: UserError: broke down" in run.lines
    assert "seed 0 failed: UserError: failing is nan" in run.lines
    assert "seed 1 failed: its process ended with exit code -9" in run.lines
    assert list(told["failing"].seeds) == [2, 3] and told["failing"].values == [1.0, 1.0]
    assert told["failing"].verdict == "inconclusive" and "2 seeds (2 failed)" in str(told["failing"])
    assert row(tmp_path / "gan" / "made up.json", "dying")["failed"] == {"1": "its process ended with exit code -9"}
    assert (told["is low"].verdict, told["straddles"].verdict) == ("does not hold", "inconclusive")
    drawn = [fake_claims.drawn(Trial(seed, "none", tmp_path)) for seed in range(4)]
    assert list(told["drawn"].values) == drawn


def test_a_check_that_is_no_more_takes_its_result_with_it(run, tmp_path, monkeypatch):
    run()
    monkeypatch.setattr(fake_claims, "CHECKS", fake_claims.CHECKS[1:])
    run()
    kept = {r.quantity for r in results.read(catalogue.find("gan"), [tmp_path]) if r.data == "made up"}
    assert kept == {"first", "second"}


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A recipe of the library's, with a claims file and one result of it."""
    recipes, claims = tmp_path / "recipes" / "toys", tmp_path / "claims"
    recipes.mkdir(parents=True), claims.mkdir()
    source = 'class Toy(Recipe):\n    """A toy."""\n\n\nCLAIMS = ("It works.", "It flies.")\n'
    (recipes / "toy.py").write_text(f'"""Toy: plays."""\n{source}')
    (claims / "toy.py").write_text("CHECKS = ()\n")
    monkeypatch.setattr(catalogue, "HERE", tmp_path / "recipes")
    monkeypatch.setattr(results, "CLAIMS", claims)

    def put(verdict="holds", quick=False, data="digits", quantity="share", code=None, entry=None):
        entry = entry or catalogue.read(recipes / "toy.py")
        kept = Result(
            claim="It works.", quantity=quantity, data=data, quick=quick, verdict=verdict, threshold=0.95,
            holds="above", mean=0.97, interval=(0.951, 0.989), interval_of="t", seeds=[0, 1, 2], values=[0.97] * 3,
            date="2026-11-26", code=code or results.rests_on(entry),
        )  # fmt: skip
        results.write(tmp_path / "results", "toy", data, [kept], [("It works.", quantity)])
        return entry

    put.folder, put.recipe, put.claims = tmp_path / "results", recipes / "toy.py", claims / "toy.py"
    return put


def told(toy, entry):
    return [(state.word, state.lines) for state in results.states(entry, [toy.folder])]


def test_a_claim_is_shown_with_what_was_measured_or_as_unchecked(toy):
    line = "holds: 0.97 [0.951, 0.989] >= 0.95, 3 seeds, digits (2026-11-26); share"
    assert told(toy, toy()) == [("holds", (line,)), ("unchecked", ("unchecked",))]


@pytest.mark.parametrize("file", ["recipe", "claims"])
def test_a_result_is_stale_once_its_code_has_changed_and_fresh_again_once_it_hasn_t(toy, file):
    entry, path = toy(), getattr(toy, file)
    text = path.read_text()
    path.write_text(text + "\n# a remark\n")
    assert told(toy, entry)[0][0] == "holds"
    path.write_text(text + "\nx = 1\n")
    word, (line,) = told(toy, entry)[0]
    assert word == "stale" and line.startswith("stale, its code has changed since: holds: 0.97 [")
    path.write_text(text)
    assert told(toy, entry)[0][0] == "holds"


def test_fresh_goes_before_full_and_full_before_quick(toy):
    toy(quick=True, verdict="inconclusive")
    assert told(toy, toy())[0][0] == "holds"
    assert told(toy, toy(code="older"))[0][0] == "inconclusive"


def test_of_several_checks_the_least_favourable_counts_and_all_are_shown(toy):
    toy(data="mnist", verdict="does not hold")
    word, lines = told(toy, toy())[0]
    assert word == "does not hold" and len(lines) == 2


def test_a_user_s_own_recipe_has_no_results_of_the_library(toy, tmp_path):
    entry = toy()
    own = tmp_path / "toy.py"
    own.write_text(toy.recipe.read_text())
    assert [state.word for state in results.states(catalogue.read(own), [toy.folder])] == ["unchecked"] * 2
    assert results.states(entry, [toy.folder])[0].word == "holds"


def test_a_file_that_is_no_result_is_named(toy):
    entry = toy()
    (toy.folder / "toy" / "digits.json").write_text('{"format": 99}')
    with pytest.raises(UserError, match=r"digits\.json can't be read \(ValueError: format 99, expected 1\); remove it"):
        results.states(entry, [toy.folder])


@pytest.mark.parametrize("module, code", [("fake_claims", 1), ("fake_trouble", 1), ("fake_good", 0)])
def test_the_exit_code_is_0_where_all_hold_and_1_where_one_does_not_or_cannot_be_told(
    module, code, monkeypatch, tmp_path, capsys
):
    good = sys.modules[__name__]
    monkeypatch.setitem(sys.modules, "fake_good", good)
    monkeypatch.setattr(good, "CHECKS", (fake_claims.CHECKS[0],), raising=False)
    if module == "fake_trouble":
        monkeypatch.setattr(fake_trouble, "CHECKS", fake_trouble.CHECKS[:1])
    monkeypatch.setattr(verify, "module_of", lambda entry: module)
    assert main(["zoo", "verify", "gan", "--jobs", "1", "--out", str(tmp_path)]) == code
    out = capsys.readouterr().out
    assert fake_claims.CLAIM in out and " checks hold, in 0 minutes" in out.splitlines()[-1]


def test_all_goes_on_past_a_recipe_that_cannot_be_measured(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(verify, "module_of", lambda entry: "fake_claims")
    monkeypatch.setattr(verify, "checkable", lambda: ["vae", "gan"])  # the checks are of gan's claim
    assert main(["zoo", "verify", "--all", "--jobs", "1", "--out", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "not measured: a check of vae is for 'The minimax loss" in out and out.endswith("; not measured: vae\n")
    assert (tmp_path / "gan" / "made up.json").is_file()


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["verify"], "name the recipes to verify"),
        (["verify", "gan", "--all"], "name the recipes to verify"),
        (["verify", "gann"], "did you mean 'gan'?"),
        (["verify", "gan", "--seeds", "0"], "--seeds is 0; give 1 or more"),
        (["verify", "cgan", "--data", "nowhere/at/all"], "nowhere"),
        (["verify", "gan", "--device", "tpu"], "cpu or cuda"),
        (["verif"], "did you mean 'verify'?"),
        (["list", "--family", "adversarail"], "did you mean 'adversarial'?"),
        (["modes", "--recipes", "gna", "--dry-run"], "did you mean 'gan'?"),
        (["modes", "--data", "spiral", "--dry-run"], "spiral"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["zoo", *arguments]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("adversaria: ") and said in lines[0]


def test_the_list_names_every_recipe_and_needs_no_torch():
    code = (
        "import sys; from adversaria.cli import main; main(['zoo', 'list'])\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[:-2]] == list(catalogue.entries())
    claims = sum(len(entry.claims) for entry in catalogue.entries().values())
    assert lines[-1].startswith(f"{claims} claims: ")


def test_the_card_shows_each_claim_with_its_state(capsys):
    assert main(["show", "vae"]) == 0
    out = capsys.readouterr().out
    section = out[out.index("CLAIMS, as 'adversaria zoo verify' found them") :]
    for state in results.states(catalogue.find("vae")):
        assert f"  - {state.claim}\n      {state.lines[0]}\n" in section


def test_a_check_says_which_data_and_thresholds_it_has():
    told = {"claim": "c", "quantity": "q", "measure": fake_claims.number, "threshold": 0.0, "holds": "above"}
    for wrong in ({"holds": "within"}, {"threshold": (0.0, 1.0)}, {"data": ()}, {"data": (), "own": "images"}):
        with pytest.raises(ValueError):
            Check(**told | wrong)


def test_a_trial_plays_the_bits_of_a_run_of_the_same_seed(tmp_path):
    from adversaria.catalogue import make

    recipe = make("gan", "smoke")
    trial = Trial(3, "digits", tmp_path)
    game, run = trial.play(recipe), trial.train(recipe)
    assert (game.sample(20, seed=0).numpy() == run.game.sample(20, seed=0).numpy()).all()
    assert trial.trained == {"gan": recipe.fields()}
    other = trial.play(recipe, rounds=7)
    assert list(trial.trained) == ["gan", "gan 2"] and trial.trained["gan 2"]["rounds"] == 7
    assert (other.sample(20, seed=0).numpy() != game.sample(20, seed=0).numpy()).any()


def test_a_measure_that_says_nothing_of_a_check_is_named():
    from adversaria.claims.check import answer_of

    with pytest.raises(UserError, match="both measured a; none is 'second'"):
        answer_of(fake_claims.CHECKS[2], {"a": Measured(1.0)})

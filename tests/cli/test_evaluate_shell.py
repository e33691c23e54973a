"""evaluate, diagnose and compare at a shell: quick help, tables that can be read, one clear line for a mistake."""

import json
import re
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

import adversaria as adv
from adversaria.cli import main
from adversaria.cli.tables import aligned, beyond, chance
from adversaria.evaluation.sets import prepare
from adversaria.runs.checking import Checker


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Runs, and samples of one of them in every form."""
    place = tmp_path_factory.mktemp("shell")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checker, "due", lambda self, last: False)
        patch.setitem(prepare.__kwdefaults__, "most", 2000)
        for name, data in (("gan", "ring8"), ("wgan-gp", "ring8"), ("vae", "digits")):
            adv.train(adv.recipe(name, "smoke"), data, out=place / name)
        samples = adv.load_run(place / "vae").sample(100)
        np.savez(place / "samples.npz", samples=samples)
        np.savez(place / "floats.npz", samples=samples / 255)
        (place / "broken.npz").write_bytes((place / "samples.npz").read_bytes()[:200])
        (place / "pictures").mkdir()
        for i, image in enumerate(samples[..., 0]):
            Image.fromarray(image).save(place / "pictures" / f"{i:03d}.png")
        yield place


@pytest.fixture
def ask(place, monkeypatch, capsys):
    """Runs a command in the folder of runs, in this process: exit code, lines of output, lines of errors."""
    monkeypatch.chdir(place)

    def asked(*arguments):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = end.code
        told = capsys.readouterr()
        return code, told.out, told.err.strip().splitlines()

    return asked


QUICK = ["--features", "pca", "-n", "80", "--metrics", "frechet,coverage"]


@pytest.mark.parametrize("verb", ["evaluate", "diagnose", "compare"])
def test_help_is_quick_and_imports_no_torch(verb):
    code = (
        "import sys; from adversaria.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as e: assert not e.code, e.code\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    )
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", code, verb, "--help"], capture_output=True, text=True, timeout=60)
        seconds.append(time.perf_counter() - started)
    assert done.returncode == 0 and "--metrics" in done.stdout + "--metrics" * (verb == "diagnose"), done.stderr
    assert min(seconds) < 1.0


def test_an_evaluation_is_a_table_whose_columns_line_up(ask):
    code, out, errors = ask("evaluate", "vae", "--features", "pca", "-n", "80")
    assert (code, errors) == (0, [])
    lines = out.splitlines()
    assert lines[0].startswith("vae, round ") and "80 samples against 80 real examples of digits" in lines[0]
    assert re.fullmatch(r"features: PCA-32, d = 32, hash [0-9a-f]{12}; .*% of the training variance", lines[1])
    table = lines[3 : lines.index("", 3)]
    assert table[0].split() == ["value", "95%", "interval", "real", "v.", "real", "excess", "p", "n"]
    assert len({len(line) for line in table}) == 1 and len(table) > 15
    assert any(line.startswith("negative log-likelihood, importance weighted (K=500), bits/dim ") for line in table)
    assert "not measured:" in lines and "to be read with:" in lines


def test_json_goes_to_the_terminal_or_a_file(ask, place):
    code, out, _ = ask("evaluate", "vae", *QUICK, "--json", "-")
    told = json.loads(out, parse_constant=pytest.fail)
    assert code == 0 and [e["metric"] for e in told["estimates"]] == ["frechet", "coverage"]
    code, out, _ = ask("evaluate", "vae", *QUICK, "--json", "numbers.json")
    kept = json.loads((place / "numbers.json").read_text())
    assert code == 0 and out.startswith("vae, round") and kept["estimates"] == told["estimates"]


@pytest.mark.parametrize("what", ["samples.npz", "pictures"])
def test_samples_of_any_tool(ask, what):
    code, out, errors = ask("evaluate", what, "--data", "digits", *QUICK)
    assert (code, errors) == (0, [])
    assert out.startswith(f"{what}: 80 samples against 80 real examples of digits")
    told = json.loads(ask("evaluate", what, "--data", "digits", *QUICK, "--json", "-")[1])
    again = json.loads(ask("evaluate", "samples.npz", "--data", "digits", *QUICK, "--json", "-")[1])
    assert told["estimates"] == again["estimates"]


def test_more_samples_than_real_examples_are_said(ask):
    out = ask("evaluate", "vae", "-n", "400", "--features", "pca", "--metrics", "vendi")[1]
    assert "400 samples against 358 real examples" in out
    assert "-n 358 has one" in ask("evaluate", "vae", "-n", "2000", "--features", "pca", "--metrics", "vendi")[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["evaluate"], "what is to be measured?"),
        (["evaluate", "nowhere"], "nowhere is no run"),
        (["evaluate", "nowhere", "--data", "digits"], "there is nothing at nowhere"),
        (["evaluate", "samples.npz"], "say of which data"),
        (["evaluate", "samples.npz", "--data", "digit"], "did you mean 'digits'"),
        (["evaluate", "samples.npz", "--data", "ring8"], "expected (n, 2)"),
        (["evaluate", "samples.npz", "--data", "digits", "-n", "101"], "give 100 at most"),
        (["evaluate", "samples.npz", "--data", "digits", "--anneal", "5"], "are for runs"),
        (["evaluate", "samples.npz", "--data", "digits", "--size", "9"], "expected (n, 9, 9, 1)"),
        (["evaluate", "floats.npz", "--data", "digits"], "expected uint8"),
        (["evaluate", "broken.npz", "--data", "digits"], "can't be read"),
        (["evaluate", "vae", "--data", "digits"], "leave --data out"),
        (["evaluate", "vae", "--size", "9"], "leave --size and --channels out"),
        (["evaluate", "vae", "--channels", "3"], "leave --size and --channels out"),
        (["evaluate", "vae", "-n", "5"], "give 10 or more"),
        (["evaluate", "vae", "--seed", "-1"], "give 0 or more"),
        (["evaluate", "vae", "--metrics", "coverag"], "did you mean 'coverage'"),
        (["evaluate", "vae", "--metrics", ","], "--metrics names none"),
        (["evaluate", "vae", "--features", "nonsense"], "give pixels, pca, trained"),
        (["evaluate", "vae", "--json", "no/where.json"], "there is no folder no"),
        (["evaluate", "vae", "--json", "pictures"], "is a folder"),
        (["evaluate", "vae", "--anneal", "-1"], "give 2 or more"),
        (["evaluate", "vae", "--anneal", "1"], "give 2 or more"),
        (["evaluate", "vae", "--sigma", "0.1"], "add --anneal"),
        (["evaluate", "vae", "--anneal", "5", "--temperatures", "0"], "give 1 or more"),
        (["evaluate", "empty"], "no checkpoint yet"),
        (["evaluate", "--controls", "--against", "train"], "leave --against out"),
        (["evaluate", "--controls", "--data", "oracle-tokens"], "controls spoil images and points"),
        (["evaluate", "--controls", "--metrics", "likelihood", "--features", "pca"], "without a model"),
        (["diagnose", "nowhere"], "no run at nowhere"),
        (["diagnose", "vae", "-n", "5"], "give 10 or more"),
        (["diagnose", "empty"], "no checkpoint yet"),
        (["compare"], "give run folders, or --recipes"),
        (["compare", "gan"], "1 run can't be compared"),
        (["compare", "gan", "gan/"], "is given 2 times"),
        (["compare", "gan", "nowhere"], "no run at nowhere"),
        (["compare", "gan", "vae"], "different data"),
        (["compare", "gan", "wgan-gp", "--budget", "5m"], "are for --recipes"),
        (["compare", "gan", "wgan-gp", "--seeds", "3"], "are for --recipes"),
        (["compare", "gan", "wgan-gp", "--out", "no/where.html"], "there is no folder no"),
        (["compare", "gan", "wgan-gp", "--out", "page.json"], "call it page.html"),
        (["compare", "gan", "wgan-gp", "--metrics", ""], "--metrics names none"),
        (["compare", "--recipes", "gan,wgan-gp", "--data", "ring8", "--out", "c", "--budget", "5"], "90s, 5m, 1h"),
        (["compare", "--recipes", "gan,wgan-gp", "--data", "ring8", "--out", "c", "--budget", "nans"], "or more"),
        (["compare", "--recipes", "gan,wgan-gp", "--data", "ring8", "--out", "c", "--seeds", "0"], "give 1 or more"),
        (["compare", "--recipes", "gan,wgan-gp", "--data", "ring8", "--out", "c", "--metrics", "x"], "unknown metric"),
        (["compare", "--recipes", "gan,wgan-gp", "--data", "ring8", "--out", "c", "--features", "x"], "give pixels"),
        (["compare", "--recipes", "gan,wgan-pg", "--data", "ring8", "--out", "c"], "did you mean 'wgan-gp'"),
        (["compare", "--recipes", "gan,wgan-gp", "--data", "ring9", "--out", "c"], "did you mean 'ring8'"),
    ],
)
def test_a_mistake_gets_one_line_and_code_2(ask, place, arguments, said):
    if "empty" in arguments and not (place / "empty").exists():
        shutil.copytree(place / "vae", place / "empty")
        for checkpoint in (place / "empty" / "checkpoints").iterdir():
            shutil.rmtree(checkpoint) if checkpoint.is_dir() else checkpoint.unlink()
    code, out, errors = ask(*arguments)
    assert (code, out, len(errors)) == (2, "", 1), (out, errors)
    assert errors[0].startswith("adversaria: ") and said in errors[0]
    assert not (place / "c").exists()


@pytest.mark.parametrize("arguments", [["evaluate", "vae", "--against", "nonsense"], ["evaluate", "vae", "-n", "x"]])
def test_a_value_of_the_wrong_kind_ends_with_code_2(ask, arguments):
    code, _, errors = ask(*arguments)
    assert code == 2 and errors


def test_controls_say_which_metric_sees_what(ask):
    code, out, _ = ask(
        "evaluate", "--controls", "--data", "digits", *QUICK[:2], "-n", "150", "--metrics", "frechet,mmd"
    )
    lines = out.splitlines()
    head = next(line for line in lines if line.split()[:1] == ["real"])
    assert code == 0 and head.split() == ["real", "drop", "copy", "blur", "noise", "duplicate"]
    row = next(line for line in lines if line.startswith("Fréchet distance"))
    assert row.count("*") >= 1 and "'real' is the false alarm" in lines[-1]
    told = json.loads(ask("evaluate", "--controls", *QUICK[:2], "-n", "150", "--metrics", "frechet", "--json", "-")[1])
    assert told["rows"][0]["cells"]["blur"]["seen"] and not told["rows"][0]["cells"]["real"]["seen"]


def test_annealing_prints_its_kind(ask):
    code, out, _ = ask("evaluate", "vae", *QUICK, "--anneal", "5", "--temperatures", "5")
    assert code == 0 and "by annealing, (T=5" in out


def test_a_diagnosis_is_told_in_words(ask, place):
    code, out, errors = ask("diagnose", "vae", "--features", "pca", "-n", "80")
    assert (code, errors) == (0, [])
    kept = json.loads((place / "vae" / "diagnosis.json").read_text(), parse_constant=pytest.fail)
    for verdict in kept["verdicts"]:
        assert len(re.findall(rf"^(FAIL|PASS|INCONCLUSIVE)? *{verdict['name']}: ", out, re.MULTILINE)) == 1
    assert "not applicable: not applicable" not in out and ": not applicable:" not in out
    assert out.splitlines()[-1].split() == ["report:", "adversaria", "report", "vae"]
    told = json.loads(ask("diagnose", "vae", "--features", "pca", "-n", "80", "--json")[1])
    assert told["verdicts"] == kept["verdicts"]


def test_dynamics_join_the_diagnosis(ask):
    code, out, _ = ask("diagnose", "gan", "-n", "80", "--dynamics", "--json")
    assert code == 0 and set(json.loads(out)["dynamics"]) == {"eigenvalues", "rotation", "path", "duality gap"}


def test_a_comparison_writes_a_page(ask, place):
    code, out, errors = ask("compare", "gan", "wgan-gp", "-n", "80", "--metrics", "frechet,coverage,mmd")
    assert (code, errors) == (0, [])
    lines = out.splitlines()
    assert lines[0].startswith("ring8 (test): 80 samples of each against 80 real examples")
    assert any(line.startswith("> Fréchet distance [points]") for line in lines)
    assert lines[-1].split() == ["page:", "comparison.html"]
    page = (place / "comparison.html").read_text()
    assert "wgan-gp" in page and "Fréchet" in page
    told = json.loads((place / "comparison.json").read_text(), parse_constant=pytest.fail)
    assert [row["metric"] for row in told["rows"]] == ["frechet", "coverage", "mmd"]
    (place / "pages").mkdir(exist_ok=True)
    code, out, _ = ask("compare", "gan", "wgan-gp", "-n", "80", "--metrics", "mmd", "--out", "pages", "--json", "-")
    assert code == 0 and json.loads(out)["primary"] == "mmd" and (place / "pages" / "comparison.html").is_file()


def test_recipes_are_trained_at_equal_budget_once(ask, place):
    asked = ["compare", "--recipes", "gan,wgan-gp", "--data", "ring8", "--seeds", "2", "--budget", "1s", "--preset",
             "smoke", "--out", "contest", "-n", "80", "--metrics", "frechet"]  # fmt: skip
    code, out, errors = ask(*asked)
    assert (code, errors) == (0, []) and "six can" in out and "seeds 0, 1" in out
    logs = {path: path.stat().st_mtime_ns for path in (place / "contest").glob("*/metrics.jsonl")}
    assert len(logs) == 4 and (place / "contest" / "comparison.html").is_file()
    code, again, _ = ask(*asked)
    assert code == 0 and again == out
    assert {path: path.stat().st_mtime_ns for path in logs} == logs


def test_a_number_beyond_telling_is_a_bound():
    assert [beyond(x) for x in (-5e143, 1000.5, -999.94, 0.04)] == ["<-1000", ">+1000", "-999.9", "+0.0"]
    assert beyond(float("nan")) == "" and beyond(float("inf")) == ">+1000"
    assert [chance(p) for p in (0.0123, 1e-6, 9e-7, 0.0)] == ["0.012", "1e-06", "<1e-6", "<1e-6"]
    assert list(aligned([("", "ab"), ("x", "1")])) == ["   ab", "x   1"]

"""What a person at a shell meets: quick answers, one clear line for a mistake, exit code 2."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

import adversaria as adv
from adversaria import catalogue
from adversaria.cli import VERBS, main
from adversaria.runs.checking import Checker

SMOKE = ["--preset", "smoke", "--out", "a"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    place = tmp_path_factory.mktemp("runs")
    for name, data in (("gan", "ring8"), ("cgan", "digits"), ("seqgan", "oracle-tokens")):
        assert main(["train", name, "--data", data, "--preset", "smoke", "--out", str(place / name)]) == 0
    return place


def says(shell, *arguments, code=2):
    done = shell(*arguments, check=code)
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("adversaria: "), done.stderr
    return lines[0]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["list"],
        ["train", "--help"],
        ["resume", "--help"],
        ["sample", "--help"],
        ["report", "--help"],
        ["new", "--help"],
        ["show", "--help"],
        ["--version"],
    ],
)
def test_help_and_list_do_not_import_torch(arguments):
    code = (
        "import sys; from adversaria.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as e: assert not e.code, e.code\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_list_answers_within_half_a_second(process):
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        out = process("list", check=0).stdout
        seconds.append(time.perf_counter() - started)
    assert min(seconds) < 0.5
    assert len(out.splitlines()) == len(catalogue.entries())
    assert out.splitlines()[0].split()[:3] == ["ali", "adversarial", "2017"]


def test_list_of_a_family(shell):
    lines = shell("list", "--family", "variational", check=0).stdout.splitlines()
    entries = catalogue.entries().values()
    assert [line.split()[0] for line in lines] == [entry.name for entry in entries if entry.family == "variational"]
    assert "did you mean 'variational'" in says(shell, "list", "--family", "variatonal")


def test_no_cuda_package_was_installed():
    listed = subprocess.run([sys.executable, "-m", "pip", "list"], capture_output=True, text=True, timeout=60).stdout
    assert "torch" in listed
    assert not [line for line in listed.splitlines() if line.startswith(("nvidia", "cuda", "triton"))]


def test_help_names_every_verb(capsys):
    assert main([]) == 0
    page = capsys.readouterr().out
    assert all(verb in page for verb in VERBS)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["trian"], "did you mean 'train'"),
        (["train", "wgan-pg", "--data", "digits"], "did you mean 'wgan-gp'"),
        (["show", "dcgna"], "did you mean 'dcgan'"),
        (["train"], "which recipe"),
        (["train", "gan", "--data", "ring9", *SMOKE], "did you mean 'ring8'"),
        (["train", "gan", "--data", "nowhere/at/all.npz", *SMOKE], "nowhere/at/all.npz"),
        (["train", "gan", "--data", "ring8", "--preset", "smok"], "did you mean 'smoke'"),
        (["train", "dcgan", "--data", "ring8", *SMOKE], "plays on image data"),
        (["train", "vq-vae", "--data", "ring8", *SMOKE], "plays on image data"),
        (["train", "gan", "--data", "digits", "--batch", "5000", *SMOKE], "--batch 14"),
        (["train", "gan", "--data", "ring8", "--device", "cuda", *SMOKE], "--device cpu"),
        (["train", "seqgan", "--data", "oracle-tokens", "--rounds", "2", *SMOKE], "--rounds 3"),
        (["train", "gan", "--data", "ring8", "--size", "1", "2", "3", *SMOKE], "--size"),
        (["train", "gan", "--data", "ring8", "--device", "gpu", *SMOKE], "cpu or cuda"),
        (["train", "gan", "--data", "ring8", "--threads", "0", *SMOKE], "give 1 or more"),
        (["train", "gan", "--data", "ring8", "--seed", "-1", *SMOKE], "give 0 or more"),
        (["train", "cyclegan", "--data", "digits", "--domain-x", "17", *SMOKE], "17"),
        (["train", "cyclegan", "--data", "digits", "--domain-y", "0", *SMOKE], "same class"),
        (["train", "./no_such.py", "--data", "digits"], "no recipe file"),
        (["resume", "nowhere"], "no run at nowhere"),
        (["sample", "nowhere"], "no run at nowhere"),
        (["report", "nowhere"], "no run at nowhere"),
        (["new", "My GAN"], "no recipe name"),
        (["new", "my-gan", "--from", "vea"], "did you mean 'vae'"),
    ],
)
def test_a_mistake_gets_one_line_and_code_2(shell, tmp_path, arguments, said):
    assert said in says(shell, *arguments)
    assert not (tmp_path / "a" / "config.json").exists()


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        (["--adam.lrr", "1"], "--adam.lr"),
        (["--hiden", "3"], "--hidden"),
        (["--hidden", "0"], "greater than or equal to 1"),
        (["--adam.betas", "0.5", "1.5"], "less than 1"),
        (["--hidden", "many"], "many"),
        (["--loss", "best"], "non-saturating"),
    ],
)
def test_a_wrong_hyperparameter_is_named_with_code_2(shell, flag, said):
    done = shell("train", "gan", "--data", "ring8", *SMOKE, *flag)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert said in done.stderr + done.stdout


def test_data_without_labels_are_refused_by_a_conditional_recipe(shell, tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((50, 8, 8), np.uint8))
    for name in ("cgan", "vq-vae"):
        extra = ["--conditional"] if name == "vq-vae" else []
        assert "these data have none" in says(shell, "train", name, "--data", "x.npy", *extra, *SMOKE)
    assert "no labels" in says(shell, "train", "cyclegan", "--data", "x.npy", *SMOKE)


def test_an_empty_folder_one_image_and_an_unreadable_file_are_told_of(shell, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "empty" in says(shell, "train", "gan", "--data", "empty", *SMOKE)
    (tmp_path / "one").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "one" / "a.png")
    assert "1" in says(shell, "train", "gan", "--data", "one", *SMOKE)
    (tmp_path / "bad").mkdir()
    for i in range(4):
        (tmp_path / "bad" / f"{i}.png").write_bytes(b"no picture")
    assert "0.png" in says(shell, "train", "gan", "--data", "bad", *SMOKE)


def test_an_unwritable_place_is_told_of(shell, tmp_path):
    (tmp_path / "file").write_text("")
    assert "file" in says(shell, "train", "gan", "--data", "ring8", "--preset", "smoke", "--out", "file/run")


def test_dry_run_says_what_would_be_done_and_does_nothing(shell, tmp_path):
    out = shell("train", "wgan-gp", "--data", "digits", *SMOKE, "--dry-run", "--adam.lr", "3e-4", check=0).stdout
    assert "critic" in out and "parameters" in out and "lr=0.0003" in out and "train 14" in out
    assert not (tmp_path / "a").exists()


def test_flags_presets_and_config_agree(shell, tmp_path):
    shell("train", "gan", "--data", "ring8", *SMOKE, "--adam.lr", "3e-4", "--loss", "minimax", "--seed", "7", check=0)
    config = json.loads((tmp_path / "a" / "config.json").read_text())
    assert config["fields"]["adam"]["lr"] == 3e-4 and config["fields"]["adam"]["betas"] == [0.0, 0.9]
    assert config["fields"]["hidden"] == 16 and config["fields"]["loss"] == "minimax" and config["seed"] == 7
    assert config["command"] == (
        "adversaria train gan --data ring8 --preset smoke --out a --adam.lr 3e-4 --loss minimax --seed 7"
    )
    assert (tmp_path / "a" / "report.html").is_file()
    assert "holds a run already" in says(shell, "train", "gan", "--data", "ring8", *SMOKE)
    assert "has finished" in says(shell, "resume", "a")


def test_samples_of_images_with_labels(runs, tmp_path):
    out = tmp_path / "s.npz"
    assert main(["sample", str(runs / "cgan"), "-n", "12", "--label", "3", "--seed", "1", "--out", str(out)]) == 0
    with np.load(out) as found:
        assert set(found) == {"samples", "labels"}
        assert found["samples"].shape == (12, 8, 8, 1) and found["samples"].dtype == np.uint8
        assert (found["labels"] == 3).all()
    assert main(["sample", str(runs / "cgan"), "-n", "20", "--out", str(out)]) == 0
    with np.load(out) as found:
        assert list(found["labels"]) == list(range(10)) * 2


def test_samples_of_points_and_tokens(runs, tmp_path):
    for name, shape, dtype in (("gan", (5, 2), np.float32), ("seqgan", (5, 20), np.int64)):
        out = tmp_path / f"{name}.npz"
        assert main(["sample", str(runs / name), "-n", "5", "--out", str(out)]) == 0
        with np.load(out) as found:
            assert set(found) == {"samples"}
            assert found["samples"].shape == shape and found["samples"].dtype == dtype


def test_samples_as_a_picture(runs, tmp_path, capsys):
    assert main(["sample", str(runs / "gan"), "-n", "200", "--out", str(tmp_path / "s.png")]) == 0
    with Image.open(tmp_path / "s.png") as picture:
        assert min(picture.size) > 300
    assert "200 samples" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--label", "3"], "takes none"),
        (["-n", "0"], "1 or more"),
        (["--seed", "-3"], "0 or more"),
        (["--out", "s.jpg"], ".png picture"),
        (["--out", "no/s.png"], "no folder"),
    ],
)
def test_wrong_sample_requests(runs, capsys, flags, said):
    assert main(["sample", str(runs / "gan"), *flags]) == 2
    assert said in capsys.readouterr().err


def test_a_label_that_is_none(runs, capsys):
    assert main(["sample", str(runs / "cgan"), "--label", "10"]) == 2
    assert "from 0 to 9" in capsys.readouterr().err


def test_a_label_by_its_name(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Checker, "due", lambda self, last: False)
    names = ("a blue dot", "a red dot")
    for k, name in enumerate(names):
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(20):
            Image.new("RGB", (8, 8), (200 * k, i, 200 - 200 * k)).save(tmp_path / "data" / name / f"{i}.png")
    adv.train(adv.recipe("gumbel-vae", "smoke", conditional=True), tmp_path / "data", out=tmp_path / "run")
    out = tmp_path / "s.npz"
    for label in ("a red dot", "1"):
        assert main(["sample", str(tmp_path / "run"), "-n", "4", "--label", label, "--out", str(out)]) == 0
        with np.load(out) as found:
            assert (found["labels"] == 1).all()
    capsys.readouterr()
    assert main(["sample", str(tmp_path / "run"), "--label", "a red dog"]) == 2
    told = capsys.readouterr().err
    assert (
        told.strip() == "adversaria: label a red dog of 2 classes; give one from 0 to 1, or a name such as 'a blue dot'"
    )


def test_a_recipe_of_one_s_own_from_new_to_resume(shell, tmp_path):
    out = shell("new", "my-gan", "--from", "wgan-gp", check=0).stdout
    assert "my_gan.py" in out
    assert "is there already" in says(shell, "new", "my-gan")
    file = tmp_path / "my_gan.py"
    file.write_text(file.read_text().replace("critic_steps: Count = 5", "critic_steps: Count = 3"))
    shell("train", "./my_gan.py", "--data", "digits", *SMOKE, "--critic-steps", "4", check=0)
    assert "critic-steps  3 " in shell("show", "./my_gan.py", check=0).stdout, "show reads the user's file"
    shell("resume", "a", "--rounds", "5", check=0)
    shell("sample", "a", "-n", "3", "--out", "s.npz", check=0)
    file.write_text(file.read_text() + "\n# changed\n")
    assert "--recipe a/recipe.py" in says(shell, "sample", "a", "-n", "3")
    shell("sample", "a", "-n", "3", "--recipe", "a/recipe.py", check=0)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("class A(:", "not a Python file"),
        ("x = 1", "0 classes"),
        ('"""min x."""\nimport nowhere\nclass A(Recipe): pass\n', "No module named"),
    ],
)
def test_a_broken_recipe_file_is_told_of(shell, tmp_path, content, said):
    (tmp_path / "mine.py").write_text(content)
    assert said in says(shell, "train", "./mine.py", "--data", "digits")


def test_output_into_a_closed_pipe_is_no_error():
    command = f"{sys.executable} -m adversaria show gan | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "Traceback" not in done.stderr and "Exception" not in done.stderr


def test_cite(capsys):
    assert main(["cite", "wgan-gp"]) == 0
    entry = capsys.readouterr().out
    assert (
        entry.startswith("@inproceedings{wgan-gp,") and "eprint = {1704.00028}" in entry and " and Courville}" in entry
    )

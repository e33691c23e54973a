"""What can't be read on a command line is told in one line, with the rule and where to look."""

import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from adversaria import catalogue, cli
from adversaria.cli.check import Check
from adversaria.cli.parsing import one_line, typed
from adversaria.cli.train import Train

GAN = ["train", "gan", "--data", "ring8"]
WRONG = {
    "a nested number": ([*GAN, "--adam.lr", "-1"], "adam.lr is -1.0: input should be greater than or equal to 0"),
    "a part's number": ([*GAN, "--parts.smooth", "2"], "parts.smooth is 2.0: input should be less than 1"),
    "a choice": ([*GAN, "--parts.loss", "hing"], "--parts.loss is 'hing'; one of 'own', 'non-saturating', 'minimax'"),
    "a flag": ([*GAN, "--raunds", "4"], "there is no option --raunds, 4; did you mean --rounds?"),
    "a whole number": ([*GAN, "--rounds", "ten"], "--rounds is 'ten', which is no whole number"),
    "a number": ([*GAN, "--adam.lr", "x"], "--adam.lr is 'x', which is no number"),
    "a number or none": (["evaluate", "runs/a", "-n", "ten"], "-n/--n is 'ten'; it takes INT"),
    "nothing given": (["train", "gan"], "--data is missing"),
    "half of an option": (["train", "gan", "--data"], "'--data' wants a value"),
    "a switch": ([*GAN, "--parts.spectral", "yes"], "--parts.spectral is 'yes'; one of 'True', 'False'"),
}


RANGES = {
    "a decay": (["train", "glow", "--data", "digits", "--average", "1"], "average is 1.0: input should be less than 1"),
    "a codebook's decay": (["train", "vq-vae", "--data", "digits", "--decay", "1.5"], "decay is 1.5: input should be"),
    "a share dropped": (["train", "pixelcnn-pp", "--data", "digits", "--dropout", "1"], "dropout is 1.0: input should"),
    "too few moments": (["train", "avb", "--data", "ring8", "--moments", "1"], "moments is 1: input should be greater"),
}


@pytest.mark.parametrize("words, said", RANGES.values(), ids=RANGES)
def test_a_number_out_of_its_range_is_told_in_one_line(words, said, capsys):
    assert cli.main(words) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"adversaria: {said}") and told.count("\n") == 1


@pytest.mark.parametrize("words, said", WRONG.values(), ids=WRONG)
def test_a_wrong_word_gets_one_line_and_exit_code_2(words, said, capsys):
    assert cli.main(words) == 2
    told = capsys.readouterr()
    assert not told.out and told.err.count("\n") == 1
    assert told.err.startswith(f"adversaria: {said}") and "--help'" in told.err


def test_no_recipe_has_a_field_of_the_name_of_an_option():
    """Fields and options share a command line, where two of one name can't be."""
    for command in (Train, Check):
        taken = {f.name for f in fields(command)}
        clash = {name: taken & {h.name for h in entry.hyperparameters} for name, entry in catalogue.entries().items()}
        assert not any(clash.values()), clash


def test_a_users_field_of_the_name_of_an_option_is_refused_in_one_line(tmp_path, capsys):
    theirs = tmp_path / "mine.py"
    own = (Path(catalogue.__file__).parent / "recipes/autoregressive/fvsbn.py").read_text()
    theirs.write_text(own.replace("    batch: Count", "    size: Count = 3\n    batch: Count"))
    assert cli.main(["train", str(theirs), "--data", "digits-static"]) == 2
    told = capsys.readouterr().err
    assert "has a field size" in told and "an option --size" in told and told.count("\n") == 1


def test_images_one_pixel_high_are_refused(tmp_path, capsys):
    np.save(tmp_path / "thin.npy", np.zeros((40, 1, 9), dtype="uint8"))
    assert cli.main(["train", "vae", "--data", str(tmp_path / "thin.npy"), "--out", str(tmp_path / "a")]) == 2
    told = capsys.readouterr().err
    assert "images are 1 x 9 pixels" in told and told.count("\n") == 1


def test_it_is_one_line_where_the_terminal_has_unicode():
    """tyro draws other boxes there."""
    done = subprocess.run(
        [sys.executable, "-m", "adversaria", *GAN, "--raunds", "4"], capture_output=True, text=True, timeout=120,
        env=os.environ | {"PYTHONIOENCODING": "utf-8", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "did you mean --rounds?" in done.stderr


def test_a_box_that_nobody_foresaw_is_told_as_it_is():
    assert (
        one_line("╭─ Oh ─╮\n│ The moon is full. │\n│ Stay in. │\n│ ──── │\n│ More. │\n╰──╯")
        == "The moon is full. Stay in"
    )


@pytest.mark.parametrize("value", ["True", "False"])
def test_switches_of_recipes_take_the_words_that_show_prints(value, capsys):
    assert cli.main([*GAN, "--parts.spectral", value, "--dry-run"]) == 0
    assert ("parts.spectral True" in capsys.readouterr().out) is (value == "True")


@pytest.mark.parametrize("words, says", [
    (["--parts.spectral"], "parts.spectral True"), (["--parts.matching", "--parts.r1", "1"], "parts.matching True"),
    (["--no-parts.spectral"], "GAN as it is"),
])  # fmt: skip
def test_switches_stand_alone_too(words, says, capsys):
    assert cli.main([*GAN, *words, "--dry-run"]) == 0
    assert says in capsys.readouterr().out


def test_a_run_that_broke_before_its_first_round_leaves_no_folder(tmp_path, capsys):
    words = ["train", "dcgan", "--preset", "smoke", "--data", "digits", "--out", str(tmp_path / "a")]
    assert cli.main([*words, "--parts.every", "4"]) == 2
    assert "give one: --parts.r1 1" in capsys.readouterr().err and not (tmp_path / "a").exists()
    assert cli.main([*words, "--parts.every", "4", "--parts.r1", "1"]) == 0


def test_a_folder_that_was_there_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    words = ["train", "dcgan", "--preset", "smoke", "--data", "digits", "--out", str(tmp_path)]
    assert cli.main([*words, "--parts.every", "4"]) == 2
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_card_says_what_a_field_is_chosen_from(capsys):
    assert cli.main(["show", "f-gan"]) == 0
    told = capsys.readouterr().out
    assert "squared-hellinger" in told.split("HYPERPARAMETERS")[1].split("PRESETS")[0]
    assert "[own, alternating, simultaneous, extragradient, optimistic]" in told


def test_a_command_stands_beside_its_numbers_without_where_they_were_written():
    words = ["dcgan", "--data", "my digits", "--out", "/tmp/a", "--page=/tmp/b.md", "--quick"]
    assert typed("adversaria zoo verify", words) == "adversaria zoo verify dcgan --data 'my digits' --quick"

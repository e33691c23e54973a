"""What the README says is true."""

import re
from pathlib import Path

import pytest

from adversaria import catalogue

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.startswith("import adversaria")])
def test_the_examples_run(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    quick = re.sub(r"rounds=\d+", "rounds=4", block).replace("% 500", "% 2")
    exec(compile(quick, "README.md", "exec"), {})


def test_the_recipe_of_one_s_own_trains_resumes_and_samples(shell, tmp_path):
    (block,) = [b for b in BLOCKS if "class MyGAN" in b]
    (tmp_path / "my_gan.py").write_text(block)
    shell("train", "./my_gan.py", "--data", "digits", "--preset", "smoke", "--out", "a", check=0)
    shell("resume", "a", "--rounds", "6", check=0)
    shell("sample", "a", "-n", "4", check=0)
    assert (tmp_path / "a" / "samples.png").is_file()


def test_every_recipe_is_in_the_table():
    assert all(f"`{name}`" in README for name in catalogue.entries())


def test_the_pictures_are_there():
    for picture in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README):
        assert (Path(__file__).parents[2] / picture).is_file()

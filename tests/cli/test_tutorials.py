"""The tutorials run, block by block, as a reader would run them; with fewer rounds."""

import re
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "tutorials"
TUTORIALS = sorted(FOLDER.glob("*.md"))
FEWER = ((r"--rounds (\d+)", lambda m: f"--rounds {int(m[1]) // 100}"), (r"rounds=\d+", "rounds=6"), (r"% 500", "% 3"),
         (r"-n 500", "-n 30"), (r"-n 64", "-n 8"),
         (r"zip\(images, labels", "zip(images[:300], labels[:300]"))  # fmt: skip


def quick(text):
    for pattern, instead in FEWER:
        text = re.sub(pattern, instead, text)
    return text


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_every_block_runs(path, shell, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    ran = 0
    for kind, block in re.findall(r"```(python|sh)\n(.*?)```", path.read_text(encoding="utf-8"), flags=re.DOTALL):
        named = re.match(r"# file: (\S+)\n", block)
        if named:
            (tmp_path / named[1]).write_text(quick(block[named.end() :]))
        elif kind == "python":
            exec(compile(quick(block), str(path), "exec"), {})
        else:
            for line in quick(block).splitlines():
                program, *words = line.split()
                if program == "python":
                    exec(compile((tmp_path / words[0]).read_text(), words[0], "exec"), {})
                else:
                    shell(*words, check=0)
        ran += 1
    assert ran >= 4
    sys.modules.pop("hinge_gan", None)


def test_the_gan_has_at_most_80_lines():
    (block,) = re.findall(r"# file: hinge_gan.py\n(.*?)```", (FOLDER / "gan-in-80-lines.md").read_text(), re.DOTALL)
    lines = block.splitlines()
    assert len(lines) <= 80 and f"That is {len(lines)} lines" in (FOLDER / "gan-in-80-lines.md").read_text()


def test_links_lead_somewhere():
    for path in TUTORIALS:
        for link in re.findall(r"\]\(([^)#:]+)\)", path.read_text()):
            assert (path.parent / link).exists(), link

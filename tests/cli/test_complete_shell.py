"""`adversaria complete`: pictures and archives of what a model draws where something is hidden, and mistakes told."""

import numpy as np
import pytest
import torch
from PIL import Image

import adversaria as adv
from adversaria.api.completion import complete, known_of
from adversaria.cli import main
from adversaria.data import DataSpec
from adversaria.errors import UserError
from adversaria.runs.checking import Checker

IMAGE = DataSpec("image", (3, 8, 6))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    place = tmp_path_factory.mktemp("completed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checker, "due", lambda self, last: False)
        for name, data in (
            ("nade", "digits-static"),
            ("made", "four-points"),
            ("fvsbn", "oracle-tokens"),
            ("vae", "digits"),
        ):
            adv.train(adv.recipe(name, "smoke"), data, out=place / name)
    return place


@pytest.mark.parametrize("hide", ["bottom", "top", "left", "right", "middle", "scattered"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_about_the_share_is_hidden_where_it_is_said(hide, share):
    known = known_of(IMAGE, hide, share)
    assert known.shape == (3, 8, 6) and (known == known[:1]).all(), "all colours of a pixel"
    assert 0 < (~known).sum() < known.numel()
    assert abs((~known).float().mean().item() - share) < (0.2 if hide == "middle" else 0.14), (
        "as rows and columns allow"
    )
    hidden = ~known[0]
    sides = {
        "bottom": hidden[-1].all(),
        "top": hidden[0].all(),
        "left": hidden[:, 0].all(),
        "right": hidden[:, -1].all(),
    }
    assert all(value == (key == hide) or hide in ("middle", "scattered") for key, value in sides.items())


def test_of_what_is_no_image_the_bottom_comes_last():
    bits = DataSpec("binary", (10,))
    assert known_of(bits, "bottom", 0.3).tolist() == [True] * 7 + [False] * 3
    assert known_of(bits, "top", 0.3).tolist() == [False] * 3 + [True] * 7
    assert known_of(bits, "middle", 0.4).tolist() == [True] * 3 + [False] * 4 + [True] * 3


def test_a_picture_has_a_row_for_each_example(runs, tmp_path, capsys):
    out = tmp_path / "a.png"
    assert main(["complete", str(runs / "nade"), "-n", "3", "--draws", "4", "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert "3 test examples" in told and "bottom hidden, 50%" in told and "±" in told
    with Image.open(out) as image:
        assert image.width > image.height


def test_the_error_is_that_of_the_completions_drawn(runs, monkeypatch):
    run = adv.load_run(runs / "nade")
    asked, draw = [], run.game.abilities["complete"]
    monkeypatch.setitem(run.game.abilities, "complete", lambda x, known: asked.append(len(x)) or draw(x, known))
    shown = complete(run, n=3, draws=4)
    assert asked == [12], "nothing is drawn that isn't shown"
    rows, known = torch.stack(list(shown.rows)), known_of(run.data.spec, "bottom", 0.5)
    each = (rows[:, 2:] - rows[:, :1]).abs()[:, :, ~known].mean((1, 2))
    assert f"{each.mean():.3g} ± {each.std() / 3**0.5:.2g}" in shown.said[1]
    alone = complete(run, n=1, draws=2).said[1]
    assert "one example, so without a standard error" in alone and "nan" not in alone
    alone = complete(adv.load_run(runs / "fvsbn"), n=1, draws=1).said
    assert "1 completion of each" in alone[0] and "without a standard error" in alone[1]


@pytest.mark.parametrize("name", ["nade", "made", "fvsbn"])
def test_an_archive_keeps_what_is_known_and_the_same_seed_draws_the_same(runs, tmp_path, name):
    files = [tmp_path / f"{k}.npz" for k in range(2)]
    for file in files:
        arguments = ["--hide", "top", "-n", "2", "--draws", "5", "--seed", "3", "--out", str(file)]
        assert main(["complete", str(runs / name), *arguments]) == 0
    one, two = (np.load(file) for file in files)
    assert np.array_equal(one["samples"], two["samples"])
    rows = one["samples"].reshape(2, 7, -1)
    half = rows.shape[2] // 2
    assert (rows[:, 2:, half:] == rows[:, :1, half:]).all(), "the lower half stays"


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("vae", [], "this model cannot complete examples"),
        ("nade", ["--share", "1"], "--share is 1"),
        ("made", ["--hide", "left"], "binary data have no left"),
        ("nade", ["--out", "a.jpg"], "pictures go to a .png"),
        ("nade", ["-n", "0"], "number of examples is 0"),
        ("nothing", [], "nothing"),
    ],
)
def test_mistakes_are_one_line(runs, capsys, name, arguments, said):
    assert main(["complete", str(runs / name), *arguments]) == 2
    told = capsys.readouterr().err
    assert said in told and len(told.strip().splitlines()) == 1


def test_an_example_of_one_number_has_no_part():
    with pytest.raises(UserError, match="no part to hide"):
        known_of(DataSpec("binary", (1,)), "bottom", 0.5)

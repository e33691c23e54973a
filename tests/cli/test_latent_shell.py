"""adversaria latent at a shell: pictures that can be opened, numbers on a line, one clear line for a mistake."""

import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import adversaria as adv
from adversaria.api import drawings
from adversaria.api import latent as tools
from adversaria.cli import main
from adversaria.cli.latent import TOOLS, numbers
from adversaria.errors import UserError
from adversaria.runs.checking import Checker


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Smoke runs: with and without an encoder, images and points, normal and uniform codes, labels."""
    place = tmp_path_factory.mktemp("latent")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checker, "due", lambda self, last: False)
        patch.setattr(tools, "COUNTED", 60)
        points = place / "points.npy"
        np.save(points, np.random.default_rng(0).standard_normal((600, 2)))
        for name, data in (
            ("gan", points), ("vae", points), ("dcgan", "digits"), ("ali", "digits"), ("cgan", "digits"),
        ):  # fmt: skip
            adv.train(adv.recipe(name, "smoke"), data, out=place / name)
        np.savez(place / "given.npz", samples=adv.load_run(place / "dcgan").sample(3))
        yield place


@pytest.fixture
def ask(place, monkeypatch, capsys):
    """Runs a command in the folder of runs, in this process: exit code, output, lines of errors."""
    monkeypatch.chdir(place)

    def asked(*arguments):
        try:
            code = main(["latent", *(str(argument) for argument in arguments)])
        except SystemExit as end:
            code = end.code
        told = capsys.readouterr()
        return code, told.out, told.err.strip().splitlines()

    return asked


def test_help_names_every_tool_and_imports_no_torch(ask):
    page = ask("--help")[1]
    assert all(f"\n  {name} " in page for name in TOOLS)
    code = (
        "import sys; from adversaria.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as e: assert not e.code, e.code\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    )
    for words in (["latent", "--help"], ["latent", "runs/a", "invert", "--help"]):
        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and done.stdout, done.stderr
    assert "--starts" in done.stdout and "adversaria latent runs/a invert" in done.stdout


@pytest.mark.parametrize(
    ("run", "tool", "options", "said"),
    [
        ("gan", "interpolate", ["--pairs", "3"], r"3 spherical paths of 9 examples between draws of the prior; round "),
        ("dcgan", "interpolate", ["--steps", "4"], r"6 linear paths of 4 examples.*\n  largest step .* median \d"),
        ("ali", "interpolate", ["--between", "encoded"], r"between codes of held-out examples"),
        ("gan", "interpolate", ["--between", "inverted", "--pairs", "1"], r"between codes found for held-out examples"),
        ("dcgan", "arithmetic", [], r"samples by number; .*--a 1,5,9"),
        ("gan", "arithmetic", [], r"samples by number"),
        ("dcgan", "arithmetic", ["--a", "1,5,9", "--b", "2,4", "--c", "0"], r": 1,5,9 - 2,4 \+ 0: first the mean code"),
        ("gan", "arithmetic", ["--a", "1,5,9"], r": 1,5,9: first the mean code"),
        ("ali", "arithmetic", ["--plus", "3", "--minus", "1", "--plus", "7"], r": 3 - 1 \+ 7: first .* 8 codes within"),
        ("ali", "traverse", ["--count", "2"], r"2 of 4 coordinates, .*\n .*\(n = 128\): \d: [\d.]+ ± [\d.]+%, \d:"),
        ("dcgan", "traverse", ["--coordinates", "6,1"], r"2 of 8 coordinates, .* -1.73 to 1.73 .*\n.* 6: .*, 1: "),
        ("dcgan", "truncate", ["--t", "0.5", "1"], r"t = 0.5: precision 0\.\d\d \[.*, .*\], coverage .*\n  t = 1: "),
        ("gan", "truncate", [], r"60 draws truncated"),
        ("dcgan", "neighbours", ["-n", "2", "-k", "3"], r"2 samples, .* 3 nearest of 1439 training examples"),
        ("ali", "neighbours", ["--space", "codes"], r"space of codes\S* round 4.*\n.*samples .* ± .*, held-out .* ± "),
        ("cgan", "neighbours", [], r"8 samples"),
        ("dcgan", "invert", ["-n", "3", "--steps", "20"], r"(?s)3 test examples.*median of 3.*own samples.*of 3"),
        ("dcgan", "invert", ["-n", "2", "--steps", "20", "--of", "samples"], r"codes for 2 samples of the model"),
        ("dcgan", "invert", ["-n", "3", "--steps", "20", "--of", "given.npz"], r"codes for 3 examples of given.npz"),
        ("ali", "reconstruct", [], r"10 test examples.*\n  mean squared error .* \(median of 10; quartiles .* to .*\)"),
        ("vae", "reconstruct", ["-n", "4"], r"4 test examples"),
        ("vae", "traverse", [], r"4 of 4 coordinates"),
    ],
)  # fmt: skip
def test_every_tool_draws_a_picture_and_tells_its_numbers(ask, run, tool, options, said):
    code, out, errors = ask(run, tool, *options, "--out", "picture.png")
    assert (code, errors) == (0, [])
    assert out.startswith("picture.png: ") and re.search(said, out), out
    with Image.open("picture.png") as picture:
        assert picture.format == "PNG" and min(picture.size) > 60 and len(picture.getcolors(10**6)) > 2


def test_the_picture_goes_to_the_run_and_the_seed_fixes_it(ask, place):
    assert ask("dcgan", "interpolate")[1].startswith("dcgan/latent-interpolate.png: ")
    first = (place / "dcgan" / "latent-interpolate.png").read_bytes()
    ask("interpolate", "dcgan")  # either order
    assert (place / "dcgan" / "latent-interpolate.png").read_bytes() == first
    ask("dcgan", "interpolate", "--seed", "1")
    assert (place / "dcgan" / "latent-interpolate.png").read_bytes() != first


def test_an_archive_has_examples_rows_and_codes(ask):
    assert ask("dcgan", "interpolate", "--pairs", "2", "--steps", "5", "--out", "path.npz")[0] == 0
    with np.load("path.npz", allow_pickle=False) as kept:
        assert kept["samples"].shape == (10, 8, 8, 1) and kept["samples"].dtype == np.uint8
        assert kept["row"].tolist() == [0] * 5 + [1] * 5
        z = kept["codes"].reshape(2, 5, 8)
    np.testing.assert_allclose(z, np.linspace(z[:, 0], z[:, -1], 5, axis=1), atol=1e-6)


def test_a_numbered_sample_is_the_one_that_is_added(place):
    run = adv.load_run(place / "dcgan")
    sheet, summed = tools.numbered(run), tools.arithmetic(run, plus_samples=[[9]], noise=0.0)
    np.testing.assert_array_equal(np.concatenate(sheet.examples)[9], summed.examples[0][1])
    np.testing.assert_allclose(summed.codes[0], sheet.codes[9])
    for image in summed.examples[1]:
        np.testing.assert_allclose(image.astype(int), summed.examples[0][1].astype(int), atol=1)


def test_terms_are_averaged_added_and_subtracted(place):
    run = adv.load_run(place / "dcgan")
    z = tools.numbered(run).codes
    summed = tools.arithmetic(run, plus_samples=[[1, 5], [7]], minus_samples=[[2, 4, 6]])
    np.testing.assert_allclose(summed.codes[0], z[[1, 5]].mean(0) - z[[2, 4, 6]].mean(0) + z[7], atol=1e-6)
    assert list(summed.captions) == ["+ 1,5", "- 2,4,6", "+ 7", "="] and [len(row) for row in summed.rows] == [
        3,
        4,
        2,
        9,
    ]
    np.testing.assert_allclose(summed.codes[1:], summed.codes[:1].expand(8, -1), atol=0.25)


def test_class_means_are_those_of_the_encoder(place):
    run = adv.load_run(place / "ali")
    shown = tools.arithmetic(run, plus=["3"], examples=4)
    members = run.data.members("train")[0]
    threes = run.data.spec.to_user(run.data.examples(len(members), "train").x)[run.data.labels[members] == 3]
    for image in shown.examples[0][1:]:
        assert (threes == image).all((1, 2, 3)).any()
    x = run.data.spec.to_game(shown.examples[0][1:])
    np.testing.assert_allclose(shown.codes[0], run.game.encode(x, seed=0).mean(0), atol=1e-5)


def test_neighbours_are_training_examples_nearest_first(place):
    run = adv.load_run(place / "dcgan")
    shown = tools.neighbours(run, 3, 4)
    train = run.data.examples(run.data.size("train"), "train").x.flatten(1).double()
    for row in shown.rows:
        sample, found = row[0].flatten().double(), row[1:].flatten(1).double()
        nearest = (train - sample).norm(dim=1).sort().values[:4]
        np.testing.assert_allclose((found - sample).norm(dim=1), nearest, rtol=1e-9)


def test_inversion_shows_what_the_library_finds(place):
    from adversaria import latent

    run = adv.load_run(place / "dcgan")
    shown = tools.invert(run, 2, steps=10, starts=3)
    found = latent.invert(run.game, run.data.examples(2, "test", seed=0).x, steps=10, starts=3)
    assert str(found) in shown.said[1]
    np.testing.assert_array_equal(shown.examples[1], run.data.spec.to_user(found.examples))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["dcgan"], "which tool?"),
        (["interpolate"], "which run?"),
        (["dcgan", "interpolat"], "did you mean 'interpolate'?"),
        (["nowhere", "interpolate"], "no run at nowhere"),
        (["dcgan", "interpolate", "--way", "spherical"], "this model's are uniform; take the linear way"),
        (["dcgan", "interpolate", "--between", "encoded"], "--between inverted"),
        (["dcgan", "interpolate", "--pairs", "0"], "number of pairs is 0"),
        (["dcgan", "interpolate", "--steps", "1"], "steps is 1; give 2 or more"),
        (["dcgan", "interpolate", "--seed", "-1"], "--seed is -1"),
        (["dcgan", "interpolate", "--out", "a.jpg"], "ends in '.jpg'"),
        (["dcgan", "interpolate", "--out", "no/a.png"], "there is no folder no"),
        (["dcgan", "interpolate", "--label", "1"], "decodes codes alone; leave the label out"),
        (["cgan", "interpolate"], "this model's game gives no latent and no decode (it samples given labels only)"),
        (["cgan", "reconstruct"], "this model cannot reconstruct"),
        (
            ["dcgan", "arithmetic", "--plus", "3"],
            "class 3 asked of a model that doesn't encode; name samples by number",
        ),
        (["ali", "arithmetic", "--plus", "12"], "unknown class '12'"),
        (["ali", "arithmetic", "--minus", "1"], "nothing to subtract from"),
        (["dcgan", "arithmetic", "--a", "1,x"], "--a is '1,x'; give whole numbers"),
        (["dcgan", "arithmetic", "--a", "1,64"], "samples 64; give numbers from 0 to 63"),
        (["dcgan", "arithmetic", "--a", "1", "--noise", "-1"], "noise is -1"),
        (["vae", "arithmetic", "--plus", "3"], "has no labels"),
        (["dcgan", "traverse", "--coordinates", "8"], "give some from 0 to 7"),
        (["dcgan", "traverse", "--reach", "0"], "reach is 0"),
        (["dcgan", "truncate", "--t", "0"], "t is 0.0; give a number"),
        (["dcgan", "neighbours", "--space", "codes"], "doesn't encode"),
        (["dcgan", "neighbours", "-k", "5000"], "take k from 1 to 1439"),
        (["dcgan", "invert", "--of", "tset"], "'tset' is no split and no file"),
        (["dcgan", "invert", "-n", "4000"], "which has 179"),
        (["dcgan", "invert", "--starts", "0"], "starts is 0"),
        (["dcgan", "reconstruct"], "'adversaria latent dcgan invert' looks for codes instead"),
    ],
)
def test_a_mistake_gets_one_line_and_code_2(ask, arguments, said):
    code, out, errors = ask(*arguments)
    assert (code, out, len(errors)) == (2, "", 1), (out, errors)
    assert errors[0].startswith("adversaria: ") and said in errors[0]


def test_numbers_between_commas():
    assert numbers("--a", "3,1, 4") == [3, 1, 4] and numbers("--a", None) is None
    for text in ("", "1,,2", "1.5", "a"):
        with pytest.raises(UserError, match="--a is"):
            numbers("--a", text)


@pytest.mark.parametrize("d", [1, 2, 5])
@pytest.mark.parametrize("style", ["trails", "clouds", "panels", "numbers"])
def test_points_of_any_dimension_are_drawn_in_every_style(d, style, tmp_path):
    draw = np.random.default_rng(0).standard_normal
    rows = [draw((4, d)), draw((7, d))]
    (tmp_path / "a.png").write_bytes(drawings.plot(rows, ["a", "b"], draw((50, d)), style, ("x", "y")[:d]))
    with Image.open(tmp_path / "a.png") as picture:
        assert min(picture.size) > 300


def test_rows_of_images_keep_their_pixels_and_short_rows_are_left_white():
    rows = [np.full((n, 70, 70, 1), 100 * n, np.uint8) for n in (2, 1)]
    bare, named = drawings.captioned(rows, []), drawings.captioned(rows, ["first", "second"])
    margin = named.shape[1] - bare.shape[1]
    assert margin > 10
    np.testing.assert_array_equal(named[:, margin:], bare)
    assert (named[:, :margin] < 128).any()
    assert (
        (bare[10:60, 10:60] == 200).all() and (bare[84:130, 10:60] == 100).all() and (bare[84:130, 84:130] == 255).all()
    )

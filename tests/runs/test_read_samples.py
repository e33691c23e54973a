"""Samples of any tool come in as they were written, or with one clear line."""

import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from adversaria.data import DataSpec, load
from adversaria.errors import UserError
from adversaria.runs.samples import read_samples

GREY = DataSpec("image", (1, 8, 8))
COLOUR = DataSpec("image", (3, 4, 6))
POINTS = DataSpec("points", (2,))
BITS = DataSpec("binary", (16,))
TOKENS = DataSpec("sequence", (5,), categories=7)

rng = np.random.default_rng(0)
VALUES = {
    "grey": (GREY, rng.integers(0, 256, (12, 8, 8, 1), np.uint8)),
    "colour": (COLOUR, rng.integers(0, 256, (12, 4, 6, 3), np.uint8)),
    "points": (POINTS, rng.normal(size=(12, 2)).astype(np.float32)),
    "binary": (BITS, rng.integers(0, 2, (12, 16))),
    "sequence": (TOKENS, rng.integers(0, 7, (12, 5))),
}


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("suffix", ["npz", "npy"])
def test_what_is_written_is_read_back(tmp_path, kind, suffix):
    spec, values = VALUES[kind]
    path = tmp_path / f"a.{suffix}"
    if suffix == "npz":
        np.savez(path, samples=values, labels=np.arange(12))
    else:
        np.save(path, values)
    x = read_samples(path, spec)
    assert tuple(x.shape) == (12, *spec.shape)
    np.testing.assert_array_equal(spec.to_user(x), values)


@pytest.mark.parametrize("kind", ["points", "sequence", "grey"])
def test_the_first_n_are_read(tmp_path, kind):
    spec, values = VALUES[kind]
    np.savez(tmp_path / "a.npz", values)
    assert torch.equal(read_samples(tmp_path / "a.npz", spec, 5), read_samples(tmp_path / "a.npz", spec)[:5])
    with pytest.raises(UserError, match=r"13 samples asked for and .* holds 12; give 12 at most"):
        read_samples(tmp_path / "a.npz", spec, 13)


def test_grey_images_need_no_channel_axis(tmp_path):
    np.save(tmp_path / "a.npy", VALUES["grey"][1][..., 0])
    np.testing.assert_array_equal(GREY.to_user(read_samples(tmp_path / "a.npy", GREY)), VALUES["grey"][1])


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", ["grey", "colour"])
def test_a_folder_or_zip_of_pictures_is_its_pixels(tmp_path, kind, packed):
    spec, values = VALUES[kind]
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i, image in enumerate(values):
        Image.fromarray(image.squeeze()).save(folder / f"{i:03d}.png")
    place = folder
    if packed:
        place = tmp_path / "pictures.zip"
        with zipfile.ZipFile(place, "w") as archive:
            for file in sorted(folder.iterdir()):
                archive.write(file, file.name)
    np.testing.assert_array_equal(spec.to_user(read_samples(place, spec)), values)


def test_samples_of_data_are_the_data(tmp_path):
    data = load("digits")
    held = data.examples(50, "test", seed=0).x
    np.savez(tmp_path / "a.npz", samples=data.spec.to_user(held))
    assert torch.equal(read_samples(tmp_path / "a.npz", data.spec), held)


WRONG = {
    "floats for images": (GREY, np.zeros((12, 8, 8, 1)), "float64 images; expected uint8"),
    "wider integers for images": (GREY, np.zeros((12, 8, 8, 1), np.int64), "int64 images; expected uint8"),
    "another size": (GREY, np.zeros((12, 9, 9, 1), np.uint8), r"\(12, 9, 9, 1\); expected \(n, 8, 8, 1\)"),
    "channels first": (COLOUR, np.zeros((12, 3, 4, 6), np.uint8), r"expected \(n, 4, 6, 3\)"),
    "grey for colour": (COLOUR, np.zeros((12, 4, 6), np.uint8), r"expected \(n, 4, 6, 3\)"),
    "a scalar": (GREY, np.uint8(3), r"shape \(\); expected"),
    "points in three dimensions": (POINTS, np.zeros((12, 3)), r"expected \(n, 2\)"),
    "complex points": (POINTS, np.zeros((12, 2), complex), "complex128; points are real numbers"),
    "words for points": (POINTS, np.full((12, 2), "a"), "points are real numbers"),
    "points that are no numbers": (POINTS, np.full((12, 2), np.nan), "12 of the 12 points .* not finite"),
    "an infinite point": (POINTS, np.array([[0, 0], [np.inf, 0]]), "1 of the 2 points .* not finite"),
    "points beyond float32": (POINTS, np.full((12, 2), 1e300), "not finite"),
    "bits of 2": (BITS, np.full((12, 16), 2), "outside of 0 to 1"),
    "floating bits": (BITS, np.zeros((12, 16)), "binary data are integers"),
    "a token too many": (TOKENS, np.full((12, 5), 7), "outside of 0 to 6"),
    "a negative token": (TOKENS, np.full((12, 5), -1), "outside of 0 to 6"),
    "a token beyond int64": (TOKENS, np.full((12, 5), 2**63 + 5, np.uint64), "outside of 0 to 6"),
    "floating tokens": (TOKENS, np.zeros((12, 5)), "sequence data are integers"),
}


@pytest.mark.parametrize("what", WRONG)
def test_samples_of_another_kind_are_refused(tmp_path, what):
    spec, values, said = WRONG[what]
    np.savez(tmp_path / "a.npz", samples=values)
    with pytest.raises(UserError, match=said):
        read_samples(tmp_path / "a.npz", spec)


def flipped(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]


DAMAGE = {
    "truncated": lambda b: b[: len(b) // 2],
    "a few bytes": lambda b: b[:20],
    "one byte wrong": flipped,
    "empty": lambda b: b"",
    "text": lambda b: b"hello",
}


@pytest.mark.parametrize(
    ("how", "suffix"),
    [(how, suffix) for how in DAMAGE for suffix in ("npz", "npy") if (how, suffix) != ("one byte wrong", "npy")],
)
def test_a_damaged_file_is_one_line(tmp_path, how, suffix):
    path = tmp_path / f"a.{suffix}"
    (np.savez if suffix == "npz" else np.save)(path, VALUES["grey"][1])
    path.write_bytes(DAMAGE[how](path.read_bytes()))
    with pytest.raises(UserError, match="can't be read") as caught:
        read_samples(path, GREY)
    assert "\n" not in str(caught.value) and "allow_pickle" not in str(caught.value)


@pytest.mark.parametrize("save", [lambda p, v: np.save(p / "a.npy", v), lambda p, v: np.savez(p / "a.npz", samples=v)])
def test_pickled_objects_are_never_loaded(tmp_path, save):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    save(tmp_path, np.array([Trap(), 1], object))
    with pytest.raises(UserError, match="pickled objects"):
        read_samples(next(tmp_path.glob("a.*")), GREY)
    assert not (tmp_path / "sprung").exists()


def test_an_archive_says_what_it_holds_instead(tmp_path):
    np.savez(tmp_path / "two.npz", a=VALUES["grey"][1], b=VALUES["grey"][1])
    np.savez(tmp_path / "none.npz")
    with zipfile.ZipFile(tmp_path / "text.npz", "w") as archive:
        archive.writestr("samples.txt", "hello")
    for name, said in (
        ("two", "holds a, b; call"),
        ("none", "holds no array"),
        ("text", "no array under 'samples.txt'"),
    ):
        with pytest.raises(UserError, match=said):
            read_samples(tmp_path / f"{name}.npz", GREY)


def test_what_is_no_samples_at_all(tmp_path):
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "folder").mkdir()
    for name, said in (
        ("nowhere", "there is nothing at"),
        ("a.json", "can't be read from a.json"),
        ("folder", "no image"),
    ):
        with pytest.raises(UserError, match=said):
            read_samples(tmp_path / name, GREY)

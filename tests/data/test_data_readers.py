import gzip
import os
import struct
import zipfile

import numpy as np
import pytest
import torch
from data_helpers import classes, encoded, flat, folder_of, idx_bytes, noise, pixels_of, zip_of

from adversaria.data import load
from adversaria.errors import UserError


def test_flat_folder_gives_the_pixels_in_order_of_names(tmp_path):
    data = load(folder_of(tmp_path / "pets", flat(12)))
    assert data.name == "pets"
    assert data.spec.shape == (3, 8, 8)
    assert data.labels is None
    assert np.array_equal(pixels_of(data), np.stack([noise(seed=i) for i in range(12)]))
    assert load(**data.options).fingerprint == data.fingerprint


def test_class_folders_are_labels_sorted_by_name(tmp_path):
    data = load(folder_of(tmp_path, classes(12, ("dog", "cat", "ant"))))
    assert data.spec.class_names == ("ant", "cat", "dog")
    assert data.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4


def test_classes_named_by_number_are_in_order_of_number(tmp_path):
    data = load(folder_of(tmp_path, classes(22, tuple(map(str, range(11))))))
    assert data.spec.classes == 11
    assert data.spec.class_names == ()
    place = [i for i, label in enumerate(data.labels) if label == 10]
    assert np.array_equal(pixels_of(data)[place], np.stack([noise(seed=10), noise(seed=21)]))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_equals_its_folder(tmp_path, method):
    files = classes(20)
    unpacked = load(folder_of(tmp_path / "folder", files))
    before = set(tmp_path.iterdir())
    zipped = load(zip_of(tmp_path / "a.zip", {f"shared/top/{k}": v for k, v in files.items()}, method))
    assert zipped.fingerprint == unpacked.fingerprint
    assert set(tmp_path.iterdir()) - before == {tmp_path / "a.zip"}


def test_folders_named_as_splits_are_the_published_splits(tmp_path):
    files = {
        f"{s}/{name}": content
        for s, n in (("train", 10), ("val", 4), ("test", 6))
        for name, content in classes(n).items()
    }
    data = load(folder_of(tmp_path, files))
    assert {s: data.size(s) for s in data.splits} == {"train": 10, "valid": 4, "test": 6}
    assert data.spec.class_names == ("cat", "dog")


def test_one_zip_a_split_reads_as_the_published_splits_and_valid_is_taken_from_train(tmp_path):
    zip_of(tmp_path / "train.zip", classes(30))
    zip_of(tmp_path / "test.zip", classes(5))
    data = load(tmp_path)
    assert {s: data.size(s) for s in data.splits} == {"train": 27, "valid": 3, "test": 5}
    assert data.spec.classes == 2
    assert np.array_equal(np.sort(np.concatenate([*data.splits.values()])), np.arange(35))


def test_images_that_differ_in_size_become_squares_and_a_note_says_so(tmp_path):
    files = {f"{i}.png": encoded(noise(40 + i, 60)) for i in range(6)}
    data = load(folder_of(tmp_path, files))
    assert data.spec.shape == (3, 32, 32)
    assert any("40 x 60 to 45 x 60" in note and "32 x 32" in note for note in data.notes)
    assert any("Lanczos" in note for note in data.notes)


def test_grey_among_colour_becomes_colour_whichever_comes_first(tmp_path):
    grey, colour = encoded(noise(channels=1, seed=1)), encoded(noise(seed=2))
    first = load(folder_of(tmp_path / "a", {"0.png": grey, "1.png": colour, "2.png": colour}))
    last = load(folder_of(tmp_path / "b", {"0.png": colour, "1.png": colour, "2.png": grey}))
    assert first.spec.shape == last.spec.shape == (3, 8, 8)
    assert np.array_equal(pixels_of(first)[0], pixels_of(last)[2])
    assert np.array_equal(pixels_of(first)[0], np.repeat(noise(channels=1, seed=1)[..., None], 3, 2))


def test_centre_crop_keeps_proportions_and_no_crop_keeps_the_borders(tmp_path):
    image = np.zeros((8, 16), np.uint8)
    image[:, 4:12] = 255
    root = folder_of(tmp_path, {f"{i}.png": encoded(image) for i in range(3)})
    assert (pixels_of(load(root, size=8)) == 255).all()
    squeezed = pixels_of(load(root, size=8, crop="none"))
    assert (squeezed[:, :, 0] < 30).all()
    assert (squeezed[:, :, 4] > 200).all()
    assert load(root, size=(4, 8), channels=3).spec.shape == (3, 4, 8)


def test_drafted_jpegs_are_close_to_full_decoding(tmp_path):
    y, x = np.mgrid[0:256, 0:320]
    smooth = (127 + 60 * np.sin(x / 40) + 60 * np.cos(y / 30)).astype(np.uint8)
    png = folder_of(tmp_path / "p", {f"{i}.png": encoded(smooth) for i in range(3)})
    jpg = folder_of(tmp_path / "j", {f"{i}.jpg": encoded(smooth, "JPEG", quality=95) for i in range(3)})
    a, b = (pixels_of(load(root, size=32)).astype(int) for root in (png, jpg))
    assert np.abs(a - b).mean() < 2


def test_idx_file_and_mnist_like_folder(tmp_path):
    images, labels = noise(20 * 6, 5, 1).reshape(20, 6, 5), np.arange(20, dtype=np.uint8) % 4
    folder_of(
        tmp_path / "m",
        {
            "train-images-idx3-ubyte.gz": gzip.compress(idx_bytes(images[:15])),
            "train-labels-idx1-ubyte": idx_bytes(labels[:15]),
            "t10k-images-idx3-ubyte.gz": gzip.compress(idx_bytes(images[15:])),
            "t10k-labels-idx1-ubyte.gz": gzip.compress(idx_bytes(labels[15:])),
        },
    )
    data = load(tmp_path / "m")
    assert np.array_equal(pixels_of(data)[..., 0], images)
    assert data.labels.tolist() == labels.tolist()
    assert {s: data.size(s) for s in data.splits} == {"train": 14, "valid": 1, "test": 5}
    assert load(tmp_path / "m" / "train-images-idx3-ubyte.gz").spec.shape == (1, 6, 5)


@pytest.mark.parametrize("hundred", [False, True])
def test_binary_cifar_both_layouts(tmp_path, hundred):
    images = noise(12 * 32, 32).reshape(12, 32, 32, 3)
    records = b"".join(
        (b"\7" if hundred else b"") + bytes([i % 3]) + image.transpose(2, 0, 1).tobytes()
        for i, image in enumerate(images)
    )
    half = len(records) * 3 // 4
    names = ("train.bin", "test.bin") if hundred else ("data_batch_1.bin", "test_batch.bin")
    folder_of(tmp_path, {names[0]: records[:half], names[1]: records[half:]})
    (tmp_path / ("fine_label_names.txt" if hundred else "batches.meta.txt")).write_text("a\nb\nc\n")
    data = load(tmp_path)
    assert np.array_equal(pixels_of(data), images)
    assert data.labels.tolist() == [i % 3 for i in range(12)]
    assert data.spec.class_names == ("a", "b", "c")
    assert data.size("test") == 3


def test_pickled_cifar_is_refused_with_the_remedy(tmp_path):
    folder_of(tmp_path, {"data_batch_1": b"\x80\x02}", "batches.meta": b"\x80\x02}"})
    with pytest.raises(UserError, match="binary version"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("array", "kind", "shape"),
    [
        (np.zeros((9, 4, 5), np.uint8), "image", (1, 4, 5)),
        (noise(9 * 6, 6, 5).reshape(9, 6, 6, 5), "image", (5, 6, 6)),
        (noise(9 * 2, 6, 6).reshape(9, 2, 6, 6), "image", (2, 6, 6)),
        (np.linspace(0, 1, 9 * 16).reshape(9, 4, 4), "image", (1, 4, 4)),
        (np.linspace(-1, 1, 9 * 16, dtype=np.float32).reshape(9, 4, 4), "image", (1, 4, 4)),
        (np.arange(9 * 16).reshape(9, 4, 4), "image", (1, 4, 4)),
        (np.arange(9 * 16, dtype=np.uint16).reshape(9, 4, 4) * 400, "image", (1, 4, 4)),
        (np.ones((9, 4, 4), bool), "image", (1, 4, 4)),
        (np.random.default_rng(0).normal(size=(9, 3)), "points", (3,)),
        (np.arange(9.0), "points", (1,)),
        (np.arange(27).reshape(9, 3), "points", (3,)),
        (np.eye(9, dtype=np.uint8), "binary", (9,)),
        (np.eye(9, dtype=bool), "binary", (9,)),
    ],
)
def test_an_array_is_read_by_its_dimensions_type_and_range(tmp_path, array, kind, shape):
    data = load(array)
    assert data.spec.kind == kind
    assert data.spec.shape == shape
    assert data.examples(2).x.dtype == torch.float32
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "b.npz", data=array)
    np.savez_compressed(tmp_path / "c.npz", whatever=array)
    assert {load(tmp_path / name).fingerprint for name in ("a.npy", "b.npz", "c.npz")} == {data.fingerprint}


def test_floats_become_the_nearest_of_256_levels():
    grid = np.arange(256).reshape(4, 8, 8)
    assert np.array_equal(pixels_of(load(grid / 255))[..., 0], grid)
    assert np.array_equal(pixels_of(load((grid / 127.5 - 1).astype(np.float32)))[..., 0], grid)
    assert np.array_equal(pixels_of(load(torch.tensor(grid / 255)))[..., 0], grid)


def test_pairs_carry_labels_of_any_plain_kind():
    images = noise(6 * 4, 4, 1).reshape(6, 4, 4)
    assert load((images, [0, 1, 2, 0, 1, 2])).spec.classes == 3
    assert load((images, torch.tensor([[1.0], [5.0], [5.0], [1.0], [1.0], [1.0]]))).spec.class_names == (
        "1",
        "5",
    )
    words = load((images, np.array(["b", "a", "b", "a", "b", "b"])))
    assert words.labels.tolist() == [1, 0, 1, 0, 1, 1]
    for labels, said in (([0, 1], "one label an example"), ([0.5] * 6, "whole numbers or words")):
        with pytest.raises(UserError, match=said):
            load((images, labels))


def test_npz_keys_name_splits_labels_and_tokens(tmp_path):
    x = noise(10 * 4, 4, 1).reshape(10, 4, 4)
    np.savez(tmp_path / "k.npz", x_train=x[:6], y_train=[0, 1] * 3, x_test=x[6:], y_test=[1, 1, 0, 0])
    data = load(tmp_path / "k.npz")
    assert {s: data.size(s) for s in data.splits} == {"train": 5, "valid": 1, "test": 4}
    assert data.labels.tolist() == [0, 1, 0, 1, 0, 1, 1, 1, 0, 0]
    np.savez(tmp_path / "t.npz", tokens=np.arange(20).reshape(5, 4))
    text = load(tmp_path / "t.npz")
    assert text.spec.kind == "sequence"
    assert text.spec.categories == 20
    assert text.batches(2, seed=0).at(0).x.dtype == torch.long
    np.savez(tmp_path / "two.npz", first=x, other=x)
    with pytest.raises(UserError, match="name the data one of images"):
        load(tmp_path / "two.npz")


def test_arrays_of_images_are_resized_and_recoloured_too():
    assert load("digits", size=16).spec.shape == (1, 16, 16)
    assert load("digits", size=16, channels=3).spec.shape == (3, 16, 16)
    assert load(noise(24, 6, 5).reshape(4, 6, 6, 5), size=3).spec.shape == (5, 3, 3)
    with pytest.raises(UserError, match="only 1 and 3 are converted"):
        load(noise(24, 6, 5).reshape(4, 6, 6, 5), channels=3)


def test_fingerprint_follows_content_labels_and_options_but_not_the_place(tmp_path):
    files = classes(10)
    prints = {
        "one": load(folder_of(tmp_path / "one", files)).fingerprint,
        "resized": load(tmp_path / "one", size=4).fingerprint,
        "grey": load(tmp_path / "one", channels=1).fingerprint,
        "renamed class": load(
            folder_of(tmp_path / "c", {k.replace("cat", "cow"): v for k, v in files.items()})
        ).fingerprint,
        "other pixel": load(folder_of(tmp_path / "d", {**files, "cat/000.png": encoded(noise(seed=99))})).fingerprint,
    }
    assert len(set(prints.values())) == len(prints)
    assert load(folder_of(tmp_path / "elsewhere", files)).fingerprint == prints["one"]


def test_the_packed_file_is_made_once_and_made_again_when_an_image_changes(tmp_path):
    root, cache = folder_of(tmp_path / "in", flat(20)), tmp_path / "cache"
    first = load(root, memory=100, cache=cache)
    (packed,) = cache.iterdir()
    stamp = packed.stat().st_mtime_ns
    assert load(root, memory=100, cache=cache).fingerprint == first.fingerprint
    assert packed.stat().st_mtime_ns == stamp
    (root / "000.png").write_bytes(encoded(noise(seed=77)))
    assert load(root, memory=100, cache=cache).fingerprint != first.fingerprint
    assert len(list(cache.iterdir())) == 2
    assert first.fingerprint == first.fingerprint


def test_a_damaged_packed_file_is_made_again(tmp_path):
    root, cache = folder_of(tmp_path / "in", flat(20)), tmp_path / "cache"
    first = load(root, memory=100, cache=cache)
    (packed,) = cache.iterdir()
    os.truncate(packed, 500)
    assert load(root, memory=100, cache=cache).fingerprint == first.fingerprint
    assert np.array_equal(pixels_of(load(root, memory=100, cache=cache)), pixels_of(load(root)))


def test_skipped_files_are_remembered_with_the_packed_file(tmp_path):
    files = {**flat(30), "005.png": b"", "zz.txt": b"hello"}
    root = folder_of(tmp_path / "in", files)
    once = load(root, memory=100, cache=tmp_path / "c")
    again = load(root, memory=100, cache=tmp_path / "c")
    assert once.skipped == again.skipped == load(root).skipped
    assert once.fingerprint == again.fingerprint == load(root).fingerprint
    assert once.notes == again.notes
    with pytest.raises(UserError, match="tolerance=0"):
        load(root, memory=100, cache=tmp_path / "c", tolerance=0)


def test_large_arrays_stream_too(tmp_path):
    array = noise(30 * 8, 8).reshape(30, 8, 8, 3)
    np.save(tmp_path / "a.npy", array)
    streamed = load(tmp_path / "a.npy", memory=100, cache=tmp_path / "c")
    assert streamed.fingerprint == load(array).fingerprint
    assert np.array_equal(pixels_of(streamed), array)


def test_too_little_room_for_the_packed_file_is_said_before_writing(tmp_path, monkeypatch):
    root = folder_of(tmp_path / "in", flat(5))
    monkeypatch.setattr("shutil.disk_usage", lambda path: os.terminal_size((0, 0)) and type("U", (), {"free": 10}))
    with pytest.raises(UserError, match="GiB free"):
        load(root, memory=0, cache=tmp_path / "c")
    assert not list((tmp_path / "c").iterdir())


def test_cache_that_cannot_be_a_folder(tmp_path):
    root = folder_of(tmp_path / "in", flat(5))
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="set cache= to another"):
        load(root, memory=0, cache=tmp_path / "file" / "x")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"size": 0}, "pixels from 1 to"),
        ({"size": (4, 5, 6)}, "pixels from 1 to"),
        ({"size": "big"}, "pixels from 1 to"),
        ({"crop": "center"}, "did you mean 'centre'"),
        ({"channels": 4}, "expected 1"),
        ({"tolerance": 2}, "a share from 0 to 1"),
    ],
)
def test_wrong_options_say_value_and_rule(options, said):
    with pytest.raises(UserError, match=said):
        load("digits", **options)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("digit", "did you mean 'digits'.*path"),
        ("no/such/folder", "no file or folder"),
        ("nothing.zip", "no file or folder"),
        (None, "expected a name, a path, an array"),
        ({}, "expected a name, a path, an array"),
        (np.array(["a", "b"]), "expected numbers"),
        (np.zeros((3, 4), complex), "expected numbers"),
        (np.array(3.0), "expected .n, d. points"),
        (np.zeros((0, 4)), "holds nothing"),
        (np.zeros((2, 4)), "at least 3"),
        ([[1, 2], [3]], "one shape"),
        (np.full((5, 2), np.nan), "5 of 5 points hold NaN"),
        (np.linspace(0, 3, 80).reshape(5, 4, 4), "rescale"),
        (np.full((5, 4, 4), np.inf), "infinite"),
        ("a\0b", "no file or folder"),
        ("a\nb", "no file or folder"),
        ("x" * 5000, "no data at"),
    ],
)
def test_sources_that_are_no_data_say_why(source, said):
    with pytest.raises(UserError, match=said) as caught:
        load(source)
    assert "\n" not in str(caught.value)


def test_image_options_are_refused_for_other_data():
    with pytest.raises(UserError, match="size, crop and channels are for images"):
        load("ring8", size=8)


def test_other_kinds_of_file_get_a_remedy(tmp_path):
    for name, said in (
        ("a.tar.gz", "unpack it"),
        ("a.pt", "np.save"),
        ("a.png", "name its folder"),
        ("a.bin", "CIFAR"),
        ("a.xyz", "expected .zip"),
    ):
        (tmp_path / name).write_bytes(struct.pack("I", 7))
        with pytest.raises(UserError, match=said):
            load(tmp_path / name)

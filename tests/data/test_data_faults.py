import gzip
import io
import os
import stat
import struct
import time
import zipfile
import zlib

import numpy as np
import pytest
from data_helpers import encoded, flat, folder_of, idx_bytes, noise, pixels_of, zip_of
from PIL import Image

from adversaria.data import load
from adversaria.errors import UserError


def load_with(tmp_path, extra, n=40, **options):
    """A folder of `n` sound images and the files of `extra`."""
    return load(folder_of(tmp_path / "in", {**flat(n), **extra}), **options)


def bomb(side):
    """A PNG of a few bytes whose header claims side x side pixels."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")


BROKEN = {
    "empty": (b"", "0 bytes"),
    "text": (b"hello", "no image"),
    "truncated png": (encoded(noise(64, 64))[:2000], ""),
    "truncated jpeg": (encoded(noise(64, 64), "JPEG")[:1500], ""),
    "10000 x 10000": (bomb(10_000), "over the limit of 64 million"),
    "20000 x 20000": (bomb(20_000), "pixels"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n", "no image"),
    "floats": (encoded(np.zeros((8, 8), np.float32), "TIFF"), "save these as .npy"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_image_is_skipped_with_its_reason(tmp_path, fault):
    content, reason = BROKEN[fault]
    data = load_with(tmp_path, {"zz.png": content})
    assert len(data) == 40
    ((name, said),) = data.skipped
    assert name == "zz.png"
    assert reason in said
    assert "\n" not in said
    assert any("1 of 41 files could not be read" in note for note in data.notes)


def test_more_broken_images_than_tolerated_stop_with_the_first_few_names(tmp_path):
    with pytest.raises(UserError, match=r"at least 3 of 43 images.*a1.png: 0 bytes; .*mend or remove"):
        load_with(tmp_path, {f"a{i}.png": b"" for i in (1, 2, 3)}, tolerance=0.05)
    assert len(load(tmp_path / "in", tolerance=0.1)) == 40
    with pytest.raises(UserError, match="tolerance=0"):
        load(tmp_path / "in", tolerance=0)


def test_labels_and_splits_stay_with_their_images_when_some_are_skipped(tmp_path):
    files = {f"{s}/{i % 2}/{i}.png": encoded(noise(seed=i)) for s in ("train", "test") for i in range(20)}
    files |= {"train/0/0.png": b"", "test/1/1.png": b""}
    data = load(folder_of(tmp_path, files), tolerance=0.1)
    stored = pixels_of(data)
    for split in ("train", "valid", "test"):
        for place in data.splits[split]:
            (seed,) = [i for i in range(20) if np.array_equal(stored[place], noise(seed=i))]
            assert data.labels[place] == seed % 2
    assert data.size("test") == 19


def test_a_gif_named_jpg_still_decodes(tmp_path):
    pixels = noise(8, 8, 1)
    data = load_with(tmp_path, {"zz.jpg": encoded(pixels, "GIF")})
    assert np.array_equal(pixels_of(data)[-1, ..., 0], pixels)


def test_transparency_is_laid_on_white(tmp_path):
    rgba = np.zeros((8, 8, 4), np.uint8)
    rgba[:4, :, 3] = 255
    palette = Image.fromarray(noise(8, 8, 1) % 4).convert("P")
    buffer = io.BytesIO()
    palette.save(buffer, "PNG", transparency=bytes([0, 255, 128, 255]))
    data = load_with(tmp_path, {"zy.png": encoded(rgba), "zz.png": buffer.getvalue()})
    image = pixels_of(data)[-2]
    assert (image[:4] == 0).all()
    assert (image[4:] == 255).all()
    assert data.spec.shape == (3, 8, 8)
    assert any("2 of 42 images were transparent, laid on white" in note for note in data.notes)


def test_sixteen_bits_become_eight(tmp_path):
    wide = (np.arange(64, dtype=np.uint16) * 1040).reshape(8, 8)
    files = {f"{i}.png": encoded(wide) for i in range(3)}
    data = load(folder_of(tmp_path, files))
    assert np.array_equal(pixels_of(data)[0, ..., 0], np.rint(wide / 257).astype(np.uint8))
    assert data.spec.shape == (1, 8, 8)


def test_cmyk_becomes_rgb(tmp_path):
    buffer = io.BytesIO()
    Image.new("CMYK", (8, 8), (0, 0, 0, 0)).save(buffer, "JPEG")
    data = load_with(tmp_path, {"zz.jpg": buffer.getvalue()})
    assert (pixels_of(data)[-1] > 250).all()


def test_the_first_frame_of_an_animation_is_used(tmp_path):
    frames = [Image.fromarray(noise(8, 8, 1, seed=i)) for i in range(3)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    data = load_with(tmp_path, {"zz.gif": buffer.getvalue()})
    assert np.array_equal(pixels_of(data)[-1, ..., 0], noise(8, 8, 1, seed=0))
    assert any("first frame" in note for note in data.notes)


def test_exif_rotation_is_applied(tmp_path):
    image = np.zeros((8, 16, 3), np.uint8)
    image[:, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    files = {f"{i}.png": encoded(image, exif=exif) for i in range(3)}
    data = load(folder_of(tmp_path, files))
    assert data.spec.shape == (3, 16, 8)
    assert (pixels_of(data)[0, :8] == 255).all()
    jpegs = folder_of(tmp_path / "j", {f"{i}.jpg": encoded(image, "JPEG", exif=exif) for i in range(3)})
    assert load(jpegs, size=(8, 4)).spec.shape == (3, 8, 4)


def test_images_one_pixel_high_are_images(tmp_path):
    thin = {f"t{i}.png": encoded(noise(1, 50)) for i in range(4)}
    assert load(folder_of(tmp_path / "thin", thin)).spec.shape == (3, 1, 50)
    assert len(load_with(tmp_path, thin, size=8)) == 44


def test_odd_names_are_read_and_printed_in_one_line(tmp_path):
    names = ["é 漢字.png", "new\nline.png", os.fsdecode(b"not-utf-\xff.png")]
    data = load_with(tmp_path, dict.fromkeys(names, b""), tolerance=0.2)
    assert len(data.skipped) == 3
    for name, _ in data.skipped:
        name.encode()
        assert "\n" not in name


def test_links_are_followed_and_loops_are_not(tmp_path):
    root = folder_of(tmp_path / "in", flat(30))
    (root / "loop.png").symlink_to(root / "loop.png")
    (root / "self").symlink_to(root, target_is_directory=True)
    folder_of(tmp_path / "other", {"z.png": encoded(noise(seed=9))})
    (root / "more").symlink_to(tmp_path / "other", target_is_directory=True)
    data = load(root)
    assert len(data) == 31
    assert [s.name for s in data.skipped] == ["loop.png"]


def test_a_pipe_named_png_does_not_hang(tmp_path):
    root = folder_of(tmp_path, flat(30))
    os.mkfifo(root / "zz.png")
    assert [s.reason for s in load(root).skipped] == ["not a regular file"]


def test_an_unreadable_file_is_skipped(tmp_path, monkeypatch):
    root = folder_of(tmp_path, flat(30))
    (root / "003.png").chmod(0)
    if os.geteuid() == 0:  # root reads everything: let the system call refuse instead
        read = type(root).read_bytes

        def refuse(path):
            if stat.S_IMODE(path.stat().st_mode) == 0:
                raise PermissionError(13, "Permission denied")
            return read(path)

        monkeypatch.setattr(type(root), "read_bytes", refuse)
    assert load(root).skipped == (("003.png", "Permission denied"),)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_fewer_than_three_images_are_refused(tmp_path, n):
    root = folder_of(tmp_path, {"note.txt": b"", **flat(n)})
    with pytest.raises(UserError, match="at least 3" if n else r"1 other files and no image; looked for .png"):
        load(root)


def test_three_images_train_validate_and_test(tmp_path):
    data = load(folder_of(tmp_path, dict.fromkeys(["a.png", "b.png", "c.png"], encoded(noise(4, 4) * 0))))
    assert {s: data.size(s) for s in data.splits} == {"train": 1, "valid": 1, "test": 1}
    assert data.batches(1, seed=0).at(7).x.shape == (1, 3, 4, 4)


def test_all_images_broken(tmp_path):
    with pytest.raises(UserError, match="none of the 5 images can be read"):
        load(folder_of(tmp_path, {f"{i}.png": b"x" for i in range(5)}))


def entry(name, mode=0):
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


@pytest.mark.parametrize(
    ("name", "mode", "said"),
    [
        ("../up.png", 0, "points outside"),
        ("/etc/x.png", 0, "points outside"),
        ("C:/x.png", 0, "points outside"),
        ("link.png", stat.S_IFLNK | 0o777, "symbolic link"),
    ],
)
def test_zips_that_reach_outside_are_refused(tmp_path, name, mode, said):
    path = zip_of(tmp_path / "a.zip", flat(5))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(entry(name, mode), b"/etc/passwd")
    with pytest.raises(UserError, match=said):
        load(path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.zip"]


def test_a_zip_whose_entries_begin_before_it_is_damaged(tmp_path):
    path = zip_of(tmp_path / "a.zip", flat(5))
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\5\6") + 16  # where the directory begins, by which entries' places are moved
    content[at : at + 4] = struct.pack("<I", struct.unpack("<I", content[at : at + 4])[0] + 7)
    path.write_bytes(content)
    with zipfile.ZipFile(path) as archive:
        assert min(entry.header_offset for entry in archive.infolist()) < 0
    with pytest.raises(UserError):
        load(path)


def test_zip_bombs_are_refused_before_they_open(tmp_path):
    path = zip_of(tmp_path / "a.zip", {"a.png": b"\0" * 20_000_000}, zipfile.ZIP_DEFLATED)
    with pytest.raises(UserError, match="opens to more than 100 times"):
        load(path)


def test_encrypted_zips_are_refused(tmp_path):
    path = zip_of(tmp_path / "a.zip", flat(3))
    raw = bytearray(path.read_bytes())
    place = raw.rindex(b"PK\1\2")
    raw[place + 8] |= 1
    path.write_bytes(raw)
    with pytest.raises(UserError, match="is encrypted"):
        load(path)


def test_overlapping_zip_entries_are_refused(tmp_path):
    path = zip_of(tmp_path / "a.zip", flat(3))
    raw = path.read_bytes()
    directory = raw.index(b"PK\1\2")
    (end,) = [raw.index(b"PK\5\6")]
    one = raw[directory : raw.index(b"PK\1\2", directory + 4)]
    many = one * 50
    tail = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 50, 50, len(many), directory, 0)
    path.write_bytes(raw[:directory] + many + tail)
    assert end
    with pytest.raises(UserError, match="overlap"):
        load(path)


def test_a_million_and_one_entries_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("adversaria.data.files._ENTRIES", 10)
    with pytest.raises(UserError, match="has 12 entries; 10 at most"):
        load(zip_of(tmp_path / "a.zip", flat(12)))


def test_a_bad_checksum_in_a_zip_is_a_broken_image(tmp_path):
    path = zip_of(tmp_path / "a.zip", flat(30))
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"IDAT") + 20] ^= 255
    path.write_bytes(raw)
    assert load(path).skipped == (("000.png", "size or CRC differs from the zip's directory"),)


def test_damaged_zips_and_zips_in_zips(tmp_path):
    whole = zip_of(tmp_path / "a.zip", flat(5)).read_bytes()
    (tmp_path / "b.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="no readable zip"):
        load(tmp_path / "b.zip")
    nested = zip_of(tmp_path / "c.zip", {"a.zip": whole, "__MACOSX/._a.png": b"", ".hidden.png": b""})
    with pytest.raises(UserError, match="1 other files and no image"):
        load(nested)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no IDX file"),
        (b"PK\3\4aaaa", "no IDX file"),
        (b"\0\0\x08\x03\0\0", "ends within its header"),
        (struct.pack(">BBBB3I", 0, 0, 8, 3, 2**31, 2**20, 28) + b"\0" * 50, "can't hold them"),
        (idx_bytes(noise(30, 4, 1).reshape(30, 2, 2))[:-1], "promises 120 bytes"),
        (idx_bytes(noise(30, 4, 1).reshape(30, 2, 2)) + b"\0", "holds more"),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_idx_files_that_lie_are_refused(tmp_path, content, said, zipped):
    path = tmp_path / ("a.idx.gz" if zipped else "a.idx")
    path.write_bytes(gzip.compress(content) if zipped else content)
    with pytest.raises(UserError, match=f"{said}|promises"):
        load(path)


def test_a_gzip_bomb_is_read_no_further_than_its_header_promises(tmp_path):
    head = struct.pack(">BBBB3I", 0, 0, 8, 3, 10, 4, 4)
    path = tmp_path / "a.idx.gz"
    path.write_bytes(gzip.compress(head + b"\0" * 100_000_000, 1))
    start = time.perf_counter()
    with pytest.raises(UserError, match="promises 160 bytes and holds more"):
        load(path)
    assert time.perf_counter() - start < 0.1
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"holds more|can't be read"):
        load(path)


def npy(header):
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000, 28, 28), }",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (-5, 4), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (4,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': 'abc', }",
        "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (2,), }",
        "__import__('os').system('false')",
        "{" * 100,
    ],
)
def test_npy_headers_that_lie_are_refused_before_anything_is_allocated(tmp_path, header):
    (tmp_path / "a.npy").write_bytes(npy(header) + b"\0" * 16)
    zip_of(tmp_path / "a.npz", {"data.npy": npy(header) + b"\0" * 16})
    for name in ("a.npy", "a.npz"):
        with pytest.raises(UserError) as caught:
            load(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_objects_in_npz_are_not_opened(tmp_path):
    np.savez(tmp_path / "a.npz", data=np.array([{"a": 1}, None], dtype=object))
    with pytest.raises(UserError, match="Python objects"):
        load(tmp_path / "a.npz")


def test_npz_that_opens_to_more_than_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("adversaria.data.numpy_files._LEAST_LIMIT", 1000)
    np.savez_compressed(tmp_path / "a.npz", data=np.zeros((1000, 10)))
    with pytest.raises(UserError, match="save it as"):
        load(tmp_path / "a.npz", memory=1000)


def test_cifar_files_of_a_wrong_length(tmp_path):
    folder_of(tmp_path, {"data_batch_1.bin": b"\0" * 5000})
    with pytest.raises(UserError, match="no multiple of 3073"):
        load(tmp_path)


def test_a_packed_file_that_shrinks_while_in_use_is_named(tmp_path):
    data = load(folder_of(tmp_path / "in", flat(20)), memory=10, cache=tmp_path / "c")
    (packed,) = (tmp_path / "c").iterdir()
    os.truncate(packed, 100)
    with pytest.raises(OSError, match="delete it, and it is made again"):
        data.examples(10)

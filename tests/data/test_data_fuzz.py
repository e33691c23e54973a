"""Arbitrary bytes give a data set or a UserError, never anything else."""

import gzip
import io
import zipfile

import numpy as np
import pytest
from data_helpers import encoded, flat, folder_of, idx_bytes, noise
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adversaria.data import Dataset, load
from adversaria.errors import UserError

TEXT = st.text("0123456789.,;-e\n\t \"'aé\0\r", max_size=80)


def npy_bytes():
    buffer = io.BytesIO()
    np.save(buffer, noise(5, 4, 1))
    return buffer.getvalue()


def npz_bytes():
    buffer = io.BytesIO()
    np.savez_compressed(buffer, data=noise(5, 4, 1), labels=np.arange(5))
    return buffer.getvalue()


def zip_bytes():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in flat(4, height=4, width=4).items():
            archive.writestr(name, content)
    return buffer.getvalue()


SOUND = {
    "a.npy": npy_bytes(),
    "a.npz": npz_bytes(),
    "a.idx": idx_bytes(noise(5, 4, 1).reshape(5, 2, 2)),
    "a.idx.gz": gzip.compress(idx_bytes(noise(5, 4, 1).reshape(5, 2, 2)), mtime=0),
    "a.zip": zip_bytes(),
    "a.csv": b"a,b,label\n1,2.5,x\n3,4.5,y\n5,2.5,x\n7,1.5,y\n",
    "a.parquet": b"PAR1",
}
IMAGES = [
    encoded(noise(6, 5)),
    encoded(noise(6, 5), "JPEG"),
    encoded(noise(6, 5, 1), "GIF"),
    encoded(noise(6, 5), "BMP"),
    encoded(noise(6, 5), "TIFF"),
    encoded(noise(6, 5), "WEBP"),
    encoded(noise(6, 5), "PPM"),
]


def tried(source, **options):
    try:
        assert isinstance(load(source, **options), Dataset)
    except UserError as error:
        assert "\n" not in str(error)


def damaged(sound, changes, cut):
    content = bytearray(sound)
    for place, value in changes:
        content[place % len(content)] = value
    return bytes(content[: len(content) - cut % len(content)] if cut else content)


changes = st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=6)
quiet = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.parametrize("name", list(SOUND))
@given(changes=changes, cut=st.integers(0, 300), junk=st.binary(max_size=60), use_junk=st.booleans())
@quiet
def test_damaged_files_never_crash(tmp_path, name, changes, cut, junk, use_junk):
    path = tmp_path / name
    path.write_bytes(junk if use_junk else damaged(SOUND[name], changes, cut))
    tried(path)


@given(text=TEXT)
@quiet
def test_any_text_as_a_table_never_crashes(tmp_path, text):
    (tmp_path / "a.csv").write_bytes(text.encode())
    tried(tmp_path / "a.csv")


@pytest.mark.parametrize("kind", range(len(IMAGES)))
@given(changes=changes, cut=st.integers(0, 60))
@quiet
def test_damaged_images_never_crash(tmp_path, kind, changes, cut):
    sound = {f"{i}.png": encoded(noise(6, 5, seed=i)) for i in range(4)}
    folder_of(tmp_path, {**sound, "x.png": damaged(IMAGES[kind], changes, cut)})
    tried(tmp_path)
    tried(tmp_path, size=4)

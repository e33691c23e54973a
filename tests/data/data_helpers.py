"""Small real files for the tests of the data layer."""

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def noise(height=8, width=8, channels=3, seed=0):
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def encoded(pixels, format="PNG", **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format, **options)
    return buffer.getvalue()


def folder_of(root, files):
    """Writes {relative name: bytes} below `root`, which it returns."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def zip_of(path, files, method=zipfile.ZIP_STORED):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def flat(n=12, **options):
    return {f"{i:03d}.png": encoded(noise(seed=i, **options)) for i in range(n)}


def classes(n=12, names=("cat", "dog"), **options):
    return {f"{names[i % len(names)]}/{i:03d}.png": encoded(noise(seed=i, **options)) for i in range(n)}


def idx_bytes(array):
    codes = {"uint8": 8, "int16": 0x0B, "int32": 0x0C, "float32": 0x0D}
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, codes[array.dtype.name], array.ndim, *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


def pixels_of(dataset):
    """All stored examples, in order."""
    return dataset.store.gather(np.arange(len(dataset))).numpy()

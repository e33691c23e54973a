"""Reader of IDX files, the form of MNIST and its relatives; plain or gzipped."""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from adversaria.data.arrays import interpret
from adversaria.data.found import Found, joined_splits
from adversaria.data.pictures import Wanted
from adversaria.errors import UserError

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_PIECE = 16 * 1024**2
_DEFLATE_MOST = 1032
"""No deflate stream opens to more than this many times its length."""


def is_idx(path: Path) -> bool:
    """Whether the name is that of an IDX file: *.idx, *-ubyte, *.idx3-ubyte, each perhaps with .gz."""
    name = path.name.lower().removesuffix(".gz")
    return name.endswith((".idx", "-ubyte", ".ubyte")) or (name != path.name.lower() and "idx" in name)


def in_folder(folder: Path) -> list[Path]:
    """The IDX files of a folder, sorted by name."""
    return sorted(path for path in folder.iterdir() if is_idx(path))


def read_folder(folder: Path, wanted: Wanted) -> Found:
    """The data of a folder of IDX files named as MNIST's: train or t10k (also test), images or labels.

    Raises UserError where the training images are missing, or numbers don't agree.
    """
    files = _named(folder)
    parts = [split for split in ("train", "test") if (split, "images") in files]
    if "train" not in parts:
        raise UserError(f"{folder} has no train-images among its IDX files; add it, or name one file instead")
    images = {split: read(files[split, "images"]) for split in parts}
    if len({array.shape[1:] for array in images.values()}) > 1:
        raise UserError(f"{folder}: train and test images differ in shape; check where the files come from")
    found = interpret(np.concatenate(list(images.values())), wanted)
    if len(parts) > 1:
        found.splits = joined_splits({split: len(images[split]) for split in parts})
    if all((split, "labels") in files for split in parts):
        found.labels = np.concatenate([_labels(files[split, "labels"], len(images[split])) for split in parts])
    return found


def _named(folder: Path) -> dict[tuple[str, str], Path]:
    """The IDX files of a folder by split and role."""
    paths = [path for path in in_folder(folder) if path.suffix != ".gz" or not path.with_suffix("").exists()]
    files: dict[tuple[str, str], Path] = {}
    for path in paths:
        name = path.name.lower()
        split = "train" if "train" in name else "test" if "t10k" in name or "test" in name else ""
        role = "labels" if "label" in name else "images"
        if (split, role) in files or not split:
            raise UserError(
                f"{folder} holds the IDX files {', '.join(p.name for p in paths[:6])}; expected one each of "
                "train-images, train-labels, t10k-images and t10k-labels: name one file instead"
            )
        files[split, role] = path
    return files


def _labels(path: Path, count: int) -> np.ndarray:
    labels = read(path)
    if labels.shape != (count,):
        raise UserError(f"{path} has shape {labels.shape} for {count} images; expected one label each: check it")
    return labels


def read(path: Path) -> np.ndarray:
    """The array of an IDX file; reads no more than its header promises, and allocates no more than it holds.

    Raises UserError where the file is no IDX file, or is shorter or longer than its header says.
    """
    try:
        with path.open("rb") as plain:
            zipped = plain.read(2) == b"\x1f\x8b"
            plain.seek(0)
            if not zipped:
                return _parse(plain, path, path.stat().st_size)
            with gzip.GzipFile(fileobj=plain) as stream:
                return _parse(cast(BinaryIO, stream), path, _DEFLATE_MOST * path.stat().st_size)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} can't be read ({error}); download it again") from error


def _parse(stream: BinaryIO, path: Path, most: int) -> np.ndarray:
    head = stream.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _TYPES or not 1 <= head[3] <= 4:
        raise UserError(f"{path} is no IDX file (it starts with {head.hex() or 'nothing'}); check what it is")
    sizes = stream.read(4 * head[3])
    if len(sizes) < 4 * head[3]:
        raise UserError(f"{path} ends within its header; download it again")
    shape = struct.unpack(f">{head[3]}I", sizes)
    dtype = np.dtype(_TYPES[head[2]])
    promised = math.prod(shape) * dtype.itemsize
    if promised > most:
        raise UserError(f"{path} promises {promised:,} bytes and can't hold them; download it again")
    body = bytearray()
    while len(body) <= promised and (piece := stream.read(min(_PIECE, promised + 1 - len(body)))):
        body += piece
    if len(body) != promised:
        what = "more" if len(body) > promised else f"{len(body):,}"
        raise UserError(f"{path} promises {promised:,} bytes and holds {what}; download it again")
    return np.frombuffer(body, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)

"""From what a user names to the reader that understands it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from adversaria.data import cifar, idx, made, numpy_files, oracle, shapes, tables
from adversaria.data.arrays import interpret
from adversaria.data.files import EXTENSIONS, Files, Folder, Joined, Zip
from adversaria.data.found import Found, joined_splits
from adversaria.data.layout import layout
from adversaria.data.pictures import FilePictures, Wanted
from adversaria.data.splits import NAMES
from adversaria.errors import UserError, unknown

_MADE_SEED = 0
_MADE_SIZES = {"train": 100_000, "valid": 10_000, "test": 10_000}
_SHAPES_SIZES = {"train": 20_000, "valid": 2_000, "test": 2_000}
_FOUR_SIZES = {"train": 4_000, "valid": 1_000, "test": 1_000}
_FILES = ".zip, .npy, .npz, .csv, .tsv, .parquet, .idx or .gz"


def _digits(wanted: Wanted) -> Found:
    images, labels = made.digits()
    found = interpret(images, wanted)
    found.labels = labels
    return found


def _tokens(_: Wanted) -> Found:
    values, splits = oracle.tokens()
    return Found("sequence", values, splits=splits, categories=oracle.oracle().categories)


def _four_points(_: Wanted) -> Found:
    parts = [made.four_points(n, _MADE_SEED + i) for i, n in enumerate(_FOUR_SIZES.values())]
    values, labels = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Found("binary", values, labels, splits=joined_splits(_FOUR_SIZES))


def _captioned(wanted: Wanted) -> Found:
    images, labels = shapes.shapes(_SHAPES_SIZES)
    found = interpret(images, wanted)
    found.labels, found.class_names, found.splits = labels, shapes.CAPTIONS, joined_splits(_SHAPES_SIZES)
    return found


def _points(name: str) -> Callable[[Wanted], Found]:
    def drawn(_: Wanted) -> Found:
        points, labels = made.draw(name, sum(_MADE_SIZES.values()), _MADE_SEED)
        return Found("points", points, labels, splits=joined_splits(_MADE_SIZES))

    return drawn


MADE: dict[str, Callable[[Wanted], Found]] = {
    "digits": _digits,
    **{name: _points(name) for name in made.POINTS},
    "four-points": _four_points,
    "oracle-tokens": _tokens,
    "captioned-shapes": _captioned,
    "stacked-digits": _digits,
    "digits-static": _digits,
    "digits-dynamic": _digits,
}
"""The data that need no file, by name."""
VIEWS: dict[str, tuple[str, dict[str, Any]]] = {
    "stacked-digits": ("digits", {"stacked": True}),
    "digits-static": ("digits", {"binarise": "static"}),
    "digits-dynamic": ("digits", {"binarise": "dynamic"}),
}
"""Names of data that are made of others: of which, and how `load` makes them."""


def find(source: Any, wanted: Wanted, memory: int) -> tuple[Found, str, str | None]:
    """What there is at `source`, its name, and the name or path to load it by again (None for an array).

    Raises UserError where it is nothing that can be read.
    """
    if isinstance(source, str) and source in MADE:
        return MADE[source](wanted), source, source
    if isinstance(source, str | os.PathLike):
        path = _existing(os.fspath(source))
        found = _folder(path, wanted) if path.is_dir() else _file(path, wanted, memory)
        return found, path.name.split(".")[0] or "data", str(path)
    labels = None
    if isinstance(source, tuple) and len(source) == 2:
        source, labels = source[0], _array(source[1], "labels")
    found = interpret(_array(source, "data"), wanted)
    found.labels = labels
    return found, "array", None


def _existing(source: str) -> Path:
    try:
        path = Path(source).expanduser()
        if path.exists():
            return path.resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"no data at {source!r} ({error}); name a folder or file that is there") from error
    if path.suffix or len(path.parts) > 1 or not source.isprintable():
        raise UserError(f"no file or folder {source!r}; name one that is there, or one of {', '.join(MADE)}")
    raise UserError(f"{unknown('data', source, MADE)}; the path of a folder or file is also accepted")


def _array(values: Any, what: str) -> np.ndarray:
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        values = values.float() if values.dtype == torch.bfloat16 else values
    if values is None or isinstance(values, dict | set):
        raise UserError(f"{what} of type {type(values).__name__}; expected a name, a path, an array or (array, labels)")
    try:
        return np.asarray(values)
    except (ValueError, TypeError) as error:
        raise UserError(f"{what} can't be made one array ({error}); examples must have one shape") from error


def _file(path: Path, wanted: Wanted, memory: int) -> Found:
    readers: dict[str, Callable[[], Found]] = {
        ".zip": lambda: _images(Zip(path), path, wanted),
        ".npz": lambda: numpy_files.read_npz(path, wanted, memory),
        ".npy": lambda: numpy_files.read_npy(path, wanted),
        ".csv": lambda: tables.read_csv(path),
        ".tsv": lambda: tables.read_csv(path),
        ".parquet": lambda: tables.read_parquet(path),
    }
    suffix = path.suffix.lower()
    if suffix in readers:
        return readers[suffix]()
    if idx.is_idx(path):
        return interpret(idx.read(path), wanted)
    remedies = {
        **dict.fromkeys(EXTENSIONS, "one image is no data set: name its folder"),
        ".bin": "name the folder of CIFAR's .bin files",
        **dict.fromkeys((".tar", ".tgz", ".gz", ".xz", ".7z"), "unpack it and name the folder"),
        **dict.fromkeys((".pt", ".pth", ".pkl", ".pickle"), "pickles can run any code: save it with np.save"),
    }
    raise UserError(f"{path} is of no known kind; {remedies.get(suffix, f'expected {_FILES}')}")


def _folder(path: Path, wanted: Wanted) -> Found:
    if idx.in_folder(path):
        return idx.read_folder(path, wanted)
    if cifar.is_cifar(path):
        return cifar.read(path, wanted)
    zips = {NAMES[file.stem.lower()]: file for file in path.glob("*.zip") if file.stem.lower() in NAMES}
    if "train" in zips and len(zips) > 1:
        return _images(Joined({name: Zip(file) for name, file in sorted(zips.items())}), path, wanted)
    return _images(Folder(path), path, wanted)


def _images(files: Files, path: Path, wanted: Wanted) -> Found:
    if not files.names:
        others = f"{files.ignored:,} other files" if files.ignored else "nothing"
        raise UserError(
            f"{path} holds {others} and no image; looked for {', '.join(EXTENSIONS)} there and below: "
            f"name another folder, or a file of kind {_FILES}"
        )
    meaning = layout(files.names)
    notes = list(meaning.notes)
    if files.ignored:
        notes.append(f"{files.ignored:,} files that are no images by name were left alone")
    pictures = FilePictures(files, wanted)
    return Found("image", pictures, meaning.labels, meaning.class_names, meaning.splits, notes)

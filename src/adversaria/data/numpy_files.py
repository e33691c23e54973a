"""Readers of .npy and .npz: no pickles, and no header is believed before the file holds what it says."""

import math
import zipfile
from pathlib import Path
from typing import IO

import numpy as np

from adversaria.data.arrays import interpret
from adversaria.data.found import Found, joined_splits
from adversaria.data.pictures import Wanted
from adversaria.data.splits import NAMES, SPLITS
from adversaria.errors import UserError

_VALUES = ("", "images", "image", "x", "data", "samples", "arr_0", "inputs", "tokens", "sequences")
_LABELS = ("labels", "label", "y", "targets", "target")
_DEFLATE_MOST = 1032
_LEAST_LIMIT = 2 * 1024**3

Parts = dict[str, dict[str, np.ndarray]]
"""By split ("" where there is one only), then by role: `values`, `labels`."""


def read_npy(path: Path, wanted: Wanted) -> Found:
    """The data of a .npy file, mapped and read piece by piece, so that it may be larger than memory.

    Raises UserError where it is no .npy file, is cut short, or holds objects.
    """
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except Exception as error:
        raise UserError(f"{path} is no readable .npy ({_reason(error)}); save it anew with np.save") from error
    return interpret(array, wanted, tokens=False)


def read_npz(path: Path, wanted: Wanted, memory: int) -> Found:
    """The data of a .npz file, by key: `images`, `x`, `data`, `samples`, `tokens`, ... and `labels` or `y`;
    `train`, `valid` and `test`, alone or joined to these by a `_`, are published splits.

    Raises UserError where it is no .npz file, is damaged, holds objects, or opens to more than `memory` bytes
    (2 GiB at least).
    """
    try:
        with zipfile.ZipFile(path) as archive:
            total = sum(info.file_size for info in archive.infolist())
            limit = max(memory, _LEAST_LIMIT)
            if total > limit:
                raise UserError(
                    f"{path} opens to {total / 1024**3:.3g} GiB, over the limit of {limit / 1024**3:.3g}; "
                    "raise memory=, or save it as .npy, which is read piece by piece"
                )
            arrays = {
                info.filename.removesuffix(".npy"): _member(archive, info)
                for info in archive.infolist()
                if info.filename.endswith(".npy")
            }
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{path} is no readable .npz ({_reason(error)}); save it anew with np.savez") from error
    parts, notes = _sorted_out(arrays, path)
    found = _joined(parts, wanted, path, tokens=any("tokens" in k or "sequences" in k for k in arrays))
    found.notes += notes
    return found


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    if info.file_size > _DEFLATE_MOST * info.compress_size + 64:
        raise ValueError(f"'{info.filename}' says it opens to {info.file_size:,} bytes and can't")
    with archive.open(info) as stream:
        shape, fortran, dtype = _header(stream)
        if dtype.hasobject:
            raise ValueError(f"'{info.filename}' holds Python objects, which are not opened")
        promised = math.prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0 or promised > info.file_size:
            raise ValueError(f"'{info.filename}' promises {promised:,} bytes and holds {info.file_size:,}")
        body = stream.read(promised + 1)
    if len(body) != promised:
        raise ValueError(f"'{info.filename}' promises {promised:,} bytes and holds {len(body):,}")
    flat = np.frombuffer(body, dtype)
    return flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(stream)
    raise ValueError(f"npy version {version} is unknown")


def _sorted_out(arrays: dict[str, np.ndarray], path: Path) -> tuple[Parts, list[str]]:
    parts: Parts = {}
    unknown = []
    for key, array in arrays.items():
        words = key.lower().split("_")
        of = [NAMES[word] for word in words if word in NAMES]
        rest = key.lower() if not of else "_".join(word for word in words if word not in NAMES)
        role = "labels" if rest in _LABELS else "values" if rest in _VALUES else ""
        split = of[0] if len(of) == 1 else ""
        if not role or len(of) > 1 or role in parts.get(split, {}):
            unknown.append(key)
        else:
            parts.setdefault(split, {})[role] = array
    if not any("values" in part for part in parts.values()):
        candidates = [key for key in unknown if arrays[key].ndim > 0]
        if len(candidates) != 1:
            known = ", ".join([*_VALUES[1:], *SPLITS])
            raise UserError(f"{path} has the keys {sorted(arrays)[:8]}; name the data one of {known}")
        parts.setdefault("", {})["values"] = arrays[candidates[0]]
        unknown.remove(candidates[0])
    return parts, [f"the keys {', '.join(unknown)} were left alone"] if unknown else []


def _joined(parts: Parts, wanted: Wanted, path: Path, tokens: bool) -> Found:
    if list(parts) == [""]:
        found = interpret(parts[""]["values"], wanted, tokens=tokens)
        found.labels = parts[""].get("labels")
        return found
    ordered = {name: parts[name] for name in SPLITS if name in parts and "values" in parts[name]}
    if "train" not in ordered or "" in parts:
        raise UserError(f"{path} has keys for {sorted(ordered)} among others; expected train, and valid or test")
    values = [part["values"] for part in ordered.values()]
    if any(v.ndim == 0 or v.shape[1:] != values[0].shape[1:] for v in values):
        shapes = ", ".join(f"{name} {v.shape}" for name, v in zip(ordered, values, strict=True))
        raise UserError(f"{path}: the splits differ in shape ({shapes}); examples must have one shape")
    found = interpret(np.concatenate(values), wanted, tokens=tokens)
    found.splits = joined_splits({name: len(v) for name, v in zip(ordered, values, strict=True)})
    labels = [part.get("labels") for part in ordered.values()]
    present = [label for label in labels if label is not None]
    if len(present) == len(labels):
        found.labels = np.concatenate([label.reshape(len(label), -1) for label in present])
    elif present:
        found.notes.append("labels were left alone: not every split has them")
    return found

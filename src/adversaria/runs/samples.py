"""Samples that any tool made, read from a file or folder into game form."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from adversaria.data import DataSpec, load
from adversaria.errors import UserError

FLOAT32 = float(np.finfo(np.float32).max)


def read_samples(path: Path, spec: DataSpec, n: int | None = None) -> Tensor:
    """The first `n` samples, or all, as examples of this spec in game form.

    An .npz archive holds them under `samples`, or as its only array; images are uint8 (n, H, W, C) or (n, H, W),
    points float (n, d) in the data's own units, bits and tokens integers. A folder or zip holds image files.

    Raises:
        UserError: where they can't be read, or aren't what the spec says.
    """
    if not path.exists():
        raise UserError(f"there is nothing at {path}; give a run folder, an .npz, an .npy, or a folder of images")
    if path.suffix in (".npz", ".npy"):
        values = _array(path)
    elif path.is_dir() or path.suffix == ".zip":
        found = load(path)
        if found.spec.kind != "image":
            raise UserError(f"{path} holds {found.spec.kind} data; give a folder of image files, or an .npz")
        values = found.store.gather(np.arange(len(found))).numpy()
    else:
        raise UserError(f"samples can't be read from {path.name}; give an .npz, an .npy, or a folder or zip of images")
    if n is not None and n > len(values):
        raise UserError(f"{n} samples asked for and {path} holds {len(values)}; give {len(values)} at most")
    return spec.to_game(_fitted(values, spec, path)[:n])


def _array(path: Path) -> np.ndarray[Any, Any]:
    try:
        with path.open("rb") as stream:  # numpy leaves a file open that it can't read
            return _only(np.load(stream, allow_pickle=False), path)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, UserError):
            raise
        pickled = "pickle" in str(error)  # numpy's words for objects, and for whatever else isn't its format
        why = "it holds pickled objects, or isn't numpy's format" if pickled else error
        raise UserError(f"{path} can't be read: {why}; write it again with numpy.savez(samples=...)") from None


def _only(found: Any, path: Path) -> np.ndarray[Any, Any]:
    """The array, or the archive's `samples`, or its only one."""
    if isinstance(found, np.ndarray):
        return found
    name = "samples" if "samples" in found.files else found.files[0] if len(found.files) == 1 else None
    if name is None:
        raise UserError(f"{path} holds {', '.join(found.files) or 'no array'}; call the samples 'samples'")
    values = found[name]
    if not isinstance(values, np.ndarray):
        raise UserError(f"{path} holds no array under '{name}'; write it again with numpy.savez(samples=...)")
    return values


def _fitted(values: np.ndarray[Any, Any], spec: DataSpec, path: Path) -> np.ndarray[Any, Any]:
    """The array in the user form of the spec."""
    if spec.kind == "image":
        c, h, w = spec.shape
        values = values[..., None] if values.ndim == 3 else values
        if values.dtype != np.uint8:
            raise UserError(f"{path} holds {values.dtype} images; expected uint8 from 0 to 255: scale and round them")
        wanted: tuple[int, ...] = (h, w, c)
    else:
        wanted = spec.shape
        whole = np.issubdtype(values.dtype, np.integer) or values.dtype == bool
        if spec.kind != "points" and not whole:
            raise UserError(f"{path} holds {values.dtype}; {spec.kind} data are integers: round or draw them")
        if spec.kind == "points" and not whole and not np.issubdtype(values.dtype, np.floating):
            raise UserError(f"{path} holds {values.dtype}; points are real numbers: write them as float32")
    if values.ndim != len(wanted) + 1 or values.shape[1:] != wanted:
        raise UserError(f"{path} holds an array of shape {values.shape}; expected (n, {', '.join(map(str, wanted))})")
    if spec.kind == "points" and (broken := int((~(np.abs(values) <= FLOAT32)).any(1).sum())):
        raise UserError(f"{broken} of the {len(values)} points of {path} are not finite; leave them out, and say so")
    top = {"binary": 1, "sequence": spec.categories - 1}.get(spec.kind)
    if top is not None and len(values) and not 0 <= int(values.min()) <= int(values.max()) <= top:
        raise UserError(f"{path} holds values outside of 0 to {top}; these data have no others")
    return values

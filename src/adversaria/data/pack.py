"""From pictures to a store: into memory where they fit, else once into a packed file and read from there."""

import json
import os
import shutil
import struct
import tempfile
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from adversaria.data.dataset import Skipped
from adversaria.data.pictures import Chunk, Mismatch, Pictures
from adversaria.data.storage import Memory, Packed, Store, content_hash
from adversaria.errors import UserError

_TAIL = struct.Struct("<Q8s")
_MAGIC = b"ADVPACK1"
_SPARE_BYTES = 64 * 1024**2
_GIB = 1024**3


@dataclass(frozen=True)
class Collected:
    """A store of the images that could be read, their numbers in the source, and an account of the others."""

    store: Store
    shape: tuple[int, int, int]
    kept: np.ndarray
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]


class _Tally:
    """Counts what was done to images and stops when too many are broken."""

    def __init__(self, pictures: Pictures, tolerance: float):
        self.broken: list[tuple[int, str]] = []
        self.traits: Counter[str] = Counter()
        self._pictures, self._tolerance = pictures, tolerance
        self._allowed = max(1, int(tolerance * pictures.count)) if tolerance > 0 else 0

    def add(self, chunk: Chunk) -> None:
        self.broken += chunk.broken
        self.traits.update(chunk.traits)
        if len(self.broken) > self._allowed:
            first = "; ".join(f"{self._pictures.name(i)}: {reason}" for i, reason in self.broken[:3])
            raise UserError(
                f"at least {len(self.broken)} of {self._pictures.count:,} images can't be read ({first}); "
                f"up to {self._allowed} are skipped at tolerance={self._tolerance:g}: mend or remove them"
            )

    def notes(self) -> list[str]:
        done = self._pictures.count - len(self.broken)
        found = [f"{count:,} of {done:,} images were {trait}" for trait, count in sorted(self.traits.items())]
        if self.broken:
            found.append(f"{len(self.broken):,} of {self._pictures.count:,} files could not be read and were skipped")
        return [*self._pictures.notes, *found]


def collect(pictures: Pictures, memory: int, cache: str | os.PathLike[str] | None, tolerance: float) -> Collected:
    """All pictures in a store: in memory up to `memory` bytes, else in a file in `cache`, kept for later.

    Broken images are skipped up to max(1, tolerance x count); none are at tolerance 0.

    Raises UserError where more are broken, or the packed file can't be written.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on files: what matters of them becomes a note
        try:
            return _collect(pictures, memory, cache, tolerance)
        except Mismatch:
            return _collect(pictures.measured(), memory, cache, tolerance)


def _collect(pictures: Pictures, memory: int, cache: str | os.PathLike[str] | None, tolerance: float) -> Collected:
    tally = _Tally(pictures, tolerance)
    need = pictures.count * int(np.prod(pictures.shape))
    if need > memory:
        path = _folder(cache) / f"{pictures.key()[:32]}.packed"
        about = _read_about(path)
        if about is None:
            about = _write(path, need, pictures, tally)
        else:
            tally.add(Chunk(np.empty(0), [(int(i), str(reason)) for i, reason in about["broken"]]))
        shape = (int(about["shape"][0]), int(about["shape"][1]), int(about["shape"][2]))
        store: Store = Packed(path, about["count"], shape, about["digest"])
        notes = [
            *about["notes"],
            f"{need / _GIB:.3g} GiB of images are over the memory limit; they are read from {path}",
        ]
    else:
        pixels = np.empty((pictures.count, *pictures.shape), np.uint8)
        done = 0
        for chunk in pictures.chunks():
            tally.add(chunk)
            pixels[done : done + len(chunk.pixels)] = chunk.pixels
            done += len(chunk.pixels)
        store, shape, notes = Memory(pixels[:done]), pictures.shape, tally.notes()
    kept = np.delete(np.arange(pictures.count), [i for i, _ in tally.broken])
    skipped = tuple(Skipped(pictures.name(i), reason) for i, reason in tally.broken)
    return Collected(store, shape, kept, skipped, tuple(notes))


def _folder(cache: str | os.PathLike[str] | None) -> Path:
    folder = Path(cache or os.environ.get("ADVERSARIA_CACHE") or Path.home() / ".cache" / "adversaria")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cache folder {folder} can't be made ({error.strerror}); set cache= to another") from error
    return folder


def _write(path: Path, need: int, pictures: Pictures, tally: _Tally) -> dict[str, Any]:
    """Writes the packed file: records, then a JSON account of them, its length and a magic word."""
    free = shutil.disk_usage(path.parent).free
    if free < need + _SPARE_BYTES:
        raise UserError(
            f"the images need {need / _GIB:.3g} GiB in {path.parent}, which has {free / _GIB:.3g} GiB free; "
            f"free some, set cache= to another disk, or choose a smaller size="
        )
    state = content_hash(pictures.shape, "uint8")
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            for chunk in pictures.chunks():
                tally.add(chunk)
                file.write(chunk.pixels.data)
                state.update(chunk.pixels.data)
            about: dict[str, Any] = {
                "shape": pictures.shape,
                "count": pictures.count - len(tally.broken),
                "digest": state.hexdigest(),
                "broken": tally.broken,
                "notes": tally.notes(),
            }
            tail = json.dumps(about).encode()
            file.write(tail + _TAIL.pack(len(tail), _MAGIC))
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except OSError as error:
        raise UserError(f"{path} can't be written ({error.strerror}); set cache= to another folder") from error
    finally:
        Path(temporary).unlink(missing_ok=True)
    return about


def _read_about(path: Path) -> dict[str, Any] | None:
    """The account at the end of a packed file; None where that is absent, cut short or of another version."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL.size))
            length, magic = _TAIL.unpack(file.read())
            if magic != _MAGIC or length > size:
                return None
            file.seek(size - _TAIL.size - length)
            about = json.loads(file.read(length))
    except (OSError, ValueError, struct.error):
        return None
    whole = about["count"] * int(np.prod(about["shape"])) + length + _TAIL.size
    return about if whole == size else None

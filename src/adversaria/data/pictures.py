"""Images on their way from a source to a store: planned, then decoded, cropped and resized chunk by chunk."""

import hashlib
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np
from PIL import Image

from adversaria.data.files import Files, Unreadable
from adversaria.data.images import SIDEWAYS, Crop, Size, decode, fit, is_grey, opened, orientation
from adversaria.errors import UserError

_CHUNK_BYTES = 4 * 1024**2
_CHUNK_FILES = 64
_SIDES = (64, 32, 16, 8)
_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True)
class Wanted:
    """How the user wants images: size (height, width), crop and channels; None for as they are."""

    size: Size | None = None
    crop: Crop = "centre"
    channels: int | None = None


@dataclass
class Chunk:
    """Consecutive images, uint8 (k, H, W, C), the broken ones by number, and what was done how often."""

    pixels: np.ndarray
    broken: list[tuple[int, str]] = field(default_factory=list)
    traits: Counter[str] = field(default_factory=Counter)


class Mismatch(Exception):
    """An image differs from the first in size or colour, so that all must be measured."""


class Pictures(Protocol):
    """A source of images of one shape."""

    count: int
    shape: tuple[int, int, int]
    """Height, width and channels of every image that `chunks` gives."""
    notes: tuple[str, ...]

    def name(self, number: int) -> str:
        """What the user calls this image."""
        ...

    def chunks(self) -> Iterator[Chunk]:
        """All images in order, in chunks of a few megabytes."""
        ...

    def measured(self) -> "Pictures":
        """The same, planned on all images; for when `chunks` raised Mismatch."""
        ...

    def key(self) -> str:
        """Changes when the source or what is wanted of it does."""
        ...


def chunk_length(shape: tuple[int, ...]) -> int:
    """How many images of this shape to take at a time."""
    return max(1, min(_CHUNK_FILES, _CHUNK_BYTES // max(1, int(np.prod(shape)))))


def in_order(work: Callable[[_T], _R], items: Iterable[_T]) -> Iterator[_R]:
    """`work(item)` for each item, in order, on all cores, with a bounded number under way."""
    workers = min(16, os.cpu_count() or 1)
    waiting: deque[Future[_R]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


class FilePictures:
    """Image files. The first readable one sets size and channels; if another differs, all headers are read.

    Raises UserError where no file can be read.
    """

    def __init__(self, files: Files, wanted: Wanted):
        self.files, self.wanted, self.count = files, wanted, len(files.names)
        self.notes: tuple[str, ...] = ()
        self._size = wanted.size
        self._final = False
        self.shape = self._first()

    def _first(self) -> tuple[int, int, int]:
        reason = ""
        for number in range(self.count):
            try:
                pixels, _ = self._decoded(number)
            except Unreadable as error:
                reason = reason or f"{self.name(number)}: {error}"
            else:
                height, width, channels = pixels.shape
                return height, width, channels
        raise UserError(f"none of the {self.count} images can be read ({reason}); check the files")

    def name(self, number: int) -> str:
        """The file's name within its folder or zip."""
        name = self.files.names[number]
        return name if name.isprintable() else repr(name)[1:-1]

    def key(self) -> str:
        """Changes when a file or what is wanted does."""
        return hashlib.sha256(f"{self.files.stamp()} {self.wanted}".encode()).hexdigest()

    def _decoded(self, number: int) -> tuple[np.ndarray, set[str]]:
        return decode(self.files.read(number), self._size, self.wanted.crop, self.wanted.channels)

    def chunks(self) -> Iterator[Chunk]:
        """All images in order; raises Mismatch where one differs from the first, unless all were measured."""
        length = chunk_length(self.shape)
        starts = range(0, self.count, length)
        return in_order(self._chunk, (range(s, min(s + length, self.count)) for s in starts))

    def _chunk(self, numbers: range) -> Chunk:
        chunk = Chunk(np.empty((len(numbers), *self.shape), np.uint8))
        done = 0
        for number in numbers:
            try:
                pixels, traits = self._decoded(number)
                if pixels.shape[2] == 1 and self.shape[2] == 3:
                    pixels = np.repeat(pixels, 3, axis=2)
                    traits.add("grey, repeated in three channels")
                if pixels.shape != self.shape:
                    if not self._final:
                        raise Mismatch
                    raise Unreadable("other pixels than its header says")
            except Unreadable as error:
                chunk.broken.append((number, str(error)))
            else:
                chunk.pixels[done] = pixels
                chunk.traits.update(traits)
                done += 1
        chunk.pixels = chunk.pixels[:done]
        return chunk

    def measured(self) -> "FilePictures":
        """The same files, planned on every header: squares where sizes differ, colour where any has it."""
        parts = (range(s, min(s + _CHUNK_FILES, self.count)) for s in range(0, self.count, _CHUNK_FILES))
        found = np.concatenate(list(in_order(self._headers, parts)))
        planned = object.__new__(FilePictures)
        planned.__dict__.update(self.__dict__)
        planned._final = True
        channels = self.wanted.channels or (3 if found[:, 2].any() else 1)
        sizes = found[:, :2]
        if self.wanted.size is None and np.any(sizes != sizes[0]):
            median = float(np.median(sizes.min(axis=1)))
            side = next((s for s in _SIDES if s <= median), _SIDES[-1])
            least, most = (sizes[pick(sizes.prod(axis=1))] for pick in (np.argmin, np.argmax))
            planned._size = (side, side)
            planned.notes = (
                f"images differ in size ({least[0]} x {least[1]} to {most[0]} x {most[1]}), so all are made "
                f"{side} x {side}; size= sets another",
            )
        height, width = planned._size or (int(sizes[0, 0]), int(sizes[0, 1]))
        planned.shape = (height, width, channels)
        return planned

    def _headers(self, numbers: range) -> np.ndarray:
        """Height, width and whether it has colour, int32 (k, 3), of the images whose headers can be read."""
        rows = []
        for number in numbers:
            try:
                image = opened(self.files.read(number))
            except Unreadable:
                continue
            size = image.size if orientation(image) in SIDEWAYS else image.size[::-1]
            rows.append((*size, not is_grey(image)))
        return np.array(rows, np.int32).reshape(-1, 3)


class ArrayPictures:
    """Images in an array of any layout; `to_pixels` makes a few of them uint8 (k, H, W, C).

    Raises UserError where channels are wanted that can't be made from those there are.
    """

    def __init__(self, array: np.ndarray, to_pixels: Callable[[np.ndarray], np.ndarray], wanted: Wanted):
        self.array, self.count, self.wanted = array, len(array), wanted
        self._to_pixels = to_pixels
        natural = to_pixels(array[:1]).shape[1:]
        if wanted.channels not in (None, natural[2]) and natural[2] not in (1, 3):
            raise UserError(f"channels={wanted.channels} of images with {natural[2]}; only 1 and 3 are converted")
        height, width = wanted.size or natural[:2]
        self.shape = (int(height), int(width), int(wanted.channels or natural[2]))
        self.notes: tuple[str, ...] = ()
        if self.shape[:2] != natural[:2]:
            cut = ", cropped around the centre" if wanted.crop == "centre" else ""
            self.notes += (f"resized to {height} x {width} with the Lanczos filter{cut}",)
        if self.shape[2] != natural[2]:
            self.notes += ("converted to grey" if self.shape[2] == 1 else "grey repeated in three channels",)

    def name(self, number: int) -> str:
        """The image's place."""
        return f"image {number}"

    def measured(self) -> "ArrayPictures":
        """The same: images in an array have one shape."""
        return self

    def key(self) -> str:
        """Changes when the content or what is wanted does."""
        state = hashlib.sha256(f"{self.array.shape} {self.array.dtype} {self.wanted}".encode())
        for start in range(0, self.count, _CHUNK_FILES):
            state.update(self.array[start : start + _CHUNK_FILES].tobytes())
        return state.hexdigest()

    def chunks(self) -> Iterator[Chunk]:
        """All images in order."""
        length = chunk_length(self.shape)
        return in_order(self._chunk, range(0, self.count, length))

    def _chunk(self, start: int) -> Chunk:
        length = chunk_length(self.shape)
        pixels = self._to_pixels(self.array[start : start + length])
        if pixels.shape[1:] != self.shape:
            pixels = np.stack([self._fitted(image) for image in pixels])
        return Chunk(np.ascontiguousarray(pixels))

    def _fitted(self, pixels: np.ndarray) -> np.ndarray:
        if pixels.shape[2] in (1, 3):
            image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else np.ascontiguousarray(pixels))
            image = image.convert("L" if self.shape[2] == 1 else "RGB")
            return np.asarray(fit(image, self.shape[:2], self.wanted.crop)).reshape(self.shape)
        planes = (np.ascontiguousarray(pixels[..., c]) for c in range(pixels.shape[2]))
        fitted = (fit(Image.fromarray(plane), self.shape[:2], self.wanted.crop) for plane in planes)
        return np.stack([np.asarray(plane) for plane in fitted], axis=2)

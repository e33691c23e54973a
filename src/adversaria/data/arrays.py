"""What an array means as data, judged by its dimensions, its type and its range."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from adversaria.data.found import Found
from adversaria.data.pictures import ArrayPictures, Wanted
from adversaria.errors import UserError

_PIECE = 4096
_CATEGORIES = 1_000_000


@dataclass(frozen=True)
class _Range:
    least: float
    most: float
    finite: bool
    whole: bool


def interpret(array: np.ndarray, wanted: Wanted, *, tokens: bool = False) -> Found:
    """The data in an array, its first dimension counting examples.

    | dimensions | type and range            | read as                                        |
    |------------|---------------------------|------------------------------------------------|
    | 1 or 2     | floats, integers          | points (n, d), used as they are                |
    | 2          | bool or uint8, all 0 or 1 | binary (n, d)                                  |
    | 2          | integers, with `tokens`   | sequences (n, T)                               |
    | 3          | any below                 | grey images (n, H, W)                          |
    | 4          | uint8                     | images, (n, H, W, C) or (n, C, H, W)           |
    | 4          | floats in [0, 1], [-1, 1] | the same, stored in 8 bits                     |

    Raises UserError for anything else, saying which rule it breaks.
    """
    if array.dtype.kind not in "buif":
        raise UserError(f"the array holds {array.dtype}; expected numbers: convert it to uint8, int64 or float32")
    if array.ndim == 0 or array.ndim > 4:
        raise UserError(f"the array has shape {array.shape}; expected (n, d) points or (n, H, W, C) images")
    if array.size == 0:
        raise UserError(f"the array has shape {array.shape}, which holds nothing; expected (n, d) or (n, H, W, C)")
    if array.ndim > 2:
        return _images(array, wanted)
    if tokens:
        return _sequences(array)
    return _rows(array if array.ndim == 2 else array[:, None])


def _rows(array: np.ndarray) -> Found:
    if array.dtype == bool or (array.dtype == np.uint8 and _most(array) <= 1):
        return Found("binary", array.astype(np.float32))
    with np.errstate(over="ignore"):
        points = array.astype(np.float32)
    bad = len(points) - int(np.isfinite(points).all(axis=1).sum())
    if bad:
        raise UserError(f"{bad:,} of {len(points):,} points hold NaN or numbers beyond float32; remove or mend them")
    notes = ["points are used as they are, not standardised"]
    if array.dtype.kind in "iu":
        notes.append("whole numbers were read as points; an npz key `tokens` makes them sequences")
    return Found("points", points, notes=notes)


def _sequences(array: np.ndarray) -> Found:
    if array.ndim != 2 or array.dtype.kind not in "iu":
        raise UserError(f"tokens have shape {array.shape} and type {array.dtype}; expected whole numbers (n, T)")
    found = _range(array)
    if found.least < 0 or found.most >= _CATEGORIES:
        raise UserError(f"tokens reach from {found.least:g} to {found.most:g}; expected 0 to {_CATEGORIES - 1:,}")
    return Found("sequence", array.astype(np.int64), categories=int(found.most) + 1)


def _images(array: np.ndarray, wanted: Wanted) -> Found:
    notes = []
    channels_first = False
    if array.ndim == 4 and array.shape[1] < array.shape[3]:
        channels_first = True
        notes.append(f"shape {array.shape} was read as (n, C, H, W)")
    convert, note = _pixel_rule(array)

    def to_pixels(piece: np.ndarray) -> np.ndarray:
        pixels = convert(piece).astype(np.uint8, copy=False)
        if pixels.ndim == 3:
            return pixels[..., None]
        return pixels.transpose(0, 2, 3, 1) if channels_first else pixels

    return Found("image", ArrayPictures(array, to_pixels, wanted), notes=[*notes, *note])


def _pixel_rule(array: np.ndarray) -> tuple[Callable[[np.ndarray], np.ndarray], list[str]]:
    """How values become 0..255, and the sentence about it."""
    if array.dtype == bool or (array.dtype == np.uint8 and _most(array) <= 1):
        return (lambda x: x * np.uint8(255)), ["pixels are all 0 or 1, stored as 0 and 255"]
    found = _Range(0, 255, True, True) if array.dtype == np.uint8 else _range(array)
    if not found.finite:
        raise UserError("the images hold NaN or infinite values; remove or mend them")
    if array.dtype.kind == "f" and found.least >= -1 and found.most <= 1:
        if found.least >= 0:
            return (lambda x: np.rint(x.astype(np.float64) * 255)), ["values in [0, 1] were rounded to 8 bits"]
        return (lambda x: np.rint((x.astype(np.float64) + 1) * 127.5)), ["values in [-1, 1] were rounded to 8 bits"]
    if found.whole and found.least >= 0 and found.most <= 255:
        return (lambda x: x), []
    if array.dtype == np.uint16:
        return (lambda x: (x.astype(np.int64) + 128) // 257), ["16-bit values were reduced to 8 bits"]
    raise UserError(
        f"image values of type {array.dtype} reach from {found.least:g} to {found.most:g}; "
        "expected 0 to 255 in whole numbers, or floats in [0, 1] or [-1, 1]: rescale them"
    )


def _pieces(array: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(array), _PIECE):
        yield array[start : start + _PIECE]


def _most(array: np.ndarray) -> int:
    """The largest value, or the first piece's if that is over 1."""
    most = 0
    for piece in _pieces(array):
        most = max(most, int(piece.max()))
        if most > 1:
            break
    return most


def _range(array: np.ndarray) -> _Range:
    found = _Range(np.inf, -np.inf, True, True)
    for piece in _pieces(array):
        finite = array.dtype.kind != "f" or bool(np.isfinite(piece).all())
        if not finite:
            return _Range(np.nan, np.nan, False, False)
        whole = array.dtype.kind != "f" or bool((piece == np.rint(piece)).all())
        found = _Range(
            min(found.least, float(piece.min())),
            max(found.most, float(piece.max())),
            True,
            found.whole and whole,
        )
    return found

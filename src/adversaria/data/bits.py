"""Grey images as black and white ones: a pixel is white with the probability that its intensity tells.

Static: drawn once for each example, so that numbers of different models are of the same bits. Dynamic: a training image
is drawn anew each time it comes up; validation and test images stay the static ones, and so does the training split
where it is measured. Salakhutdinov and Murray (2008), Section 5.1, binarise in this way; Burda et al. (2016),
arXiv:1509.00519, Section 5.1, draw anew. The two are different data: no number of one belongs beside one of the other.
"""

import math
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from adversaria.data.dataset import Dataset
from adversaria.data.storage import Memory, Store, read_through
from adversaria.errors import UserError, unknown

Mode = Literal["static", "dynamic"]
MODES: tuple[Mode, ...] = ("static", "dynamic")
SEED = 0
_PIECE = 4096


class Bits:
    """Images of `base` as 0 and 255, each pixel by a coin that belongs to it."""

    def __init__(self, base: Store):
        self.base = base

    def __len__(self) -> int:
        return len(self.base)

    def gather(self, index: np.ndarray) -> Tensor:
        """The black and white images at `index` (k,), on the CPU, in that order."""
        grey = self.base.gather(index).numpy()
        coins = uniform(SEED, np.asarray(index), math.prod(grey.shape[1:])).reshape(grey.shape)
        return torch.from_numpy(np.where(coins * 255 < grey, np.uint8(255), np.uint8(0)))

    def digest(self) -> str:
        """SHA-256 of form and content."""
        return read_through(self)


def uniform(seed: int, index: np.ndarray, size: int) -> np.ndarray:
    """Numbers in [0, 1) that belong to (seed, index, place), (len(index), size): the same whatever else is asked for.

    The finaliser of SplitMix64 over a counter; Steele, Lea, Flood (2014), "Fast splittable pseudorandom number
    generators".
    """
    step, mask = 0x9E3779B97F4A7C15, 2**64 - 1
    start = np.uint64(_mixed(np.array([seed * step & mask], np.uint64))[0])
    counter = index.astype(np.uint64)[:, None] * np.uint64(size) + np.arange(size, dtype=np.uint64)
    bits = _mixed(start + counter * np.uint64(step))
    share: np.ndarray = (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return share


def _mixed(z: np.ndarray) -> np.ndarray:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = z ^ (z >> np.uint64(31))
    return mixed


def binarise(data: Dataset, mode: Mode) -> Dataset:
    """The data in black and white.

    Raises:
        UserError: where they aren't images of 256 levels, or the mode isn't one.
    """
    if mode not in MODES:
        raise unknown("binarise", str(mode), MODES)
    spec = data.spec
    if spec.kind != "image" or spec.levels != 256:
        what = "are in black and white already" if spec.kind == "image" else f"are {spec.kind} data"
        raise UserError(f"{data.name}: these {what}, and images are what binarise is for; leave it out")
    bits: Store = Bits(data.store)
    if isinstance(data.store, Memory):
        pieces = [np.arange(start, min(start + _PIECE, len(bits))) for start in range(0, len(bits), _PIECE)]
        bits = Memory(np.concatenate([bits.gather(piece).numpy() for piece in pieces]))
    note = f"a pixel is white with its intensity's probability, drawn once for each image (seed {SEED})"
    if mode == "dynamic":
        note += "; training batches draw it anew"
    return replace(
        data, name=f"{data.name}-{mode}", spec=replace(spec, levels=2), store=bits,
        grey=data.store if mode == "dynamic" else None, notes=(*data.notes, note),
        options={**data.options, "binarise": mode},
    )  # fmt: skip

"""What a recipe must know of the data it plays on: the facts live here and nowhere else."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass as checked_dataclass
from torch import Tensor

Kind = Literal["image", "points", "binary", "sequence"]


def signed(pixels: np.ndarray) -> np.ndarray:
    """Pixels 0..255, of any shape, as float32 in [-1, 1].

    In NumPy, because at the size of a batch the start and end of torch's thread team costs more than the sum.
    """
    values: np.ndarray = np.divide(pixels, np.float32(127.5), dtype=np.float32)
    values -= np.float32(1)
    return values


TABLE = torch.from_numpy(signed(np.arange(256, dtype=np.uint8)))
"""`signed` of every pixel value, for where division rounds otherwise (CUDA multiplies by the inverse)."""


@checked_dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class DataSpec:
    """Shape and meaning of one example, as a game sees it and as its user does.

    | kind     | in a game                                | for the user                       |
    |----------|------------------------------------------|------------------------------------|
    | image    | float (C, H, W) in [-1, 1]               | uint8 (H, W, C)                    |
    | points   | float (d,), (value - offset) / scale     | float32 (d,), in the data's units  |
    | binary   | float (d,), 0 or 1                       | uint8 (d,)                         |
    | sequence | long (T,), below `categories`            | int64 (T,)                         |
    """

    kind: Kind
    shape: tuple[int, ...]
    """Event shape in a game, without the batch: (C, H, W), (d,) or (T,)."""
    classes: int = 0
    """Number of classes; 0 where the data have no labels."""
    class_names: tuple[str, ...] = ()
    """One name a class, in label order; () where they are the numbers themselves."""
    categories: int = 0
    """Size of the alphabet of a sequence."""
    levels: int = 256
    """Of a pixel: 256, or 2 in images of black and white."""
    domains: int = 1
    """2 where a batch carries an unpaired second domain (`Batch.y`)."""
    columns: tuple[str, ...] = ()
    """Column names of a table."""
    offset: tuple[float, ...] = ()
    """Subtracted from a table's columns before play, one a column; () for 0."""
    scale: tuple[float, ...] = ()
    """Divides a table's columns before play, one a column; () for 1."""

    def told(self) -> bytes:
        """The spec as JSON; fingerprints of data rest on it, so what is as it always was isn't told."""
        return SPEC.dump_json(self, exclude={"levels"} if self.levels == 256 else None)

    @property
    def size(self) -> int:
        """Numbers in one example."""
        return int(np.prod(self.shape))

    def to_user(self, x: Tensor) -> np.ndarray:
        """Examples as their user knows them (see the table), from `x` of shape (n, *shape) in a game."""
        values = x.detach().cpu()
        if self.kind == "image":
            pixels = ((values.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
            return pixels.permute(0, 2, 3, 1).contiguous().numpy()
        if self.kind == "sequence":
            return values.long().numpy()
        if self.kind == "binary":
            return (values > 0.5).to(torch.uint8).numpy()
        points = values.double().numpy()
        if self.scale:
            points = points * np.asarray(self.scale) + np.asarray(self.offset)
        return points.astype(np.float32)

    def to_game(self, values: np.ndarray | Tensor, device: torch.device | str = "cpu") -> Tensor:
        """The inverse of `to_user`: float NCHW in [-1, 1], standardised points, 0/1 floats or long tokens."""
        x = torch.as_tensor(values).to(device)
        if self.kind == "image":
            pixels = x.to(torch.uint8)
            if pixels.device.type == "cpu":
                return torch.from_numpy(signed(pixels.numpy())).permute(0, 3, 1, 2)
            return TABLE.to(pixels.device)[pixels.int()].permute(0, 3, 1, 2)
        if self.kind == "sequence":
            return x.long()
        if self.kind == "binary" or not self.scale:
            return x.float()
        offset, scale = (torch.tensor(v, dtype=torch.float64, device=device) for v in (self.offset, self.scale))
        return ((x.double() - offset) / scale).float()


SPEC = TypeAdapter(DataSpec)
"""Reads a spec back from JSON and rejects unknown keys."""


@dataclass(frozen=True)
class Batch:
    """Examples drawn for one move: `x` (n, *shape), `labels` long (n,) where there are any, and of two-domain
    data the unpaired second domain `y` (n, *shape). Where few training examples have labels, `labels` is None and
    `labelled` is a batch of those that have, drawn apart from `x`."""

    x: Tensor
    labels: Tensor | None = None
    y: Tensor | None = None
    labelled: "Batch | None" = None

    def __len__(self) -> int:
        return len(self.x)

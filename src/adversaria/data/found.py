"""What a reader hands over: examples as they lie in the source, before they are resized, split and scaled."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from adversaria.data.spec import Kind
from adversaria.errors import UserError

if TYPE_CHECKING:
    from adversaria.data.pictures import Pictures


@dataclass
class Found:
    """Examples of one kind with what their source says about them.

    `values` are pictures still to be converted, or an array: floats (n, d), 0/1 (n, d) or tokens (n, T).
    """

    kind: Kind
    values: "np.ndarray | Pictures"
    labels: np.ndarray | None = None
    class_names: tuple[str, ...] = ()
    splits: Mapping[str, np.ndarray] | None = None
    notes: list[str] = field(default_factory=list)
    categories: int = 0
    columns: tuple[str, ...] = ()
    standardise: bool = False


def joined_splits(sizes: Mapping[str, int]) -> dict[str, np.ndarray]:
    """The indices of splits that lie one behind the other."""
    ends = np.cumsum(list(sizes.values()))
    return {name: np.arange(end - sizes[name], end) for name, end in zip(sizes, ends, strict=True)}


def encode(labels: np.ndarray, count: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels as int64 (n,) below the number of classes, and their names; () where these are 0 .. k - 1.

    Raises UserError where labels are not one whole number or word an example.
    """
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if labels.shape != (count,):
        raise UserError(f"labels have shape {labels.shape}; expected ({count},), one label an example")
    if labels.dtype.kind == "f" and np.all(np.isfinite(labels)) and np.all(labels == np.rint(labels)):
        labels = labels.astype(np.int64)
    if labels.dtype.kind not in "biuUS":
        raise UserError(f"labels are {labels.dtype}; expected whole numbers or words")
    classes, codes = np.unique(labels, return_inverse=True)
    names = tuple(str(c.decode() if isinstance(c, bytes) else c) for c in classes.tolist())
    plain = labels.dtype.kind in "iu" and names == tuple(map(str, range(len(names))))
    return codes.astype(np.int64), () if plain else names

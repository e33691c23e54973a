"""From places in a store to tensors in game form: by NumPy on a CPU, on the accelerator, or from a file."""

from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from adversaria.data.spec import TABLE, DataSpec, signed
from adversaria.data.storage import Memory, Store

_CONVERTED_BYTES = 64 * 1024**2


class Lookup(Protocol):
    """Looks examples and labels up; `rows` are arrays of indices or labels in the form it works with."""

    def rows(self, values: np.ndarray) -> Any:
        """`values` in that form."""
        ...

    def join(self, parts: tuple[Any, Any]) -> Any:
        """Two rows as one."""
        ...

    def labels(self, rows: Any, index: Any) -> Tensor:
        """The labels at `index`, long (n,) on the device."""
        ...

    def examples(self, index: Any) -> Tensor:
        """The examples at `index`, (n, *shape) in game form on the device."""
        ...


def lookup(store: Store, spec: DataSpec, device: torch.device | str) -> Lookup:
    """The quickest look-up for this store and device."""
    if not isinstance(store, Memory):
        return _Streamed(store, spec, device)
    if torch.device(device).type == "cpu":
        return _OnCpu(store, spec)
    return _OnDevice(store, spec, device)


class _OnCpu:
    """NumPy has the least to do before and after; small images wait converted."""

    def __init__(self, store: Memory, spec: DataSpec):
        self._values = store.tensor.numpy()
        self._image = self._convert = spec.kind == "image"
        if self._image and 4 * self._values.size <= _CONVERTED_BYTES:
            self._values, self._convert = signed(self._values), False

    def rows(self, values: np.ndarray) -> np.ndarray:
        return values

    def join(self, parts: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        return np.concatenate(parts)

    def labels(self, rows: np.ndarray, index: np.ndarray) -> Tensor:
        return torch.from_numpy(rows.take(index))

    def examples(self, index: np.ndarray) -> Tensor:
        x = self._values.take(index, 0)
        if self._convert:
            x = signed(x)
        return torch.from_numpy(x).permute(0, 3, 1, 2) if self._image else torch.from_numpy(x)


class _OnDevice:
    """Everything stays on the accelerator."""

    def __init__(self, store: Memory, spec: DataSpec, device: torch.device | str):
        self._values, self._device = store.on(device), device
        self._table = TABLE.to(device) if spec.kind == "image" else None

    def rows(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(values).to(self._device)

    def join(self, parts: tuple[Tensor, Tensor]) -> Tensor:
        return torch.cat(parts)

    def labels(self, rows: Tensor, index: Tensor) -> Tensor:
        return rows.index_select(0, index)

    def examples(self, index: Tensor) -> Tensor:
        x = self._values.index_select(0, index)
        return x if self._table is None else self._table[x.int()].permute(0, 3, 1, 2)


class _Streamed:
    """Records are read, sent to the device and converted there."""

    def __init__(self, store: Store, spec: DataSpec, device: torch.device | str):
        self._store, self._spec, self._device = store, spec, device

    def rows(self, values: np.ndarray) -> np.ndarray:
        return values

    def join(self, parts: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        return np.concatenate(parts)

    def labels(self, rows: np.ndarray, index: np.ndarray) -> Tensor:
        return torch.from_numpy(rows.take(index)).to(self._device)

    def examples(self, index: np.ndarray) -> Tensor:
        return self._spec.to_game(self._store.gather(index), self._device)

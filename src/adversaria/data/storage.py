"""Where examples live: one tensor in memory, or one packed file whose records are read when asked for."""

import hashlib
import os
import weakref
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

_PIECE = 4096


class Store(Protocol):
    """Examples in stored form: uint8 (n, H, W, C) for images, game form for everything else."""

    def __len__(self) -> int:
        """Number of examples."""
        ...

    def gather(self, index: np.ndarray) -> Tensor:
        """The examples at `index` (k,), on the CPU, in that order."""
        ...

    def digest(self) -> str:
        """SHA-256 of form and content, the same for every kind of store."""
        ...


def content_hash(shape: tuple[int, ...], dtype: str) -> "hashlib._Hash":
    """A SHA-256 that has seen the form of one example; feed it the records in order."""
    return hashlib.sha256(f"{dtype} {shape}".encode())


def read_through(store: Store) -> str:
    """SHA-256 of form and content of a store whose records are made when they are asked for: each is made once."""
    state = content_hash(tuple(store.gather(np.arange(0)).shape[1:]), "uint8")
    for start in range(0, len(store), _PIECE):
        state.update(store.gather(np.arange(start, min(start + _PIECE, len(store)))).numpy().data)
    return state.hexdigest()


class Memory:
    """All examples as one tensor, copied once to each device that asks."""

    def __init__(self, values: np.ndarray):
        self.tensor = torch.from_numpy(np.ascontiguousarray(values))
        self._copies: dict[torch.device, Tensor] = {self.tensor.device: self.tensor}

    def __len__(self) -> int:
        return len(self.tensor)

    def on(self, device: torch.device | str) -> Tensor:
        """The whole tensor on `device`."""
        device = torch.empty(0, device=device).device
        if device not in self._copies:
            self._copies[device] = self.tensor.to(device)
        return self._copies[device]

    def gather(self, index: np.ndarray) -> Tensor:
        """The examples at `index` (k,), on the CPU, in that order."""
        return self.tensor[torch.from_numpy(np.asarray(index, np.int64))]

    def digest(self) -> str:
        """SHA-256 of form and content."""
        values = self.tensor.numpy()
        state = content_hash(values.shape[1:], str(values.dtype))
        state.update(values.data)
        return state.hexdigest()


class Packed:
    """uint8 records of one shape in a file, from its first byte on.

    Records are read with `pread`, not mapped: mapped pages would count as this process's memory.
    """

    def __init__(self, path: Path, count: int, shape: tuple[int, int, int], digest: str):
        self.path, self.count, self.shape, self._digest = path, count, shape, digest
        self._file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        weakref.finalize(self, os.close, self._file)

    def __len__(self) -> int:
        return self.count

    def gather(self, index: np.ndarray) -> Tensor:
        """The examples at `index` (k,), on the CPU, in that order.

        Raises OSError when the file has become shorter than it was.
        """
        out = np.empty((len(index), *self.shape), np.uint8)
        length = int(np.prod(self.shape))
        records = out.reshape(len(index), length)
        for row, number in enumerate(index.tolist()):
            record = os.pread(self._file, length, number * length)
            if len(record) != length:
                raise OSError(f"{self.path} ends within record {number}; delete it, and it is made again")
            records[row] = np.frombuffer(record, np.uint8)
        return torch.from_numpy(out)

    def digest(self) -> str:
        """SHA-256 of form and content, taken when the file was written."""
        return self._digest

"""Batches as a pure function of (seed, step): a run that stops and resumes sees what it would have seen."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from adversaria.data.lookup import Lookup, lookup
from adversaria.data.spec import Batch
from adversaria.data.splits import generator
from adversaria.data.storage import Memory
from adversaria.errors import UserError

if TYPE_CHECKING:
    from adversaria.data.dataset import Dataset

_AHEAD = 2
_LABELLED = 2
"""The stream of the labelled examples' order, after those of two domains."""
_FLIPS = 20_160_108
"""That of black and white."""


class _Order:
    """The endless row of the epochs' permutations of `members`, each drawn from (seed, epoch, stream)."""

    def __init__(self, members: np.ndarray, seed: int, stream: int, look: Lookup):
        self._members, self._seed, self._stream, self._look = members, seed, stream, look
        self._count = len(members)
        self._known: dict[int, Any] = {}

    def cut(self, start: int, size: int) -> Any:
        """Places start .. start + size of the row, over as many epochs as that takes."""
        epoch, begin = divmod(start, self._count)
        end = begin + size
        piece = self._epoch(epoch)[begin:end]
        while end > self._count:
            epoch, end = epoch + 1, end - self._count
            piece = self._look.join((piece, self._epoch(epoch)[:end]))
        return piece

    def _epoch(self, epoch: int) -> Any:
        found = self._known.get(epoch)
        if found is None:
            if len(self._known) > 1:
                del self._known[next(iter(self._known))]
            order = generator(self._seed, epoch, self._stream).permutation(self._members)
            found = self._known[epoch] = self._look.rows(order)
        return found


class Batches:
    """Batches of `size` examples in game form: `at(step)` depends on the data, the seed and the step alone.

    The epochs' permutations follow one another without a gap and are cut in pieces of `size`, so a batch may
    straddle two epochs. Two-domain data use independent permutations, one a domain, and `steps_per_epoch`
    counts the larger. Where few training examples have labels, as many of them go with each batch in `labelled`,
    in permutations of their own, over and over, and the labels of the others are never looked up. Images lie in
    memory channels last, whatever the storage; streamed batches are read ahead in the background. Where the data have
    grey images, a training batch is drawn from them, in black and white, anew for each step.

    Raises UserError where `size` is below 1 or above the number of examples in the split.
    """

    def __init__(
        self,
        dataset: "Dataset",
        size: int,
        *,
        seed: int,
        split: str = "train",
        device: torch.device | str = "cpu",
    ):
        domains = dataset.members(split)
        least, most = min(map(len, domains)), max(map(len, domains))
        if not 1 <= size <= least:
            raise UserError(
                f"a batch of {size} from {dataset.name}/{split}, which has {least:,} examples; "
                f"a batch is between 1 and that: use --batch {least} at most"
            )
        self.size, self.seed, self.split, self.device = size, seed, split, device
        self.steps_per_epoch = -(-most // size)
        grey = dataset.grey if split == "train" else None
        store = dataset.store if grey is None else grey
        self._flips = grey is not None
        self._look = look = lookup(store, dataset.spec, device)
        self._orders = [_Order(members, seed, stream, look) for stream, members in enumerate(domains)]
        self._labels = None if dataset.labels is None else look.rows(dataset.labels)
        labelled = dataset.labelled if split == "train" else None
        self._labelled = None if labelled is None else _Order(labelled, seed, _LABELLED, look)
        self._coming: dict[int, Future[Batch]] = {}
        self._pool = None if isinstance(store, Memory) else ThreadPoolExecutor(1, "batches")

    def at(self, step: int) -> Batch:
        """The batch of this step, 0 or later."""
        if self._pool is None:
            return self._make(step, self._indices(step))
        wanted = range(step, step + 1 + _AHEAD)
        for stale in [s for s in self._coming if s not in wanted]:
            self._coming.pop(stale).cancel()
        for s in wanted:
            if s not in self._coming:
                self._coming[s] = self._pool.submit(self._make, s, self._indices(s))
        return self._coming.pop(step).result()

    def _indices(self, step: int) -> list[Any]:
        orders = self._orders if self._labelled is None else [*self._orders, self._labelled]
        return [order.cut(step * self.size, self.size) for order in orders]

    def _make(self, step: int, indices: list[Any]) -> Batch:
        x = [self._examples(index, step, stream) for stream, index in enumerate(indices)]
        if self._labelled is not None:
            return Batch(x[0], labelled=Batch(x[1], self._labels_of(indices[1])))
        return Batch(x[0], self._labels_of(indices[0]), x[1] if len(x) > 1 else None)

    def _labels_of(self, index: Any) -> Tensor | None:
        return None if self._labels is None else self._look.labels(self._labels, index)

    def _examples(self, index: Any, step: int, stream: int) -> Tensor:
        x = self._look.examples(index)
        if not self._flips:
            return x
        coins = generator(self.seed, step, stream, _FLIPS).random(x.shape, np.float32)
        return (torch.from_numpy(coins).to(x.device) < (x + 1) / 2).to(x.dtype) * 2 - 1

    def __iter__(self) -> Iterator[Batch]:
        return map(self.at, count())

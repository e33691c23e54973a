"""A data set: examples, labels, splits, and an account of all that was done to them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch

from adversaria.data.batches import Batches
from adversaria.data.images import LOSSY
from adversaria.data.spec import Batch, DataSpec
from adversaria.data.splits import generator
from adversaria.data.storage import Store
from adversaria.errors import UserError, unknown

_LABELLED = 20_160_610
"""The stream of random numbers that chooses which labels show."""


class Skipped(NamedTuple):
    """A file that was left out, and why."""

    name: str
    reason: str


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples with their labels, their splits and their history; made by `load`."""

    name: str
    spec: DataSpec
    store: Store
    splits: Mapping[str, np.ndarray]
    """Indices of the examples of train, valid and test; in two-domain data, those of the first domain."""
    labels: np.ndarray | None = None
    """int64 (n,), below `spec.classes`."""
    second: Mapping[str, np.ndarray] | None = None
    """In two-domain data, the indices of the second domain's examples, by split."""
    labelled: np.ndarray | None = None
    """Indices of the training examples whose labels a batch may carry; None for all. See `with_labels`."""
    grey: Store | None = None
    """Images whose pixels a training batch draws as black or white, anew each time; see `bits`."""
    notes: tuple[str, ...] = ()
    """What was done to the data on the way in, in sentences."""
    skipped: tuple[Skipped, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    """`load(**options)` loads the data again; plain values that JSON can hold."""

    def __len__(self) -> int:
        return len(self.store)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256, in hex, of content, labels, splits, spec and which labels show: the same wherever the data lie."""
        state = hashlib.sha256(self.store.digest().encode())
        state.update(self.spec.told())
        if self.labels is not None:
            state.update(b"labels")
            state.update(self.labels.astype("<i8").tobytes())
        for splits in (self.splits, self.second or {}):
            for name, index in splits.items():
                state.update(f"{name} {len(index)}".encode())
                state.update(index.astype("<i8").tobytes())
        if self.labelled is not None:
            state.update(f"labelled {len(self.labelled)}".encode())
            state.update(self.labelled.astype("<i8").tobytes())
        if self.grey is not None:
            state.update(b"dynamic")
        return state.hexdigest()

    @property
    def lossy(self) -> bool:
        """Whether some of the images were JPEG-coded, so that their likelihood is that of another data set."""
        return any(LOSSY in note for note in self.notes)

    @cached_property
    def whole(self) -> "Dataset":
        """The data with all their labels: what evaluation looks at, however few of them a game saw."""
        if self.labelled is None:
            return self
        options = {key: value for key, value in self.options.items() if key != "labelled"}
        return replace(self, labelled=None, notes=self.notes[:-1], options=options)

    def members(self, split: str) -> tuple[np.ndarray, ...]:
        """The indices of a split, one array a domain.

        Raises UserError where there is no such split.
        """
        if split not in self.splits:
            raise unknown("split", split, self.splits)
        return (self.splits[split],) if self.second is None else (self.splits[split], self.second[split])

    def size(self, split: str = "train") -> int:
        """Number of examples in a split; in two-domain data, of the smaller domain."""
        return min(map(len, self.members(split)))

    def examples(self, n: int, split: str = "train", seed: int | None = None) -> Batch:
        """The first `n` examples of a split, or with a seed `n` at random; in game form, on the CPU.

        Raises UserError where the split has fewer than `n`.
        """
        domains = self.members(split)
        least = min(map(len, domains))
        if not 0 <= n <= least:
            raise UserError(f"{n} examples asked of {self.name}/{split}, which has {least}; ask for {least} at most")
        if seed is None:
            chosen = [index[:n] for index in domains]
        else:
            chosen = [generator(seed, stream).permutation(index)[:n] for stream, index in enumerate(domains)]
        values = [self.store.gather(index) for index in chosen]
        if self.spec.kind == "image":
            values = [self.spec.to_game(raw) for raw in values]
        labels = None if self.labels is None else torch.from_numpy(self.labels[chosen[0]])
        return Batch(values[0], labels, values[1] if len(values) > 1 else None)

    def batches(self, size: int, *, seed: int, split: str = "train", device: torch.device | str = "cpu") -> Batches:
        """Endless batches of `size` examples, shuffled anew every epoch; see `Batches`."""
        return Batches(self, size, seed=seed, split=split, device=device)

    def domains_of(self, a: str | int, b: str | int) -> "Dataset":
        """A view with two domains: `x` of class `a` and, drawn apart from it, `y` of class `b`.

        Raises UserError where the data have no labels, or a class is absent, or both are the same.
        """
        first, second = self._class(a), self._class(b)
        if first == second:
            raise UserError(f"domains {a!r} and {b!r} are the same class; name two different ones")
        assert self.labels is not None
        parts = []
        for wanted in (first, second):
            of_class = self.labels == wanted
            parts.append({name: index[of_class[index]] for name, index in self.splits.items()})
            if len(parts[-1]["train"]) == 0:
                raise UserError(f"class {wanted} has no training examples in {self.name}; choose another")
        return replace(
            self,
            spec=replace(self.spec, classes=0, class_names=(), domains=2),
            labels=None,
            splits=parts[0],
            second=parts[1],
            notes=(*self.notes, f"two domains: x is class {a}, y is class {b}, unpaired"),
            options={**self.options, "domains": [a, b]},
        )

    def with_labels(self, n: int, seed: int = 0) -> "Dataset":
        """A view of which only `n` training examples show their labels, in `Batch.labelled`; the others come without.

        They are drawn at random by `seed`, as evenly over the classes as they come. Validation and test examples keep
        their labels.

        Raises UserError where the data have no labels, or hide some already, or `n` is below the number of classes
        or above that of the training examples.
        """
        if self.labels is None or self.labelled is not None:
            why = "has no labels" if self.labels is None else "hides labels already"
            raise UserError(f"{self.name} {why}, and {n} are to be seen; take data with a label for every example")
        order = generator(seed, _LABELLED).permutation(self.splits["train"])
        labels = self.labels[order]
        classes = np.unique(labels)
        if not len(classes) <= n <= len(order):
            raise UserError(
                f"{n} labels asked of {self.name}, which has {len(classes)} classes and {len(order):,} training "
                f"examples; ask for {len(classes)} to {len(order)}: --labels {min(max(n, len(classes)), len(order))}"
            )
        turn = np.empty(len(order), np.int64)  # the first of each class, then the second of each, ...
        for k in classes:
            turn[labels == k] = np.arange((labels == k).sum())
        shown = np.sort(order[np.argsort(turn, kind="stable")[:n]])
        counts = np.bincount(self.labels[shown], minlength=self.spec.classes)[classes]
        each = f"{counts.min()}" if counts.min() == counts.max() else f"{counts.min()} to {counts.max()}"
        note = f"{n:,} of {len(order):,} training examples show their labels, {each} a class (seed {seed})"
        return replace(self, labelled=shown, notes=(*self.notes, note), options={**self.options, "labelled": [n, seed]})

    def _class(self, wanted: str | int) -> int:
        if self.labels is None or self.labelled is not None:
            why = "has no labels" if self.labels is None else "hides labels"
            raise UserError(f"{self.name} {why}, so no domains; use one folder a class, or (array, labels)")
        names = self.spec.class_names or tuple(str(k) for k in range(self.spec.classes))
        if str(wanted) in names:
            return names.index(str(wanted))
        if isinstance(wanted, int) and 0 <= wanted < self.spec.classes:
            return wanted
        raise unknown("class", str(wanted), names)

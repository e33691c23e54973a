"""Stacks: three grey images as the colours of one, so that K classes make K^3 modes (1000 from digits)."""

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from adversaria.data.dataset import Dataset
from adversaria.data.found import joined_splits
from adversaria.data.splits import generator
from adversaria.data.storage import read_through
from adversaria.errors import UserError

CHANNELS = 3
SIZES = {"train": 128_000, "valid": 26_000, "test": 26_000}
"""Stacks of each split: those of Lin et al. (2018), arXiv:1712.04086, and as many held out as they generate."""
_SEED = 0


class Stacks:
    """Images (H, W, 3) that are put together when they are asked for, from three examples of `base` each."""

    def __init__(self, base: Dataset, parts: np.ndarray):
        self.base, self.parts = base, parts

    def __len__(self) -> int:
        return len(self.parts)

    def gather(self, index: np.ndarray) -> Tensor:
        """The stacks at `index` (k,), on the CPU, in that order."""
        chosen = self.parts[np.asarray(index, np.int64)]
        grey = self.base.store.gather(chosen.reshape(-1).astype(np.int64)).numpy()
        stacks = grey.reshape(*chosen.shape, *grey.shape[1:3])
        return torch.from_numpy(np.ascontiguousarray(np.moveaxis(stacks, 1, -1)))

    def digest(self) -> str:
        """SHA-256 of form and content."""
        return read_through(self)


def stack(base: Dataset) -> Dataset:
    """Stacks of three images of `base`, each drawn at random, with replacement, from the same split of it.

        label = K^2 r + K g + b,   r, g, b the classes of the red, green and blue image

    Metz et al. (2016), arXiv:1611.02163, Section 3.3.1; Srivastava et al. (2017), arXiv:1705.07761, Section 4.2.

    Raises:
        UserError: where `base` holds no labelled grey images, or two domains.
    """
    spec = base.spec
    if spec.kind != "image" or spec.shape[0] != 1:
        what = f"images of {spec.shape[0]} channels" if spec.kind == "image" else f"{spec.kind} data"
        raise UserError(f"{base.name} holds {what}; stacks are made of grey images: read images with channels=1")
    if base.labels is None or base.labelled is not None or spec.domains > 1:
        why = "has no labels" if base.labelled is None else "hides labels"
        raise UserError(f"{base.name} {why}, and a stack is known by those of its three images; label them")
    if base.grey is not None:
        raise UserError(f"{base.name} draws its bits anew in each batch, and stacks don't; take binarise='static'")
    sizes = {name: size if len(base.splits[name]) else 0 for name, size in SIZES.items()}
    drawn = [
        generator(_SEED, stream).choice(base.splits[name], (sizes[name], CHANNELS))
        for stream, name in enumerate(sizes)
        if sizes[name]
    ]
    parts = np.concatenate(drawn).astype(np.int32)
    k = spec.classes
    labels = base.labels[parts] @ np.array([k * k, k, 1])
    names = spec.class_names and tuple(f"{r} {g} {b}" for r in spec.class_names for g in spec.class_names
                                       for b in spec.class_names)  # fmt: skip
    count = np.bincount(base.labels[base.splits["train"]], minlength=k)
    share = count[count > 0] / count.sum()
    uneven = CHANNELS * (math.log(k) + float(share @ np.log(share)))
    note = (
        f"stacks of three images of one split as red, green and blue, drawn with replacement (seed {_SEED}): "
        f"{sizes['train']:,} from {len(base.splits['train']):,} train images, {sizes['valid']:,} from "
        f"{len(base.splits['valid']):,} valid, {sizes['test']:,} from {len(base.splits['test']):,} test; "
        f"{k**3:,} classes, whose law lies {uneven:.3g} nats from equal shares"
    )
    return Dataset(
        name=f"stacked-{base.name}",
        spec=replace(spec, shape=(CHANNELS, *spec.shape[1:]), classes=k**3, class_names=names),
        store=Stacks(base, parts),
        splits=joined_splits(sizes),
        labels=labels,
        notes=(*base.notes, note),
        skipped=base.skipped,
        options={**base.options, "stacked": True},
    )


def base_of(data: Dataset) -> Dataset:
    """The grey images that stacks are made of.

    Raises:
        UserError: where `data` holds no stacks.
    """
    if not isinstance(data.store, Stacks):
        raise UserError(f"{data.name} holds no stacks; load it with stacked=True, or take 'stacked-digits'")
    return data.store.base

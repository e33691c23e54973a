"""Positive controls: real data spoilt in a known way and strength, to see which number notices.

| control   | what is done to real examples                                      |
|-----------|--------------------------------------------------------------------|
| drop      | a share of the classes (clusters, where there are no labels) is left out |
| copy      | a share is replaced by exact copies of training examples           |
| blur      | images are smoothed by a Gaussian of so many pixels                |
| noise     | Gaussian noise, in standard deviations of the data                 |
| duplicate | a share is replaced by copies of other examples of the same set    |
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from adversaria.data import Dataset
from adversaria.data.splits import generator
from adversaria.evaluation.features import Features
from adversaria.metrics.frechet import frechet_distance


@dataclass(frozen=True)
class Pool:
    """Real examples that no reference set holds: to be spoilt, with their classes, and the training set beside them."""

    x: Tensor
    """(n, *shape) in game form, in random order."""
    classes: np.ndarray
    """(n,): labels, or clusters where there are none."""
    train: Tensor
    """(t, *shape), none of them in `x`: copies are looked for among these."""
    train_places: np.ndarray
    """(t,) of the rows of `train` in the store."""
    image: bool

    def take(self, n: int) -> Tensor:
        """The first `n`."""
        return self.x[:n]


def drop(pool: Pool, n: int, share: float) -> Tensor:
    """Without the classes that hold this share of all; the largest go first, one at least."""
    kinds, counts = np.unique(pool.classes, return_counts=True)
    gone = kinds[np.argsort(-counts, kind="stable")][: max(1, round(share * len(kinds)))]
    kept = np.flatnonzero(~np.isin(pool.classes, gone))
    return pool.x[torch.from_numpy(kept[:n])]


def copy(pool: Pool, n: int, share: float) -> Tensor:
    """A share replaced by training examples."""
    x = pool.take(n).clone()
    chosen = generator(1).permutation(len(pool.train))[: round(share * len(x))]
    x[: len(chosen)] = pool.train[torch.from_numpy(chosen)]
    return x


def blur(pool: Pool, n: int, pixels: float) -> Tensor:
    """Images convolved with a Gaussian of this standard deviation, edges repeated."""
    x = pool.take(n)
    reach = max(1, round(3 * pixels))
    line = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=x.dtype) / pixels) ** 2)
    line = (line / line.sum()).expand(x.shape[1], 1, 1, -1)
    padded = F.pad(x, (reach, reach, reach, reach), mode="replicate")
    rows = F.conv2d(padded, line, groups=x.shape[1])
    return F.conv2d(rows, line.transpose(2, 3), groups=x.shape[1])


def noise(pool: Pool, n: int, sds: float) -> Tensor:
    """Noise of so many standard deviations of the data; images stay in [-1, 1]."""
    x = pool.take(n)
    eps = torch.randn(x.shape, generator=torch.Generator().manual_seed(2), dtype=x.dtype)
    spoilt = x + sds * x.std() * eps
    return spoilt.clamp(-1, 1) if pool.image else spoilt


def duplicate(pool: Pool, n: int, share: float) -> Tensor:
    """A share replaced by other examples of the set."""
    x = pool.take(n).clone()
    k = min(round(share * len(x)), len(x) // 2)
    x[:k] = x[k : 2 * k]
    return x


@dataclass(frozen=True)
class Control:
    """A way to spoil real data, at the strength of the sensitivity table and over a ladder of strengths."""

    spoil: Callable[[Pool, int, float], Tensor]
    said: str
    strength: float
    ladder: tuple[float, ...] = ()
    """Strengths by which features must rank; empty where a distance needn't see it."""
    images_only: bool = False


CONTROLS = {
    "drop": Control(drop, "a tenth of the classes left out", 0.1, (0.1, 0.3, 0.5)),
    "copy": Control(copy, "5% copied from the training set", 0.05),
    "blur": Control(blur, "blurred by 1 pixel", 1.0, (0.5, 1.0, 2.0), images_only=True),
    "noise": Control(noise, "noise of 0.3 sd of the data", 0.3, (0.2, 0.5, 1.0)),
    "duplicate": Control(duplicate, "10% duplicates of others in the set", 0.1),
}


def pool_of(data: Dataset, reference: np.ndarray, most: int = 10_000) -> Pool:
    """What is real outside of `reference` (places in the store), held-out examples first; a part of train apart."""
    domain = -1  # of two domains, the one that samples are to look like
    held = np.concatenate([data.members("test")[domain], data.members("valid")[domain]])
    train = generator(5).permutation(data.members("train")[domain])
    kept, rest = np.split(train, [min(most, len(train) // 2)])
    free = np.setdiff1d(held, reference)
    order = np.concatenate([generator(6).permutation(free), np.setdiff1d(rest, reference, assume_unique=True)])[:most]
    x, copies = gather(data, order), gather(data, kept)
    classes = data.labels[order] if data.labels is not None else _clusters(x)
    return Pool(x, classes, copies, kept, data.spec.kind == "image")


def gather(data: Dataset, places: np.ndarray) -> Tensor:
    """Examples at these places of the store, in game form, on the CPU."""
    rows = data.store.gather(places)
    return data.spec.to_game(rows) if data.spec.kind == "image" else rows


def _clusters(x: Tensor, k: int = 10) -> np.ndarray:
    from sklearn.cluster import KMeans

    rows = x.flatten(1).double().numpy()
    fitted = KMeans(min(k, len(rows)), n_init=4, random_state=0).fit(rows[:5000])
    return fitted.predict(rows)


def faults(features: Features, data: Dataset) -> list[str]:
    """Where the Frechet distance in these features doesn't grow with a control's strength: empty for usable ones."""
    reference = generator(4).permutation(data.members("test")[-1])[:2000]
    pool = pool_of(data, reference, 4000)
    real, n = features(gather(data, reference)), min(2000, len(pool.x))
    clean = frechet_distance(real=real, generated=features(pool.take(n)))
    found = []
    for name, control in CONTROLS.items():
        if not control.ladder or (control.images_only and not pool.image):
            continue
        told = [frechet_distance(real=real, generated=features(control.spoil(pool, n, s))) for s in control.ladder]
        values = [estimate.value for estimate in told]
        if sorted(values) != values or values[-1] < clean.value + 3 * clean.error:
            ladder = ", ".join(f"{s:g}: {v:.3g}" for s, v in zip(control.ladder, values, strict=True))
            found.append(f"{name} gives {ladder} ({clean.value:.3g} +- {clean.error:.2g} unspoilt)")
    return found

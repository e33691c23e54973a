"""What several claims are measured with."""

from functools import cache

import torch
from torch import Tensor

from adversaria.data import Dataset
from adversaria.data.made import modes
from adversaria.evaluation.features import Features
from adversaria.evaluation.trained import trained
from adversaria.metrics.modes import mode_coverage


@cache
def eye(data: Dataset) -> Features:
    """A classifier trained on the data, as features with logits; kept in the cache of features."""
    return trained(data)


def told(x: Tensor, data: Dataset) -> Tensor:
    """The classes (n,) that the classifier sees in images in game form."""
    logits = eye(data).logits
    assert logits is not None
    with torch.no_grad():
        return torch.cat([logits(piece) for piece in x.cpu().split(500)]).argmax(1)


def coverage(points: Tensor, name: str, sd: float | None = None) -> dict[str, float]:
    """`metrics.mode_coverage` of points of `ring8` or `grid25`; for samples not yet sharp, with modes of another sd."""
    known = modes(name)
    found = mode_coverage(generated=points.cpu(), centres=torch.from_numpy(known.centres), sd=sd or known.sd)
    return {key: estimate.value for key, estimate in found.items()}


def modes_in_force(points: Tensor, name: str) -> float:
    """Modes of `ring8` or `grid25` with a tenth of their even share of the points, of high quality."""
    return coverage(points, name)["modes in force"]


def energy_distance(x: Tensor, y: Tensor) -> float:
    """2 E |x - y| - E |x - x'| - E |y - y'| of two sets of examples, as vectors; 0 for one law."""
    x, y = x.flatten(1).double().cpu(), y.flatten(1).double().cpu()
    n, m = len(x), len(y)
    within = torch.cdist(x, x).sum() / (n * (n - 1)) + torch.cdist(y, y).sum() / (m * (m - 1))
    return float(2 * torch.cdist(x, y).mean() - within)

"""k-means cells of a set of features."""

import warnings

import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor


def clusters(x: Float[Tensor, "n d"], cells: int, seed: int) -> tuple[Int[Tensor, " n"], Float[Tensor, "c d"]]:
    """k-means: the cell of each row, and the centres; fewer cells where there are fewer different rows.

    Best of 3 starts by k-means++, float64.
    """
    if cells == 1:
        return torch.zeros(len(x), dtype=torch.int64, device=x.device), x.double().mean(0, keepdim=True)
    points = x.detach().double().cpu().numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # too few different rows: answered by fewer cells
        made = KMeans(min(cells, len(points)), n_init=3, random_state=seed).fit(points)
    used, cell = np.unique(made.labels_, return_inverse=True)
    return torch.from_numpy(cell).to(x.device), torch.from_numpy(made.cluster_centers_[used]).to(x.device)

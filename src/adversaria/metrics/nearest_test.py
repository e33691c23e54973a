"""A two-sample test by whose nearest neighbour everyone has."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from adversaria.errors import UserError
from adversaria.metrics.checks import checked, facts
from adversaria.metrics.estimate import Estimate, Null
from adversaria.metrics.neighbours import Passes


def nearest_neighbour_test(
    *, real: Float[Tensor, "n d"], generated: Float[Tensor, "m d"], permutations: int = 1000, seed: int = 0,
    passes: Passes | None = None,
) -> Estimate:  # fmt: skip
    """Leave-one-out accuracy of the 1-nearest-neighbour classifier on the pooled set, with a permutation p-value.

        A = 1/(n + m) #{z: z and its nearest other example are of one set}
        E[A | P = Q] = (n (n - 1) + m (m - 1)) / ((n + m) (n + m - 1)),   (n - 1) / (2 n - 1) for n = m

    Two-sided: well above the null the sets can be told apart; well below it, generated examples sit on real ones more
    closely than real ones do, as copies would. Under P = Q labels are exchangeable given the pooled set, so relabelling
    the fixed graph of neighbours gives an exact p-value. Where several are equally near, one is drawn without looking
    at labels. The standard error adds the covariances of examples whose edges to their neighbours share an end.

    Lopez-Paz and Oquab (2017), arXiv 1610.06545; Xu et al. (2018), arXiv 1806.07755; Schilling (1986).

    Args:
        real: (n, d).
        generated: (m, d).
        permutations: relabellings for p; the smallest possible p is 2 / (permutations + 1).
        seed: of the relabellings and of draws between equally near ones.
        passes: shared with other metrics on the same tensors.

    Raises:
        UserError: for sets that aren't (n, d) of one d, finite, with at least 2 rows, or for no permutations.
    """
    checked(2, real=real, generated=generated)
    if permutations < 1:
        raise UserError(f"{permutations} permutations give no p-value; at least 1, for p < 0.05 at least 39")
    n, m = len(real), len(generated)
    graph = _graph(real, generated, seed, passes or Passes())
    labels = np.arange(n + m) < n
    right = labels == labels[graph]
    value = float(right.mean())
    values = np.array([np.count_nonzero(now == now[graph]) for now in relabelled(n, m, permutations, seed)])
    low, high = (int((values <= right.sum()).sum()), int((values >= right.sum()).sum()))
    p = min(1.0, 2 * (1 + min(low, high)) / (permutations + 1))
    null = Null(expected_accuracy(n, m), float(values.std() / (n + m)), permutations, "relabellings; exact mean")
    protocol = facts(real=real, generated=generated) | {"permutations": permutations, "seed": seed}
    details = {"accuracy_real": float(right[:n].mean()), "accuracy_generated": float(right[n:].mean())}
    return Estimate("1-nearest-neighbour accuracy", value, _error(right, graph), n + m, "", protocol, None,
                    bias="exact null given", p=p, null=null, details=details)  # fmt: skip


def expected_accuracy(n: int, m: int) -> float:
    """Chance that an example's nearest neighbour is of its own set when both sets have one distribution.

    >>> round(expected_accuracy(10, 10), 6)
    0.473684
    """
    return (n * (n - 1) + m * (m - 1)) / ((n + m) * (n + m - 1))


def relabelled(n: int, m: int, draws: int, seed: int) -> Iterator[np.ndarray]:
    """Random labellings (n + m,) of a pooled set: True for n of them."""
    generator = np.random.default_rng(seed)
    for _ in range(draws):
        luck = generator.random(n + m)
        yield luck <= np.partition(luck, n - 1)[n - 1]  # faster than a permutation


def _error(right: np.ndarray, graph: np.ndarray) -> float:
    """Standard error of a mean over edges (i, N(i)) that are dependent where they share an end."""
    total = len(right)
    z = right - right.mean()
    ends = np.zeros(total)  # by end: the sum over edges (i, N(i)) that touch it
    np.add.at(ends, np.arange(total), z)
    np.add.at(ends, graph, z)
    pairs = float((ends**2).sum()) - float((z**2).sum())  # pairs sharing an end; an edge with itself counts twice
    mutual = graph[graph] == np.arange(total)
    pairs -= float((z[mutual] * z[graph[mutual]]).sum())  # mutual neighbours share both ends
    return math.sqrt(max(pairs, 0.5 * float((z**2).sum()))) / total


def _graph(real: Tensor, generated: Tensor, seed: int, passes: Passes) -> np.ndarray:
    """Index (n + m,) of everyone's nearest other in the pooled set; ties drawn at random."""
    n = len(real)
    halves, tied = [], []
    for own, other, shift, far in ((real, generated, 0, n), (generated, real, n, 0)):
        a, b = passes.within(own, min(2, len(own) - 1)), passes.between(own, other, min(2, len(other)))
        squared, order = torch.cat([a.squared, b.squared], 1).sort(stable=True)
        halves.append(torch.cat([a.index + shift, b.index + far], 1).gather(1, order)[:, 0])
        tied.append(squared[:, 0] == squared[:, 1])
    graph = torch.cat(halves).cpu().numpy()
    rows = torch.cat(tied).nonzero()[:, 0]
    if len(rows):
        pooled = torch.cat([real, generated])
        graph[rows.cpu().numpy()] = _drawn(pooled, rows, seed).cpu().numpy()
    return graph


def _drawn(pooled: Tensor, rows: Tensor, seed: int) -> Tensor:
    """For each of these rows, one of its nearest others, all equally likely."""
    generator = torch.Generator().manual_seed(seed)
    everyone, parts = pooled.double(), []
    for part in rows.split(max(1, 2**21 // len(pooled))):
        distances = torch.cdist(everyone[part], everyone, compute_mode="donot_use_mm_for_euclid_dist")
        distances[torch.arange(len(part), device=part.device), part] = torch.inf
        luck = torch.rand(distances.shape, generator=generator).to(pooled.device)
        parts.append(torch.where(distances == distances.amin(1, keepdim=True), luck, -1.0).argmax(1))
    return torch.cat(parts)

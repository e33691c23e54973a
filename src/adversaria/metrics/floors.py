"""What held-out data cost under models in closed form: what a trained model is to be set beside.

| floor       | of                    | fitted to the training examples                                               |
|-------------|-----------------------|-------------------------------------------------------------------------------|
| uniform     | pixels, bits, tokens  | nothing: log of the number of levels, for each number                         |
| gaussian    | pixels, points        | mean and full covariance; of pixels dequantised by uniform noise              |
| bernoulli   | bits                  | a probability for each bit, add-one smoothing                                 |
| chow-liu    | bits                  | the tree of pairs with the most mutual information, 1/4 added to each cell    |
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree
from torch import Tensor

from adversaria.data.spec import DataSpec
from adversaria.errors import UserError
from adversaria.metrics.estimate import Estimate
from adversaria.metrics.kinds import kind, likelihood_estimate, of_spec

Rows = Float[Tensor, "n d"]
CELL = 0.25
"""Added to each of the four cells of a pair of bits."""
CALLED = {"uniform": "a uniform law", "gaussian": "a normal law of full covariance", "bernoulli": "independent bits",
          "chow-liu": "a tree of bits (Chow-Liu)"}  # fmt: skip


def closed_forms(train: Tensor, x: Tensor, spec: DataSpec, *, scale: str = "as given",
           protocol: Mapping[str, Any] | None = None, rows: Sequence[str] = ()) -> dict[str, Estimate]:  # fmt: skip
    """The floors that the kind of data has, by name, for held-out examples.

    Args:
        train: training examples (m, *shape) in game form.
        x: held-out ones (n, *shape).
        spec: of both.
        scale: of continuous data, in words.
        protocol: further facts.
        rows: what each held-out example is called where one has no finite likelihood; its row in `x` without.

    Raises:
        UserError: for fewer than two examples of either.
    """
    if min(len(train), len(x)) < 2:
        raise UserError(f"{len(train)} training and {len(x)} held-out examples; a floor needs 2 of each")
    data, d = of_spec(spec), spec.size
    facts = {**(protocol or {}), "fitted_to": len(train)}
    found: dict[str, tuple[Tensor, str]] = {}
    if data != "continuous":
        levels = {"tokens": spec.categories, "binary": 2}.get(data, spec.levels)
        found["uniform"] = torch.full((len(x),), -d * math.log(levels), dtype=torch.float64), kind("exact")
    if data == "continuous":
        found["gaussian"] = gaussian(_rows(train), _rows(x)), kind("exact")
    if data == "8-bit pixels":
        found["gaussian"] = dequantised_gaussian(_rows(train), _rows(x), spec.levels), kind("dequantised")
    if data == "binary":
        ones, seen = (_rows(v) > 0.5 if spec.kind == "binary" else _rows(v) > 0 for v in (train, x))
        found["bernoulli"] = bernoulli(ones.double(), seen.double()), kind("exact")
        found["chow-liu"] = chow_liu(ones.double(), seen.double()), kind("exact")
    told = {
        name: likelihood_estimate(log_p, kind=said, data=data, dims=d, scale=scale, protocol=facts, rows=rows)
        for name, (log_p, said) in found.items()
    }
    return {name: replace(e, name=f"{e.name} of {CALLED[name]}") for name, e in told.items()}


def _rows(x: Tensor) -> Tensor:
    return x.flatten(1).double().cpu()


def gaussian(train: Rows, x: Rows, noise: float = 0.0) -> Float[Tensor, " n"]:
    """Mean over noise of variance `noise` in each number of log N(x + noise; m, S), m and S of the noisy training rows.

    E (x + u - m)^T S^-1 (x + u - m) = (x - m)^T S^-1 (x - m) + noise tr S^-1. Where S has no inverse, a millionth of
    its mean eigenvalue is added to all.
    """
    m = train.mean(0)
    centred = train - m
    S = centred.T @ centred / len(train)
    S.diagonal().add_(noise)
    L, info = torch.linalg.cholesky_ex(S)
    if info:
        S.diagonal().add_(1e-6 * S.trace() / len(S) + torch.finfo(S.dtype).tiny)
        L = torch.linalg.cholesky(S)
    z = torch.linalg.solve_triangular(L, (x - m).T, upper=False)
    quadratic = z.square().sum(0)
    if noise:
        inverse = torch.linalg.solve_triangular(L, torch.eye(len(L), dtype=L.dtype), upper=False)
        quadratic = quadratic + noise * inverse.square().sum()
    return -0.5 * (quadratic + len(m) * math.log(2 * math.pi)) - L.diagonal().log().sum()


def dequantised_gaussian(train: Rows, x: Rows, levels: int) -> Float[Tensor, " n"]:
    """A bound on log P of pixels in [-1, 1]: the mean over uniform noise of `gaussian`'s density of the noisy level.

    The noise, of variance 1/12 where steps are 1, is integrated in closed form: no draw is left in the number.
    """
    half = (levels - 1) / 2
    return gaussian((train + 1) * half + 0.5, (x + 1) * half + 0.5, noise=1 / 12)


def bernoulli(train: Rows, x: Rows) -> Float[Tensor, " n"]:
    """log P of rows of 0 and 1 by each bit's own frequency, (ones + 1) / (n + 2)."""
    p = (train.sum(0) + 1) / (len(train) + 2)
    return x @ p.log() + (1 - x) @ torch.log1p(-p)


def chow_liu(train: Rows, x: Rows) -> Float[Tensor, " n"]:
    """log P of rows of 0 and 1 by the tree of bits whose pairs have the most mutual information.

    Chow and Liu (1968), "Approximating discrete probability distributions with dependence trees", Eq. 5 and 11. `CELL`
    is added to each pair's cells, and the marginals follow.
    """
    parent, order, joint = _tree(train)
    one = joint.diagonal(dim1=2, dim2=3)[1, 1]  # P(bit = 1), by the smoothing of the pairs
    root = order[0]
    log_p = torch.where(x[:, root] > 0.5, one[root].log(), torch.log1p(-one[root]))
    for child in order[1:]:
        above = parent[child]
        a, b = x[:, above].long(), x[:, child].long()
        given = torch.where(a > 0, one[above], 1 - one[above])
        log_p = log_p + (joint[a, b, above, child] / given).log()
    return log_p


def _tree(train: Rows) -> tuple[np.ndarray, np.ndarray, Tensor]:
    """Each bit's parent, the bits from the root on, and P(a, b) of each pair, (2, 2, d, d)."""
    n, d = train.shape
    cells = [[(1 - train).T @ (1 - train), (1 - train).T @ train], [train.T @ (1 - train), train.T @ train]]
    joint = torch.stack([torch.stack(row) for row in cells]).add(CELL) / (n + 4 * CELL)
    one = (train.sum(0) + 2 * CELL) / (n + 4 * CELL)
    joint[:, :, range(d), range(d)] = 0
    joint[0, 0, range(d), range(d)], joint[1, 1, range(d), range(d)] = 1 - one, one
    marginal = torch.stack([1 - one, one])
    even = marginal[:, None, :, None] * marginal[None, :, None, :]
    information = torch.where(joint > 0, joint * (joint / even).log(), 0.0).sum((0, 1))
    information.fill_diagonal_(0)
    # Scipy takes 0 for no edge and finds the least: every pair has less than ln 2 nats.
    tree = minimum_spanning_tree((1 - information).fill_diagonal_(0).numpy())
    order, parent = breadth_first_order(tree, 0, directed=False)
    return parent, order, joint

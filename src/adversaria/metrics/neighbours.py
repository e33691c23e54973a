"""Exact nearest neighbours in rounds of rows, and the passes that several metrics share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from adversaria.errors import UserError

T = TypeVar("T")

SPARE = 8
"""Candidates beyond the k asked for: with them nearly every row is certified at once."""
_U = 2.0**-24
"""Unit roundoff of float32."""
_ROWS = 128
_BLOCK = {"cpu": 2**21, "other": 2**27}
"""Distances held at a time."""


@dataclass(frozen=True)
class Nearest:
    """The k nearest of one set to each row of another, in order."""

    squared: Float[Tensor, "n k"]
    """Squared distances, float64, summed from differences."""
    index: Int[Tensor, "n k"]

    def first(self, k: int) -> Nearest:
        """The k nearest of them."""
        return Nearest(self.squared[:, :k], self.index[:, :k])


def nearest(
    queries: Float[Tensor, "n d"], among: Float[Tensor, "m d"], k: int, *, same: bool = False
) -> Nearest:  # fmt: skip
    """The k nearest rows of `among` to each row of `queries`, exactly.

        L_ij = (1 - c) (|a_i|^2 + |b_j|^2) - 2 a_i . b_j  <=  |a_i - b_j|^2,    c = (d + 16) 2^-24

    Features are centred, and one float32 product gives the lower bounds L of all squared distances: c covers what
    rounding can do to a dot product of d terms (Higham 2002, Section 3.1). The k + 8 candidates with the smallest L are
    measured in float64 from differences. Where the k-th of those is at most the largest candidate's L, nobody outside
    can be nearer; rows for which this doesn't hold (ties, mostly) are measured against everybody in float64.

    Args:
        queries: (n, d).
        among: (m, d).
        k: how many.
        same: both are one set, and row i is no neighbour of row i (by its index, so that a duplicate is).

    Raises:
        UserError: where there are fewer than k others.
    """
    others = len(among) - same
    if not 1 <= k <= others:
        raise UserError(f"k = {k} neighbours of {others} others; take k from 1 to {others}, or more examples")
    take = min(k + SPARE, others)
    a, b, norms_a, norms_b, scale = _prepared(queries, among)
    c = (a.shape[1] + 16) * _U
    low_a, low_b = ((1 - c) * norms_a).to(a.dtype), ((1 - c) * norms_b).to(a.dtype)
    found, places = [], []
    for rows in _rows(len(a), len(b), a):
        bound, candidates = _candidates(a[rows], b, low_b, take, rows.start if same else None)
        exact, index = _measured(queries[rows], among, candidates, k)
        certain = exact[:, -1] * scale**2 <= (bound + low_a[rows]).double()
        unsure = (~certain & (exact[:, -1] > 0)).nonzero()[:, 0] if take < others else candidates[:0, 0]
        if len(unsure):
            exact[unsure], index[unsure] = _exhaustive(queries, among, unsure + rows.start, k, same)
        found.append(exact)
        places.append(index)
    return Nearest(torch.cat(found), torch.cat(places))


def inside(
    queries: Float[Tensor, "n d"], among: Float[Tensor, "m d"], squared: Float[Tensor, " m"], *, same: bool = False
) -> Int[Tensor, " n"]:  # fmt: skip
    """How many of the balls around `among` each query lies in: d(a_i, b_j)^2 <= squared_j.

    Lower and upper bounds as in `nearest` settle nearly all pairs; those they don't are measured in float64.

    Args:
        queries: (n, d).
        among: Centres (m, d).
        squared: Squared radii (m,), float64.
        same: both are one set, and a row's own ball doesn't count.
    """
    a, b, norms_a, norms_b, scale = _prepared(queries, among)
    c = (a.shape[1] + 16) * _U
    radii = squared * scale**2
    # a . b alone decides: possibly inside by the lower bound, certainly by the upper; 8 u is for rounding the radii
    may_a, may_b = (-(1 - c) * norms_a).to(a.dtype), ((1 - c) * norms_b - (1 + 8 * _U) * radii).to(a.dtype)
    sure_a, sure_b = -(1 + c) * norms_a, (2 * c * norms_b + 16 * _U * radii) + 8 * _U * (norms_b + radii)
    counts = torch.zeros(len(a), dtype=torch.int64, device=a.device)
    for rows in _rows(len(a), len(b), a):
        for columns in _columns(len(b), rows, a):
            block = torch.addmm(may_b[columns], a[rows], b[columns].T, alpha=-2)
            if same:
                _without_self(block, rows.start - columns.start)
            i, j = _below(block, may_a[rows])
            low = block[i, j].double()
            i, j = i + rows.start, j + columns.start
            sure = low + sure_b[j] <= sure_a[i]
            counts.index_add_(0, i, sure.long())
            i, j = i[~sure], j[~sure]
            counts.index_add_(0, i, (pair_distances(queries, among, i, j) <= squared[j]).long())
    return counts


def pair_distances(
    x: Float[Tensor, "n d"], y: Float[Tensor, "m d"], i: Int[Tensor, " p"], j: Int[Tensor, " p"]
) -> Float[Tensor, " p"]:
    """Squared distances |x_i - y_j|^2 of given pairs, in float64 from differences."""
    pieces = max(1, 2**20 // x.shape[1])
    parts = [
        (x[p].double() - y[q].double()).square_().sum(1)
        for p, q in zip(i.split(pieces), j.split(pieces), strict=True)
    ]  # fmt: skip
    return torch.cat(parts) if parts else x.new_zeros(0, dtype=torch.float64)


class Passes:
    """The nearest-neighbour passes of one evaluation, each made when a metric first asks for it and then kept.

    Sets are told apart by identity: give every metric the same tensors.

    >>> x, y, passes = torch.zeros(4, 2), torch.ones(3, 2), Passes()
    >>> passes.between(x, y, 1).squared.flatten().tolist()
    [2.0, 2.0, 2.0, 2.0]
    """

    def __init__(self, least: int = 5) -> None:
        self.least = least
        """Neighbours looked for at least, so that metrics with another k find them there."""
        self._kept: dict[tuple[object, ...], Any] = {}
        self._sets: dict[int, Tensor] = {}

    def within(self, x: Tensor, k: int) -> Nearest:
        """The k nearest other rows of the same set."""
        return self._nearest(x, x, k, same=True)

    def between(self, queries: Tensor, among: Tensor, k: int) -> Nearest:
        """The k nearest rows of another set."""
        return self._nearest(queries, among, k, same=False)

    def radii(self, x: Tensor, k: int) -> Tensor:
        """Squared distance (n,) of each row to the k-th nearest other row."""
        return self.within(x, k).squared[:, k - 1]

    def inside(self, queries: Tensor, among: Tensor, k: int) -> Tensor:
        """In how many balls around `among`, each reaching to its k-th neighbour there, every query lies."""
        return self.keep(
            ("inside", k), lambda: inside(queries, among, self.radii(among, k)), queries, among
        )  # fmt: skip

    def keep(self, key: tuple[object, ...], make: Callable[[], T], *sets: Tensor) -> T:
        """What `make` computes from these sets, once."""
        whole = (*key, *map(self._name, sets))
        if whole not in self._kept:
            self._kept[whole] = make()
        return cast(T, self._kept[whole])

    def _nearest(self, queries: Tensor, among: Tensor, k: int, same: bool) -> Nearest:
        key = ("nearest", same, self._name(queries), self._name(among))
        held = self._kept.get(key)
        if held is None or held.squared.shape[1] < k:
            most = len(among) - same
            held = self._kept[key] = nearest(queries, among, max(k, min(self.least, most)), same=same)
        return cast(Nearest, held).first(k)

    def _name(self, x: Tensor) -> int:
        self._sets[id(x)] = x  # held, so that the id stays its own
        return id(x)


def _prepared(queries: Tensor, among: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, float]:
    """Both sets centred, scaled by a power of two to at most 1, in float32; float64 squared norms; the scale."""
    plain = torch.get_float32_matmul_precision() == "highest"
    if queries.is_cuda:
        plain &= not torch.backends.cuda.matmul.allow_tf32
    centre = among.double().mean(0)
    a, b = queries.double() - centre, among.double() - centre
    largest = max(float(a.abs().max()), float(b.abs().max()))
    if not largest < 1e150:
        raise UserError(f"features reach {largest:.2g}; their squares overflow: rescale them")
    # a power of two changes no digit, and squares of small numbers don't vanish
    scale = 2.0 ** -int(torch.tensor(largest, dtype=torch.float64).frexp().exponent) if largest > 1e-150 else 1.0
    a, b = a.mul_(scale), b.mul_(scale)
    norms = a.square().sum(1), b.square().sum(1)
    # where the user lets float32 products round to fewer bits, the bounds hold in float64 only
    kind = torch.float32 if plain else torch.float64
    return a.to(kind), b.to(kind), *norms, scale


def _rows(n: int, m: int, like: Tensor) -> Iterator[slice]:
    step = _ROWS if like.device.type == "cpu" else max(_ROWS, _BLOCK["other"] // max(m, 1))
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))


def _columns(m: int, rows: slice, like: Tensor) -> Iterator[slice]:
    step = _BLOCK["cpu" if like.device.type == "cpu" else "other"] // (rows.stop - rows.start)
    for start in range(0, m, step):
        yield slice(start, min(start + step, m))


def _without_self(block: Tensor, offset: int) -> None:
    """Rows `offset` further than columns: the entries where both are one example become infinite."""
    if -block.shape[0] < offset < block.shape[1]:
        block.diagonal(offset).fill_(torch.inf)


def _candidates(a: Tensor, b: Tensor, low: Tensor, take: int, start: int | None) -> tuple[Tensor, Tensor]:
    """The largest of the `take` smallest lower bounds (less the row's own share), and where they all are."""
    bounds, places = [], []
    for columns in _columns(len(b), slice(0, len(a)), a):
        block = torch.addmm(low[columns], a, b[columns].T, alpha=-2)
        if start is not None:
            _without_self(block, start - columns.start)
        values, index = _smallest(block, take)
        bounds.append(values)
        places.append(index + columns.start)
    values, order = torch.cat(bounds, 1).topk(take, largest=False)
    return values[:, -1], torch.cat(places, 1).gather(1, order)


def _smallest(block: Tensor, take: int) -> tuple[Tensor, Tensor]:
    """The `take` smallest of each row and their columns, unsorted.

    Columns are dealt to groups; the smallest lie in the `take` groups with the smallest minima, and a minimum over
    groups costs a fraction of a selection over the row.
    """
    n = block.shape[1]
    size = max(1, round((n / take) ** 0.5))
    groups = n // size
    if size < 3 or groups <= take:
        return block.topk(min(take, n), largest=False, sorted=False)
    parts = block[:, : groups * size].unflatten(1, (size, groups))
    best = parts.amin(1).topk(take, largest=False, sorted=False).indices
    values = parts.gather(2, best[:, None].expand(-1, size, -1)).flatten(1)
    columns = (torch.arange(size, device=block.device)[:, None] * groups + best[:, None]).flatten(1)
    if groups * size < n:
        values = torch.cat([values, block[:, groups * size :]], 1)
        rest = torch.arange(groups * size, n, device=block.device).expand(len(block), -1)
        columns = torch.cat([columns, rest], 1)
    values, order = values.topk(take, largest=False, sorted=False)
    return values, columns.gather(1, order)


def _below(block: Tensor, limit: Tensor) -> tuple[Tensor, Tensor]:
    """Rows and columns of the entries that are at most their row's limit: few, so groups are looked at first."""
    size = 16
    groups = block.shape[1] // size
    parts = block[:, : groups * size].unflatten(1, (size, groups))
    i, g = (parts.amin(1) <= limit[:, None]).nonzero(as_tuple=True)
    hit, within = (parts[i, :, g] <= limit[i, None]).nonzero(as_tuple=True)
    rest, tail = (block[:, groups * size :] <= limit[:, None]).nonzero(as_tuple=True)
    return torch.cat([i[hit], rest]), torch.cat([within * groups + g[hit], tail + groups * size])


def _measured(queries: Tensor, among: Tensor, candidates: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k nearest of the candidates (r, c), by squared distances from differences in float64."""
    (rows, c), d = candidates.shape, queries.shape[1]
    parts = []
    for part in torch.arange(rows).split(max(1, 2**20 // (c * d))):
        at = slice(int(part[0]), int(part[-1]) + 1)
        there = among[candidates[at].flatten()].double().view(-1, c, d)
        parts.append(there.sub_(queries[at, None].double()).square_().view(-1, d).sum(1).view(-1, c))
    exact, order = torch.cat(parts).topk(k, largest=False)
    return exact, candidates.gather(1, order)


def _exhaustive(queries: Tensor, among: Tensor, which: Tensor, k: int, same: bool) -> tuple[Tensor, Tensor]:
    b, found, places = among.double(), [], []
    for rows in which.split(max(1, _BLOCK["cpu"] // len(b))):
        block = torch.cdist(queries[rows].double(), b, compute_mode="donot_use_mm_for_euclid_dist")
        if same:
            block[torch.arange(len(rows), device=rows.device), rows] = torch.inf
        near = block.topk(k, largest=False).indices
        exact, index = _measured(queries[rows], among, near, k)
        found.append(exact)
        places.append(index)
    return torch.cat(found), torch.cat(places)

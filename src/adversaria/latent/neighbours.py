"""The nearest of a training set of any size, a piece of it in memory at a time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from adversaria.data import Dataset
from adversaria.errors import UserError

SPARE = 8
"""Candidates measured beyond the k asked for."""


@dataclass(frozen=True)
class Neighbours:
    """The k nearest to each of n queries, in order."""

    distance: Float[Tensor, "n k"]
    """Euclidean, float64."""
    index: Int[Tensor, "n k"]
    """Rows, counted over all pieces."""


def neighbours(queries: Float[Tensor, "n d"], pieces: Iterable[Float[Tensor, "_ d"]], k: int) -> Neighbours:
    """The k rows nearest to each query, among those of all pieces, exactly.

    In each piece the k + 8 candidates come from |a|^2 + |b|^2 - 2 a . b in float64, about the first piece's mean, and
    are measured again from differences, since the products leave nothing of a distance near 0. Among equal distances
    the earlier row comes first.

    Raises:
        UserError: where there are fewer than k rows, or of another length.
    """
    a, seen = queries.detach().flatten(1).double(), 0
    best, places = a.new_empty(len(a), 0), torch.empty(len(a), 0, dtype=torch.long, device=a.device)
    centre: Tensor | None = None
    for piece in pieces:
        b = piece.to(a.device).flatten(1).double()
        if b.shape[1] != a.shape[1]:
            raise UserError(f"queries have {a.shape[1]} numbers and rows {b.shape[1]}; take both from one space")
        centre = b.mean(0) if centre is None else centre
        here = _candidates(a - centre, b - centre, min(k + SPARE, len(b)))
        exact = torch.stack([(b[index] - query).square().sum(1) for query, index in zip(a, here, strict=True)])
        best, places = torch.cat([best, exact], 1), torch.cat([places, here + seen], 1)
        best, order = best.sort(dim=1, stable=True)
        best, places = best[:, :k], places.gather(1, order)[:, :k]
        seen += len(b)
    if not 1 <= k <= seen:
        raise UserError(f"k = {k} neighbours among {seen}; take k from 1 to {seen}")
    return Neighbours(best.sqrt(), places)


def _candidates(a: Tensor, b: Tensor, count: int) -> Tensor:
    """Rows of b in the order of their numbers, so that a stable sort keeps it among equals."""
    squared = torch.addmm(b.square().sum(1), a, b.T, alpha=-2)  # without |a|^2, which is every column's
    return squared.topk(count, largest=False).indices.sort(1).values


def training_rows(data: Dataset, size: int = 2048) -> Iterator[Tensor]:
    """The training examples in game form, in the order of the split, `size` at a time."""
    members = data.members("train")[-1]
    for i in range(0, len(members), size):
        rows = data.store.gather(members[i : i + size])
        yield data.spec.to_game(rows) if data.spec.kind == "image" else rows.float()

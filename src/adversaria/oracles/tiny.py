"""Data so small that every example can be counted, or every place be visited, and models moved from their start."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from adversaria.data.spec import DataSpec, Kind
from adversaria.game.game import Game
from adversaria.ordered import alphabet

TINY: dict[Kind, tuple[DataSpec, ...]] = {
    "image": (
        DataSpec("image", (1, 2, 4), classes=2, levels=2),
        DataSpec("image", (3, 2, 2), classes=2, levels=2),
        DataSpec("image", (3, 2, 2), classes=2),
    ),
    "points": (DataSpec("points", (2,), classes=2),),
    "binary": (DataSpec("binary", (7,), classes=2),),
    "sequence": (DataSpec("sequence", (4,), categories=3),),
}
MOST = 2**16
"""Examples that are counted."""
GRID = 1_201
EDGE = 15.0


def built(make: Callable[[DataSpec], Game], spec: DataSpec) -> tuple[Game, DataSpec]:
    """A game, moved, and the spec it is of: an image is so small that exact likelihoods count, and so large that tokens
    have rows and columns."""
    game, shape = make(spec), spec.shape
    if spec.kind == "image" and game.can("log_prob") and not countable(spec):
        shape = (1, 1, 2)
    elif spec.kind == "image" and game.can("token_law"):
        shape = (shape[0], 4, 4)
    if shape != spec.shape:
        spec = replace(spec, shape=shape)
        game = make(spec)
    return moved(game), spec


def moved(game: Game, by: float = 0.15) -> Game:
    """The game with noise on its weights, as what starts as the identity proves nothing."""
    game = game.double().eval()
    for weight in [*game.networks.parameters(), *game.averages.parameters()]:
        weight.data = weight.data + by * torch.randn_like(weight)
    return game


def countable(spec: DataSpec) -> bool:
    """Whether there are so few examples of a discrete kind that all are counted."""
    A = alphabet(spec)
    return bool(A.levels**A.size <= MOST)


@lru_cache(maxsize=4)
def everything(spec: DataSpec) -> Tensor:
    """All examples there are of a discrete kind."""
    A = alphabet(spec)
    return A.from_levels(torch.cartesian_prod(*[torch.arange(A.levels)] * A.size))


@lru_cache(maxsize=4)
def chances(game: Game, spec: DataSpec) -> Tensor:
    """The probability of each example in `everything`."""
    return torch.cat([game.log_prob(part) for part in everything(spec).split(2**13)]).exp()


def place(x: Tensor, spec: DataSpec) -> Tensor:
    """Of examples, their places in `everything`."""
    A = alphabet(spec)
    return A.to_levels(x.cpu()) @ (A.levels ** torch.arange(A.size - 1, -1, -1))


def examples(spec: DataSpec, n: int) -> Tensor:
    """Some at random."""
    if spec.kind == "points":
        return torch.randn(n, *spec.shape)
    A = alphabet(spec)
    return A.from_levels(torch.randint(0, A.levels, (n, A.size)))


@lru_cache(maxsize=1)
def on_a_grid(game: Game) -> tuple[Tensor, float]:
    """log of the mass of each cell of a square, and its edge."""
    side = torch.linspace(-EDGE, EDGE, GRID)
    points = torch.cartesian_prod(side, side)
    log_p = torch.cat([game.log_prob(part) for part in points.split(200_000)])
    return log_p + 2 * math.log(2 * EDGE / (GRID - 1)), EDGE

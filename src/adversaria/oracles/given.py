"""A model that is given labels, as several models that aren't; a prior over tokens, as a model of its own."""

from collections.abc import Callable
from copy import copy

import torch
from torch import Tensor

from adversaria.game.game import Game


def under(game: Game, label: int) -> Game:
    """The same networks with one label always given, as a game without a condition."""
    fixed, found = copy(game), game.abilities

    def labels(n: int) -> Tensor:
        return torch.full((n,), label, device=game.device)

    given: dict[str, Callable[..., Tensor]] = {
        "sample": lambda n: found["sample"](labels(n)),
        "log_prob": lambda x: found["log_prob"](x, labels(len(x))),
        "complete": lambda x, known: found["complete"](x, known, labels(len(x))),
        "law": lambda x, **how: found["law"](x, labels(len(x)), **how),
        "draw_tokens": lambda n: found["draw_tokens"](labels(n)),
        "token_law": lambda k: found["token_law"](k, labels(len(k))),
    }
    fixed.condition = None
    fixed.abilities = found | {name: ability for name, ability in given.items() if name in found}
    return fixed


def of_tokens(game: Game, grid: tuple[int, ...]) -> Game:
    """The prior over grids of tokens as an exact model of sequences, whose symbols are the codebook's indices."""
    prior, found = copy(game), game.abilities

    def law(k: Tensor) -> Tensor:
        return found["token_law"](k.view(len(k), *grid))

    prior.abilities = {
        "sample": lambda n: found["draw_tokens"](n).flatten(1),
        "log_prob": lambda k: law(k).gather(2, k[..., None])[..., 0].sum(1),
        "law": law,
    }
    return prior


def by_label(game: Game, classes: int) -> dict[str, Game]:
    """The game, or where it is given labels it under each of them, by what there is to say of it."""
    if game.condition != "label":
        return {"": game}
    return {f"given label {k}: ": under(game, k) for k in range(classes)}

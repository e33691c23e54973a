"""A game's decoder as a function of codes alone."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from adversaria.errors import UserError
from adversaria.game import Game, seeded

Decode = Callable[[Tensor], Tensor]


def decoder(game: Game, label: int | None = None) -> Decode:
    """The function from codes (n, k) to examples, under one label where the model decodes codes together with labels.

    It runs the networks as they are: call it inside `game.at_rest()`.

    Raises:
        UserError: where the model draws no codes or decodes none, or a label is missing or out of place.
    """
    missing = [ability for ability in ("latent", "decode") if not game.can(ability)]
    if missing:
        given = "" if game.condition is None else f" (it samples given {game.condition}s only)"
        raise UserError(
            f"this model's game gives no {' and no '.join(missing)}{given}, so there are no codes to work on; "
            f"it gives {', '.join(game.abilities)}"
        )
    decode = game.abilities["decode"]
    if game.condition is None:
        if label is not None:
            raise UserError(f"label {label} asked of a model that decodes codes alone; leave the label out")
        return decode
    if game.condition != "label":
        raise UserError(f"this model decodes given {game.condition}s; codes are worked on alone or under a label")
    if label is None:
        raise UserError("this model decodes codes under a label; say which: label=0, or --label 0 in the shell")
    return lambda z: decode(z, torch.full((len(z),), label, device=z.device))


def decoded(
    game: Game, codes: Float[Tensor, "*n k"], label: int | None = None, *, chunk: int = 512, seed: int = 0
) -> Tensor:  # fmt: skip
    """Examples (*n, *shape) of codes with any leading dimensions, at rest.

    Args:
        game: what decodes.
        codes: (*n, k).
        label: see `decoder`.
        chunk: codes at a time.
        seed: for decoders that draw noise.
    """
    decode, rows = decoder(game, label), codes.reshape(-1, codes.shape[-1]).to(game.device)
    with game.at_rest(), seeded(seed):
        examples = torch.cat([decode(z) for z in rows.split(chunk)])
    return examples.unflatten(0, codes.shape[:-1])

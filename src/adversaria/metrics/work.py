"""How many codes for each example a likelihood is measured by, so that dear models don't take hours."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from adversaria.game.game import Game, seeded

WORK = 5e12
"""Floating-point operations of matrix products and convolutions in one likelihood: minutes of two cores."""
CODES = 500
"""For each example, where they don't take more."""
LEAST = 16


def codes_within(model: Game | Mapping[str, Callable[..., Any]], x: Tensor, most: int = CODES) -> int:
    """Codes for each of the examples x (n, ...): `most` where these take `WORK` operations at most, at least 16.

    What a code costs is counted, not timed, so that every machine takes as many: of `likelihood` and `prior`, and of
    `infer` where no `posterior` tells the mean and deviation of all draws at once.
    """
    abilities = model.abilities if isinstance(model, Game) else model

    def pairs(n: int) -> None:
        some = x[:1].expand(n, *x.shape[1:])
        if "posterior" in abilities:
            z = abilities["posterior"](x[:1])[0].expand(n, -1)
        else:
            z, _ = abilities["infer"](some)
        abilities["likelihood"](some, z)
        abilities["prior"](z)

    with seeded(0):
        each = operations(lambda: pairs(2)) - operations(lambda: pairs(1))
    return max(min(LEAST, most), min(most, int(WORK / max(len(x) * each, 1))))


def operations(work: Callable[[], Any]) -> int:
    """Of matrix products and convolutions, a multiplication and an addition counted as two."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())

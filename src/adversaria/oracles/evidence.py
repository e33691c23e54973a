"""Oracles of lower bounds: a bound by more samples is higher, and none is above what it bounds."""

import itertools

import torch
from torch import Tensor

from adversaria.data.spec import DataSpec
from adversaria.game.game import Game
from adversaria.metrics.likelihood import log_mean_exp
from adversaria.oracles.judged import ERRORS, EXACT, Told
from adversaria.oracles.tiny import countable, everything, examples

AGAIN = 200
"""Draws of a bound, and samples in the estimate that it may not be above."""


def weighs(game: Game) -> bool:
    """Whether the model tells what a weight p(x, z) / q(z | x) is made of."""
    return all(map(game.can, ("likelihood", "prior", "infer")))


def bounds(game: Game, spec: DataSpec) -> Told:
    """Bounds by more samples are higher."""
    if not weighs(game):
        return None
    log_w = log_weights(game, examples(spec, 50))
    each = [log_mean_exp(log_w.view(50, -1, k)).mean(1) for k in (1, 10, 100)]
    rises = [after - before for before, after in itertools.pairwise(each)]
    sure = all(float(rise.mean()) > -ERRORS * float(rise.std() / 50**0.5) for rise in rises)
    return sure, "by 1, 10, 100 samples: " + ", ".join(f"{float(v.mean()):.3f}" for v in each) + " nats"


def bound(game: Game, spec: DataSpec) -> Told:
    """The model's own bound against what it bounds."""
    if not game.can("bound") or game.condition is not None:
        return None
    sides = (_against_probability, _against_weights, _against_one)
    told = [one for one in (side(game, spec) for side in sides) if one is not None]
    if not told:
        return None
    return all(held for held, _ in told), "; ".join(said for _, said in told)


def _against_probability(game: Game, spec: DataSpec) -> tuple[bool, str] | None:
    if not game.can("log_prob"):
        return None
    x = examples(spec, 50)
    return _below(_own(game, x), game.log_prob(x), 0.0, "log p")


def _against_weights(game: Game, spec: DataSpec) -> tuple[bool, str] | None:
    if not weighs(game):
        return None
    x = examples(spec, 50)
    log_w, own = log_weights(game, x), _own(game, x)
    w = torch.exp(log_w - log_w.amax(1, keepdim=True))
    error = float((w.var(1) / w.mean(1).square() / AGAIN).sum().sqrt()) / 50
    held, told = _below(own, log_mean_exp(log_w), error, f"that by {AGAIN} samples")
    return held, f"{told}, by one {float(log_w.mean()):.3f}"


def _against_one(game: Game, spec: DataSpec) -> tuple[bool, str] | None:
    """All examples have no more than 1 together."""
    if spec.kind == "points" or not countable(spec):
        return None
    x, draws = everything(spec), 8
    own = torch.stack([game.bound(x) for _ in range(draws)], 1).double()
    error = own.var(1) / draws
    p = torch.exp(own.mean(1) - error / 2)
    total, off = float(p.sum()), float((p.square() * error).sum().sqrt())
    return total < 1 + ERRORS * off + EXACT, f"by it all {len(x):,} examples have {total:.3f} ± {off:.3f}, at most 1"


def _own(game: Game, x: Tensor) -> Tensor:
    """Draws of the bound, (n, 200)."""
    told: Tensor = game.bound(x.repeat_interleave(AGAIN, 0))
    return told.double().view(len(x), AGAIN)


def _below(own: Tensor, above: Tensor, error: float, called: str) -> tuple[bool, str]:
    gap = float((own.mean(1) - above).mean())
    error = float(error**2 + (own.var(1) / AGAIN).sum() / len(own) ** 2) ** 0.5
    return gap < ERRORS * error + 1e-6, f"{float(own.mean()):.3f} nats, {called} {float(above.mean()):.3f}"


def log_weights(game: Game, x: Tensor) -> Tensor:
    """log p(x, z) / q(z | x) of draws of z, (n, 200)."""
    again = x.repeat_interleave(AGAIN, 0)
    with game.at_rest():
        z, log_q = game.abilities["infer"](again)
        log_w: Tensor = game.abilities["likelihood"](again, z) + game.abilities["prior"](z) - log_q
    return log_w.double().view(len(x), AGAIN)

"""The duality gap: what each player could still win if the other one stood still."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from adversaria.data.spec import Batch
from adversaria.diagnose.untouched import (
    ADVERSARIES,
    Played,
    Snapshot,
    alone,
    as_played,
    drawn,
    opponents,
    stage_of,
    terms_of,
    untouched,
)
from adversaria.duel import PENALTIES
from adversaria.errors import UserError, at_least
from adversaria.game.game import Game, seeded
from adversaria.game.player import Player
from adversaria.game.referee import play
from adversaria.game.rounds import Indexed
from adversaria.game.stage import Stage
from adversaria.metrics.estimate import Estimate, mean

NOTE = "a lower bound: each deviates for {steps} steps only"


@dataclass(frozen=True)
class DualityGap:
    """Game values M in the discriminator's favour; u the generator's parameters, v the discriminator's."""

    gap: Estimate
    """max_v' M(u, v') - min_u' M(u', v)."""
    against_best_discriminator: Estimate
    """max_v' M(u, v'): alone it ranks generators."""
    against_best_generator: Estimate
    """min_u' M(u', v)."""
    value: Estimate
    """M(u, v), as play stands."""

    def __str__(self) -> str:
        return (f"{self.gap.value:.4g} +- {self.gap.error:.2g} = {self.against_best_discriminator.value:.4g} - "
                f"{self.against_best_generator.value:.4g} (M at play {self.value.value:.4g})")  # fmt: skip


def duality_gap(
    game: Game, train: Indexed | Iterable[Any], test: Indexed | Iterable[Any], *, stage: str | Stage | None = None,
    steps: int = 100, evaluations: int = 16, adversary: str | None = None, without: Sequence[str] = PENALTIES,
    seed: int = 0,
) -> DualityGap:  # fmt: skip
    """What the players of a two-player game would win by deviating alone, from where they are.

        DG(u, v) = max_{v'} M(u, v') - min_{u'} M(u', v) >= 0, and 0 iff (u, v) is an equilibrium
        M(u, v)  = -(the discriminator's loss, without its penalties)

    For logistic losses M = E log D + E log(1 - D), so that max_v' M = -2 ln 2 + 2 JSD with an unrestricted
    discriminator; for a Wasserstein critic M is the critic's estimate of the distance. Each deviating player takes
    `steps` steps by its own optimiser, begun afresh, and for its own loss (a non-saturating generator too, penalties
    included), on `train`; M is taken on `test`. Whatever it finds bounds the maximum or minimum, so the gap is a lower
    bound in expectation, up to how far what was learned on `train` fails on `test`. Standard errors are over batches of
    `test`, the same examples and noise on both sides.

    Args:
        game: left as it is.
        train: batches to deviate on.
        test: batches to evaluate on, other examples than those of `train`.
        stage: a stage of two players or its name; None for the last one.
        steps: steps of each deviating player.
        evaluations: batches of `test`, where there are more.
        adversary: the discriminator's name; None where a player is called discriminator, critic or adversary, or the
            game is zero-sum (where both choices give the same gap).
        without: the discriminator's terms that are no part of the game's value.
        seed: of all noise.

    Grnarova et al. (2019), arXiv:1811.05512, Definition 2 and Section 4.

    Raises:
        UserError: for other than two players, or fewer than two batches in `test`.
    """
    at_least("steps", steps, 1)
    played, held_out = stage_of(game, stage), drawn(test, evaluations, "test")
    if len(held_out) < 2:
        raise UserError(f"{len(held_out)} held-out batch gives no standard error; give at least 2")
    examples = [as_played(batch, game.device) for batch in held_out]
    with untouched(game):
        u, v = _sides(game, played, adversary, examples[0], seed)

        def M() -> Tensor:
            held = Snapshot(game.networks)
            values = [_value(played, v, batch, without, seed + i) for i, batch in enumerate(examples)]
            held.rewind()
            return torch.stack(values)

        here, sides = M(), []
        for player in (v, u):
            before = Snapshot(game)
            _deviate(played, player, game, train, steps, seed)
            sides.append(M())
            before.restore()
    facts = {"stage": played.name, "steps": steps, "batches": len(examples), "batch": len(examples[0]),
             "value": f"minus {v.name}'s loss" + (f" without {', '.join(without)}" if without else ""),
             "seed": seed}  # fmt: skip
    best_v, best_u = sides

    def told(name: str, values: Tensor, bias: str) -> Estimate:
        found = mean(name, values, "", facts)
        lower = name != "value against the best generator" and name != "game value"
        return Estimate(name, found.value, found.error, found.n, "", facts, True if lower else None, bias=bias,
                        details=found.details)  # fmt: skip

    note = NOTE.format(steps=steps)
    return DualityGap(
        told("duality gap", best_v - best_u, note), told("value against the best discriminator", best_v, note),
        told("value against the best generator", best_u, f"an upper bound: {steps} steps only"),
        told("game value", here, ""),
    )  # fmt: skip


def _sides(game: Game, stage: Stage, adversary: str | None, batch: Batch, seed: int) -> tuple[Player, Player]:
    """Generator and discriminator; of a zero-sum game whose players have other names, either order."""
    names = [player.name for player in stage.players]
    if adversary is None and len(names) == 2 and not set(ADVERSARIES) & set(names):
        held = Snapshot(game.networks)
        a, b = (-float(_value(stage, player, batch, (), seed)) for player in stage.players)
        held.rewind()
        if abs(a + b) <= 1e-6 * max(abs(a), abs(b)):
            adversary = names[1]
    return opponents(stage, adversary)


def _value(stage: Stage, player: Player, batch: Batch, without: Sequence[str], seed: int) -> Tensor:
    with seeded(seed):
        if stage.data:
            with torch.no_grad():
                batch = stage.data(batch)
        terms = {key: term.detach() for key, term in terms_of(stage, player, batch).items() if key not in without}
    return -player.loss(terms).double().cpu()


def _deviate(
    stage: Stage, player: Player, game: Game, train: Indexed | Iterable[Any], steps: int, seed: int
) -> None:  # fmt: skip
    """The player plays alone, in place."""
    with seeded(seed):
        for _ in play(alone(stage, player, steps), Played(train, game), rounds=steps):
            pass

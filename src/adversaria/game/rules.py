"""Rules: in which order the players of a round move."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from adversaria.data.spec import Batch

if TYPE_CHECKING:
    from adversaria.game.referee import Referee

Rule = Callable[["Referee", Callable[[], Batch]], None]
"""Plays one round: asks the referee for gradients and steps, on batches from the second argument."""


def alternating(referee: Referee, draw: Callable[[], Batch]) -> None:
    """Players move in turn, each on fresh batches, and see what those before them have changed."""
    for player in referee.stage.players:
        for _ in range(player.moves_at(referee.round)):
            referee.backward(player, player.objective(draw()))
            referee.step(player)


def simultaneous(referee: Referee, draw: Callable[[], Batch]) -> None:
    """All gradients are taken on one batch at the same point; then everyone steps.

    With `stage.joint` the players share one forward pass, as in ALI.
    """
    stage, batch = referee.stage, draw()
    terms = stage.joint(batch) if stage.joint else {p.name: p.objective(batch) for p in stage.players}
    shared = stage.joint is not None
    for i, player in enumerate(stage.players):
        referee.backward(player, terms[player.name], retain=shared and i + 1 < len(stage.players))
    for player in stage.players:
        referee.step(player)

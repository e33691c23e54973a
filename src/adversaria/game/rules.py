"""Rules: in which order the players of a round move."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from adversaria.data.spec import Batch

if TYPE_CHECKING:
    from adversaria.game.player import Player
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
    _look(referee, draw())
    for player in referee.stage.players:
        referee.step(player)


def extragradient(referee: Referee, draw: Callable[[], Batch]) -> None:
    """Everyone steps ahead, takes the gradient there on a fresh batch, and steps with it from where it stood.

        w' = w - eta g(w),   w <- w - eta g(w')

    With Adam both steps move the moments. What follows a move (`after`) follows the second step only.
    Gidel et al. (2019), arXiv:1802.10551, Section 3 and, with Adam, Algorithm 4.
    """
    stood = {player.name: _copies(referee, player) for player in referee.stage.players}
    _look(referee, draw())
    for player in referee.stage.players:
        referee.step(player, ahead=True)
    _look(referee, draw())
    with torch.no_grad():
        for name, before in stood.items():
            torch._foreach_copy_([*referee.parameters[name]], before)
    for player in referee.stage.players:
        referee.step(player)


def optimistic(referee: Referee, draw: Callable[[], Batch]) -> None:
    """Simultaneous moves that count the present step twice and take the last one back.

        w <- w + 2 d_t - d_{t-1},   d_t the optimiser's step, d_{-1} = 0

    Daskalakis et al. (2018), arXiv:1711.00141, Section 3 and, with Adam, Algorithm 1.
    """
    _look(referee, draw())
    for player in referee.stage.players:
        referee.step(player, then=partial(_correct, referee, player, _copies(referee, player)))


def _correct(referee: Referee, player: Player, stood: Sequence[Tensor]) -> None:
    for parameter, before in zip(referee.parameters[player.name], stood, strict=True):
        state = referee.optimizers[referee.host(player)].state[parameter]
        moved = parameter.detach() - before
        parameter.add_(moved - state["moved"] if "moved" in state else moved)
        state["moved"] = moved  # beside the optimiser's own state, so that checkpoints hold it


def _copies(referee: Referee, player: Player) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in referee.parameters[player.name]]


RULES: dict[str, Rule] = {rule.__name__: rule for rule in (alternating, simultaneous, extragradient, optimistic)}
"""The rules by name."""


def _look(referee: Referee, batch: Batch) -> None:
    """Everyone's gradient at the same point, on the same batch."""
    stage = referee.stage
    terms = stage.joint(batch) if stage.joint else {p.name: p.objective(batch) for p in stage.players}
    shared = stage.joint is not None
    for i, player in enumerate(stage.players):
        referee.backward(player, terms[player.name], retain=shared and i + 1 < len(stage.players))

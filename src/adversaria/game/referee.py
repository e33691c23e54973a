"""The referee: the only code that calls backward and step."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from adversaria.data.spec import Batch
from adversaria.errors import UserError
from adversaria.game.breakdown import NonFiniteError, breakdown
from adversaria.game.optimizers import OptimizerSpec
from adversaria.game.player import Player, Terms
from adversaria.game.rounds import Indexed, Round, source_of
from adversaria.game.stage import Stage


class Referee:
    """The state of a stage's play besides the networks: optimisers, position, and what went wrong so far."""

    def __init__(self, stage: Stage, rounds: int | None = None, *, patience: int = 10) -> None:
        self.stage, self.rounds, self.patience = stage, rounds, patience
        self.round = self.draws = self.images = 0
        self.slowdown = 1.0
        self.strikes = {p.name: 0 for p in stage.players}
        self.parameters = {p.name: p.parameters() for p in stage.players}
        self.specs = {p.name: p.optimizer for p in stage.players if isinstance(p.optimizer, OptimizerSpec)}
        self.optimizers = {name: spec.build(self.parameters[name]) for name, spec in self.specs.items()}
        for name, spec in self.specs.items():
            if rounds is None and spec.schedule != "constant":
                raise UserError(f"player '{name}' has a falling rate; say where it ends: play(..., rounds=N)")
        moved = {id(p) for own in self.parameters.values() for p in own}
        self.averages = [a for a in stage.averages if a.follows(moved)]
        self.record = Round(0, 0)
        self._pending: dict[str, tuple[Terms, Tensor, list[Tensor | None]]] = {}

    def backward(self, player: Player, terms: Terms, retain: bool = False) -> None:
        """The gradient of the player's loss in its own parameters, kept for its step."""
        loss = player.loss(terms)
        own = self.parameters[player.name]
        nothing = [None] * len(own)
        give(own, nothing)
        if loss.requires_grad:
            loss.backward(inputs=own, retain_graph=retain)
        gradients = give(own, nothing)
        if all(gradient is None for gradient in gradients):
            raise UserError(f"the objective of player '{player.name}' does not depend on what it owns; check `owns`")
        self._pending[player.name] = (terms, loss.detach(), gradients)

    def host(self, player: Player) -> str:
        """The player whose optimiser moves this one."""
        return player.optimizer if isinstance(player.optimizer, str) else player.name

    def step(self, player: Player, then: Callable[[], None] | None = None, ahead: bool = False) -> None:
        """One optimiser step with the gradient at hand, if loss and gradient are finite; skipped otherwise.

        A rule's `then` corrects the step before anything follows it; nothing follows, or is told of, a step `ahead`.
        """
        terms, loss, gradients = self._pending.pop(player.name)
        own = self.parameters[player.name]
        norm = torch.stack(torch._foreach_norm([g for g in gradients if g is not None])).norm()
        if not math.isfinite(float(norm + loss)):
            self._skip(player, terms)
            return
        self.strikes[player.name] = 0
        host = self.host(player)
        give(own, gradients)
        if self.specs[host].clip:
            nn.utils.clip_grads_with_norm_(own, self.specs[host].clip, norm)
        self.optimizers[host].step()
        give(own, [None] * len(own))  # a shared optimiser would take what is left behind for a gradient
        with torch.no_grad():
            if then:
                then()
            if player.after and not ahead:
                player.after()
        if not ahead:
            self.record.add(player.name, terms, norm)

    def _skip(self, player: Player, terms: Terms) -> None:
        self.record.skipped[player.name] = self.record.skipped.get(player.name, 0) + 1
        self.strikes[player.name] += 1
        verdict = breakdown(self.stage, terms, self.strikes[player.name], self.patience)
        if verdict:
            raise NonFiniteError(f"player '{player.name}' broke down in round {self.round + 1}: {verdict}")

    def play_round(self, draw: Callable[[], Batch]) -> Round:
        """One round by the stage's rule, then the averages."""
        started = time.perf_counter()
        for name, optimizer in self.optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = self.specs[name].rate(self.round, self.rounds or 0) * self.slowdown
        self.record, before = Round(self.round + 1, 0), self.images
        self.stage.rule(self, draw)
        for average in self.averages:
            average.update()
        self.round += 1
        self.record.images, self.record.drawn = self.images, self.images - before
        self.record.seconds = time.perf_counter() - started
        return self.record


def give(parameters: Sequence[nn.Parameter], gradients: Sequence[Tensor | None]) -> list[Tensor | None]:
    """Puts the gradients in place; returns those that were there."""
    before = [parameter.grad for parameter in parameters]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    return before


def play(
    stage: Stage,
    batches: Indexed | Iterable[Any],
    *,
    rounds: int | None = None,
    referee: Referee | None = None,
) -> Iterator[Round]:
    """Plays a stage, one round an iteration; the caller keeps the loop.

    Args:
        stage: who plays, and how.
        batches: anything with `at(step) -> Batch`, or an iterable of batches, tensors or (tensor, labels) pairs,
            which starts anew when it ends.
        rounds: where to stop, if no referee says so; None to go on until the caller breaks off.
        referee: the state to go on from, with its own rounds; None to start afresh.

    Raises:
        NonFiniteError: where a player's moves stay non-finite.
    """
    referee = referee or Referee(stage, rounds)
    source = source_of(batches)

    def draw() -> Batch:
        batch = source(referee.draws)
        referee.draws += 1
        referee.images += len(batch)
        if stage.data:
            with torch.no_grad():
                return stage.data(batch)
        return batch

    while referee.rounds is None or referee.round < referee.rounds:
        yield referee.play_round(draw)

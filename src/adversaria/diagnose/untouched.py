"""Looking into a game without leaving a trace: its state is held and put back, to the last bit."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from adversaria.data.spec import Batch
from adversaria.errors import UserError
from adversaria.game.game import Game
from adversaria.game.player import Player, Terms
from adversaria.game.rounds import Indexed, source_of
from adversaria.game.stage import Stage


class Snapshot:
    """Everything a module's parts hold: parameters, buffers, gradients, modes and plain attributes."""

    def __init__(self, module: nn.Module) -> None:
        self._parts = [(part, dict(vars(part)), dict(part._buffers)) for part in module.modules()]
        self._buffers = [(b, b.detach().clone()) for b in module.buffers()]
        # .data is kept beside the values: a change of dtype gives a parameter other memory
        self._parameters = [(p, p.data, p.detach().clone(), p.grad, p.requires_grad) for p in module.parameters()]

    @torch.no_grad()
    def rewind(self) -> None:
        """Puts back all but the parameters: what a forward pass may have changed."""
        for part, attributes, buffers in self._parts:
            vars(part).clear()
            vars(part).update(attributes)
            part._buffers.clear()
            part._buffers.update(buffers)
        for buffer, value in self._buffers:
            buffer.copy_(value)

    @torch.no_grad()
    def restore(self) -> None:
        """Puts everything back."""
        self.rewind()
        for parameter, data, value, gradient, trainable in self._parameters:
            parameter.grad = None
            parameter.data = data
            parameter.copy_(value)
            parameter.requires_grad_(trainable)
            parameter.grad = gradient


@contextmanager
def untouched(game: Game, dtype: torch.dtype | None = None) -> Iterator[None]:
    """Inside the block the game may be played with; afterwards it and the generators are as before.

    Gradients are taken out inside. Modes stay as they are found, so that batch normalisation acts as in play. What an
    objective keeps in plain Python outside of the game's modules is not known here and not put back.

    Args:
        game: whose networks, averages and modes are held.
        dtype: the networks' type inside the block, and torch's default there; None to leave both.
    """
    before, default = Snapshot(game), torch.get_default_dtype()
    cuda = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    try:
        with torch.random.fork_rng(cuda), torch.enable_grad():
            for parameter in game.parameters():
                parameter.grad = None
            if dtype is not None:
                game.networks.to(dtype)
                torch.set_default_dtype(dtype)
            yield
    except RuntimeError as error:
        if dtype is not None and ("dtype" in str(error) or "scalar type" in str(error)):
            raise UserError(
                f"the game doesn't play in {str(dtype).removeprefix('torch.')} ({str(error).splitlines()[0]}); a "
                "tensor that an objective holds has a type of its own: make it a buffer of a network"
            ) from error
        raise
    finally:
        torch.set_default_dtype(default)
        before.restore()


ADVERSARIES = ("discriminator", "critic", "adversary")
"""What a discriminator may be called."""


def stage_of(game: Game, stage: str | Stage | None) -> Stage:
    """The stage meant: by name, itself, or the game's last one for None."""
    if isinstance(stage, Stage):
        return stage
    return game.stages[-1] if stage is None else game.stage(stage)


def terms_of(stage: Stage, player: Player, batch: Batch) -> Terms:
    """The player's terms, as the stage's rule takes them."""
    return stage.joint(batch)[player.name] if stage.joint else player.objective(batch)


def opponents(stage: Stage, adversary: str | None) -> tuple[Player, Player]:
    """The generator's side and the discriminator's side of a two-player stage.

    Args:
        stage: with two players.
        adversary: the name of the discriminator; None where a player is called discriminator, critic or adversary.

    Raises:
        UserError: where there are not two players, or the discriminator is not known.
    """
    names = [player.name for player in stage.players]
    if len(names) != 2:
        raise UserError(f"not applicable: stage '{stage.name}' has the players {names}; this is for games of two")
    known = [name for name in names if name in ADVERSARIES] if adversary is None else [adversary]
    if len(known) != 1 or known[0] not in names:
        raise UserError(f"which of {names} is the discriminator is not known; name it: adversary='{names[0]}'")
    i = names.index(known[0])
    return stage.players[1 - i], stage.players[i]


def alone(stage: Stage, player: Player, steps: int) -> Stage:
    """A stage in which the player moves once a round while everyone else stands still, by its own optimiser.

    A warm-up is left out; a falling rate falls over `steps`.
    """
    host = player.optimizer
    if isinstance(host, str):
        host = next(p.optimizer for p in stage.players if p.name == host)
    assert not isinstance(host, str)
    own = replace(player, moves=1, optimizer=replace(host, warmup=0), shares=(),
                  objective=lambda batch: terms_of(stage, player, batch))  # fmt: skip
    return Stage((own,), f"{player.name} alone", data=stage.data)


def as_played(batch: Batch, device: torch.device, dtype: torch.dtype | None = None) -> Batch:
    """The batch on the networks' device, its floating parts in the type given."""

    def moved(x: Tensor | None) -> Tensor | None:
        if x is None or not x.is_floating_point():
            return x if x is None else x.to(device)
        return x.to(device, dtype)

    x = moved(batch.x)
    assert x is not None
    labelled = None if batch.labelled is None else as_played(batch.labelled, device, dtype)
    return Batch(x, moved(batch.labels), moved(batch.y), labelled)


class Played:
    """Batches as the game takes them: on its device, in the type given, the first `skip` left out."""

    def __init__(self, batches: Indexed | Iterable[Any], game: Game, dtype: torch.dtype | None = None) -> None:
        self._source, self._device, self._dtype, self.skip = source_of(batches), game.device, dtype, 0

    def at(self, step: int) -> Batch:
        """The batch of this step."""
        return as_played(self._source(step + self.skip), self._device, self._dtype)


def drawn(batches: Indexed | Iterable[Any], count: int | None, what: str) -> list[Batch]:
    """The first `count` batches, or as many as a finite source has.

    Raises:
        UserError: where there is none.
    """
    items: Any = list(batches) if isinstance(batches, Sequence) else batches
    most = len(items) if isinstance(items, list) else count or 1
    n = most if count is None else min(count, most)
    if n < 1:
        raise UserError(f"{what} holds {most} batches and {count} are asked for; give at least one")
    source = source_of(items)
    return [source(i) for i in range(n)]


def unprefixed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A game's tensors by their names in its state_dict, from a checkpoint's or from themselves."""
    found = {name.removeprefix("game/"): t for name, t in tensors.items() if name.startswith("game/")}
    return found or dict(tensors)

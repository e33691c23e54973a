"""A stage: one stretch of play, with its players, its rule and what it plays on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from torch import nn

from adversaria.data.spec import Batch
from adversaria.errors import UserError
from adversaria.game.averages import Average
from adversaria.game.player import Player, Terms
from adversaria.game.rules import Rule, alternating


@dataclass(frozen=True)
class Stage:
    """Players that move by a rule for a share of a run's rounds.

    Two-stage systems (codes, then a prior over codes) and grown ones are sequences of stages.
    """

    players: tuple[Player, ...]
    name: str = "main"
    share: float = 1.0
    """Weight of this stage when a run's rounds are divided between stages."""
    rule: Rule = alternating
    data: Callable[[Batch], Batch] | None = None
    """What is played on, made without gradient from the batch that is drawn; None for the batch itself."""
    joint: Callable[[Batch], Mapping[str, Terms]] | None = None
    """For rules other than the alternating one: every player's terms, by name, from one shared forward pass."""
    averages: tuple[Average, ...] = field(default=(), repr=False)
    """Averaged networks to update each round; a Game fills them in."""

    def __post_init__(self) -> None:
        names = [p.name for p in self.players]
        if not names or len(set(names)) < len(names):
            raise UserError(f"stage '{self.name}' has players {names}; give it at least one, each with its own name")
        for player in self.players:
            if self.rule is not alternating and player.moves != 1:
                rule = self.rule.__name__
                raise UserError(f"player '{player.name}' has moves={player.moves}; the {rule} rule moves everyone once")
            if isinstance(player.optimizer, str):
                self._check_guest(player, {p.name: p for p in self.players}.get(player.optimizer))
        self._check_ownership()

    def _check_guest(self, guest: Player, host: Player | None) -> None:
        shares = f"player '{guest.name}' shares the optimiser of '{guest.optimizer}'"
        if host is None:
            names = [p.name for p in self.players]
            raise UserError(f"{shares}, who does not play in stage '{self.name}'; its players are {names}")
        if isinstance(host.optimizer, str):
            raise UserError(f"{shares}, who has none of its own; name the player who has")
        known = {id(p) for p in host.parameters()}
        for parameter in guest.parameters():
            if id(parameter) not in known:
                raise UserError(
                    f"player '{guest.name}' owns a parameter of shape {tuple(parameter.shape)} that the optimiser of "
                    f"'{host.name}' doesn't move; give it to '{host.name}' too, or give '{guest.name}' an optimiser"
                )

    def _check_ownership(self) -> None:
        owner: dict[int, Player] = {}
        for player in self.players:
            for parameter in player.parameters():
                other = owner.setdefault(id(parameter), player)
                if other is not player and other.name not in player.shares and player.name not in other.shares:
                    raise UserError(
                        f"players '{other.name}' and '{player.name}' own the same parameter of shape "
                        f"{tuple(parameter.shape)}; give it to one, or declare it: shares=('{other.name}',)"
                    )


def plan(stages: Sequence[Stage], rounds: int) -> tuple[int, ...]:
    """Divides `rounds` between stages by their shares; every stage gets at least one, the last takes the rest.

    Raises:
        UserError: where there are fewer rounds than stages.
    """
    if rounds < len(stages):
        raise UserError(f"{rounds} rounds for {len(stages)} stages; every stage needs one: --rounds {len(stages)}")
    total = sum(stage.share for stage in stages)
    parts = [max(1, round(rounds * stage.share / total)) for stage in stages[:-1]]
    while sum(parts) > rounds - 1:
        parts[parts.index(max(parts))] -= 1
    return (*parts, rounds - sum(parts))


def check_coverage(networks: Mapping[str, nn.Module], stages: Sequence[Stage]) -> None:
    """Every trainable parameter is some player's, and every player's parameter belongs to a named network.

    Raises:
        UserError: naming the parameter and what to do.
    """
    named = {id(p): f"{key}.{name}" for key, net in networks.items() for name, p in net.named_parameters()}
    owned = {id(p) for stage in stages for player in stage.players for p in player.parameters()}
    for key, net in networks.items():
        for name, parameter in net.named_parameters():
            if parameter.requires_grad and id(parameter) not in owned:
                raise UserError(
                    f"no player owns '{key}.{name}'; give its module to a player or freeze it: requires_grad_(False)"
                )
    for stage in stages:
        for player in stage.players:
            if any(id(p) not in named for p in player.parameters()):
                raise UserError(
                    f"player '{player.name}' owns a parameter of no named network, which no checkpoint would keep; "
                    "add its module to networks={...}"
                )

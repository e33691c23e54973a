"""A player: what it owns, what it wants and how it moves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from adversaria.data.spec import Batch
from adversaria.errors import UserError
from adversaria.game.optimizers import OptimizerSpec

Terms = Mapping[str, Tensor]
"""Named, already weighted scalars; a player's loss is their sum."""

Objective = Callable[[Batch], Terms]


@dataclass(frozen=True)
class Player:
    """One party of a game.

    A player's move draws a batch, sums the terms of its objective, differentiates that sum with respect to its own
    parameters only, and takes one step of its optimiser. Networks it looks through but doesn't own receive nothing.
    """

    name: str
    owns: tuple[nn.Module, ...]
    """The modules whose parameters this player may change."""
    objective: Objective
    """From a batch to named scalar terms, to be minimised."""
    optimizer: OptimizerSpec | str
    """An optimiser spec, or the name of the player whose optimiser it shares (as a lazy penalty does)."""
    moves: int | Callable[[int], int] = 1
    """Moves per round: a number, or a function of the round (from 0 in each stage)."""
    after: Callable[[], None] | None = None
    """Called after each of the player's steps, without gradient: clipping, EMA codebooks, a rollout copy."""
    shares: tuple[str, ...] = ()
    """Names of other players that are allowed to own the same parameters."""

    def moves_at(self, round: int) -> int:
        """How many moves the player makes in `round`."""
        return self.moves(round) if callable(self.moves) else self.moves

    def parameters(self) -> list[nn.Parameter]:
        """The trainable parameters it owns, each once, in a fixed order."""
        found = {id(p): p for module in self.owns for p in module.parameters() if p.requires_grad}
        if not found:
            raise UserError(f"player '{self.name}' owns no trainable parameter; give it a module in `owns`")
        return list(found.values())

    def loss(self, terms: Terms) -> Tensor:
        """The sum of `terms`.

        Raises:
            UserError: where a term isn't a scalar, or there is none.
        """
        if not terms:
            raise UserError(f"player '{self.name}' returned no term; return a dictionary such as {{'loss': ...}}")
        for name, term in terms.items():
            if not isinstance(term, Tensor):
                kind = type(term).__name__
                raise UserError(f"term '{name}' of player '{self.name}' is a {kind}; a term is a tensor of one number")
            if term.ndim:
                shape = tuple(term.shape)
                raise UserError(
                    f"term '{name}' of player '{self.name}' has shape {shape}; a term is a scalar: take its mean"
                )
        values = list(terms.values())
        return sum(values[1:], start=values[0])

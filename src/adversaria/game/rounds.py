"""What the referee takes in, batches, and what it hands out, a record of each round."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor

from adversaria.data.spec import Batch
from adversaria.errors import UserError
from adversaria.game.player import Terms


@dataclass
class Round:
    """What happened in one round. Terms and norms are means over the player's moves that were finite."""

    number: int
    """Rounds of the stage that are over, this one included."""
    images: int
    """Examples drawn in the stage so far."""
    drawn: int = 0
    """Examples drawn in this round."""
    seconds: float = 0.0
    skipped: dict[str, int] = field(default_factory=dict)
    """Moves of this round that were skipped because they were not finite, by player."""
    _sums: dict[str, dict[str, Tensor]] = field(default_factory=dict, repr=False)
    _norms: dict[str, Tensor] = field(default_factory=dict, repr=False)
    moves: dict[str, int] = field(default_factory=dict)
    """Finite moves, by player."""

    def add(self, player: str, terms: Terms, norm: Tensor) -> None:
        """Counts one finite move."""
        self.moves[player] = self.moves.get(player, 0) + 1
        sums = self._sums.setdefault(player, {})
        for name, term in terms.items():
            sums[name] = sums[name] + term.detach() if name in sums else term.detach()
        self._norms[player] = self._norms[player] + norm if player in self._norms else norm

    @property
    def terms(self) -> dict[str, dict[str, float]]:
        """Player -> term -> value."""
        return {p: {k: float(v) / self.moves[p] for k, v in sums.items()} for p, sums in self._sums.items()}

    @property
    def images_per_second(self) -> float:
        """Examples drawn in this round over its seconds."""
        return self.drawn / self.seconds if self.seconds else 0.0

    @property
    def gradient_norms(self) -> dict[str, float]:
        """Player -> l2 norm of its gradient, before clipping."""
        return {p: float(norm) / self.moves[p] for p, norm in self._norms.items()}


class Indexed(Protocol):
    """Batches as a pure function of the step."""

    def at(self, step: int) -> Batch:
        """The batch of `step`."""
        ...


def source_of(batches: Indexed | Iterable[Any]) -> Callable[[int], Batch]:
    """Step -> batch, from batches that know their steps or from an iterable (there the step is not looked at)."""
    if hasattr(batches, "at"):
        return batches.at
    state = {"items": iter(batches)}

    def following(_: int) -> Batch:
        for _attempt in range(2):
            for item in state["items"]:
                return _as_batch(item)
            state["items"] = iter(batches)
        raise UserError("the batches came to an end and do not start anew; pass a list, a DataLoader or Batches")

    return following


def _as_batch(item: Any) -> Batch:
    if isinstance(item, Batch):
        return item
    if isinstance(item, Tensor):
        return Batch(item)
    if isinstance(item, list | tuple) and len(item) in (1, 2) and all(isinstance(part, Tensor) for part in item):
        return Batch(*item)
    raise UserError(f"a batch is a tensor, a pair (tensor, labels) or a Batch; got {type(item).__name__}")

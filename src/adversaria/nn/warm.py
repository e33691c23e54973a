"""A weight that rises over the first moves of a game."""

import torch
from torch import Tensor, nn


class Warm(nn.Module):
    """min(1, t / T) at move t = 1, 2, .., as a buffer that checkpoints keep; 1 throughout for T = 0, and at rest."""

    moves: Tensor

    def __init__(self, until: int) -> None:
        super().__init__()
        self.until = until
        self.register_buffer("moves", torch.zeros((), dtype=torch.long))

    def forward(self) -> Tensor:
        """The weight."""
        if not self.training or not self.until:
            return torch.ones((), device=self.moves.device)
        return ((self.moves + 1) / self.until).clamp(max=1)

    def count(self) -> None:
        """Counts a move; call it after each."""
        self.moves += 1

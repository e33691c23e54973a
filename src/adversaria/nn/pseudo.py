"""Examples that are learned."""

import torch
from torch import Tensor, nn

SPEED = 10.0
"""How much faster than weights pixels and bits move: their logits go from noise to an image, a way of several units."""


class PseudoInputs(nn.Module):
    """K examples of the data's shape as parameters, kept in their range: [-1, 1] of images, [0, 1] of bits.

    They begin as weak noise about the middle of it. Tomczak and Welling (2018), arXiv:1705.07120, Section 3.
    """

    def __init__(self, number: int, kind: str, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.kind = kind
        self.raw = nn.Parameter((1.0 if kind == "points" else 0.5 / SPEED) * torch.randn(number, *shape))

    def forward(self) -> Tensor:
        """(K, *shape)."""
        if self.kind == "points":
            return self.raw
        return torch.tanh(SPEED * self.raw) if self.kind == "image" else torch.sigmoid(SPEED * self.raw)

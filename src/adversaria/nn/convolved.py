"""An image as a grid of vectors, and back, by strided convolutions and residual blocks."""

import torch.nn.functional as F
from torch import Tensor, nn


class Block(nn.Module):
    """x + conv1x1(relu(conv3x3(relu(x))))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReLU(), nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """The same shape as `x`."""
        return x + self.layers(x)


class Convolved(nn.Module):
    """Encoder and decoder of van den Oord et al. (2017), arXiv:1711.00937, Section 4.1, halving images of 16 pixels and
    more twice, smaller ones once.

    Args:
        shape: (C, H, W).
        outputs: channels of the grid that `encode` gives.
        inputs: channels of the grid that `decode` takes.
        width: channels between.
    """

    def __init__(self, shape: tuple[int, ...], outputs: int, inputs: int, width: int) -> None:
        super().__init__()
        channels, self.height, self.width = shape
        halvings = 2 if min(shape[1:]) >= 16 else 1
        self.grid = (-(-self.height // 2**halvings), -(-self.width // 2**halvings))
        self.pad = (0, self.grid[1] * 2**halvings - self.width, 0, self.grid[0] * 2**halvings - self.height)
        down = [m for i in range(halvings)
                for m in (nn.ReLU(), nn.Conv2d(width if i else channels, width, 4, 2, 1))][1:]  # fmt: skip
        up = [m for i in range(halvings) for m in (
            nn.ReLU(), nn.ConvTranspose2d(width, width if i + 1 < halvings else channels, 4, 2, 1))]  # fmt: skip
        self.down = nn.Sequential(*down, Block(width), Block(width), nn.Conv2d(width, outputs, 1))
        self.up = nn.Sequential(nn.Conv2d(inputs, width, 3, padding=1), Block(width), Block(width), *up)

    def encode(self, x: Tensor) -> Tensor:
        """Images (n, C, H, W) -> (n, outputs, h, w)."""
        y: Tensor = self.down(F.pad(x, self.pad, mode="replicate"))
        return y

    def decode(self, z: Tensor) -> Tensor:
        """Grids (n, inputs, h, w) -> (n, C, H, W)."""
        y: Tensor = self.up(z)
        return y[:, :, : self.height, : self.width]

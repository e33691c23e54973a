"""A gated PixelCNN over grids of categories.

van den Oord et al. (2016), arXiv:1606.05328, Section 2: a vertical stack sees all rows above, a horizontal stack what
lies to the left in its row and what the vertical stack has seen above, so that there is no blind spot.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class GatedLayer(nn.Module):
    """One layer of both stacks, tanh(a) * sigmoid(b) (Eq. 2), with a residual in the horizontal one (Fig. 2)."""

    def __init__(self, width: int, kernel: int, first: bool, classes: int) -> None:
        super().__init__()
        self.reach, self.first = kernel // 2, first
        self.vertical = nn.Conv2d(width, 2 * width, (self.reach + (not first), kernel))
        self.horizontal = nn.Conv2d(width, 2 * width, (1, self.reach + (not first)))
        self.across = nn.Conv2d(2 * width, 2 * width, 1)
        self.out = nn.Conv2d(width, width, 1)
        self.label = nn.Embedding(classes, 4 * width) if classes else None

    def forward(self, v: Tensor, h: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """Vertical and horizontal features (n, width, H, W), twice."""
        r = self.reach
        rows, columns = v.shape[2:]
        # The first layer ends above the current row and left of the current pixel; later ones may include them.
        v = self.vertical(F.pad(v, (r, r, r, 0)))[:, :, :rows]
        side = self.horizontal(F.pad(h, (r, 0, 0, 0)))[..., :columns] + self.across(v)
        if self.label is not None:
            given = self.label(labels)[:, :, None, None]
            v, side = v + given[:, : v.shape[1]], side + given[:, v.shape[1] :]
        side = self.out(gate(side))
        return gate(v), side if self.first else side + h


def gate(x: Tensor) -> Tensor:
    """tanh(a) * sigmoid(b) for the halves a, b of the channels."""
    a, b = x.chunk(2, dim=1)
    return torch.tanh(a) * torch.sigmoid(b)


class GatedPixelCNN(nn.Module):
    """Grids of categories (n, H, W), long -> logits (n, categories, H, W) for each cell given the cells before it.

    Cells are in raster order.

    Args:
        categories: number of values of a cell.
        width: channels of each stack.
        layers: gated layers; the first has a 7x7 reach, the others 3x3.
        classes: number of labels the model is conditional on; 0 for none (Eq. 4).
    """

    def __init__(self, categories: int, width: int, layers: int, classes: int = 0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(categories, width)
        self.layers = nn.ModuleList(GatedLayer(width, 3 if i else 7, i == 0, classes) for i in range(layers))
        self.head = nn.Sequential(nn.ReLU(), nn.Conv2d(width, width, 1), nn.ReLU(), nn.Conv2d(width, categories, 1))

    def forward(self, codes: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits (n, categories, H, W)."""
        v = h = self.embedding(codes).permute(0, 3, 1, 2)
        for layer in self.layers:
            v, h = layer(v, h, labels)
        return self.head(h)

    @torch.no_grad()
    def sample(self, n: int, shape: tuple[int, int], labels: Tensor | None = None) -> Tensor:
        """Grids (n, H, W) drawn cell by cell, H W passes through the network."""
        codes = torch.zeros(n, *shape, dtype=torch.long, device=self.embedding.weight.device)
        for i in range(shape[0]):
            for j in range(shape[1]):
                p = self(codes, labels)[:, :, i, j].softmax(1)
                codes[:, i, j] = torch.multinomial(p, 1)[:, 0]
        return codes

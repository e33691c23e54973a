"""Recurrent layers over images that see no later pixel.

van den Oord et al. (2016), arXiv:1601.06759, Section 3.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adversaria.nn.pixelcnn import Leftward


def cell(gates: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """One LSTM step (Eq. 3) from the sums o, f, i, g of the gates: the new h and c."""
    o, f, i, g = gates.chunk(4, 1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


class RowLSTM(nn.Module):
    """Row after row: a pixel sees a triangle above it (Section 3.1). (n, inputs, H, W) -> (n, units, H, W)."""

    def __init__(self, inputs: int, units: int, groups: int) -> None:
        super().__init__()
        self.units = units
        self.here = Leftward(inputs, 4 * units, 1, groups, True, parts=4)
        self.above = nn.Conv1d(units, 4 * units, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """States of all rows."""
        rows = self.here(x).unbind(2)
        h = c = x.new_zeros(len(x), self.units, x.shape[3])
        states = []
        for row in rows:
            h, c = cell(row + self.above(h), c)
            states.append(h)
        return torch.stack(states, 2)


class DiagonalBiLSTM(nn.Module):
    """Diagonal after diagonal, from both upper corners (Section 3.2).

    The states from the upper right go a row down, where all they have seen is earlier. A pixel sees all earlier ones
    but the last of the row above it, which no input left of it has seen; only a first convolution may reach that far.
    """

    def __init__(self, inputs: int, units: int, groups: int) -> None:
        super().__init__()
        self.left, self.right = Diagonal(inputs, units, groups), Diagonal(inputs, units, groups)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, H, W) -> (n, units, H, W)."""
        right = self.right(x.flip(3)).flip(3)
        return self.left(x) + F.pad(right, (0, 0, 1, 0))[:, :, :-1]


class Diagonal(nn.Module):
    """The states of an LSTM that goes from the upper left to the lower right, over columns of the skewed map."""

    def __init__(self, inputs: int, units: int, groups: int) -> None:
        super().__init__()
        self.units = units
        self.here = Leftward(inputs, 4 * units, 0, groups, True, parts=4)
        self.before = nn.Conv1d(units, 4 * units, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, H, W) -> (n, units, H, W)."""
        columns = skew(self.here(x)).unbind(3)
        inside = skew(torch.ones_like(x[:1, :1])).unbind(3)  # no states beyond the edges of the image
        h = c = x.new_zeros(len(x), self.units, x.shape[2])
        states = []
        for column, there in zip(columns, inside, strict=True):
            # Of the column before, a row sees itself and the row above: the left and the upper pixel.
            h, c = cell(column + self.before(F.pad(h, (1, 0))), c)
            h, c = h * there, c * there
            states.append(h)
        return unskew(torch.stack(states, 3))


def skew(x: Tensor) -> Tensor:
    """Row i moved by i columns to the right: (n, k, H, W) -> (n, k, H, W + H - 1)."""
    rows, columns = x.shape[2:]
    wide = F.pad(x, (0, rows)).flatten(2)[:, :, : rows * (columns + rows - 1)]
    return wide.unflatten(2, (rows, columns + rows - 1))


def unskew(x: Tensor) -> Tensor:
    """The inverse of `skew`."""
    rows, wide = x.shape[2:]
    return F.pad(x.flatten(2), (0, rows)).unflatten(2, (rows, wide + 1))[..., : wide - rows + 1]


class Residual(nn.Module):
    """x + a 1x1 masked convolution (B) of a recurrent layer's states (Section 3.3, Figure 5)."""

    def __init__(self, layer: nn.Module, units: int, width: int, groups: int) -> None:
        super().__init__()
        self.layer, self.out = layer, Leftward(units, width, 0, groups, True)

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return x + self.out(self.layer(x))

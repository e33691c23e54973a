"""Causal convolutions by shifts and crops, and the two-stream network of PixelCNN++ with its shortcuts."""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

Stream = Literal["down", "downright"]
"""What a stream sees: the rows above and the row itself, or of the row itself only what lies to the left."""
KERNELS: dict[Stream, tuple[int, int]] = {"down": (2, 3), "downright": (2, 2)}


def concat_elu(x: Tensor) -> Tensor:
    """elu(x) beside elu(-x)."""
    return F.elu(torch.cat([x, -x], 1))


class Shifted(nn.Module):
    """A convolution whose window ends at the pixel itself: below nothing, and `downright` to the right nothing."""

    def __init__(self, inputs: int, outputs: int, stream: Stream, kernel: tuple[int, int] | None = None, *,
                 stride: int = 1) -> None:  # fmt: skip
        super().__init__()
        height, width = kernel or KERNELS[stream]
        side = width // 2 if stream == "down" else 0
        self.pad = (side or width - 1, side, height - 1, 0)
        self.conv = weight_norm(nn.Conv2d(inputs, outputs, (height, width), stride))

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, H, W) -> (n, outputs, H / stride, W / stride)."""
        return self.conv(F.pad(x, self.pad))


class Grown(nn.Module):
    """The transposed convolution of twice the resolution, cropped so that nothing comes from later pixels."""

    def __init__(self, width: int, stream: Stream) -> None:
        super().__init__()
        self.side = KERNELS[stream][1] // 2 if stream == "down" else 0
        self.conv = weight_norm(nn.ConvTranspose2d(width, width, KERNELS[stream], 2, output_padding=(0, 1)))

    def forward(self, x: Tensor) -> Tensor:
        """(n, width, H, W) -> (n, width, 2 H, 2 W)."""
        rows, columns = 2 * x.shape[2], 2 * x.shape[3]
        return self.conv(x)[:, :, :rows, self.side : self.side + columns]


class GatedResidual(nn.Module):
    """x + a sigmoid(b), (a, b) from two convolutions of x, with features of another place added between (Section 2)."""

    def __init__(self, width: int, stream: Stream, beside: int, dropout: float) -> None:
        super().__init__()
        self.one = Shifted(2 * width, width, stream)
        self.beside = weight_norm(nn.Conv2d(2 * beside, width, 1)) if beside else None
        self.drop = nn.Dropout(dropout)
        self.two = Shifted(2 * width, 2 * width, stream)

    def forward(self, x: Tensor, beside: Tensor | None = None) -> Tensor:
        """The same shape as `x`."""
        y = self.one(concat_elu(x))
        if self.beside is not None and beside is not None:
            y = y + self.beside(concat_elu(beside))
        a, b = self.two(self.drop(concat_elu(y))).chunk(2, 1)
        return x + a * torch.sigmoid(b)


class Pair(nn.Module):
    """A layer in each stream; the second sees the first's features, and both those of a shortcut."""

    def __init__(self, width: int, shortcut: bool, dropout: float) -> None:
        super().__init__()
        self.u = GatedResidual(width, "down", width * shortcut, dropout)
        self.ul = GatedResidual(width, "downright", width * (1 + shortcut), dropout)

    def forward(self, u: Tensor, ul: Tensor, back: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """Both streams' features, of unchanged shape."""
        u = self.u(u, back[0] if back else None)
        return u, self.ul(ul, torch.cat([u, back[1]], 1) if back else u)


class PixelCNNpp(nn.Module):
    """Images (n, C, H, W) -> (n, outputs, H, W), each pixel's from those before it, at `levels` + 1 resolutions.

    Salimans et al. (2017), arXiv:1701.05517, Section 2, Figure 2.

    Args:
        channels: C.
        width: feature maps.
        layers: residual layers at each resolution, down and again up.
        levels: halvings of the resolution.
        outputs: numbers for each pixel.
        dropout: share of features dropped in each layer.
    """

    down: Any
    up: Any
    halvings: Any
    doublings: Any

    def __init__(self, channels: int, width: int, layers: int, levels: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.levels, c = levels, channels + 1  # a plane of ones tells the image from what is padded
        self.above, self.row = Shifted(c, width, "down"), Shifted(c, width, "down", (1, 3))
        self.left = Shifted(c, width, "downright", (2, 1))
        stages = range(levels + 1)
        self.down = nn.ModuleList(nn.ModuleList(Pair(width, False, dropout) for _ in range(layers)) for _ in stages)
        self.up = nn.ModuleList(
            nn.ModuleList(Pair(width, True, dropout) for _ in range(layers + (k < levels))) for k in reversed(stages)
        )
        streams: tuple[Stream, Stream] = ("down", "downright")
        self.halvings = nn.ModuleList(
            nn.ModuleList(Shifted(width, width, s, stride=2) for s in streams) for _ in range(levels)
        )
        self.doublings = nn.ModuleList(nn.ModuleList(Grown(width, s) for s in streams) for _ in range(levels))
        self.head = weight_norm(nn.Conv2d(width, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (n, outputs, H, W)."""
        height, width = x.shape[2:]
        whole = 2**self.levels
        x = F.pad(torch.cat([x, torch.ones_like(x[:, :1])], 1), (0, -width % whole, 0, -height % whole))
        u = shift(self.above(x), 1, 0)
        ul = shift(self.row(x), 1, 0) + shift(self.left(x), 0, 1)
        kept = [(u, ul)]
        for k, stage in enumerate(self.down):
            for layer in stage:
                u, ul = layer(u, ul)
                kept.append((u, ul))
            if k < self.levels:
                u, ul = (half(part) for half, part in zip(self.halvings[k], (u, ul), strict=True))
                kept.append((u, ul))
        u, ul = kept.pop()
        for k, stage in enumerate(self.up):
            for layer in stage:
                u, ul = layer(u, ul, kept.pop())
            if k < self.levels:
                u, ul = (twice(part) for twice, part in zip(self.doublings[k], (u, ul), strict=True))
        return self.head(F.elu(ul))[:, :, :height, :width]


def shift(x: Tensor, down: int, right: int) -> Tensor:
    """x moved down or to the right by a pixel, with zeros where it was."""
    return F.pad(x, (right, 0, down, 0))[:, :, : x.shape[2], : x.shape[3]]

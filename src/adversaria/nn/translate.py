"""Networks from images to images, and patch critics.

Zhu et al. (2017), arXiv:1703.10593, Section 4 and Appendix 7.2.
"""

from typing import Literal

import torch
from torch import Tensor, nn


class Residual(nn.Module):
    """x + f(x), f two 3x3 convolutions with instance normalisation."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*conv(width, width, 3), nn.ReLU(), *conv(width, width, 3))

    def forward(self, x: Tensor) -> Tensor:
        """The same shape as `x`."""
        return x + self.layers(x)


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    """A convolution with reflected borders, and instance normalisation."""
    pad: Literal["reflect", "zeros"] = "reflect" if stride == 1 else "zeros"
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, padding_mode=pad),
        nn.InstanceNorm2d(outputs),
    ]


class Translator(nn.Module):
    """Images (n, C, H, W) in [-1, 1] -> images of the same shape.

    A 7x7 convolution, `downs` strided ones, `blocks` residual blocks, as many transposed ones, a 7x7 one, tanh.
    """

    def __init__(self, shape: tuple[int, ...], width: int, blocks: int, downs: int = 2) -> None:
        super().__init__()
        channels, self.height, self.width = shape
        downs = max(0, min(downs, (min(self.height, self.width) // 4).bit_length() - 1))
        layers: list[nn.Module] = [*conv(channels, width, 7 if min(shape[1:]) > 7 else 3), nn.ReLU()]
        for _ in range(downs):
            layers += [*conv(width, 2 * width, 3, stride=2), nn.ReLU()]
            width *= 2
        layers += [Residual(width) for _ in range(blocks)]
        for _ in range(downs):
            up = nn.ConvTranspose2d(width, width // 2, 3, stride=2, padding=1, output_padding=1)
            layers += [up, nn.InstanceNorm2d(width // 2), nn.ReLU()]
            width //= 2
        kernel = 7 if min(shape[1:]) > 7 else 3
        last = nn.Conv2d(width, channels, kernel, padding=kernel // 2, padding_mode="reflect")
        self.layers = nn.Sequential(*layers, last, nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        """Images (n, C, H, W)."""
        return self.layers(x)[:, :, : self.height, : self.width]


class PatchCritic(nn.Module):
    """Images (n, C, H, W) -> scores (n, 1, h, w), one for each overlapping patch."""

    def __init__(self, shape: tuple[int, ...], width: int, downs: int = 3) -> None:
        super().__init__()
        channels, side = shape[0], min(shape[1:])
        downs = max(1, min(downs, (side // 4).bit_length()))
        layers: list[nn.Module] = []
        for i in range(downs):
            down = nn.Conv2d(channels, width, 4, stride=2, padding=1)
            layers += [down, nn.InstanceNorm2d(width) if i else nn.Identity(), nn.LeakyReLU(0.2)]
            channels, width = width, 2 * width
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels, 1, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """Scores (n, 1, h, w)."""
        return self.layers(x)


class Pool(nn.Module):
    """The last `size` generated images, of which half a batch is drawn in place of new ones.

    Shrivastava et al. (2017), arXiv:1612.07828, Section 2.3. A buffer: it is kept by checkpoints.
    """

    images: Tensor
    filled: Tensor

    def __init__(self, size: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("images", torch.zeros(size, *shape))
        self.register_buffer("filled", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def forward(self, fresh: Tensor) -> Tensor:
        """A batch of the same shape: new images while the pool fills, then each one, with chance 1/2, is swapped."""
        out = fresh.detach().clone()
        room = min(len(self.images) - int(self.filled), len(out))
        if room > 0:
            self.images[int(self.filled) : int(self.filled) + room] = out[:room]
            self.filled += room
        late = torch.arange(max(room, 0), len(out), device=out.device)
        late = late[torch.rand(len(late), device=out.device) < 0.5][: len(self.images)]
        if len(late):
            slots = torch.randperm(len(self.images), device=out.device)[: len(late)]
            old = self.images[slots].clone()
            self.images[slots] = out[late]
            out[late] = old
        return out

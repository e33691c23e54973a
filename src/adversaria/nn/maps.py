"""Between images and maps of codes at a lower resolution."""

import math

from torch import Tensor, nn

from adversaria.nn.dcgan import initialise
from adversaria.nn.norms import CENTRED, Norm, normalise


def resolution(height: int, width: int, halvings: int) -> tuple[int, int]:
    """Height and width after so many halvings, rounded up."""
    return math.ceil(height / 2**halvings), math.ceil(width / 2**halvings)


class Shrink(nn.Sequential):
    """Images (n, C, H, W) -> maps (n, outputs, h, w) of the `resolution` after `halvings`.

    3x3 convolutions of stride 2 with normalisation, but for the first, and LeakyReLU 0.2; `width` channels after the
    first, twice as many after each other one. A 3x3 convolution reads the map off.
    """

    def __init__(self, channels: int, outputs: int, width: int, halvings: int, norm: Norm = "batch") -> None:
        layers: list[nn.Module] = []
        for i in range(halvings):
            layers.append(nn.Conv2d(channels, width, 3, stride=2, padding=1, bias=i == 0 or norm not in CENTRED))
            layers += [normalise(norm, width) if i else nn.Identity(), nn.LeakyReLU(0.2, inplace=True)]
            channels, width = width, 2 * width
        super().__init__(*layers, nn.Conv2d(channels, outputs, 3, padding=1))
        self.apply(initialise)


class Grow(nn.Module):
    """Maps (n, inputs, h, w) -> images (n, C, H, W) in [-1, 1], h and w the `resolution` after `halvings`.

    A 3x3 convolution, then transposed 4x4 ones of stride 2, with normalisation and ReLU between; `width` channels at
    half the image's resolution. What is too large is cropped.
    """

    def __init__(self, inputs: int, shape: tuple[int, ...], width: int, halvings: int, norm: Norm = "batch") -> None:
        super().__init__()
        channels, self.height, self.width = shape
        c, bias = width * 2 ** (halvings - 1), norm not in CENTRED
        layers: list[nn.Module] = [nn.Conv2d(inputs, c, 3, padding=1, bias=bias), normalise(norm, c), nn.ReLU()]
        for _ in range(halvings - 1):
            up = nn.ConvTranspose2d(c, c // 2, 4, stride=2, padding=1, bias=bias)
            layers += [up, normalise(norm, c // 2), nn.ReLU()]
            c //= 2
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(c, channels, 4, stride=2, padding=1), nn.Tanh())
        self.apply(initialise)

    def forward(self, z: Tensor) -> Tensor:
        """Images (n, C, H, W)."""
        return self.layers(z)[:, :, : self.height, : self.width]

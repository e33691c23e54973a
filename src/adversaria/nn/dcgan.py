"""The strided convolutional pair of DCGAN, for images of any size and number of channels.

Radford et al. (2016), arXiv:1511.06434, Section 3 and Figure 1. A resolution doubles or halves at each layer; the
number of channels is `width` at half the image's resolution and doubles with each halving, which at 64 pixels and
`width` 128 gives the paper's 1024, 512, 256, 128.
"""

import math
from typing import Literal

from torch import Tensor, nn

Norm = Literal["batch", "layer", "instance", "none"]


def levels(height: int, width: int) -> int:
    """How often the resolution is halved: until the shorter side is 4 to 7 pixels long; at least once."""
    return max(1, int(math.log2(max(min(height, width), 8) / 4)))


def normalise(norm: Norm, channels: int) -> nn.Module:
    """A normalisation layer; "layer" is over all of an example, as WGAN-GP's critics need it."""
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    if norm == "instance":
        return nn.InstanceNorm2d(channels)
    return nn.GroupNorm(1, channels) if norm == "layer" else nn.Identity()


class Generator(nn.Module):
    """Codes (n, latent) -> images (n, C, H, W), in [-1, 1] where `bounded`.

    A projection, then transposed 4x4 convolutions of stride 2 with normalisation and ReLU; the last layer has no
    normalisation and ends in tanh. Sizes that aren't a multiple of a power of two are cropped from the next one.
    """

    def __init__(
        self, latent: int, shape: tuple[int, ...], width: int, norm: Norm = "batch", bounded: bool = True
    ) -> None:
        super().__init__()
        channels, self.height, self.width = shape
        k = levels(self.height, self.width)
        start = (math.ceil(self.height / 2**k), math.ceil(self.width / 2**k))
        c = width * 2 ** (k - 1)
        layers: list[nn.Module] = [
            nn.Linear(latent, c * start[0] * start[1], bias=norm != "batch"),
            nn.Unflatten(1, (c, *start)),
            normalise(norm, c),
            nn.ReLU(inplace=True),
        ]
        for _ in range(k - 1):
            up = nn.ConvTranspose2d(c, c // 2, 4, stride=2, padding=1, bias=norm != "batch")
            layers += [up, normalise(norm, c // 2), nn.ReLU(inplace=True)]
            c //= 2
        layers.append(nn.ConvTranspose2d(c, channels, 4, stride=2, padding=1))
        if bounded:
            layers.append(nn.Tanh())
        self.layers = nn.Sequential(*layers)
        self.apply(initialise)

    def forward(self, z: Tensor) -> Tensor:
        """Images (n, C, H, W)."""
        return self.layers(z)[:, :, : self.height, : self.width]


class Critic(nn.Module):
    """Images (n, C, H, W) -> `outputs` numbers (n, outputs), or (n,) for one.

    4x4 convolutions of stride 2 with LeakyReLU 0.2; no normalisation in the first layer; a linear read-out.
    """

    def __init__(self, shape: tuple[int, ...], width: int, norm: Norm = "batch", outputs: int = 1) -> None:
        super().__init__()
        channels, h, w = shape
        c, layers = width, list[nn.Module]()
        for i in range(levels(h, w)):
            plain = i == 0 or norm == "none"
            layers.append(nn.Conv2d(channels, c, 4, stride=2, padding=1, bias=plain or norm != "batch"))
            layers += [nn.Identity() if plain else normalise(norm, c), nn.LeakyReLU(0.2, inplace=True)]
            channels, c, h, w = c, 2 * c, (h + 2 - 4) // 2 + 1, (w + 2 - 4) // 2 + 1
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * h * w, outputs))
        self.apply(initialise)

    def forward(self, x: Tensor) -> Tensor:
        """Scores (n,) or (n, outputs)."""
        y: Tensor = self.layers(x)
        return y.squeeze(1) if y.shape[1] == 1 else y


def initialise(module: nn.Module) -> None:
    """Weights from N(0, 0.02), scales from N(1, 0.02), offsets 0 (Section 4)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    if isinstance(module, nn.BatchNorm2d | nn.GroupNorm):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)

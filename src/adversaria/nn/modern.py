"""The residual pair of R3GAN, scaled to small widths.

Huang et al. (2024), arXiv:2501.05441, Section 3, configuration E: no normalisation, leaky ReLU, bilinear resampling
apart from the blocks, grouped convolutions in inverted bottlenecks, and blocks that begin as the identity. As many
blocks at each resolution in both networks; channels double from one resolution to the next lower one.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adversaria.nn.conditional import Chain, Conditional
from adversaria.nn.dcgan import levels, start
from adversaria.nn.norms import CENTRED, Norm, normalise
from adversaria.nn.reader import Reader

SLOPE = 0.2
"""Of leaky ReLU for negative numbers."""
GROUP = 16
"""Channels in a group of the 3x3 convolutions, or the largest power of two below that divides them."""
BLOCKS = 2
"""At each resolution."""


def channels_at(halvings: int, width: int) -> int:
    """`width` channels at half the image's resolution, half of them at the full one, at most 4 times `width`."""
    return max(1, width * 2 ** min(halvings, 3) // 2)


class Block(Conditional):
    """x + f(x): 1x1 to twice the channels, grouped 3x3, 1x1 back without bias; f is 0 at first."""

    def __init__(self, channels: int, norm: Norm, classes: int) -> None:
        super().__init__()
        inner, bias = 2 * channels, norm not in CENTRED
        self.branch = Chain(
            nn.Conv2d(channels, inner, 1, bias=bias),
            normalise(norm, inner, classes),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(inner, inner, 3, padding=1, groups=inner // math.gcd(inner, GROUP), bias=bias),
            normalise(norm, inner, classes),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(inner, channels, 1, bias=False),
        )

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """The same shape as `x`."""
        return x + self.branch(x, labels)


class Transition(nn.Module):
    """Resampling by 2 with bilinear interpolation, and a 1x1 convolution where the channels change.

    Half the resolution by bilinear interpolation is the mean of 2x2 pixels. A convolution of single pixels commutes
    with interpolation, so that it takes place at the lower resolution.
    """

    def __init__(self, inputs: int, outputs: int, up: bool) -> None:
        super().__init__()
        self.up = up
        self.change = nn.Conv2d(inputs, outputs, 1, bias=False) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, 2 h, 2 w) or (n, outputs, h // 2, w // 2)."""
        if self.up:
            return F.interpolate(self.change(x), scale_factor=2, mode="bilinear", align_corners=False)
        return self.change(F.avg_pool2d(x, 2))


class Basis(nn.Module):
    """Codes (n, latent) -> learned maps (channels, h, w), each scaled by an affine function of the code."""

    def __init__(self, latent: int, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.maps = nn.Parameter(torch.empty(channels, *size))
        self.affine = nn.Linear(latent, channels)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Maps from N(0, 1)."""
        nn.init.normal_(self.maps)

    def forward(self, z: Tensor) -> Tensor:
        """(n, channels, h, w)."""
        return self.affine(z)[:, :, None, None] * self.maps


class ModernGenerator(Conditional):
    """Codes (n, latent) -> images (n, C, H, W), in [-1, 1] where `bounded` (the paper's aren't).

    Args:
        latent: numbers in a code.
        shape: channels, height and width of an image.
        width: channels at half the image's resolution.
        norm: before each activation; the paper has none.
        bounded: end in tanh.
        classes: of the labels that set scale and offset before each activation; 0 for none.
    """

    def __init__(
        self, latent: int, shape: tuple[int, ...], width: int, norm: Norm = "none", bounded: bool = True, *,
        classes: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        channels, self.height, self.width = shape
        k = levels(*shape[1:])
        c = channels_at(k, width)
        layers: list[nn.Module] = [Basis(latent, c, start(*shape[1:]))]
        for halvings in range(k, -1, -1):
            now = channels_at(halvings, width)
            if halvings < k:
                layers.append(Transition(c, now, up=True))
            layers += [Block(now, norm, classes) for _ in range(BLOCKS)]
            c = now
        layers.append(nn.Conv2d(c, channels, 1))
        self.layers = Chain(*layers, *([nn.Tanh()] if bounded else []))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Fix-up initial weights."""
        initialise(self)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (n, C, H, W)."""
        return self.layers(z, labels)[:, :, : self.height, : self.width]


class ModernCritic(Reader):
    """Images (n, C, H, W) -> `outputs` numbers (n, outputs), or (n,) for one.

    The generator's blocks in reverse; at the end each channel's last map is weighed by a map of its own.
    """

    def __init__(self, shape: tuple[int, ...], width: int, norm: Norm = "none", outputs: int = 1) -> None:
        channels, h, w = shape
        k, c = levels(h, w), channels_at(0, width)
        layers: list[nn.Module] = [nn.Conv2d(channels, c, 1, bias=False)]
        for halvings in range(k + 1):
            now = channels_at(halvings, width)
            if halvings:
                layers.append(Transition(c, now, up=False))
                h, w = h // 2, w // 2
            layers += [Block(now, norm, 0) for _ in range(BLOCKS)]
            c = now
        super().__init__(
            nn.Sequential(*layers, nn.Conv2d(c, c, (h, w), groups=c, bias=False), nn.Flatten()), c, outputs
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Fix-up initial weights."""
        initialise(self)


def initialise(network: nn.Module) -> None:
    """Weights that keep the variance; in each of L blocks the last layer 0, the others smaller by L^(-1/4).

    Zhang et al. (2019), arXiv:1901.09321, as Section 3 of the paper uses it: without its scalars.
    """
    blocks = [m for m in network.modules() if isinstance(m, Block)]
    inside = {id(m) for b in blocks for m in b.branch}
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            slope = SLOPE if id(module) in inside else 1.0  # 1: no activation before it
            nn.init.kaiming_normal_(module.weight, slope)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for b in blocks:
        first, middle, last = (m for m in b.branch if isinstance(m, nn.Conv2d))
        first.weight.data.mul_(len(blocks) ** -0.25)
        middle.weight.data.mul_(len(blocks) ** -0.25)
        last.weight.data.zero_()

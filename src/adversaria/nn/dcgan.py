"""The strided convolutional pair of DCGAN, for images of any size and number of channels.

Radford et al. (2016), arXiv:1511.06434, Section 3 and Figure 1. A resolution doubles or halves at each layer; the
number of channels is `width` at half the image's resolution and doubles with each halving, which at 64 pixels and
`width` 128 gives the paper's 1024, 512, 256, 128.
"""

import math
from collections.abc import Callable

from torch import Tensor, nn

from adversaria.nn.conditional import Chain, Conditional
from adversaria.nn.gated import Gate
from adversaria.nn.norms import CENTRED, Norm, VirtualNorm, normalise
from adversaria.nn.reader import Reader


def levels(height: int, width: int) -> int:
    """How often the resolution is halved: until the shorter side is 4 to 7 pixels long; at least once."""
    return max(1, int(math.log2(max(min(height, width), 8) / 4)))


def start(height: int, width: int) -> tuple[int, int]:
    """The resolution that a generator begins with: doubled `levels` times it covers the image."""
    k = levels(height, width)
    return math.ceil(height / 2**k), math.ceil(width / 2**k)


class Generator(Conditional):
    """Codes (n, latent) -> images (n, C, H, W), in [-1, 1] where `bounded`.

    A projection, then transposed 4x4 convolutions of stride 2 with normalisation and ReLU; the last layer has no
    normalisation and ends in tanh. Sizes that aren't a multiple of a power of two are cropped from the next one.

    Args:
        latent: numbers in a code.
        shape: channels, height and width of an image.
        width: channels at half the image's resolution.
        norm: after each layer but the last.
        bounded: end in tanh.
        activation: made anew for each layer.
        gated: gates in the place of activations.
        constant: `width` channels everywhere.
        classes: of the labels that set the normalisation's scale and offset; 0 for none.
    """

    def __init__(
        self, latent: int, shape: tuple[int, ...], width: int, norm: Norm = "batch", bounded: bool = True,
        activation: Callable[..., nn.Module] = nn.ReLU, *, gated: bool = False, constant: bool = False,
        classes: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        channels, self.height, self.width = shape
        k, first, bias, m = levels(*shape[1:]), start(*shape[1:]), norm not in CENTRED, 2 if gated else 1
        growth = 1 if constant else 2
        c = width * growth ** (k - 1)

        def after(c: int) -> list[nn.Module]:
            return [normalise(norm, m * c, classes), Gate() if gated else activation()]

        projection = nn.Linear(latent, m * c * first[0] * first[1], bias=bias)
        layers: list[nn.Module] = [projection, nn.Unflatten(1, (m * c, *first)), *after(c)]
        for _ in range(k - 1):
            up = nn.ConvTranspose2d(c, m * c // growth, 4, stride=2, padding=1, bias=bias)
            c //= growth
            layers += [up, *after(c)]
        layers.append(nn.ConvTranspose2d(c, channels, 4, stride=2, padding=1))
        if bounded:
            layers.append(nn.Tanh())
        self.layers = Chain(*layers)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """DCGAN's initial weights."""
        self.apply(initialise)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (n, C, H, W)."""
        return self.layers(z, labels)[:, :, : self.height, : self.width]


class Critic(Reader):
    """Images (n, C, H, W) -> `outputs` numbers (n, outputs), or (n,) for one.

    4x4 convolutions of stride 2 with LeakyReLU 0.2, or gates, or tanh; no normalisation in the first layer; a linear
    read-out.
    """

    def __init__(
        self, shape: tuple[int, ...], width: int, norm: Norm = "batch", outputs: int = 1, *, gated: bool = False,
        tanh: bool = False,
    ) -> None:  # fmt: skip
        channels, h, w = shape
        c, layers, m = width, list[nn.Module](), 2 if gated else 1
        for i in range(levels(h, w)):
            after = normalise(norm, m * c) if i else nn.Identity()
            bias = i == 0 or norm not in CENTRED
            layers.append(nn.Conv2d(channels, m * c, 4, stride=2, padding=1, bias=bias))
            layers += [after, Gate() if gated else nn.Tanh() if tanh else nn.LeakyReLU(0.2, inplace=True)]
            channels, c, h, w = c, 2 * c, (h + 2 - 4) // 2 + 1, (w + 2 - 4) // 2 + 1
        super().__init__(nn.Sequential(*layers, nn.Flatten()), channels * h * w, outputs)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """DCGAN's initial weights."""
        self.apply(initialise)


def initialise(module: nn.Module) -> None:
    """Weights from N(0, 0.02), scales from N(1, 0.02), offsets 0 (Section 4)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    norms = (nn.BatchNorm2d, nn.InstanceNorm2d, nn.GroupNorm, VirtualNorm)
    if isinstance(module, norms) and module.weight is not None and module.bias is not None:
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)

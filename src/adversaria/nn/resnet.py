"""Residual networks for images: the pair of WGAN-GP, and one of 101 layers.

Gulrajani et al. (2017), arXiv:1704.00028, Appendix F: pre-activation blocks with ReLU and as many channels everywhere;
the generator enlarges by nearest neighbours before a block's second convolution, the critic takes the mean of 2x2
pixels after it. Their 101-layer networks (Figure 2) aren't described; here they are 33 bottlenecks of three layers
(He et al. (2016), arXiv:1603.05027, Figure 4e) between a first and a last one.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from adversaria.nn.conditional import Chain, Conditional
from adversaria.nn.dcgan import levels, start
from adversaria.nn.norms import CENTRED, Norm, normalise
from adversaria.nn.reader import Reader

DEEP = 33
"""Bottlenecks in the network of 101 layers."""


class UpConv(nn.Conv2d):
    """A 3x3 convolution of an image that nearest neighbours have made twice as large.

    Four pixels each are equal, so that this is one transposed 4x4 convolution of the small image, whose kernel is made
    of sums of the 3x3 one's numbers; it takes 4/9 of the multiplications.
    """

    def __init__(self, inputs: int, outputs: int, bias: bool) -> None:
        super().__init__(inputs, outputs, 3, padding=1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, 2 h, 2 w)."""
        kernel = 4 * blurred(self.weight).flip(2, 3).transpose(0, 1)
        return F.conv_transpose2d(x, kernel, self.bias, stride=2, padding=1)


class DownConv(nn.Conv2d):
    """A 3x3 convolution, then the mean over blocks of 2x2 pixels: one 4x4 convolution of stride 2."""

    def __init__(self, inputs: int, outputs: int, bias: bool) -> None:
        super().__init__(inputs, outputs, 3, padding=1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, h // 2, w // 2)."""
        return F.conv2d(x, blurred(self.weight), self.bias, stride=2, padding=1)


def blurred(kernel: Tensor) -> Tensor:
    """Means of 2x2 neighbours of a 3x3 kernel with zeros around it: 4x4."""
    return F.avg_pool2d(F.pad(kernel, (1, 1, 1, 1)), 2, stride=1)


class Residual(Conditional):
    """shortcut(x) + branch(x); the shortcut is resampled as the branch is, and projected where the channels change."""

    def __init__(self, branch: Chain, resample: str = "", project: nn.Module | None = None) -> None:
        super().__init__()
        self.branch, self.resample, self.project = branch, resample, project

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, h, w), twice or half as large where it resamples."""
        y = self.branch(x, labels)
        if self.resample == "down":
            x = F.avg_pool2d(x, 2)
        if self.project is not None:
            x = self.project(x)
        if self.resample == "up":
            x = F.interpolate(x, scale_factor=2)
        return x + y


def block(
    inputs: int, outputs: int, norm: Norm, resample: str = "", classes: int = 0, *, deep: bool = False,
    image: bool = False,
) -> Residual:  # fmt: skip
    """Two 3x3 convolutions, or a bottleneck of half the channels where `deep`; an `image` isn't activated first."""
    bias = norm not in CENTRED
    resampling = {"up": UpConv, "down": DownConv}.get(resample)

    def square(a: int, b: int) -> nn.Module:
        return resampling(a, b, bias) if resampling else nn.Conv2d(a, b, 3, padding=1, bias=bias)

    inner = max(1, outputs // 2)
    steps: list[tuple[int, nn.Module]]  # channels before, and the convolution
    if deep:
        steps = [
            (inputs, nn.Conv2d(inputs, inner, 1, bias=bias)),
            (inner, square(inner, inner)),
            (inner, nn.Conv2d(inner, outputs, 1, bias=bias)),
        ]
    else:
        steps = [(inputs, nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias)), (outputs, square(outputs, outputs))]
    layers: list[nn.Module] = []
    for i, (channels, convolution) in enumerate(steps):
        if i or not image:
            layers += [normalise(norm, channels, classes), nn.ReLU()]
        layers.append(convolution)
    project = nn.Conv2d(inputs, outputs, 1, bias=bias) if inputs != outputs else None
    return Residual(Chain(*layers), resample, project)


def shares(stages: int) -> list[int]:
    """How many of the DEEP blocks each resolution has, the lowest one first."""
    return [DEEP // stages + (i < DEEP % stages) for i in range(stages)]


class ResidualGenerator(Conditional):
    """Codes (n, latent) -> images (n, C, H, W), in [-1, 1] where `bounded`.

    Args:
        latent: numbers in a code.
        shape: channels, height and width of an image.
        width: channels of every layer.
        norm: before each activation.
        bounded: end in tanh.
        deep: 101 layers.
        classes: of the labels that set the normalisation's scale and offset; 0 for none.
    """

    def __init__(
        self, latent: int, shape: tuple[int, ...], width: int, norm: Norm = "batch", bounded: bool = True, *,
        deep: bool = False, classes: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        channels, self.height, self.width = shape
        k, first = levels(*shape[1:]), start(*shape[1:])
        resampling = ["up"] * k
        if deep:
            counts = shares(k + 1)
            resampling = [""] * counts[0] + [r for n in counts[1:] for r in ["up"] + [""] * (n - 1)]
        layers: list[nn.Module] = [nn.Linear(latent, width * first[0] * first[1]), nn.Unflatten(1, (width, *first))]
        layers += [block(width, width, norm, r, classes, deep=deep) for r in resampling]
        layers += [normalise(norm, width, classes), nn.ReLU(), nn.Conv2d(width, channels, 3, padding=1)]
        self.layers = Chain(*layers, *([nn.Tanh()] if bounded else []))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """He's initial weights inside blocks, Glorot's outside."""
        initialise(self)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (n, C, H, W)."""
        return self.layers(z, labels)[:, :, : self.height, : self.width]


class ResidualCritic(Reader):
    """Images (n, C, H, W) -> `outputs` numbers (n, outputs), or (n,) for one.

    Blocks that halve the resolution to 8 to 15 pixels (at least once), two that don't, ReLU, and the mean over pixels.
    Where it is `deep` the blocks go down to 4 to 7 pixels.
    """

    def __init__(
        self, shape: tuple[int, ...], width: int, norm: Norm = "none", outputs: int = 1, *, deep: bool = False
    ) -> None:
        k = levels(*shape[1:])
        layers: list[nn.Module]
        if deep:
            counts = shares(k + 1)[::-1]
            resampling = [""] * counts[0] + [r for n in counts[1:] for r in ["down"] + [""] * (n - 1)]
            layers = [nn.Conv2d(shape[0], width, 3, padding=1, bias=norm not in CENTRED)]
        else:
            resampling = ["down"] * (max(k - 1, 1) - 1) + ["", ""]
            layers = [block(shape[0], width, norm, "down", image=True)]
        layers += [block(width, width, norm, r, deep=deep) for r in resampling]
        layers += [normalise(norm, width), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        super().__init__(nn.Sequential(*layers), width, outputs)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """He's initial weights inside blocks, Glorot's outside."""
        initialise(self)


def initialise(network: nn.Module) -> None:
    """Weights for ReLU inside blocks (He et al. (2015), arXiv:1502.01852, Eq. 10), Glorot's outside, biases of 0.

    In a network of many blocks their last layers begin smaller, so that together they add what one would.
    """
    blocks = [m for m in network.modules() if isinstance(m, Residual)]
    inside = {id(m) for b in blocks for m in b.branch}
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            draw = nn.init.kaiming_normal_ if id(module) in inside else nn.init.xavier_normal_
            draw(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    if len(blocks) == DEEP:
        for b in blocks:
            last = b.branch[-1]
            assert isinstance(last, nn.Conv2d)
            last.weight.data.mul_(DEEP**-0.5)

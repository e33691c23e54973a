"""Networks of the semi-supervised classifier: noise on every layer's input, normalised weights, a smooth generator.

Salimans et al. (2016), arXiv:1606.03498, Section 6: noise and weight normalisation in the discriminator; Salimans and
Kingma (2016), arXiv:1602.07868: the normalisation and how it starts.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adversaria.nn.dcgan import levels
from adversaria.nn.minibatch import MinibatchDiscrimination
from adversaria.nn.reader import Reader


class Noise(nn.Module):
    """x + sd eps in training, eps ~ N(0, I); x at rest."""

    def __init__(self, sd: float) -> None:
        super().__init__()
        self.sd = sd

    def forward(self, x: Tensor) -> Tensor:
        """The same shape as `x`."""
        return x + self.sd * torch.randn_like(x) if self.training and self.sd else x

    def extra_repr(self) -> str:
        """The standard deviation."""
        return f"{self.sd:g}"


class Pixels(nn.Module):
    """Images in [-1, 1] as the intensities in [0, 1] that noise is measured against."""

    def forward(self, x: Tensor) -> Tensor:
        """(x + 1) / 2."""
        return (x + 1) / 2


class Normalised(nn.Module):
    """A linear layer, or with `kernel` a convolution, of which only the weights' directions are learned.

        y = s (v / ||v|| . x - m) + b

    v and b are learned, and s where `scaled`. m and s start as the mean of v / ||v|| . x and `spread` over its standard
    deviation in the first batch seen in training (arXiv:1602.07868, Eq. 5 and 6), so that noise of a fixed size on what
    follows means the same in every layer: a scale that could be learned would outgrow it. Without `spread` they start
    as 0 and 1.
    """

    mean: Tensor
    scale: Tensor
    started: Tensor

    def __init__(self, inputs: int, outputs: int, kernel: int = 0, stride: int = 1, spread: float | None = 1.0,
                 scaled: bool = False) -> None:  # fmt: skip
        super().__init__()
        self.stride, self.spread = stride, spread
        self.weight = nn.Parameter(torch.empty(outputs, inputs, *[kernel] * (2 * bool(kernel))))
        self.bias = nn.Parameter(torch.empty(outputs))
        self.gain = nn.Parameter(torch.empty(outputs)) if scaled else None
        self.register_buffer("mean", torch.zeros(outputs))
        self.register_buffer("scale", torch.ones(outputs))
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """New directions; mean and scale are taken anew from the next batch."""
        nn.init.normal_(self.weight, 0.0, 0.05)
        nn.init.zeros_(self.bias)
        if self.gain is not None:
            nn.init.ones_(self.gain)
        self.started.fill_(self.spread is None)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs) -> (n, outputs), or (n, inputs, h, w) -> (n, outputs, h', w')."""
        v = self.weight
        y = F.linear(x, v) if v.ndim == 2 else F.conv2d(x, v, None, self.stride, v.shape[-1] // 2)
        rows = v.flatten(1)
        length = (rows * rows).sum(1).sqrt()
        if self.training and not self.started:
            self._start((y.movedim(1, -1) / length).detach(), self.spread or 1.0)
        s = self.scale if self.gain is None else self.scale * self.gain
        each = (1, -1, *[1] * (v.ndim - 2))  # on what comes out, which is smaller than the weights
        return y * (s / length).view(each) + (self.bias - s * self.mean).view(each)

    def _start(self, y: Tensor, spread: float) -> None:
        y = y.flatten(0, -2)
        self.mean.copy_(y.mean(0))
        self.scale.copy_(spread / y.std(0, correction=0).clamp_min(1e-3))
        self.started.fill_(True)


def noisy_mlp(size: int, outputs: int, hidden: Sequence[int], *, first: float, noise: float, pixels: bool) -> Reader:
    """Layers of `hidden` units with ReLU, with noise of sd `first` on examples and `noise` on what each layer finds.

    Args:
        size: numbers in an example.
        outputs: numbers read off.
        hidden: units of each layer; the last are the features.
        first: standard deviation of the noise on examples.
        noise: that on every layer after.
        pixels: examples are images in [-1, 1]; noise is measured against intensities in [0, 1].
    """
    layers: list[nn.Module] = [Pixels()] if pixels else []
    layers.append(nn.Flatten())
    for i, (a, b) in enumerate(pairwise((size, *hidden))):
        layers += [Noise(noise if i else first), Normalised(a, b), nn.ReLU()]
    reader = Reader(nn.Sequential(*layers), hidden[-1], outputs)
    reader.head = nn.Sequential(Noise(noise), Normalised(hidden[-1], outputs, scaled=True))
    return reader


def dropped_convolutions(shape: tuple[int, ...], outputs: int, width: int) -> Reader:
    """Convolutions with LeakyReLU 0.2, and dropout of 0.2 on images and 0.5 after each halving; the mean over places.

    Three 3 x 3 layers a resolution, of `width` channels and then twice as many, until the shorter side is 8 to 15
    pixels long; then one of 3 x 3 and two of 1 x 1.
    """
    channels, h, w = shape
    layers: list[nn.Module] = [nn.Dropout(0.2)]
    c = width
    for _ in range(max(1, levels(h, w) - 1)):
        for stride in (1, 1, 2):
            layers += [Normalised(channels, c, 3, stride), nn.LeakyReLU(0.2)]
            channels = c
        layers.append(nn.Dropout(0.5))
        c = 2 * width
    for kernel in (3, 1, 1):
        layers += [Normalised(channels, c, kernel), nn.LeakyReLU(0.2)]
        channels = c
    reader = Reader(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()), c, outputs)
    reader.head = Normalised(c, outputs, spread=0.1, scaled=True)
    return reader


def aware(reader: Reader, kernels: int = 100, dim: int = 5) -> Reader:
    """The same reader, which also sees how close each example is to the others of its batch.

    Args:
        reader: one of the two above; its last layer is made anew.
        kernels: numbers that are put beside the features.
        dim: numbers compared for each.
    """
    head = reader.head
    *before, last = head if isinstance(head, nn.Sequential) else [head]
    assert isinstance(last, Normalised)
    layer = MinibatchDiscrimination(reader.width, kernels, dim)
    outputs = len(last.weight)
    read = Normalised(reader.width + layer.extra, outputs, spread=last.spread, scaled=True)
    reader.head = nn.Sequential(*before, layer, read)
    return reader


def smooth_generator(latent: int, shape: tuple[int, ...], hidden: int, *, bounded: bool) -> nn.Module:
    """Codes (n, latent) -> examples (n, *shape): two layers with batch normalisation and softplus, and a linear one.

    The last one's weights are normalised, which keeps pixels from the flat ends of tanh while the classifier is far
    ahead. `bounded` examples end in tanh: a sigmoid, on images in [-1, 1].
    """
    layers: list[nn.Module] = []
    for a in (latent, hidden):
        layers += [nn.Linear(a, hidden, bias=False), nn.BatchNorm1d(hidden), nn.Softplus()]
    layers += [Normalised(hidden, torch.Size(shape).numel(), spread=None, scaled=True), nn.Unflatten(1, shape)]
    return nn.Sequential(*layers, nn.Tanh()) if bounded else nn.Sequential(*layers)


class Evidence(nn.Module):
    """log Z of a classifier's logits, which is the logit of D: -log D = softplus(-log Z)."""

    def __init__(self, classifier: Reader) -> None:
        super().__init__()
        self.classifier = classifier

    def features(self, x: Tensor) -> Tensor:
        """The classifier's features (n, k)."""
        return self.classifier.features(x)

    def forward(self, x: Tensor) -> Tensor:
        """log Z, (n,)."""
        return self.classifier(x).logsumexp(1)

"""Normalisation of images' features, by name."""

from typing import Literal

import torch
from torch import Tensor, nn

from adversaria.nn.conditional import Conditional, ConditionalNorm

Norm = Literal["batch", "layer", "instance", "none", "virtual", "pixel"]
CENTRED = ("batch", "instance", "virtual")
"""They take each channel's mean away, and a bias before them with it."""


def normalise(norm: Norm, channels: int, classes: int = 0) -> nn.Module:
    """A normalisation layer for (n, channels, H, W); called with (x, labels) where there are classes.

    "layer" is over all of an example, as WGAN-GP's critics need it. The layers of "virtual" do their work inside a
    Virtual only.
    """
    affine = not classes
    plain: nn.Module
    if norm == "batch":
        plain = nn.BatchNorm2d(channels, affine=affine)
    elif norm == "instance":
        plain = nn.InstanceNorm2d(channels, affine=affine)
    elif norm == "layer":
        plain = nn.GroupNorm(1, channels, affine=affine)
    elif norm == "virtual":
        plain = VirtualNorm(channels, affine)
    else:
        plain = PixelNorm() if norm == "pixel" else nn.Identity()
    return ConditionalNorm(plain, channels, classes) if classes else plain


class PixelNorm(nn.Module):
    """a / sqrt(mean_j a_j^2 + 1e-8), the mean over the channels at each pixel.

    Karras et al. (2018), arXiv:1710.10196, Section 4.2.
    """

    def forward(self, x: Tensor) -> Tensor:
        """The same shape as `x`."""
        return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)


class VirtualNorm(nn.Module):
    """Batch normalisation by the statistics of a reference batch and of the example itself.

    The first `rows` of a batch are the reference; they are normalised by their own mean and variance, any other example
    by those of the reference and itself taken together, with weights r / (r + 1) and 1 / (r + 1).

    Salimans et al. (2016), arXiv:1606.03498, Section 3.5.
    """

    def __init__(self, channels: int, affine: bool = True, eps: float = 1e-5) -> None:
        super().__init__()
        self.rows, self.eps = 0, eps
        self.weight = nn.Parameter(torch.ones(channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(channels)) if affine else None

    def reset_parameters(self) -> None:
        """Scales of 1 and offsets of 0."""
        if self.weight is not None and self.bias is not None:
            nn.init.ones_(self.weight)
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """The same shape as `x` (n, channels, H, W).

        Raises:
            ValueError: outside a Virtual.
        """
        r = self.rows
        if not r:
            raise ValueError("virtual batch norm has no reference; wrap the network: adversaria.nn.norms.Virtual")
        means, variances = x.mean((2, 3), keepdim=True), x.var((2, 3), correction=0, keepdim=True)
        mean = means[:r].mean(0, keepdim=True)
        variance = (variances[:r] + (means[:r] - mean).square()).mean(0, keepdim=True)
        share, gap = 1 / (r + 1), means[r:] - mean
        mixed = (1 - share) * variance + share * variances[r:] + share * (1 - share) * gap.square()
        mean = torch.cat([mean.expand(r, -1, -1, -1), mean + share * gap])
        y = (x - mean) * torch.rsqrt(torch.cat([variance.expand(r, -1, -1, -1), mixed]) + self.eps)
        if self.weight is None or self.bias is None:
            return y
        return y * self.weight[:, None, None] + self.bias[:, None, None]


class Virtual(Conditional):
    """A network with VirtualNorm layers, and their reference batch: an example's output is its own affair.

    The first batch seen in training mode becomes the reference (its first `rows` examples; a smaller one is repeated).
    Until then a batch is its own. The reference goes through the network in front of each batch, since what the layers
    make of it moves with the weights; it is kept in buffers.

    Salimans et al. (2016), arXiv:1606.03498, Section 3.5.

    Args:
        network: for batches (n, *event), and their labels where `labelled`.
        event: shape of one input.
        labelled: whether the network is called with labels.
        rows: r, examples in the reference.
    """

    reference: Tensor
    labels: Tensor | None
    filled: Tensor

    def __init__(self, network: nn.Module, event: tuple[int, ...], labelled: bool = False, rows: int = 64) -> None:
        super().__init__()
        self.network, self.rows = network, rows
        self.register_buffer("reference", torch.zeros(rows, *event))
        self.register_buffer("labels", torch.zeros(rows, dtype=torch.long) if labelled else None)
        self.register_buffer("filled", torch.zeros((), dtype=torch.bool))
        for layer in network.modules():
            if isinstance(layer, VirtualNorm):
                layer.rows = rows

    def reset_parameters(self) -> None:
        """No reference; the network's weights stay."""
        self.reference.zero_()
        self.filled.zero_()

    @torch.no_grad()
    def _reference(self, x: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor | None]:
        if self.filled:
            return self.reference, self.labels
        turn = torch.arange(self.rows, device=x.device) % len(x)
        first, given = x[turn], None if labels is None else labels[turn]
        if self.training:
            self.reference.copy_(first)
            if self.labels is not None and given is not None:
                self.labels.copy_(given)
            self.filled.fill_(True)
        return first, given

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """The network's output for the examples of `x` alone."""
        first, given = self._reference(x, labels)
        both = torch.cat([first, x])
        if labels is None or given is None:
            return self.network(both)[self.rows :]
        return self.network(both, torch.cat([given, labels]))[self.rows :]

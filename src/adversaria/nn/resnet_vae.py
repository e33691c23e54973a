"""A residual network of layers of codes, inferred upwards or downwards, with autoregressive steps in each posterior.

Kingma et al. (2016), arXiv:1606.04934, Section 6.2 and Appendix C: all layers have one resolution, half of the image's;
blocks add 0.1 of what they compute.
"""

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adversaria.distributions import log_normal
from adversaria.distributions.precision import full
from adversaria.nn.normal_codes import moments, sampled
from adversaria.nn.pixelcnn import MaskedConv2d

Direction = Literal["bottom-up", "top-down"]


class MapStep(nn.Module):
    """z <- sigmoid(s) z + (1 - sigmoid(s)) m for maps (n, c, h, w), m and s of the z before in an order, and a context.

    The order is the raster's, channel by channel within a pixel, or where `back` its reverse. It begins near the
    identity, s around 2. Eq. 10, 14.
    """

    def __init__(self, channels: int, hidden: int, context: int, back: bool) -> None:
        super().__init__()
        hidden = -(-hidden // channels) * channels
        self.back = back
        self.first = MaskedConv2d(channels, hidden, 3, channels, itself=False)
        self.context = nn.Conv2d(context, hidden, 1)
        self.last = MaskedConv2d(hidden, 2 * channels, 3, channels, itself=True)
        self.last.weight.data.mul_(0.1)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, z: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """z, and log |det| (n,)."""
        if self.back:
            z, context = z.flip(1, 2, 3), context.flip(2, 3)
        h = F.elu(self.first(z) + self.context(context))
        m, s = full(self.last(h)).unflatten(1, (-1, 2)).unbind(2)
        s = s + 2
        gate = torch.sigmoid(s)
        z = gate * z + (1 - gate) * m
        return z.flip(1, 2, 3) if self.back else z, F.logsigmoid(s).flatten(1).sum(1)


class Down(NamedTuple):
    """What a pass from the top to the image gives."""

    z: Tensor
    """Codes of all layers (n, d), the topmost first."""
    log_q: Tensor
    """Of them, 0 where nothing is inferred; (n,)."""
    log_p: Tensor
    """Of them, (n,)."""
    output: Tensor
    """(n, *shape), for an observation."""


class Layer(nn.Module):
    """A block upwards, a block downwards, and the codes between them."""

    def __init__(self, width: int, codes: int, hidden: int, steps: int, direction: Direction) -> None:
        super().__init__()
        self.codes, self.width, self.direction = codes, width, direction
        self.up_first = nn.Conv2d(width, 2 * codes + 2 * width, 3, padding=1)
        self.up_last = nn.Conv2d(width, width, 3, padding=1)
        own = 2 * codes + width if direction == "top-down" else 0
        self.down_first = nn.Conv2d(width, width + 2 * codes + own, 3, padding=1)
        self.down_last = nn.Conv2d(width + codes, width, 3, padding=1)
        self.steps = nn.ModuleList(MapStep(codes, hidden, width, back=k % 2 == 1) for k in range(steps))

    def up(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """The features above, and what x tells of this layer's codes: moments and context, beside each other."""
        told, d = self.up_first(F.elu(h)).split([2 * self.codes + self.width, self.width], 1)
        return h + 0.1 * self.up_last(F.elu(d)), told

    def down(self, h: Tensor, told: Tensor | None, z: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The features below, z, and its log q and log p: from `told` where x is known, else `z` as given or drawn."""
        d, prior, own = self.down_first(F.elu(h)).tensor_split([self.width, self.width + 2 * self.codes], 1)
        p = moments(prior)
        log_q = h.new_zeros(len(h))
        if told is not None:
            z, log_q = self._infer(told + own if self.direction == "top-down" else told)
        elif z is None:
            z = sampled(*p)
        return h + 0.1 * self.down_last(torch.cat([F.elu(d), z], 1)), z, log_q, log_normal(z, *p)

    def _infer(self, told: Tensor) -> tuple[Tensor, Tensor]:
        own, context = told.split([2 * self.codes, self.width], 1)
        mu, log_sigma = moments(own)
        z = sampled(mu, log_sigma)
        log_q = log_normal(z, mu, log_sigma)
        for step in self.steps:
            z, log_det = step(z, context)
            log_q = log_q - log_det
        return z, log_q


class ResNetVAE(nn.Module):
    """Layers of maps of codes between an image and a constant.

    Args:
        shape: (C, H, W) of an image.
        layers: of codes.
        width: channels of the features.
        codes: channels of a layer's codes.
        hidden: channels in an autoregressive step.
        steps: autoregressive steps of each posterior.
        direction: of the inference: posteriors by x alone, or by x and the codes above.
    """

    def __init__(
        self, shape: tuple[int, ...], *, layers: int, width: int, codes: int, hidden: int, steps: int,
        direction: Direction,
    ) -> None:  # fmt: skip
        super().__init__()
        colours, height, across = shape
        self.size, self.grid = (height, across), (codes, -(-height // 2), -(-across // 2))
        self.layers = nn.ModuleList(Layer(width, codes, hidden, steps, direction) for _ in range(layers))
        self.top = nn.Parameter(torch.zeros(width, 1, 1))
        self.first = nn.Conv2d(colours, width, 4, stride=2, padding=1)
        self.last = nn.ConvTranspose2d(width, colours, 4, stride=2, padding=1)

    def infer(self, x: Tensor) -> Down:
        """Codes drawn given images, and all that follows from them."""
        pad = (0, 2 * self.grid[2] - self.size[1], 0, 2 * self.grid[1] - self.size[0])
        h, told = self.first(F.pad(x, pad, mode="replicate") if any(pad) else x), []
        for layer in self._each():
            h, of_layer = layer.up(h)
            told.append(of_layer)
        return self._down(len(x), told, None)

    def generate(self, z: Tensor) -> Down:
        """What follows from codes (n, d)."""
        return self._down(len(z), None, list(z.unflatten(1, (len(self.layers), *self.grid)).unbind(1)))

    def draw(self, n: int) -> Down:
        """Codes drawn from the prior, and what follows."""
        return self._down(n, None, None)

    def _each(self) -> list[Layer]:
        return [layer for layer in self.layers if isinstance(layer, Layer)]

    def _down(self, n: int, told: list[Tensor] | None, given: list[Tensor] | None) -> Down:
        h = self.top.expand(n, -1, *self.grid[1:])
        found, log_q, log_p = [], h.new_zeros(n), h.new_zeros(n)
        for k, layer in enumerate(reversed(self._each())):
            of_x = None if told is None else told[len(told) - 1 - k]
            h, z, q, p = layer.down(h, of_x, None if given is None else given[k])
            found.append(z.flatten(1))
            log_q, log_p = log_q + q, log_p + p
        output = self.last(F.elu(h))[:, :, : self.size[0], : self.size[1]]
        return Down(torch.cat(found, 1), log_q, log_p, output)

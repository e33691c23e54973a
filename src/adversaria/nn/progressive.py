"""Networks that grow: a generator and a critic of several resolutions, whose newest level fades in.

Levels are numbered from 0, the coarsest. Where level k fades in, with alpha from 0 to 1,

    generator   G_k(z) = (1 - alpha) up(image_{k-1}(h_{k-1})) + alpha image_k(h_k),    h_k = block_k(up(h_{k-1}))
    critic      h_{k-1} = (1 - alpha) read_{k-1}(down(x)) + alpha down(block_k(read_k(x)))
    data        (1 - alpha) up(down(x)) + alpha x

up repeats every pixel, down takes means of 2 x 2. Sizes that aren't a multiple of a power of two are cropped on the way
up, as in DCGAN's networks, and means at the border are over the pixels that are there, so that down(up(x)) is x.
Karras et al. (2018), arXiv:1710.10196, Sections 2 to 4, Figure 2, Table 2 and Appendix A.1.
"""

import math
from collections.abc import Callable, Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from adversaria.nn.equalised import EqualisedConv2d, EqualisedLinear
from adversaria.nn.minibatch import deviation
from adversaria.nn.norms import PixelNorm
from adversaria.nn.reader import Reader, column

Size = tuple[int, int]
WHOLE = 1_000_000
"""What alpha is kept in parts of."""


def pyramid(height: int, width: int) -> tuple[Size, ...]:
    """The sizes from the coarsest to the data's: halved, rounded up, until the shorter side has 4 to 7 pixels.

    >>> pyramid(28, 20), pyramid(9, 13), pyramid(6, 6)
    (((7, 5), (14, 10), (28, 20)), ((5, 7), (9, 13)), ((6, 6),))
    """
    sizes = [(height, width)]
    while min(sizes[0]) >= 8:
        sizes.insert(0, (math.ceil(sizes[0][0] / 2), math.ceil(sizes[0][1] / 2)))
    return tuple(sizes)


def down(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h2 w2"]:
    """Half the size, rounded up: the mean of each 2 x 2 pixels, or of those of them that are there."""
    return F.avg_pool2d(x, 2, ceil_mode=True)


def up(x: Float[Tensor, "n c h2 w2"], size: Size) -> Float[Tensor, "n c h w"]:
    """Every pixel four times, cropped to `size`."""
    return F.interpolate(x, scale_factor=2)[:, :, : size[0], : size[1]]


class Level(nn.ModuleList):
    """The layers that play at a level.

    Args:
        layers: those.
        play: what they compute.
    """

    def __init__(self, layers: Iterable[nn.Module], play: Callable[[Tensor], Tensor]) -> None:
        super().__init__(layers)
        self.play = play

    def forward(self, x: Tensor) -> Tensor:
        """What the network finds at the level."""
        return self.play(x)


class Growing(nn.Module):
    """A network of levels, which knows the one that it is at and how much of it shows.

    Both are whole numbers in buffers: they are saved with the network, and averages of it copy them.

    Args:
        shape: of the images at last.
        width: channels at the last level; each level below has twice as many.
        widest: channels at most.
    """

    level: Tensor
    shown: Tensor

    def __init__(self, shape: tuple[int, ...], width: int, widest: int) -> None:
        super().__init__()
        self.sizes = pyramid(*shape[1:])
        self.top = len(self.sizes) - 1
        self.widths = [min(width * 2**i, widest) for i in reversed(range(len(self.sizes)))]
        self.register_buffer("level", torch.tensor(0))
        self.register_buffer("shown", torch.tensor(WHOLE))

    def grow(self, level: int, alpha: float) -> None:
        """Puts the network at a level, of which `alpha` shows."""
        self.level.fill_(level)
        self.shown.fill_(round(alpha * WHOLE))

    @property
    def alpha(self) -> float:
        """How much of its level shows, from 0 to 1."""
        return int(self.shown) / WHOLE

    def seen(self, x: Float[Tensor, "n c h w"], level: int, alpha: float) -> Float[Tensor, "n c h2 w2"]:
        """Examples of a level's size, which fade in as the generator's do."""
        for _ in range(self.top - level):
            x = down(x)
        return x if level == 0 or alpha == 1 else torch.lerp(up(down(x), self.sizes[level]), x, alpha)


class Generator(Growing):
    """Codes (n, latent), which it normalises, -> images (n, C, H, W), not bounded; enlarged until it is grown.

    Args:
        latent: numbers in a code.
        shape: of the images at last.
        width: channels at the last level; each level below has twice as many.
        widest: channels at most.
    """

    def __init__(self, latent: int, shape: tuple[int, ...], width: int, widest: int) -> None:
        super().__init__(shape, width, widest)
        (h, w), c = self.sizes[0], self.widths
        project = (EqualisedLinear(latent, c[0] * h * w), nn.Unflatten(1, (c[0], h, w)), nn.LeakyReLU(0.2), PixelNorm())
        self.start = nn.Sequential(PixelNorm(), *project, *self._layer(c[0], c[0]))
        self.blocks = nn.ModuleList(
            nn.Sequential(*self._layer(c[k - 1], c[k]), *self._layer(c[k], c[k])) for k in range(1, self.top + 1)
        )
        self.images = nn.ModuleList(EqualisedConv2d(c[k], shape[0], 1, gain=1) for k in range(self.top + 1))

    @staticmethod
    def _layer(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
        return EqualisedConv2d(inputs, outputs), nn.LeakyReLU(0.2), PixelNorm()

    def used(self, level: int, fading: bool) -> Level:
        """What makes images of a level from codes; where it fades in, of the level below too."""
        layers = [self.start, *self.blocks[:level], *self.images[level - fading : level + 1]]
        return Level(layers, lambda z: self.at(z, level, self.alpha if fading else 1.0))

    def at(self, z: Float[Tensor, "n k"], level: int, alpha: float) -> Float[Tensor, "n c h w"]:
        """Images of a level's size."""
        h = before = self.start(z)
        for block, size in zip(self.blocks[:level], self.sizes[1:], strict=False):
            before, h = h, block(up(h, size))
        image: Tensor = self.images[level](h)
        if level == 0 or alpha == 1:
            return image
        return torch.lerp(up(self.images[level - 1](before), self.sizes[level]), image, alpha)

    def forward(self, z: Tensor) -> Tensor:
        """Images (n, C, H, W), as far as the network has grown."""
        level = int(self.level)
        image = self.at(z, level, self.alpha)
        for size in self.sizes[level + 1 :]:
            image = up(image, size)
        return image


class Features(Growing):
    """Images (n, C, H, W) -> features (n, k), mirroring the generator; smaller images until it is grown.

    Before the last convolution comes the deviation of the batch (Section 3): features depend on the whole of it.
    """

    def __init__(self, shape: tuple[int, ...], width: int, widest: int) -> None:
        super().__init__(shape, width, widest)
        (h, w), c = self.sizes[0], self.widths
        self.reads = nn.ModuleList(
            nn.Sequential(EqualisedConv2d(shape[0], c[k], 1), nn.LeakyReLU(0.2)) for k in range(self.top + 1)
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(
                EqualisedConv2d(c[k], c[k]), nn.LeakyReLU(0.2), EqualisedConv2d(c[k], c[k - 1]), nn.LeakyReLU(0.2)
            )
            for k in range(1, self.top + 1)
        )
        self.end = nn.Sequential(
            EqualisedConv2d(c[0] + 1, c[0]), nn.LeakyReLU(0.2),
            nn.Flatten(), EqualisedLinear(c[0] * h * w, c[0]), nn.LeakyReLU(0.2),
        )  # fmt: skip

    def used(self, level: int, fading: bool) -> Level:
        """What reads images of a level; where it fades in, of the level below too."""
        layers = [*self.reads[level - fading : level + 1], *self.blocks[:level], self.end]
        return Level(layers, lambda x: self.at(x, level, self.alpha if fading else 1.0))

    def at(self, x: Float[Tensor, "n c h w"], level: int, alpha: float) -> Float[Tensor, "n k"]:
        """Features of images of a level's size."""
        h = self.reads[level](x)
        for k in range(level, 0, -1):
            h = down(self.blocks[k - 1](h))
            if k == level and alpha < 1:
                h = torch.lerp(self.reads[k - 1](down(x)), h, alpha)
        batch = deviation(h.flatten(1)).expand(len(h), 1, *h.shape[2:])
        features: Tensor = self.end(torch.cat([h, batch], 1))
        return features

    def forward(self, x: Tensor) -> Tensor:
        """Features (n, k) of images (n, C, H, W), as far as the network has grown."""
        level, alpha = int(self.level), self.alpha
        return self.at(self.seen(x, level, alpha), level, alpha)


class Critic(Reader):
    """Images (n, C, H, W) -> scores (n,) that depend on their batch.

    Args:
        shape: of the images at last.
        width: channels at the last level; each level below has twice as many.
        widest: channels at most.
    """

    body: Features

    def __init__(self, shape: tuple[int, ...], width: int, widest: int) -> None:
        body = Features(shape, width, widest)
        super().__init__(body, body.widths[0])
        self.head = EqualisedLinear(self.width, 1, gain=1)

    def used(self, level: int, fading: bool) -> Reader:
        """What scores images of a level; where it fades in, of the level below too."""
        reader = Reader(self.body.used(level, fading), self.width)
        reader.head = self.head
        return reader

    def at(self, x: Float[Tensor, "n c h w"], level: int, alpha: float) -> Float[Tensor, " n"]:
        """Scores of images of a level's size."""
        return column(self.head(self.body.at(x, level, alpha)))

"""Flows of images: squeezing, 1x1 convolutions, masks, and levels of which each leaves half its channels behind."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adversaria.nn.flows import ActNorm, Flow


class Squeeze(Flow):
    """Pixels (c, h, w) as (4 c, h / 2, w / 2): no change of volume. Dinh et al. (2017), Section 3.6."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Squeezed."""
        return F.pixel_unshuffle(x, 2), x.new_zeros(len(x))

    def inverse(self, z: Tensor) -> Tensor:
        """As it was."""
        return F.pixel_shuffle(z, 2)


class Mixing(Flow):
    """z = W x at every pixel, a 1x1 convolution that begins as a random rotation.

    Kingma and Dhariwal (2018), arXiv:1807.03039, Eq. 9.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.W = nn.Parameter(torch.linalg.qr(torch.randn(channels, channels))[0])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mixed; log det is h w log |det W|."""
        log_det = torch.linalg.slogdet(self.W.float() if self.W.dtype != torch.float64 else self.W).logabsdet
        return _mix(self.W, x), (math.prod(x.shape[2:]) * log_det).expand(len(x))

    def inverse(self, z: Tensor) -> Tensor:
        """Unmixed."""
        return _mix(torch.linalg.inv(self.W.double()).to(z.dtype), z)


class Shuffle(Flow):
    """Channels in another order, drawn once: no change of volume. Kingma and Dhariwal (2018), Section 3.2, Fig. 3."""

    order: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("order", torch.randperm(channels))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Shuffled."""
        return x[:, self.order], x.new_zeros(len(x))

    def inverse(self, z: Tensor) -> Tensor:
        """In order again."""
        return z[:, self.order.argsort()]


def _mix(W: Tensor, x: Tensor) -> Tensor:
    return F.conv2d(x, W[:, :, None, None])


class Given(Flow):
    """Channels y given the channels x before them: z = (y - m(x)) exp(-s(x)), with [m, s] from one convolution.

    The learned prior of what a level leaves behind; Kingma and Dhariwal (2018), Section 3.3 and their code's `split2d`.
    It begins as the identity. An event here is x and y, one after the other along the channels.
    """

    def __init__(self, kept: int, left: int) -> None:
        super().__init__()
        self.kept, self.read = kept, last(nn.Conv2d(kept, 2 * left, 3, padding=1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The second part made standard."""
        x, y = x[:, : self.kept], x[:, self.kept :]
        m, s = self._parts(x)
        return torch.cat([x, (y - m) * (-s).exp()], 1), -s.flatten(1).sum(1)

    def inverse(self, z: Tensor) -> Tensor:
        """The second part as it was."""
        x, z = z[:, : self.kept], z[:, self.kept :]
        m, s = self._parts(x)
        return torch.cat([x, z * s.exp() + m], 1)

    def _parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        m, s = self.read(x).chunk(2, 1)
        return m, 3 * torch.tanh(s / 3)


class Levels(Flow):
    """Level by level; after each but the last, half of the channels go into the code and the others on.

    Dinh et al. (2017), arXiv:1605.08803, Section 3.6, Eq. 14 to 16. Codes are rows (n, d), the first level's first.

    Args:
        shape: (c, h, w) of an image.
        levels: flows of images; each begins with what the one before it lets on.
    """

    def __init__(self, shape: tuple[int, ...], levels: Sequence[Flow]) -> None:
        super().__init__()
        self.levels = nn.ModuleList(levels)
        with torch.no_grad():
            self.eval()  # lest the first batch of activation norms be this one
            self.left = [tuple(part.shape[1:]) for part in self._parts(torch.zeros(1, *shape), [])]
            self.train()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The code (n, d) and the log determinant."""
        log_dets: list[Tensor] = []
        parts = self._parts(x, log_dets)
        return torch.cat([part.flatten(1) for part in parts], 1), torch.stack(log_dets).sum(0)

    def inverse(self, z: Tensor) -> Tensor:
        """The image."""
        sizes = [math.prod(shape) for shape in self.left]
        parts = [part.unflatten(1, shape) for part, shape in zip(z.split(sizes, 1), self.left, strict=True)]
        x = parts.pop()
        for k, level in enumerate(reversed(list(self.levels))):
            assert isinstance(level, Flow)
            x = level.inverse(x if not k else torch.cat([x, parts.pop()], 1))
        return x

    def _parts(self, x: Tensor, log_dets: list[Tensor]) -> list[Tensor]:
        parts = []
        for k, level in enumerate(self.levels):
            x, log_det = level(x)
            log_dets.append(log_det)
            if k < len(self.levels) - 1:
                x, left = x.tensor_split([kept(x.shape[1])], 1)
                parts.append(left)
        return [*parts, x]


def kept(channels: int) -> int:
    """Of so many channels, how many go on to the next level."""
    return (channels + 1) // 2


def halvings(shape: tuple[int, ...], most: int) -> int:
    """How often both sides of an image (c, h, w) can be halved, `most` at most."""
    n = 0
    while n < most and all(side % 2 ** (n + 1) == 0 for side in shape[1:]):
        n += 1
    return n


def checkerboard(shape: tuple[int, ...], odd: bool) -> Tensor:
    """A mask (1, h, w), 1 where row + column is odd, or even. Dinh et al. (2017), Section 3.4."""
    _, h, w = shape
    one = (torch.arange(h)[:, None] + torch.arange(w)) % 2
    return (one if odd else 1 - one).float()[None]


def channelwise(channels: int, first: bool) -> Tensor:
    """A mask (c, 1, 1), 1 for the first half of the channels, or for the others."""
    one = (torch.arange(channels) < (channels + 1) // 2).float()
    return (one if first else 1 - one)[:, None, None]


def last(layer: nn.Conv2d) -> nn.Conv2d:
    """The layer with all weights 0: what it ends begins as a constant."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class Convolutions(nn.Sequential):
    """3x3, 1x1 and 3x3 convolutions, the last one 0 at first; each but that is followed by an activation norm where
    `normed`. Kingma and Dhariwal (2018), Section 3.3, and their code."""

    def __init__(self, channels: int, out: int, width: int, normed: bool = False) -> None:
        norm: Callable[[], nn.Module] = partial(Normed, width) if normed else nn.Identity
        super().__init__(
            nn.Conv2d(channels, width, 3, padding=1), norm(), nn.ReLU(),
            nn.Conv2d(width, width, 1), norm(), nn.ReLU(),
            last(nn.Conv2d(width, out, 3, padding=1)),
        )  # fmt: skip


class Normed(nn.Module):
    """Activation norm as a layer of a network, whose change of volume is nobody's concern."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = ActNorm(channels, image=True)

    def forward(self, x: Tensor) -> Tensor:
        """Of the same shape."""
        y: Tensor = self.norm(x)[0]
        return y


class Residual(nn.Module):
    """Residual blocks of two 3x3 convolutions after a first one; a last one, 0 at first."""

    def __init__(self, channels: int, out: int, width: int, blocks: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, width, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.ReLU(), nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1)
            )
            for _ in range(blocks)
        )
        self.last = last(nn.Conv2d(width, out, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) -> (n, out, h, w)."""
        x = self.first(x)
        for block in self.blocks:
            x = x + block(x)
        y: Tensor = self.last(F.relu(x))
        return y

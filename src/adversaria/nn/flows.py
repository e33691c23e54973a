"""Invertible layers: x -> (z, log |det dz/dx|), and back.

A density is read in the direction x -> z, `log p(x) = log p(z) + log det`; samples are drawn in the other one.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adversaria.distributions.precision import full
from adversaria.nn.made import MADE
from adversaria.ops import flows


class Flow(nn.Module, ABC):
    """An invertible map of examples (n, *event)."""

    @abstractmethod
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """z (n, *event) and log |det dz/dx| (n,)."""

    @abstractmethod
    def inverse(self, z: Tensor) -> Tensor:
        """x with forward(x) = z."""

    def back(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """x with forward(x) = z, and log |det dx/dz| (n,)."""
        x = self.inverse(z)
        return x, -self(x)[1]


class Composite(Flow):
    """One map after the other."""

    def __init__(self, maps: Iterable[Flow]) -> None:
        super().__init__()
        self.maps = nn.ModuleList(maps)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Through all, log determinants summed in float32 or better."""
        total = torch.zeros(len(x), dtype=torch.promote_types(x.dtype, torch.float32), device=x.device)
        for one in self.maps:
            x, log_det = one(x)
            total = total + log_det
        return x, total

    def inverse(self, z: Tensor) -> Tensor:
        """Back through all."""
        for one in reversed(list(self.maps)):
            assert isinstance(one, Flow)
            z = one.inverse(z)
        return z


class Inverse(Flow):
    """A map the other way round; its log determinant is read at the point that it came from."""

    def __init__(self, flow: Flow) -> None:
        super().__init__()
        self.flow = flow

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The flow's inverse."""
        return self.flow.back(x)

    def inverse(self, z: Tensor) -> Tensor:
        """The flow."""
        x: Tensor = self.flow(z)[0]
        return x


class Rows(Flow):
    """Events (n, *shape) as rows (n, d)."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Flattened; no change of volume."""
        return x.flatten(1), x.new_zeros(len(x))

    def inverse(self, z: Tensor) -> Tensor:
        """In its shape again."""
        return z.unflatten(1, self.shape)


class Reversal(Flow):
    """Coordinates (n, d) in the opposite order."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Turned round; no change of volume."""
        return x.flip(1), x.new_zeros(len(x))

    def inverse(self, z: Tensor) -> Tensor:
        """Turned round again."""
        return z.flip(1)


class Scaling(Flow):
    """z = exp(s) x, coordinate by coordinate; Dinh et al. (2015), arXiv:1410.8516, Section 3.3."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.s = nn.Parameter(torch.zeros(shape))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scaled."""
        return x * self.s.exp(), self.s.sum().expand(len(x))

    def inverse(self, z: Tensor) -> Tensor:
        """Scaled back."""
        return z * (-self.s).exp()


LEAST = 0.1
"""The standard deviation of a channel in one batch that is believed, where the data's is near 1."""


class ActNorm(Flow):
    """z = (x + b) exp(s) for each channel, set by the first batch in training to mean 0 and variance 1.

    Of a channel that hardly varies in that batch the scale isn't known: it is made ten times as large at most, and left
    as it is where all examples are the same.

    Kingma and Dhariwal (2018), arXiv:1807.03039, Section 3.1.
    """

    ready: Tensor

    def __init__(self, channels: int, image: bool) -> None:
        super().__init__()
        shape = (channels, 1, 1) if image else (channels,)
        self.b, self.s = nn.Parameter(torch.zeros(shape)), nn.Parameter(torch.zeros(shape))
        self.register_buffer("ready", torch.zeros((), dtype=torch.bool))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Shifted and scaled."""
        if self.training and not self.ready:
            self._start(x.detach())
        pixels = math.prod(x.shape[2:])
        return (x + self.b) * self.s.exp(), (pixels * self.s.sum()).expand(len(x))

    def inverse(self, z: Tensor) -> Tensor:
        """Scaled and shifted back."""
        return z * (-self.s).exp() - self.b

    @torch.no_grad()
    def _start(self, x: Tensor) -> None:
        across = [k for k in range(x.ndim) if k != 1]
        self.b.copy_(-x.mean(across).view_as(self.b))
        sd = x.std(across, correction=0)
        self.s.copy_(-torch.where(sd > 0, sd.clamp_min(LEAST), 1).log().view_as(self.s))
        self.ready.fill_(True)


class Autoregressive(Flow):
    """z_i = (x_i - m_i) exp(-a_i), where m_i and a_i are functions of x_<i: all z at once, x one by one.

    Papamakarios et al. (2017), arXiv:1705.07057, Eq. 3 to 5.
    """

    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        self.net = MADE(size, hidden, 2)
        nn.init.zeros_(self.net.last.bias)
        self.net.last.weight.data.mul_(0.1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """All coordinates in one pass."""
        m, a = self._parts(self.net(x))
        return (x - m) * (-a).exp(), -a.sum(1)

    def inverse(self, z: Tensor) -> Tensor:
        """One coordinate after the other."""
        return self.back(z)[0]

    def back(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """The same, and how it changes volume."""
        total = full(z).new_zeros(len(z))

        def settle(y: Tensor, at: slice) -> Tensor:
            nonlocal total
            m, a = self._parts(y)
            total = total + a.sum(1)
            return z[:, at] * a.exp() + m

        return self.net.unroll(len(z), settle), total

    def _parts(self, y: Tensor) -> tuple[Tensor, Tensor]:
        m, a = full(y).unbind(1)
        return m, 3 * torch.tanh(a / 3)  # a scale of e^3 for one layer is plenty


class Coupling(Flow):
    """The part of x where `mask` is 0 changes as the part where it is 1 says: z = x exp(s) + t there.

        [s, t] = read(mask x),   additive for s = 0 (NICE, Eq. 5), else affine with s in (-c, c) (RealNVP, Eq. 4, 5)

    Dinh et al. (2015), arXiv:1410.8516; Dinh et al. (2017), arXiv:1605.08803.

    Args:
        mask: of an event, or what broadcasts to it.
        read: a network from events to [s, t] along dimension 1, or to t alone.
        affine: with scales.
        bound: c.
    """

    mask: Tensor

    def __init__(self, mask: Tensor, read: nn.Module, affine: bool, bound: float = 3.0) -> None:
        super().__init__()
        self.read, self.affine, self.bound = read, affine, bound
        self.register_buffer("mask", mask)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """One part moved."""
        s, t = self._parts(x)
        return x * s.exp() + t, s.flatten(1).sum(1)

    def inverse(self, z: Tensor) -> Tensor:
        """The part moved back; the other one, which says how, is as it was."""
        s, t = self._parts(z)
        return (z - t) * (-s).exp()

    def _parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        free = 1 - self.mask
        y = self.read(x * self.mask)
        if not self.affine:
            return torch.zeros_like(x), y * free
        s, t = y.chunk(2, 1)
        return self.bound * torch.tanh(s / self.bound) * free, t * free


class Planar(Flow):
    """`ops.flows.planar`; back by bisection."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.w, self.u = nn.Parameter(torch.randn(size) * 0.5), nn.Parameter(torch.randn(size) * 0.1)
        self.b = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """A bend along one direction."""
        return flows.planar(x, self.w, self.u, self.b, flows.SHIFT)

    def inverse(self, z: Tensor) -> Tensor:
        """Bent back."""
        return flows.planar_inverse(z, self.w, self.u, self.b, flows.SHIFT)


class Radial(Flow):
    """`ops.flows.radial` with alpha = exp(a), beta = -alpha + log(1 + e^b)."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.centre, self.a = nn.Parameter(torch.randn(size)), nn.Parameter(torch.zeros(()))
        self.b = nn.Parameter(torch.tensor(math.log(math.e - 1)))  # beta = 0: the identity

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Away from the centre, or towards it."""
        return flows.radial(x, self.centre, *self._parts())

    def inverse(self, z: Tensor) -> Tensor:
        """Back again."""
        return flows.radial_inverse(z, self.centre, *self._parts())

    def _parts(self) -> tuple[Tensor, Tensor]:
        alpha = self.a.exp()
        return alpha, F.softplus(self.b) - alpha

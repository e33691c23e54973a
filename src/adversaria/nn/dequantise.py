"""Pixels as continuous numbers, for densities: noise fills the step from one level to the next.

For levels y of D numbers, L of each, u in [0, 1)^D and v = (y + u) / L,

    log P(y) >= E_q(u | y) [log p_v(v) - log q(u | y)] - D log L

with equality where q is the model's own posterior of u. Ho et al. (2019), arXiv:1902.00275, Eq. 12; uniform noise is
q = 1, Theis et al. (2016), arXiv:1511.01844, Section 3.1.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adversaria.distributions import log_normal


class Dequantised(nn.Module):
    """Images in [-1, 1] to numbers without bounds, h = logit(a + (1 - 2 a) v), and back.

    The logit is that of Dinh et al. (2017), arXiv:1605.08803, Section 4.1, here with both ends alike.

    Args:
        noise: a network from images (n, c, h, w) to (n, 2 c, h, w), the mean and log standard deviation of a normal
            whose sigmoid is u; None for uniform noise.
        a: what is left free at either end of the unit interval.
        levels: L.
    """

    def __init__(self, noise: nn.Module | None = None, a: float = 0.05, levels: int = 256) -> None:
        super().__init__()
        self.noise, self.a, self.levels = noise, a, levels

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """h (n, c, h, w), and what its log density is to be given to bound log P of the pixels: (n,)."""
        u, log_q = self.draw(x)
        h, log_slope = self.spread(x, u)
        return h, log_slope - log_q

    def draw(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """u from q, and log q(u | x), (n,)."""
        if self.noise is None:
            return torch.rand_like(x), x.new_zeros(len(x))
        mean, log_sd = self.noise(x).chunk(2, 1)
        log_sd = log_sd.clamp(-5, 3)
        g = mean + torch.exp(log_sd) * torch.randn_like(x)
        slope = F.logsigmoid(g) + F.logsigmoid(-g)
        return torch.sigmoid(g), log_normal(g, mean, log_sd) - slope.flatten(1).sum(1)

    def between(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Images x + (2 u - 1) / (L - 1), u from q, which is half a level to either side at most; and log q(u | x)."""
        u, log_q = self.draw(x)
        return x + (2 * u - 1) / (self.levels - 1), log_q

    def spread(self, x: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        """h for the noise u, and log |dh / dy|, (n,)."""
        w = self.a + (1 - 2 * self.a) * ((x + 1) * ((self.levels - 1) / 2) + u) / self.levels
        log_slope = math.log((1 - 2 * self.a) / self.levels) - torch.log(w) - torch.log1p(-w)
        return torch.logit(w), log_slope.flatten(1).sum(1)

    def middle(self, x: Tensor) -> Tensor:
        """h of the middle of each pixel's step, which `pixels` takes back to the pixel itself."""
        return self.spread(x, torch.full_like(x, 0.5))[0]

    def pixels(self, h: Tensor) -> Tensor:
        """Images in [-1, 1] on the levels."""
        v = (torch.sigmoid(h) - self.a) / (1 - 2 * self.a)
        top = self.levels - 1
        return (self.levels * v).floor().clamp(0, top) / (top / 2) - 1

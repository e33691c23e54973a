"""Inverse autoregressive flow: an invertible map that is cheap to sample and to score at its own samples."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adversaria.distributions.precision import full
from adversaria.nn.made import MADE


class IAF(nn.Module):
    """z (n, d) -> z' and log |det dz'/dz| (n,), through `steps` gated autoregressive updates with a context h.

        [m, s] = MADE(z, h),   z <- sigmoid(s) z + (1 - sigmoid(s)) m,   log det = sum log sigmoid(s)     Eq. 12 to 14

    The order of the coordinates is turned round between steps. Kingma et al. (2016), arXiv:1606.04934, Algorithm 1.
    """

    def __init__(self, size: int, hidden: int, context: int, steps: int) -> None:
        super().__init__()
        nets = [MADE(size, hidden, 2, context) for _ in range(steps)]
        for net in nets:  # start near the identity: s around 2 (end of Section 4)
            nn.init.zeros_(net.last.bias)
            net.last.bias.data[size:] = 2.0
            net.last.weight.data.mul_(0.1)
        self.nets = nn.ModuleList(nets)

    def forward(self, z: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """The transformed z (n, d), and the log-determinant (n,)."""
        log_det = full(z).new_zeros(len(z))
        for net in self.nets:
            m, s = full(net(z, context)).unbind(1)
            gate = torch.sigmoid(s)
            z = (gate * z + (1 - gate) * m).flip(1)
            log_det = log_det + F.logsigmoid(s).sum(1)
        return z, log_det

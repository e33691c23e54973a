"""A learned set of codes for vector quantisation."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adversaria.ops.quantise import nearest


class Codebook(nn.Module):
    """`size` codes of `dim` numbers that follow the vectors assigned to them by a moving average.

        N_i <- g N_i + (1 - g) n_i,   m_i <- g m_i + (1 - g) sum_j z_ij,   e_i = m_i / N_i

    n_i of the batch's vectors z_ij are nearest to code i. Averages start at 0 and are divided by 1 - g^t, so that the
    start leaves no trace. A code whose share falls below `revive` of an even share is set to a vector of the batch;
    with `revive` 0 it stays where it is.

    van den Oord et al. (2017), arXiv:1711.00937, Appendix A.1, Eq. 6 to 8.
    """

    codes: Tensor
    counts: Tensor
    sums: Tensor
    steps: Tensor

    def __init__(self, size: int, dim: int, decay: float, revive: float) -> None:
        super().__init__()
        self.decay, self.revive = decay, revive
        self.register_buffer("codes", torch.empty(size, dim).uniform_(-1 / size, 1 / size))
        self.register_buffer("counts", torch.zeros(size))
        self.register_buffer("sums", torch.zeros(size, dim))
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))
        self._seen: tuple[Tensor, Tensor] | None = None

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors (n, dim, H, W) -> their nearest codes (n, dim, H, W), and the codes' indices (n, H, W)."""
        flat = z.permute(0, 2, 3, 1).flatten(0, 2)
        index = nearest(flat, self.codes)
        if self.training:
            self._seen = flat.detach(), index
        shape = (z.shape[0], *z.shape[2:])
        return self.look_up(index.view(shape)), index.view(shape)

    def look_up(self, index: Tensor) -> Tensor:
        """Codes (n, dim, H, W) by their indices (n, H, W)."""
        return F.embedding(index, self.codes).permute(0, 3, 1, 2)

    @torch.no_grad()
    def update(self) -> None:
        """One step of the averages with the vectors last seen in training."""
        if self._seen is None:
            return
        z, index = self._seen
        size = len(self.codes)
        self.steps += 1
        hot = F.one_hot(index, size).to(z.dtype)
        self.counts.lerp_(hot.sum(0), 1 - self.decay)
        self.sums.lerp_(hot.T @ z, 1 - self.decay)
        known = self.counts > 1e-12  # both averages of an unused code fade, and their ratio is its place until then
        self.codes.copy_(torch.where(known[:, None], self.sums / self.counts.clamp_min(1e-12)[:, None], self.codes))
        unbiased = self.counts / (1 - self.decay ** int(self.steps))
        self._revive(z, unbiased < self.revive * len(z) / size)

    def _revive(self, z: Tensor, dead: Tensor) -> None:
        n = int(dead.sum())
        if not n:
            return
        fresh = z[torch.randint(len(z), (n,), device=z.device)]
        share = (1 - self.decay ** int(self.steps)) * len(z) / len(self.codes)
        self.codes[dead], self.sums[dead], self.counts[dead] = fresh, fresh * share, share

"""A mixture of discretised logistics over the colours of a pixel at once."""

import math

import torch
from torch import Tensor

from adversaria.distributions.alphabet import quantile
from adversaria.distributions.logistic import log_discretised_logistic
from adversaria.distributions.precision import full


class ColourMixture:
    """p(pixel) = sum_k w_k prod_c DL(x_c; m_ck, s_ck), whose means follow the colours before them:

        m_G = mu_G + a r,   m_B = mu_B + b r + c g,   a, b, c in (-1, 1)

    Grey pixels have one mean, of which nothing is taken. Salimans et al. (2017), arXiv:1701.05517, Eq. 2, 3.

    Args:
        shape: (C, H, W), with 1 or 3 colours, or any number that don't see each other.
        mixture: logistics in the mixture.
        levels: of a colour.
    """

    def __init__(self, shape: tuple[int, int, int], mixture: int, levels: int = 256) -> None:
        self.shape, self.mixture, self.levels = shape, mixture, levels
        self.size = math.prod(shape[1:])
        self.slopes = 3 if shape[0] == 3 else 0
        self.outputs = mixture * (1 + 2 * shape[0] + self.slopes)

    def line(self, x: Tensor) -> Tensor:
        """Images (n, C, H, W) -> their pixels (n, H W, C)."""
        return x.flatten(2).mT

    def whole(self, line: Tensor) -> Tensor:
        """Pixels (n, H W, C) -> images (n, C, H, W)."""
        return line.mT.reshape(len(line), *self.shape).contiguous()

    def blank(self, n: int, like: Tensor) -> Tensor:
        """Pixels (n, H W, C), all zero, in `like`'s type and on its device."""
        return torch.zeros(n, self.size, self.shape[0], dtype=like.dtype, device=like.device)

    def noise(self, n: int, like: Tensor) -> Tensor:
        """Uniform in [0, 1), (n, H W, 1 + C): what picks the logistic, and what is drawn from it."""
        return torch.rand(n, self.size, 1 + self.shape[0], dtype=like.dtype, device=like.device)

    def log_prob(self, line: Tensor, y: Tensor) -> Tensor:
        """log p of pixels (n, H W) in nats, given a network's outputs (n, H W, outputs)."""
        log_w, mu, log_s, slope = self._parts(full(y))
        means = torch.stack([self._mean(mu, slope, line, c) for c in range(self.shape[0])], -2)
        each = self._logistics(line[..., None].to(means.dtype), means, log_s)
        return torch.logsumexp(log_w + each.sum(-2), -1)

    def law(self, line: Tensor, y: Tensor) -> Tensor:
        """log p of every level of each colour, given the colours before it and outputs: (n, H W C, levels).

        What a pixel's earlier colours say of its logistic weighs the mixture for the later ones.
        """
        log_w, mu, log_s, slope = self._parts(full(y))
        levels = torch.arange(self.levels, dtype=mu.dtype, device=mu.device) / ((self.levels - 1) / 2) - 1
        found = []
        for c in range(self.shape[0]):
            mean, log_scale = self._mean(mu, slope, line, c)[..., None], log_s[..., c, :, None]
            each = self._logistics(levels.expand(*mean.shape[:-1], -1), mean, log_scale)
            found.append(torch.logsumexp(log_w[..., None] + each, -2))
            log_w = log_w + self._logistics(line[..., c, None, None].to(mu.dtype), mean, log_scale)[..., 0]
            log_w = log_w.log_softmax(-1)
        return torch.stack(found, 2).flatten(1, 2)

    def _logistics(self, x: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
        x, mean, log_scale = torch.broadcast_tensors(x, mean, log_scale)
        flat = log_discretised_logistic(x.reshape(-1, 1), mean.reshape(-1, 1), log_scale.reshape(-1, 1), self.levels)
        return flat.view(x.shape)

    def draw(self, y: Tensor, u: Tensor) -> Tensor:
        """Pixels (..., C) that outputs (..., outputs) and noise (..., 1 + C) make, colour by colour."""
        log_w, mu, log_s, slope = self._parts(y)
        chosen = quantile(log_w, u[..., :1])[..., None, None]
        mu, log_s, slope = (part.gather(-1, chosen.expand(*part.shape[:-1], 1)) for part in (mu, log_s, slope))
        x = torch.zeros_like(mu[..., 0])
        for c in range(self.shape[0]):
            spread = log_s[..., c, 0].exp() * torch.logit(u[..., 1 + c], eps=torch.finfo(u.dtype).eps)
            value = (self._mean(mu, slope, x, c)[..., 0] + spread).clamp(-1, 1)
            half = (self.levels - 1) / 2
            x[..., c] = ((value + 1) * half).round() / half - 1
        return x

    def _parts(self, y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Log weights (..., k), means and log scales (..., C, k), slopes (..., 3 or 0, k)."""
        colours = self.shape[0]
        rows = y.unflatten(-1, (-1, self.mixture))
        log_w, mu, log_s, slope = rows.split([1, colours, colours, self.slopes], -2)
        return log_w[..., 0, :].log_softmax(-1), mu, log_s.clamp_min(-7), torch.tanh(slope)

    def _mean(self, mu: Tensor, slope: Tensor, line: Tensor, c: int) -> Tensor:
        mean = mu[..., c, :]
        if self.slopes and c:
            for before, which in enumerate(((), (0,), (1, 2))[c]):
                mean = mean + slope[..., which, :] * line[..., before, None]
        return mean

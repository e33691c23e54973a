"""Maps of normal codes that follow one another, pixel by pixel, given a code of the whole."""

import math

import torch
from torch import Tensor, nn

from adversaria.distributions import log_normal
from adversaria.nn.normal_codes import moments
from adversaria.nn.pixelcnn import GatedStacks


class OrderedMaps(nn.Module):
    """p(z | maps) = prod_i N(z_i; mu_i, sigma_i^2), mu_i and sigma_i of the pixels before i by a gated PixelCNN.

    Codes are rows (n, c h w).

    Args:
        shape: (c, h, w) of the codes.
        maps: channels of the maps (n, maps, h, w) that they are given.
        width: channels of the PixelCNN's stacks.
        layers: gated layers.
    """

    def __init__(self, shape: tuple[int, int, int], maps: int, width: int, layers: int) -> None:
        super().__init__()
        self.shape = shape
        self.stacks = GatedStacks(shape[0], width, layers, 2 * shape[0], maps=maps)

    def log_prob(self, z: Tensor, maps: Tensor) -> Tensor:
        """log p of codes (n, c h w), (n,)."""
        z = z.unflatten(1, self.shape)
        return log_normal(z, *moments(self.stacks(z, maps)))

    def draw(self, maps: Tensor) -> Tensor:
        """Codes (n, c h w)."""
        c, h, w = self.shape
        noise = torch.randn(len(maps), h * w, c, dtype=maps.dtype, device=maps.device)
        line = self.stacks.draw(noise, (h, w), self._pixel, lambda z: z, maps)
        return line.mT.reshape(len(maps), math.prod(self.shape))

    @staticmethod
    def _pixel(y: Tensor, noise: Tensor) -> Tensor:
        mu, log_sigma = moments(y)
        return mu + torch.exp(log_sigma) * noise

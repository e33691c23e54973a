"""Normal codes given an example, or given the codes above: drawn, not only told by their moments."""

import torch
from torch import Tensor, nn


def moments(y: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and log standard deviation, (n, d, ...) each, from 2 d outputs of a network; within e^-7 and e^7."""
    mu, log_sigma = y.chunk(2, 1)
    return mu, log_sigma.clamp(-7, 7)


def sampled(mu: Tensor, log_sigma: Tensor) -> Tensor:
    """mu + sigma eps."""
    return mu + torch.exp(log_sigma) * torch.randn_like(mu)


class NormalCodes(nn.Module):
    """z = mu(x) + sigma(x) eps, from a body that gives 2 `size` channels.

    The means are batch-normalised, with a scale and an offset to learn, and sigma begins at exp(`log_sd`): codes begin
    at about unit scale and say something of x from the first round on, or a discriminator of pairs would at once know
    encoded codes by their scale, and no code by its example.
    """

    def __init__(self, body: nn.Module, size: int, maps: bool = False, log_sd: float = -1.0) -> None:
        super().__init__()
        self.body, self.log_sd = body, log_sd
        self.norm = nn.BatchNorm2d(size) if maps else nn.BatchNorm1d(size)

    def moments(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """mu and log sigma, (n, size, ...) each."""
        mu, log_sigma = self.body(x).chunk(2, 1)
        return self.norm(mu), self.log_sd + log_sigma

    def forward(self, x: Tensor) -> Tensor:
        """A draw (n, size, ...)."""
        return sampled(*self.moments(x))

"""Normal codes given an example, or given the codes above: drawn, not only told by their moments."""

import torch
from torch import Tensor, nn


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
        mu, log_sigma = self.moments(x)
        return mu + torch.exp(log_sigma) * torch.randn_like(mu)

"""Diagonal normal distributions."""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def log_normal(
    x: Float[Tensor, "n *event"], mean: Tensor | float = 0.0, log_sd: Tensor | float = 0.0
) -> Float[Tensor, " n"]:
    """log N(x; mean, sd^2 I), summed over the event; `mean` and `log_sd` broadcast against `x`.

    >>> log_normal(torch.zeros(1, 2)).item()
    -1.8378770351409912
    """
    log_sd = torch.as_tensor(log_sd, dtype=x.dtype, device=x.device)
    density = -0.5 * ((x - mean) * torch.exp(-log_sd)).square() - log_sd - 0.5 * math.log(2 * math.pi)
    return density.flatten(1).sum(1)


def kl_from_standard(mean: Float[Tensor, "n d"], log_sd: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """KL(N(mean, sd^2) || N(0, 1)) of every coordinate.

    Kingma and Welling (2014), arXiv:1312.6114, Appendix B.
    """
    return 0.5 * (mean.square() + torch.exp(2 * log_sd) - 1) - log_sd

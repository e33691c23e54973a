"""Diagonal normal distributions."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from adversaria.distributions.precision import full


def log_normal(
    x: Float[Tensor, "n *event"], mean: Tensor | float = 0.0, log_sd: Tensor | float = 0.0
) -> Float[Tensor, " n"]:
    """log N(x; mean, sd^2 I), summed over the event, at least in float32; `mean` and `log_sd` broadcast against `x`.

    >>> log_normal(torch.zeros(1, 2)).item()
    -1.8378770351409912
    """
    x = full(x)
    log_sd = torch.as_tensor(log_sd, dtype=x.dtype, device=x.device)
    density = -0.5 * ((x - mean) * torch.exp(-log_sd)).square() - log_sd - 0.5 * math.log(2 * math.pi)
    return density.flatten(1).sum(1)


def log_discretised_normal(
    x: Float[Tensor, "n *event"], mean: Tensor, log_sd: Tensor, levels: int = 256
) -> Float[Tensor, " n"]:
    """log p(x) of data on `levels` even levels in [-1, 1], summed over the event: N(mean, sd^2)'s mass in each bin.

        p(x) = Phi((x + h - mean) / sd) - Phi((x - h - mean) / sd),   h = 1 / (levels - 1)

    with the first level's bin reaching to minus infinity and the last one's to infinity, so that p sums to 1. Unlike a
    normal density of the pixels it is a probability, and can be told in bits. Bins above the mean are taken as their
    mirror images below it, where the difference of logarithms keeps its digits.
    """
    half = 1 / (levels - 1)
    upper, lower = (x + half - mean) * torch.exp(-log_sd), (x - half - mean) * torch.exp(-log_sd)
    above = lower > 0
    high, low = torch.where(above, -lower, upper), torch.where(above, -upper, lower)
    log_high = torch.special.log_ndtr(high)
    middle = log_high + torch.log(-torch.expm1(torch.special.log_ndtr(low) - log_high))
    log_p = torch.where(x <= -1 + half, torch.special.log_ndtr(upper), middle)
    log_p = torch.where(x >= 1 - half, torch.special.log_ndtr(-lower), log_p)
    return log_p.flatten(1).sum(1)


def kl_from_standard(mean: Float[Tensor, "n d"], log_sd: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """KL(N(mean, sd^2) || N(0, 1)) of every coordinate.

    Kingma and Welling (2014), arXiv:1312.6114, Appendix B.
    """
    return 0.5 * (mean.square() + torch.exp(2 * log_sd) - 1) - log_sd

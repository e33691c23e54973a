"""The logistic distribution on a grid of levels."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def log_discretised_logistic(
    x: Float[Tensor, "n *event"], mean: Tensor, log_scale: Tensor, levels: int = 256
) -> Float[Tensor, " n"]:
    """log p(x) of data on `levels` even levels in [-1, 1], summed over the event; `mean`, `log_scale` broadcast.

        p(x) = S((x + h - mean) / s) - S((x - h - mean) / s),   S the logistic sigmoid, h = 1 / (levels - 1)

    with the first level's bin reaching to minus infinity and the last one's to infinity, so that p sums to 1. The
    difference is taken in the log domain, log S(b) + log(1 - exp(a - b)) + log(1 - S(a)) for a < b, which stays
    finite and exact far out in the tails, where a difference of sigmoids rounds to 0.

    Salimans et al. (2017), arXiv:1701.05517, Eq. 2; the middle bin here without their density approximation.
    """
    half = 1 / (levels - 1)
    inverse = torch.exp(-log_scale)
    upper, lower = (x + half - mean) * inverse, (x - half - mean) * inverse
    width = (2 * half * inverse).expand_as(x)
    middle = F.logsigmoid(upper) + F.logsigmoid(-lower) + torch.log(-torch.expm1(-width))
    log_p = torch.where(x <= -1 + half, F.logsigmoid(upper), middle)
    log_p = torch.where(x >= 1 - half, F.logsigmoid(-lower), log_p)
    return log_p.flatten(1).sum(1)

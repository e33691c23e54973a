"""Divergences between two known laws, in nats: summed over states, or integrated on a grid.

Every function takes log p and log q at the same places. Without weights the places are the states of a discrete law,
and the value is exact; with the weights of a `grids.Grid` they are points of a density, and the value is as good as the
grid. A place where a law has no mass has log p = -infinity.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

LogProbs = Float[Tensor, " n"]
Weights = Float[Tensor, " n"] | None
Value = Float[Tensor, ""]


def kl(log_p: LogProbs, log_q: LogProbs, weights: Weights = None) -> Value:
    """KL(P || Q) = sum p log p / q; infinite where P has mass and Q has none. `kl(log_q, log_p)` is the reverse.

    >>> round(kl(torch.tensor([0.5, 0.5]).log(), torch.tensor([0.25, 0.75]).log()).item(), 6)
    0.143841
    """
    ratio = torch.where(log_p > -math.inf, log_p - log_q, torch.zeros_like(log_p))  # 0 log 0 = 0
    return _sum(torch.where(log_p > -math.inf, log_p.exp() * ratio, torch.zeros_like(log_p)), weights)


def jensen_shannon(log_p: LogProbs, log_q: LogProbs, weights: Weights = None) -> Value:
    """JSD = KL(P || M) / 2 + KL(Q || M) / 2 with M = (P + Q) / 2; log 2 where no place has mass of both.

    Goodfellow et al. (2014), arXiv:1406.2661, Section 4.1, Eq. 5 and 6, up to the factor 1/2.
    """
    log_m = torch.logaddexp(log_p, log_q) - math.log(2)
    return (kl(log_p, log_m, weights) + kl(log_q, log_m, weights)) / 2


def total_variation(log_p: LogProbs, log_q: LogProbs, weights: Weights = None) -> Value:
    """sum |p - q| / 2, the largest difference of the probabilities of any event: 0 to 1."""
    return _sum((log_p.exp() - log_q.exp()).abs(), weights) / 2


def _sum(values: Tensor, weights: Tensor | None) -> Tensor:
    return values.sum() if weights is None else (weights * values).sum()

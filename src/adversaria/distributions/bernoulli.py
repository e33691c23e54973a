"""Bernoulli distributions by their logits."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def log_bernoulli(x: Float[Tensor, "n *event"], logits: Float[Tensor, "n *event"]) -> Float[Tensor, " n"]:
    """log p(x) of 0/1 data under independent Bernoullis, summed over the event; finite for any finite logits."""
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)

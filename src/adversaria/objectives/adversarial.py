"""Adversarial losses on a discriminator's logits; every function returns a scalar mean, to be minimised.

With D = sigmoid(logits): -log D = softplus(-logits) and -log(1 - D) = softplus(logits), stable at any logit.
"""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def is_real(logits: Float[Tensor, "*n"]) -> Float[Tensor, ""]:
    """-E log D: small where the discriminator says real.

    The discriminator's loss on data, and the generator's non-saturating loss on its samples. Goodfellow et al.
    (2014), arXiv:1406.2661, Section 3.
    """
    return F.softplus(-logits).mean()


def is_fake(logits: Float[Tensor, "*n"]) -> Float[Tensor, ""]:
    """-E log(1 - D): small where the discriminator says fake; its loss on samples."""
    return F.softplus(logits).mean()


def saturating(logits: Float[Tensor, "*n"]) -> Float[Tensor, ""]:
    """E log(1 - D): the generator's side of the minimax game, whose gradient vanishes where D is sure of a fake.

    Goodfellow et al. (2014), arXiv:1406.2661, Eq. 1.
    """
    return -F.softplus(logits).mean()


def squared_to(logits: Float[Tensor, "*n"], target: float | int) -> Float[Tensor, ""]:
    """E (logits - target)^2: one side of the least-squares losses. Mao et al. (2017), arXiv:1611.04076, Eq. 2."""
    return (logits - target).square().mean()


def mostly_real(logits: Float[Tensor, "*n"], smooth: float) -> Float[Tensor, ""]:
    """-(1 - s) E log D - s E log(1 - D): small where D is 1 - s, the smoothed target on data.

    Salimans et al. (2016), arXiv:1606.03498, Section 3.4.
    """
    return (1 - smooth) * is_real(logits) + smooth * is_fake(logits)


def hinge_real(logits: Float[Tensor, "*n"]) -> Float[Tensor, ""]:
    """E max(0, 1 - logits): nothing to gain on data beyond the margin. Lim and Ye (2017), arXiv:1705.02894."""
    return F.relu(1 - logits).mean()


def hinge_fake(logits: Float[Tensor, "*n"]) -> Float[Tensor, ""]:
    """E max(0, 1 + logits): nothing to gain on samples beyond the margin. Lim and Ye (2017), arXiv:1705.02894."""
    return F.relu(1 + logits).mean()

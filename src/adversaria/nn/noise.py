"""Noise where a network lives."""

import torch
from torch import Tensor, nn


def normal(n: int, *shape: int, like: nn.Module) -> Tensor:
    """Standard normal noise (n, *shape) on the device and in the type of the network's parameters."""
    parameter = next(like.parameters())
    return torch.randn(n, *shape, device=parameter.device, dtype=parameter.dtype)

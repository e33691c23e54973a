"""In which precision likelihoods are summed."""

import torch
from torch import Tensor


def full(x: Tensor) -> Tensor:
    """x, in float32 where it has half precision: a sum over numbers needs more than 8 bits."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x

"""Conversions between units of likelihood."""

import math
from typing import TypeVar

from torch import Tensor

Number = TypeVar("Number", float, Tensor)


def bits_per_dim(nats: Number, dims: int) -> Number:
    """-log2 p per number of the example, from log-likelihoods in nats.

    >>> bits_per_dim(-64 * math.log(256), 64)
    8.0
    """
    return -nats / (dims * math.log(2))

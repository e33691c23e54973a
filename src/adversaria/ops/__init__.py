"""Pure tensor functions."""

from adversaria.ops.descend import descend
from adversaria.ops.penalties import gradient_penalty
from adversaria.ops.quantise import nearest, straight_through

__all__ = ["descend", "gradient_penalty", "nearest", "straight_through"]

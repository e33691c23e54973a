"""Pure tensor functions."""

from adversaria.ops.descend import descend
from adversaria.ops.penalties import clip_weights, dragan_penalty, gradient_penalty, squared_slope, widened
from adversaria.ops.quantise import nearest, straight_through

__all__ = [
    "clip_weights",
    "descend",
    "dragan_penalty",
    "gradient_penalty",
    "nearest",
    "squared_slope",
    "straight_through",
    "widened",
]

"""Layers of equalised learning rate: every weight is N(0, 1) at first, and He's constant is applied at run time.

    y = c w x + b,   c = gain / sqrt(fan-in),   w ~ N(0, 1),   b = 0

At first the outputs are those of He's initialisation. Adam moves each weight by about its rate, however large the
gradient; here all weights are of the same size too, so that the rate means the same in every layer.
Karras et al. (2018), arXiv:1710.10196, Section 4.1; He et al. (2015), arXiv:1502.01852, Eq. 10.
"""

import math

import torch.nn.functional as F
from torch import Tensor, nn

ROOT2 = math.sqrt(2)
"""He's gain, for layers before a rectifier."""


class EqualisedLinear(nn.Linear):
    """A linear layer whose weight is scaled by gain / sqrt(inputs) as it is used."""

    def __init__(self, inputs: int, outputs: int, gain: float = ROOT2) -> None:
        super().__init__(inputs, outputs)
        self.scale = gain / math.sqrt(inputs)

    def reset_parameters(self) -> None:
        """Weights from N(0, 1), offsets 0."""
        reset(self)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs) -> (n, outputs)."""
        return F.linear(x, self.weight * self.scale, self.bias)


class EqualisedConv2d(nn.Conv2d):
    """A convolution by an odd kernel that keeps the size; its weight is scaled by gain / sqrt(inputs kernel^2)."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, gain: float = ROOT2) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2)
        self.scale = gain / math.sqrt(inputs * kernel**2)

    def reset_parameters(self) -> None:
        """Weights from N(0, 1), offsets 0."""
        reset(self)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, h, w)."""
        return self._conv_forward(x, self.weight * self.scale, self.bias)


def reset(layer: nn.Linear | nn.Conv2d) -> None:
    """Weights from N(0, 1), offsets 0."""
    nn.init.normal_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)

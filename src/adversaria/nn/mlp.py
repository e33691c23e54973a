"""Fully connected networks."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import Tensor, nn


class MLP(nn.Module):
    """Layers of `hidden` units with an activation between: (n, *event) or (n, inputs) -> (n, *outputs).

    Args:
        inputs: numbers in one example; an event is flattened.
        outputs: shape of one output, or its length.
        hidden: units in each hidden layer.
        depth: hidden layers.
        activation: made anew for each layer.
        bounded: end in tanh.
    """

    def __init__(
        self, inputs: int, outputs: int | Sequence[int], hidden: int, depth: int,
        activation: Callable[[], nn.Module] = nn.ReLU, bounded: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.shape = (outputs,) if isinstance(outputs, int) else tuple(outputs)
        widths = [inputs] + [hidden] * depth
        layers: list[nn.Module] = []
        for a, b in pairwise(widths):
            layers += [nn.Linear(a, b), activation()]
        layers.append(nn.Linear(widths[-1], math.prod(self.shape)))
        if bounded:
            layers.append(nn.Tanh())
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs of shape (n, *outputs)."""
        return self.layers(x.flatten(1)).view(len(x), *self.shape)

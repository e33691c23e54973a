"""Fully connected networks."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import Tensor, nn

from adversaria.nn.conditional import Chain, Conditional, ConditionalNorm
from adversaria.nn.gated import Gate
from adversaria.nn.reader import Reader


class MLP(Conditional):
    """Layers of `hidden` units with an activation between: (n, *event) or (n, inputs) -> (n, *outputs).

    Args:
        inputs: numbers in one example; an event is flattened.
        outputs: shape of one output, or its length.
        hidden: units in each hidden layer.
        depth: hidden layers.
        activation: made anew for each layer.
        bounded: end in tanh.
        gated: gates in the place of activations.
        classes: of the labels that set scale and offset of each hidden unit; 0 for none.
    """

    def __init__(
        self, inputs: int, outputs: int | Sequence[int], hidden: int, depth: int,
        activation: Callable[[], nn.Module] = nn.ReLU, bounded: bool = False, *, gated: bool = False, classes: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.shape = (outputs,) if isinstance(outputs, int) else tuple(outputs)
        layers = hidden_layers(inputs, hidden, depth, activation, gated, classes)
        layers.append(nn.Linear(hidden if depth else inputs, math.prod(self.shape)))
        if bounded:
            layers.append(nn.Tanh())
        self.layers = Chain(*layers)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Outputs of shape (n, *outputs)."""
        return self.layers(x.flatten(1), labels).view(len(x), *self.shape)


class MLPReader(Reader):
    """Examples (n, *event) of `inputs` numbers -> `outputs` numbers (n, outputs), or (n,) for one; as MLP otherwise."""

    def __init__(
        self, inputs: int, outputs: int, hidden: int, depth: int, activation: Callable[[], nn.Module] = nn.ReLU, *,
        gated: bool = False,
    ) -> None:  # fmt: skip
        body = nn.Sequential(nn.Flatten(), *hidden_layers(inputs, hidden, depth, activation, gated))
        super().__init__(body, hidden if depth else inputs, outputs)


def hidden_layers(
    inputs: int, hidden: int, depth: int, activation: Callable[[], nn.Module], gated: bool = False, classes: int = 0
) -> list[nn.Module]:
    """`depth` linear layers, each with what comes after it."""
    layers: list[nn.Module] = []
    for a, b in pairwise([inputs] + [hidden] * depth):
        units = 2 * b if gated else b
        layers.append(nn.Linear(a, units))
        if classes:
            layers.append(ConditionalNorm(nn.Identity(), units, classes))
        layers.append(Gate() if gated else activation())
    return layers

"""Discriminators of an example together with its codes."""

import torch
from torch import Tensor, nn

from adversaria.nn.mlp import MLP
from adversaria.nn.reader import Reader, column


def leaky() -> nn.Module:
    """LeakyReLU 0.2."""
    return nn.LeakyReLU(0.2)


class JointDiscriminator(Reader):
    """Logits (n,) of pairs (x, z): what `x` reads of an example beside what an MLP reads of its code, read together.

    Args:
        x: examples -> (n, features).
        features: how many numbers that are.
        latent: numbers in a code.
        hidden: units in the code's hidden layers, and in the joint ones.
    """

    def __init__(self, x: nn.Module, features: int, latent: int, hidden: int) -> None:
        z = MLP(latent, hidden, hidden, 1, leaky)
        super().__init__(nn.Sequential(MLP(features + hidden, hidden, hidden, 1, leaky), leaky()), hidden)
        self.x, self.z = x, z

    def features(self, x: Tensor, z: Tensor) -> Tensor:  # type: ignore[override]
        """What the head sees of pairs, (n, hidden)."""
        features: Tensor = self.body(torch.cat([self.x(x), self.z(z)], 1))
        return features

    def forward(self, x: Tensor, z: Tensor) -> Tensor:  # type: ignore[override]
        """Logits (n,)."""
        return column(self.head(self.features(x, z)))

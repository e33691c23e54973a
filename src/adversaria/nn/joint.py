"""Discriminators of an example together with its codes."""

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from adversaria.nn.mlp import MLP
from adversaria.nn.reader import Reader, column


def leaky() -> nn.Module:
    """LeakyReLU 0.2."""
    return nn.LeakyReLU(0.2)


class Pairing(nn.Module):
    """Features a of x and b of z, and their product by coordinate, read together: h(a, b, a b).

    The product shows early on whether x and z belong together, which h has to find out otherwise. With several codes
    `x` reads the example and all codes but the last.

    Args:
        x: examples -> a (n, c) or, as maps, (n, c, height, width).
        z: codes -> b, of the same shape.
        read: h, from three times as many channels to features (n, k).
    """

    def __init__(self, x: nn.Module, z: nn.Module, read: nn.Module) -> None:
        super().__init__()
        self.x, self.z, self.read = x, z, read

    def forward(self, *pair: Tensor) -> Tensor:
        """Features (n, k)."""
        *first, code = pair
        a, b = leaky_relu(self.x(*first), 0.2), leaky_relu(self.z(code), 0.2)
        features: Tensor = self.read(torch.cat([a, b, a * b], 1))
        return features


class JointDiscriminator(Reader):
    """Logits (n,) of pairs (x, z).

    Args:
        x: examples -> (n, features), or examples and further codes.
        features: how many numbers that are.
        latent: numbers in a code.
        hidden: units in a hidden layer.
    """

    def __init__(self, x: nn.Module, features: int, latent: int, hidden: int) -> None:
        read = nn.Sequential(MLP(3 * features, hidden, hidden, 1, leaky), leaky())
        super().__init__(Pairing(x, MLP(latent, features, hidden, 1, leaky), read), hidden)

    def features(self, *pair: Tensor) -> Tensor:
        """What the head sees of pairs, (n, hidden)."""
        features: Tensor = self.body(*pair)
        return features

    def forward(self, *pair: Tensor) -> Tensor:
        """Logits (n,)."""
        return column(self.head(self.features(*pair)))

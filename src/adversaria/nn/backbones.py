"""From codes to examples and back, for whatever shape the data have: convolutions for images, layers for vectors."""

from torch import nn

from adversaria.nn.dcgan import Critic, Generator, Norm
from adversaria.nn.mlp import MLP


def decoder(
    latent: int, shape: tuple[int, ...], *, width: int, hidden: int, depth: int,
    norm: Norm = "batch", bounded: bool = True,
) -> nn.Module:  # fmt: skip
    """Codes (n, latent) -> (n, *shape): DCGAN's generator for images, an MLP (never bounded) for vectors."""
    if len(shape) == 3:
        return Generator(latent, shape, width, norm, bounded)
    return MLP(latent, shape, hidden, depth)


def encoder(
    shape: tuple[int, ...], outputs: int = 1, *, width: int, hidden: int, depth: int, norm: Norm = "batch"
) -> nn.Module:
    """Examples (n, *shape) -> (n, outputs), or (n,) for one: DCGAN's critic for images, an MLP for vectors."""
    if len(shape) == 3:
        return Critic(shape, width, norm, outputs)
    return MLP(shape[0], outputs if outputs > 1 else (), hidden, depth)

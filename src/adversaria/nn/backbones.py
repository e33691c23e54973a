"""From codes to examples and back, for whatever shape the data have: convolutions for images, layers for vectors."""

import math
from collections.abc import Callable
from typing import Literal

from torch import nn

from adversaria.errors import UserError
from adversaria.nn.dcgan import Critic, Generator
from adversaria.nn.mlp import MLP, MLPReader
from adversaria.nn.modern import ModernCritic, ModernGenerator
from adversaria.nn.norms import Norm, Virtual
from adversaria.nn.reader import Reader
from adversaria.nn.resnet import ResidualCritic, ResidualGenerator

Network = Literal["dcgan", "resnet", "modern", "mlp", "gated", "tanh", "constant", "resnet101"]
"""For images: DCGAN's, WGAN-GP's or R3GAN's networks, an MLP, DCGAN's with gates, with tanh in place of every ReLU, or
with as many channels in all layers of the generator, or 101 layers. Vectors have an MLP, with gates or tanh where it
says so."""


def units(kind: str) -> type[nn.Module]:
    """Hidden units of a variational model's decoder, and of its MLPs, for a kind of data.

    ELU for pixels and bits, mostly of one value, where ReLU needs more rounds; ReLU for points, with sharper densities.
    """
    return nn.ReLU if kind == "points" else nn.ELU


def decoder(
    latent: int, shape: tuple[int, ...], *, width: int, hidden: int, depth: int, norm: Norm = "batch",
    bounded: bool = True, network: Network = "dcgan", classes: int = 0, activation: Callable[..., nn.Module] = nn.ReLU,
) -> nn.Module:  # fmt: skip
    """Codes (n, latent) -> (n, *shape), for images in [-1, 1] where `bounded`; vectors never are.

    With `classes` it is called with (z, labels); the label sets scale and offset of what is normalised. `activation`
    is that of MLPs and of DCGAN's network.
    """
    gated, deep = network == "gated", network == "resnet101"
    activation = nn.Tanh if network == "tanh" else activation
    made: nn.Module
    if len(shape) != 3 or network == "mlp":
        bounded = bounded and len(shape) == 3
        return MLP(latent, shape, hidden, depth, activation, bounded, gated=gated, classes=classes)
    if network == "modern":
        made = ModernGenerator(latent, shape, width, norm, bounded, classes=classes)
    elif network in ("resnet", "resnet101"):
        made = ResidualGenerator(latent, shape, width, norm, bounded, deep=deep, classes=classes)
    else:
        made = Generator(latent, shape, width, norm, bounded, activation, gated=gated,
                         constant=network == "constant", classes=classes)  # fmt: skip
    return Virtual(made, (latent,), classes > 0) if norm == "virtual" else made


def encoder(
    shape: tuple[int, ...], outputs: int = 1, *, width: int, hidden: int, depth: int, norm: Norm = "batch",
    network: Network = "dcgan", activation: Callable[..., nn.Module] = nn.ReLU,
) -> Reader:  # fmt: skip
    """Examples (n, *shape) -> (n, outputs), or (n,) for one; `activation` is that of MLPs."""
    gated, deep, tanh = network == "gated", network == "resnet101", network == "tanh"
    activation = nn.Tanh if tanh else activation
    made: Reader
    if len(shape) != 3 or network == "mlp":
        return MLPReader(math.prod(shape), outputs, hidden, depth, activation, gated=gated)
    if min(shape[1:]) < 2:
        raise UserError(f"images are {shape[1]} x {shape[2]} pixels; strided convolutions need 2 on each side: take a "
                        "network that is an MLP, or larger images (--size)")  # fmt: skip
    if network == "modern":
        made = ModernCritic(shape, width, norm, outputs)
    elif network in ("resnet", "resnet101"):
        made = ResidualCritic(shape, width, norm, outputs, deep=deep)
    else:
        made = Critic(shape, width, norm, outputs, gated=gated, tanh=tanh)
    if norm == "virtual":
        made.body = Virtual(made.body, shape)
    return made

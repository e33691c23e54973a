"""Games with a given decoder and prior."""

import torch
from torch import nn

from adversaria.game import SGD, Game, Player


def game_of(decoder, prior, averages=None, **abilities):
    """A game whose `decode` is a module and whose `latent` draws `prior(n)`."""
    return Game(
        Player("model", (decoder,), lambda b: {"loss": decoder(b.x).square().mean()}, SGD(lr=0.1)),
        networks={"decoder": decoder},
        averages=averages,
        sample=lambda n: decoder(prior(n)),
        latent=prior,
        decode=abilities.pop("decode", decoder),
        **abilities,
    )


def normal(k):
    return lambda n: torch.randn(n, k)


def box(k, low=-1.0, high=1.0):
    return lambda n: low + (high - low) * torch.rand(n, k)


def linear(k, d):
    """x = W z + b, W and b drawn."""
    layer = nn.Linear(k, d)
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    return layer

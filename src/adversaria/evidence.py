"""Games of one player with codes: log p(x) >= E_q [log p(x | z) + log p(z) - log q(z | x)]."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from torch import Tensor, nn

from adversaria.distributions import log_normal
from adversaria.game import Game, Player
from adversaria.nn.noise import normal
from adversaria.nn.normal_codes import sampled
from adversaria.nn.observation import Observation, PixelwiseObservation

Drawn = tuple[Tensor, Tensor]
"""Codes (n, k) and the log density (n,) of the law that they were drawn from."""


class Prior(NamedTuple):
    """p(z)."""

    log_prob: Callable[[Tensor], Tensor]
    """Codes (n, k) to log densities (n,)."""
    draw: Callable[[int], Tensor]
    """n to codes (n, k)."""


def standard(latent: int, like: nn.Module) -> Prior:
    """N(0, I) of `latent` coordinates, on the device of a network and in its type."""
    return Prior(log_normal, lambda n: normal(n, latent, like=like))


def gaussian(mu: Tensor, log_sigma: Tensor) -> Drawn:
    """z = mu + sigma eps, and log N(z; mu, sigma^2)."""
    z = sampled(mu, log_sigma)
    return z, log_normal(z, mu, log_sigma)


def latent_game(
    player: Player, networks: Mapping[str, nn.Module], *, decoder: Callable[[Tensor], Tensor],
    observation: Observation | PixelwiseObservation, prior: Prior, infer: Callable[[Tensor], Drawn],
    encode: Callable[[Tensor], Tensor],
    posterior: Callable[[Tensor], tuple[Tensor, Tensor]] | None = None, bound: Callable[[Tensor], Tensor] | None = None,
) -> Game:  # fmt: skip
    """What every model of a decoder, an observation, a prior and a posterior can do.

    Args:
        player: who owns the networks.
        networks: by name.
        decoder: from codes to the observation's parameters.
        observation: p(x | decoder output).
        prior: p(z).
        infer: from examples to a draw of q(z | x).
        encode: from examples to codes, without a draw where there is a mean.
        posterior: mean and log standard deviation of q, where it is normal and the prior standard.
        bound: of lower variance than that by one draw of z, where there is one.
    """

    def likelihood(x: Tensor, z: Tensor) -> Tensor:
        return observation.log_prob(x, decoder(z))

    def by_a_draw(x: Tensor) -> Tensor:
        z, log_q = infer(x)
        return likelihood(x, z) + prior.log_prob(z) - log_q

    return Game(
        player,
        networks=networks,
        sample=lambda n: observation.show(decoder(prior.draw(n))),
        latent=prior.draw,
        decode=lambda z: observation.mean(decoder(z)),
        encode=encode,
        bound=bound or by_a_draw,
        infer=infer,
        posterior=posterior,
        likelihood=likelihood,
        prior=prior.log_prob,
    )

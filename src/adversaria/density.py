"""Games of one player that is a flow, with an exact likelihood of points and a bound on that of pixels."""

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adversaria.data import Batch, DataSpec
from adversaria.distributions import log_normal
from adversaria.distributions.precision import full
from adversaria.game import Adam, Game, Player, Terms
from adversaria.nn.dequantise import Dequantised
from adversaria.nn.flows import Flow
from adversaria.nn.multiscale import Convolutions


class Base(NamedTuple):
    """What the codes of a flow are distributed as."""

    log_prob: Callable[[Tensor], Tensor]
    """Codes (n, d) to log densities (n,)."""
    quantile: Callable[[Tensor], Tensor]
    """Of one coordinate; uniform numbers to codes."""


NORMAL = Base(log_normal, torch.special.ndtri)
LOGISTIC = Base(lambda z: (F.logsigmoid(z) + F.logsigmoid(-z)).flatten(1).sum(1), torch.logit)
"""Heavier tails; Dinh et al. (2015), arXiv:1410.8516, Section 3.4."""
Noise = Literal["uniform", "variational"]


def pixels_of(spec: DataSpec, dequantisation: Noise, width: int) -> Dequantised | None:
    """How the pixels of images become continuous; None of data that are.

    Args:
        spec: of the data.
        dequantisation: by uniform noise, or by noise that a network of `width` channels learned to give.
        width: see there.
    """
    if spec.kind != "image":
        return None
    if dequantisation == "uniform":
        return Dequantised(levels=spec.levels)
    channels = spec.shape[0]
    return Dequantised(Convolutions(channels, 2 * channels, width), levels=spec.levels)


def flow_game(
    flow: Flow, spec: DataSpec, adam: Adam, *, average: float = 0.0, base: Base = NORMAL,
    pixels: Dequantised | None = None,
) -> Game:  # fmt: skip
    """Maximum likelihood of log p(x) = log p_z(z) + log |det dz/dx| for z = flow(x).

    Of images it is a bound on the likelihood of the pixels that is maximised and told: see `nn.dequantise`.

    Args:
        flow: from points (n, d), or images without bounds (n, c, h, w), to codes (n, d).
        spec: of the data.
        adam: the player's optimiser.
        average: decay of the averaged weights that are sampled and scored; 0 for none.
        base: p_z.
        pixels: where the data are images.
    """
    networks: dict[str, nn.Module] = {"model": flow}
    if pixels is not None and pixels.noise is not None:
        networks["noise"] = pixels
    parameter = next(flow.parameters())

    def density(h: Tensor) -> Tensor:
        z, log_det = flow(h)
        return base.log_prob(full(z)) + log_det

    def log_prob(x: Tensor) -> Tensor:
        if pixels is None:
            return density(x)
        h, log_slope = pixels(x)
        return density(h) + log_slope

    def nll(batch: Batch) -> Terms:
        return {"nll": -log_prob(batch.x).mean()}

    def latent(n: int) -> Tensor:
        shape = (n, math.prod(spec.shape))
        u = torch.rand(shape, dtype=torch.float64, device=parameter.device).clamp(1e-12, 1 - 1e-12)
        return base.quantile(u).to(parameter.dtype)

    def decode(z: Tensor) -> Tensor:
        h = flow.inverse(z)
        return h if pixels is None else pixels.pixels(h)

    return Game(
        Player("model", tuple(networks.values()), nll, adam),
        networks=networks,
        averages=dict.fromkeys(networks, average),
        sample=lambda n: decode(latent(n)),
        latent=latent,
        decode=decode,
        encode=lambda x: flow(x if pixels is None else pixels.middle(x))[0],
        log_prob=log_prob if pixels is None else None,
        prior=base.log_prob,
        bound=log_prob if pixels is not None else None,
        dequantise=pixels.between if pixels is not None else None,
    )

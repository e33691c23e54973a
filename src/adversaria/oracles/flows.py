"""Oracles of models with densities: of points, and of pixels between their levels."""

import math

import torch
from torch import Tensor

from adversaria.data.spec import DataSpec
from adversaria.game.game import Game
from adversaria.oracles.judged import ERRORS, Told
from adversaria.oracles.noise import by_noise, log_det
from adversaria.oracles.tiny import GRID, examples, on_a_grid


def mass(game: Game, spec: DataSpec) -> Told:
    """The density's integral against samples."""
    if not (spec.kind == "points" and game.can("log_prob") and game.condition is None):
        return None
    log_p, edge = on_a_grid(game)
    inside = (game.sample(20_000, seed=0).abs() < edge).all(1).double().mean()
    error = ERRORS * float((inside * (1 - inside) / 20_000).sqrt()) + 5e-3
    total = float(log_p.exp().sum())
    return abs(total - float(inside)) < error, f"{total:.4f} in the square, where {float(inside):.4f} of samples lie"


def entropy(game: Game, spec: DataSpec) -> Told:
    """How likely samples are, and ought to be."""
    if not (spec.kind == "points" and game.can("log_prob") and game.condition is None):
        return None
    log_p, edge = on_a_grid(game)
    cell = 2 * math.log(2 * edge / (GRID - 1))
    due = float((log_p.exp() * (log_p - cell)).sum())
    x = game.sample(20_000, seed=1)
    told = game.log_prob(x[(x.abs() < edge).all(1)])
    error = ERRORS * float(told.std() / len(told) ** 0.5) + 0.02
    return abs(float(told.mean()) - due) < error, f"samples have {float(told.mean()):.3f} nats, the density {due:.3f}"


def inverse(game: Game, spec: DataSpec) -> Told:
    """Examples through their codes; of images also from anywhere in the steps of their pixels."""
    lossless = game.can("encode") and game.can("decode") and not game.can("infer")
    if not (lossless and (game.can("log_prob") or game.can("bound"))):
        return None
    x = examples(spec, 64)
    gap = float((game.decode(game.encode(x)) - x).abs().max())
    if spec.kind == "image":
        gap = max(gap, float((game.decode(game.encode(within(x, spec))) - x).abs().max()))
    return gap < 1e-6, f"64 examples come back within {gap:.2g}"


def jacobian(game: Game, spec: DataSpec) -> Told:
    """What is told against the prior and the automatic derivative of the encoder."""
    if not all(map(game.can, ("encode", "prior"))) or game.can("infer"):
        return None
    if spec.kind == "image" and game.can("bound"):
        return _of_pixels(game, spec)
    if not (spec.kind == "points" and game.can("log_prob")):
        return None
    x = torch.randn(16, *spec.shape)
    gap = float((game.log_prob(x) - pulled_back(game, x)).abs().max())
    return gap < 1e-6, f"16 densities agree within {gap:.2g} nats"


def _of_pixels(game: Game, spec: DataSpec) -> Told:
    """The bound by one draw of noise is log p(y) - log q(y) of the image y between the levels that it makes."""
    if not game.can("dequantise"):
        return None, "the model has a bound of pixels, and no ability dequantise"
    x = examples(spec, 16)
    y, log_q = game.ask("dequantise", x, seed=0)
    log_step = spec.size * math.log(2 / (spec.levels - 1))
    gap = float((game.bound(x, seed=0) - (pulled_back(game, y) + log_step - log_q)).abs().max())
    return gap < 1e-6, f"16 bounds agree within {gap:.2g} nats"


def dequantisation(game: Game, spec: DataSpec) -> Told:
    """The density of the noise between levels, and where it lies."""
    if not (spec.kind == "image" and game.can("dequantise")):
        return None
    x = examples(spec, 64)

    def draw(n: int) -> tuple[Tensor, Tensor]:
        y, log_q = game.abilities["dequantise"](x)
        return ((y - x) * ((spec.levels - 1) / 2)).flatten(1), log_q

    far = float(draw(64)[0].detach().abs().max())
    if far > 0.5 + 1e-6:
        return False, f"noise reaches {far:.3g} of a step from its level; it may reach half a step"
    gap = by_noise(draw)
    if gap is None:
        return None, "the noise is no function of as many numbers from torch.rand or torch.randn"
    return gap < 1e-6, f"64 densities of the noise agree within {gap:.2g} nats"


def within(x: Tensor, spec: DataSpec) -> Tensor:
    """Images (n, c, h, w) whose pixels lie anywhere in their steps, from half a level below to half a level above."""
    return x + (0.998 * torch.rand_like(x) - 0.499) * (2 / (spec.levels - 1))


def pulled_back(game: Game, x: Tensor) -> Tensor:
    """log p(z) + log |det dz/dx| at z = encode(x), (n,), by automatic derivatives."""
    x = x.clone().requires_grad_()
    z = game.abilities["encode"](x)
    due: Tensor = game.abilities["prior"](z) + log_det(z, [x])
    return due.detach()

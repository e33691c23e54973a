"""Oracles of models with codes: the densities of what is seen, of the prior and of the posterior."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from adversaria.data.spec import DataSpec
from adversaria.game.game import Game, seeded
from adversaria.metrics.likelihood import effective_samples
from adversaria.oracles.judged import ERRORS, EXACT, FEW, Told, mean_and_error
from adversaria.oracles.noise import Drawn, by_noise
from adversaria.oracles.tiny import countable, everything, examples
from adversaria.ordered import alphabet

SHOWN = 1_000
"""Examples whose tokens are looked at, at most."""
DRAWS = 4_000
"""Codes that a density is tried at by their weights."""
INWARD = 0.85
"""How much narrower than the codes the normal is that their density is set against."""


def observation(game: Game, spec: DataSpec) -> Told:
    """Probabilities of all examples given each of some codes."""
    if not (spec.kind != "points" and game.can("likelihood") and game.can("latent")):
        return None
    codes = game.latent(6, seed=0)
    if not countable(spec):
        return _by_number(game, spec, codes)
    x = everything(spec)
    totals = [float(game.ask("likelihood", x, one.expand(len(x), -1)).exp().sum()) for one in codes]
    gap = max(abs(total - 1) for total in totals)
    return gap < EXACT, f"given each of 6 codes all {len(x):,} examples have 1 within {gap:.2g}"


def _by_number(game: Game, spec: DataSpec, codes: Tensor) -> Told:
    """The same where numbers are independent given the code: p(x) prod_i sum_l p(x with x_i = l) / p(x)."""
    A, gaps = alphabet(spec), []
    for z in codes:
        log_p = partial(_given, game, spec, z)
        levels = torch.randint(0, A.levels, (1, A.size))
        each = levels.repeat(A.size * A.levels, 1).view(A.size, A.levels, A.size)
        for i in range(A.size):
            each[i, :, i] = torch.arange(A.levels)
        told = log_p(each.view(-1, A.size)).view(A.size, A.levels)
        here, best = log_p(levels), told.argmax(1)
        if float((here + (told.amax(1) - here).sum() - log_p(best[None])).abs()) > 1e-6:
            return _by_chance(game, spec, codes)
        gaps.append(abs(float(here + (told.logsumexp(1) - here).sum())))
    return max(gaps) < 1e-8, f"given each of 6 codes all levels of all numbers have 1 within {max(gaps):.2g}"


def _by_chance(game: Game, spec: DataSpec, codes: Tensor) -> Told:
    """The same by examples drawn alike, where numbers aren't independent."""
    A = alphabet(spec)
    told: Told = None, "too many examples to count, and few that are drawn count"
    for z in codes:
        log_w = _given(game, spec, z, torch.randint(0, A.levels, (DRAWS, A.size))) + A.size * math.log(A.levels)
        if float(effective_samples(log_w)) < FEW:
            continue
        mean, error = mean_and_error(log_w.exp())
        told = abs(mean - 1) < ERRORS * error + 1e-6, f"given a code all examples have {mean:.4f} ± {error:.4f}"
        if not told[0]:
            break
    return told


def _given(game: Game, spec: DataSpec, z: Tensor, levels: Tensor) -> Tensor:
    log_p: Tensor = game.ask("likelihood", alphabet(spec).from_levels(levels), z.expand(len(levels), -1))
    return log_p.double()


def tokens(game: Game, spec: DataSpec) -> Told:
    """Examples with the same tokens are reconstructed alike: nothing passes but what the codebook holds."""
    if not (game.can("tokens") and game.can("reconstruct")):
        return None
    x = examples(spec, SHOWN)
    k = game.ask("tokens", x).flatten(1)
    if int(k.min()) < 0 or int(k.max()) >= game.codebook:
        return False, f"indices from {int(k.min())} to {int(k.max())} of a codebook of {game.codebook}"
    kinds, which = k.unique(dim=0, return_inverse=True)
    if len(kinds) == len(x):
        return None, f"all {len(x):,} examples have tokens of their own"
    first = torch.stack([(which == kind).nonzero()[0, 0] for kind in range(len(kinds))])
    shown, same = (game.reconstruct(some, seed=0) for some in (x, x[first[which]]))
    gap = float((shown - same).abs().max())
    return (
        gap < EXACT,
        f"{len(x):,} examples have {len(kinds):,} grids of tokens; by the same one they agree to {gap:.2g}",
    )


def prior(game: Game, spec: DataSpec) -> Told:
    """The prior's density at codes drawn from it."""
    if not (game.can("prior") and game.can("latent")):
        return None

    def draw(n: int) -> Drawn:
        z = game.abilities["latent"](n)
        return z, game.abilities["prior"](z)

    return _has_density(game, draw)


def posterior(game: Game, spec: DataSpec) -> Told:
    """The posterior's density at codes drawn from it, for one example after the other."""
    if not game.can("infer"):
        return None
    told: Told = None
    for one in examples(spec, 3):

        def draw(n: int, one: Tensor = one) -> Drawn:
            z, log_q = game.abilities["infer"](one.expand(n, *one.shape))
            return z, log_q

        told = _has_density(game, draw)
        if told[0] is False:
            break
    return told


def _has_density(game: Game, draw: Callable[[int], Drawn]) -> tuple[bool | None, str]:
    """Whether codes are drawn from the density that is told of them.

    By the derivative of what makes them of noise, where there is one (`by_noise`), otherwise by weights.
    """
    found = by_noise(draw)
    if found is not None:
        return found < 1e-6, f"64 densities agree within {found:.2g} nats with those of the noise behind the codes"
    with game.at_rest():
        with seeded(0):
            z, log_q = draw(DRAWS)
        with seeded(1):
            return _by_weights(z, draw(DRAWS)[0], log_q)


def _by_weights(z: Tensor, other: Tensor, log_q: Tensor) -> tuple[bool | None, str]:
    """E_q g(z) / q(z) = 1 for any density g: the normal of the covariance of `other` draws, drawn in, so that weights
    are small where q is near to normal."""
    mean, S = other.mean(0), INWARD**2 * torch.atleast_2d(torch.cov(other.T))
    S = S + 1e-9 * S.diagonal().mean() * torch.eye(len(S), dtype=S.dtype)
    log_w = torch.distributions.MultivariateNormal(mean, S).log_prob(z) - log_q
    if (count := float(effective_samples(log_w))) < FEW:
        return None, f"{count:.0f} of {len(z):,} draws carry all the weight"
    weight, error = mean_and_error(log_w.exp())
    return abs(weight - 1) < ERRORS * error + 1e-6, f"mean weight of {len(z):,} draws {weight:.4f} ± {error:.4f}, due 1"

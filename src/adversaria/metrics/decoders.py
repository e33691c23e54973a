"""Annealed likelihoods of games: of models that have one, and of decoders that are given a normal observation."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from scipy import stats
from torch import Tensor

from adversaria.distributions import log_normal
from adversaria.errors import UserError
from adversaria.game.game import Game
from adversaria.metrics.annealing import USUAL, Annealed, Annealing, annealed_importance
from adversaria.metrics.estimate import Z95, Estimate
from adversaria.metrics.kinds import in_unit, kind, likelihood_estimate
from adversaria.metrics.likelihood import Function, measured, resting

SHORT = Annealing(temperatures=300)
TRUSTED_GAP = 1.0
"""Nats; with a larger gap of bidirectional Monte Carlo a standard error says little, and the limits take it in."""


def gaussian_observation(decode: Function, sigma: float) -> Function:
    """log p(x | z) in nats of a decoder's output with normal noise about it.

        p(x | z) = N(x; decode(z), sigma^2 I)

    The number depends on sigma, the standard deviation in the units of x, and is to be told with it.

    Raises:
        UserError: for a sigma that isn't positive.
    """
    if not (sigma > 0 and math.isfinite(sigma)):
        raise UserError(f"sigma is {sigma}; the standard deviation of the observation is a positive number")

    def log_likelihood(x: Tensor, z: Tensor) -> Tensor:
        return log_normal(x, decode(z).view(x.shape), math.log(sigma))

    return log_likelihood


def from_box(decode: Function, low: float = -1.0, high: float = 1.0) -> Function:
    """A decoder of codes uniform on a box as one of standard normal codes, u -> decode(low + (high - low) Phi(u))."""
    return lambda u: decode(low + (high - low) * torch.special.ndtr(u))


def matched_normal(infer: Function, samples: int = 64) -> Function:
    """A normal with the means and variances of draws of `infer`: a start for annealing where q has no density to ask
    for. Any start is valid; a near one needs fewer temperatures."""

    def posterior(x: Tensor) -> tuple[Tensor, Tensor]:
        z = torch.stack([infer(x)[0] for _ in range(samples)])
        return z.mean(0), z.std(0).clamp_min(1e-6).log()

    return posterior


@dataclass(frozen=True)
class Decoder:
    """What annealing asks of a model."""

    log_likelihood: Function
    log_prior: Function
    latent: int
    posterior: Function | None

    @classmethod
    def of(cls, game: Game, sigma: float | None = None, seed: int = 0) -> "Decoder":
        """The parts of a game: its own likelihood, or with `sigma` its decoder with a normal observation.

        Raises:
            UserError: where the game has neither, is conditional, or draws codes neither normal nor uniform.
        """
        if game.condition is not None or not game.can("latent"):
            raise UserError("annealing needs codes of one known prior; this model is conditional or tells none")
        posterior = game.abilities.get("posterior")
        if posterior is None and game.can("infer"):
            posterior = matched_normal(game.abilities["infer"])
        size = game.latent(2, seed=seed)
        if size.ndim != 2:
            raise UserError(f"codes have shape {tuple(size.shape)}; annealing moves codes (n, k)")
        k = size.shape[1]
        if sigma is None:
            if not (game.can("likelihood") and game.can("prior")):
                raise UserError("this model has no log p(x | z); state sigma to measure N(decode(z), sigma^2 I)")
            return cls(game.abilities["likelihood"], game.abilities["prior"], k, posterior)
        if not game.can("decode"):
            raise UserError("this model cannot decode; there is nothing to put a normal observation on")
        decode = game.abilities["decode"]
        if not game.can("prior") and _uniform(game, k, seed):
            decode, posterior = from_box(decode), None
        log_prior = game.abilities.get("prior", log_normal)
        return cls(gaussian_observation(decode, sigma), log_prior, k, posterior)


def annealed_estimate(
    found: Annealed, *, how: Annealing, data: str, dims: int, posterior: bool = False, sigma: float | None = None,
    gap: Estimate | None = None, scale: str = "as given", protocol: Mapping[str, Any] | None = None,
    rows: Sequence[str] = (),
) -> Estimate:  # fmt: skip
    """Annealed lower bounds as a negative log-likelihood with its kind, slack and effective chains.

    With a gap of bidirectional Monte Carlo the limits reach from the value less the gap to the value, each with its
    error; where it is above `TRUSTED_GAP` no standard error is told.

    Args:
        found: from `annealed_importance`.
        how: as it was run.
        data: one of `UNITS`.
        dims: numbers in an example.
        posterior: whether it started there.
        sigma: of the normal observation, where there is one.
        gap: from `bdmc_gap`.
        scale: of continuous data.
        protocol: further facts.
        rows: see `likelihood_estimate`.
    """
    said = kind("annealed importance sampling", T=how.temperatures, chains=how.chains, sigma=sigma)
    poor = float((found.ess < 2).double().mean())
    noise = float(found.error.square().sum().sqrt()) / len(found.error)
    details = {
        "ess_median": float(found.ess.median()), "ess_below_2": poor, "accepted": float(found.accepted.mean()),
        "monte_carlo_error": float(in_unit(noise, data, dims)),
    }  # fmt: skip
    facts = {**(protocol or {}), **how.facts(posterior)}
    bias = "at least the true one in expectation, slack unmeasured: give the gap of bidirectional Monte Carlo"
    if gap is not None:
        bias = f"at least the true one in expectation; on simulated data by at most {gap.value:.2g} nats an example"
        details["bdmc_gap"] = gap.value
    if how.chains > 1 and poor > 0:
        bias += f"; one chain outweighs the others for {poor:.0%} of examples: raise the temperatures"
    made = likelihood_estimate(found.log_p, kind=said, data=data, dims=dims, scale=scale, bias=bias, details=details,
                               protocol=facts, rows=rows)  # fmt: skip
    if gap is None or not math.isfinite(made.error):
        return made
    most = float(in_unit(max(0.0, gap.interval[1]), data, dims))
    limits = (made.value - most - Z95 * made.error, made.value + Z95 * made.error)
    return replace(made, limits=limits, error=made.error if gap.value <= TRUSTED_GAP else math.nan)


def annealed_likelihood(
    game: Game, x: Tensor, *, data: str, sigma: float | None = None, start: str = "posterior",
    how: Annealing = USUAL, gap: Estimate | None = None, scale: str = "as given",
    protocol: Mapping[str, Any] | None = None, rows: Sequence[str] = (),
) -> Estimate:  # fmt: skip
    """Negative log-likelihood of held-out examples by annealed importance sampling, for any game that decodes.

    A model with `likelihood` and `prior` is measured as it is; any other, a generator of adversarial play for one,
    with a normal observation of a stated `sigma` about its output, whose density is one of continuous data.

    Args:
        game: measured at rest.
        x: examples in game form.
        data: '8-bit pixels', 'continuous', 'binary' or 'tokens'; 'continuous' with sigma.
        sigma: standard deviation of the normal observation.
        start: 'posterior' where the model infers, else and otherwise 'prior'.
        how: temperatures, chains, steps.
        gap: from `bdmc_gap` on data simulated from this model.
        scale: of continuous data.
        protocol: further facts: data, split, fingerprint.
        rows: see `likelihood_estimate`.

    Raises:
        UserError: where the game lacks what is needed, or sigma is given for discrete data.
    """
    if start not in ("prior", "posterior"):
        raise UserError(f"start is '{start}'; prior or posterior")
    if sigma is not None and data != "continuous":
        raise UserError(f"with sigma the likelihood is a density, not one of '{data}'; say data='continuous' and scale")
    with resting(game), measured(x.device, how.seed):
        parts = Decoder.of(game, sigma, how.seed)
        posterior = parts.posterior if start == "posterior" else None
        found = annealed_importance(x, log_likelihood=parts.log_likelihood, latent=parts.latent,
                                    log_prior=parts.log_prior, posterior=posterior, how=how)  # fmt: skip
    return annealed_estimate(found, how=how, data=data, dims=x[0].numel(), sigma=sigma, gap=gap, scale=scale,
                             posterior=posterior is not None, protocol=protocol, rows=rows)  # fmt: skip


def tune_sigma(
    x: Float[Tensor, "n ..."], *, decode: Function, latent: int, sigmas: Sequence[float] = (0.05, 0.1, 0.2, 0.4),
    log_prior: Function = log_normal, how: Annealing = SHORT,
) -> tuple[float, dict[float, Estimate]]:  # fmt: skip
    """The sigma of a normal observation with the best annealed likelihood of validation examples, and all of them.

    The slack grows as sigma falls, since the posterior narrows: a run that is too short prefers a large sigma.

    Args:
        x: validation examples, none of those to be reported on.
        decode: codes to examples.
        latent: k.
        sigmas: to choose from.
        log_prior: codes to log p(z).
        how: temperatures, chains, steps.

    Raises:
        UserError: without a sigma, or where none gives a finite likelihood.
    """
    found = {}
    for sigma in sigmas:
        run = annealed_importance(x, log_likelihood=gaussian_observation(decode, sigma), latent=latent,
                                  log_prior=log_prior, how=how)  # fmt: skip
        found[sigma] = annealed_estimate(run, how=how, data="continuous", dims=x[0].numel(), sigma=sigma)
    finite = {sigma: e.value for sigma, e in found.items() if math.isfinite(e.value)}
    if not finite:
        raise UserError(f"no sigma of {tuple(sigmas)} gives a finite likelihood; try larger ones")
    return min(finite, key=finite.__getitem__), found


def _uniform(game: Game, k: int, seed: int) -> bool:
    """Whether codes are uniform on [-1, 1].

    Raises:
        UserError: where they are neither that nor standard normal.
    """
    z = game.latent(max(64, 4096 // k), seed=seed).double().flatten().cpu().numpy()[:4096]
    if stats.kstest(z, "norm").pvalue > 1e-6:
        return False
    if stats.kstest(z, "uniform", args=(-1, 2)).pvalue > 1e-6:
        return True
    raise UserError("codes of this model are neither standard normal nor uniform on [-1, 1], and it has no prior; "
                    "use annealed_importance with its own log_prior")  # fmt: skip

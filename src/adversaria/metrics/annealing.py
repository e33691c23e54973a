"""Annealed importance sampling: the likelihood of any decoder, from below, and on simulated data from above too."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from adversaria.distributions import log_normal
from adversaria.errors import UserError, at_least
from adversaria.metrics.estimate import Estimate
from adversaria.metrics.hamiltonian import LARGEST, SMALLEST, Path, Point
from adversaria.metrics.likelihood import Function, effective_samples, log_mean_exp, measured

WARM, GAIN = 20, 0.2
"""Trajectories before the pilot's first temperature, and its gain: log step += gain (accepted - wanted)."""


@dataclass(frozen=True)
class Annealing:
    """How to anneal. Wu et al. (2017), arXiv:1611.04273, Section 5.3.1 use 16 chains, T = 10000, 10 leapfrog steps."""

    temperatures: int = 1000
    """T. The slack falls as 1 / T."""
    chains: int = 16
    """For each example."""
    leapfrog: int = 10
    """Steps of a trajectory."""
    schedule: Literal["sigmoid", "linear"] = "sigmoid"
    acceptance: float = 0.65
    """Wanted share of accepted trajectories."""
    pilot: int = 4
    """Chains of the pilot run that sets the steps."""
    chunk: int = 4096
    """Most chains at once: bounds memory. Random draws depend on it."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("temperatures", "chains", "leapfrog", "pilot", "chunk"):
            at_least(name, getattr(self, name), 1)
        at_least("seed", self.seed, 0)
        if not 0 < self.acceptance < 1 or self.schedule not in ("sigmoid", "linear"):
            raise UserError(f"acceptance {self.acceptance} and schedule '{self.schedule}'; "
                            "acceptance lies between 0 and 1, a schedule is sigmoid or linear")  # fmt: skip

    def facts(self, posterior: bool) -> dict[str, Any]:
        """The part of a protocol that isn't in the kind of the likelihood."""
        start = "posterior" if posterior else "prior"
        return {"seed": self.seed, "start": start, "leapfrog": self.leapfrog, "schedule": self.schedule}

    def betas(self, temperatures: int = 0) -> Float[Tensor, " t1"]:
        """beta_0 = 0, ..., beta_T = 1, in float64; the sigmoid at even places of [-4, 4], stretched to [0, 1].

        >>> Annealing(temperatures=2).betas().tolist()
        [0.0, 0.5, 1.0]
        """
        even = torch.linspace(0, 1, (temperatures or self.temperatures) + 1, dtype=torch.float64)
        if self.schedule == "linear":
            return even
        s = torch.sigmoid(8 * even - 4)
        return (s - s[0]) / (s[-1] - s[0])


USUAL = Annealing()


@dataclass(frozen=True)
class Annealed:
    """Annealed likelihoods of n examples in float64 nats."""

    log_p: Float[Tensor, " n"]
    """Stochastic lower bounds (upper bounds from a reverse run): log of the mean weight over chains."""
    ess: Float[Tensor, " n"]
    """Effective chains, from 1 to their number."""
    error: Float[Tensor, " n"]
    """Monte Carlo standard error of log_p over chains, to first order; nan for one chain."""
    log_weights: Float[Tensor, "n chains"]
    accepted: Float[Tensor, " n"]
    """Mean chance of a trajectory to be accepted; nan for one temperature, where there is none."""
    steps: Float[Tensor, "n t"]
    """Step of each temperature from the pilot run."""


def annealed_importance(
    x: Tensor, *, log_likelihood: Function, latent: int, log_prior: Function = log_normal,
    posterior: Function | None = None, how: Annealing = USUAL, steps: Float[Tensor, "n t"] | None = None,
) -> Annealed:  # fmt: skip
    """Lower bounds on log p(x) by annealing from a start to the posterior.

        log f_t(z) = (1 - beta_t) log f_0(z) + beta_t log p(x, z),    beta_0 = 0, beta_T = 1
        w = prod_t f_t(z_{t-1}) / f_{t-1}(z_{t-1}),   z_0 ~ f_0,   z_t from z_{t-1} by HMC that leaves f_t as it is
        E w = p(x);   log p(x) >= E log (1/M) sum_m w_m

    f_0 is N(0, I), or the normal `posterior`, which needs about ten times fewer temperatures. The steps of HMC are set
    by a pilot run of other chains and then fixed, one for each example and temperature: steps that a chain sets as it
    goes depend on its past, and then E w isn't p(x) (on a one-dimensional bent posterior 5% above it at T = 40).

    Neal (2001), arXiv:physics/9803008; Wu, Burda, Salakhutdinov, Grosse (2017), arXiv:1611.04273.

    Args:
        x: examples (n, ...); chains are of its dtype where that is floating point. In float32 accept and reject are
            exact to the rounding of log p(x | z); pass x and a model in float64 for more.
        log_likelihood: examples (b, ...) and codes (b, k) to log p(x | z) (b,), differentiable in the codes.
        latent: k.
        log_prior: codes to log p(z), (b,).
        posterior: examples to mean and log standard deviation (b, k), for a start there.
        how: temperatures, chains, steps.
        steps: from an earlier run on these examples, in place of a pilot run.

    Raises:
        UserError: for no example, or a likelihood that differs between two calls.
    """
    return _run(x, None, log_likelihood, latent, log_prior, posterior, how, steps)


def reverse_annealing(
    x: Tensor, z: Float[Tensor, "n k"], *, log_likelihood: Function, log_prior: Function = log_normal,
    posterior: Function | None = None, how: Annealing = USUAL, steps: Float[Tensor, "n t"] | None = None,
) -> Annealed:  # fmt: skip
    """Upper bounds on log p(x) of simulated data: the path of `annealed_importance` run backwards from exact codes.

        E 1/w = 1/p(x);   log p(x) <= -E log (1/M) sum_m 1/w_m

    It holds where z is a draw of the posterior given x, that is where z came from the prior and x from p(x | z).

    Grosse, Ghahramani, Adams (2015), arXiv:1511.02543, Section 3.

    Args:
        x: simulated examples.
        z: the codes they were simulated from.
        log_likelihood: as for `annealed_importance`.
        log_prior: as there.
        posterior: as there.
        how: as there.
        steps: of the forward run on these examples.
    """
    return _run(x, z, log_likelihood, z.shape[1], log_prior, posterior, how, steps)


def bidirectional(
    z: Float[Tensor, "n k"], *, simulate: Function, log_likelihood: Function, log_prior: Function = log_normal,
    posterior: Function | None = None, how: Annealing = USUAL,
) -> tuple[Tensor, Annealed, Annealed]:  # fmt: skip
    """Examples x simulated from codes of the prior, and lower and upper bounds on their log p(x) by the same steps.

    `simulate` takes codes to draws of p(x | z), not to their means; the rest is as for `annealed_importance`.
    """
    with measured(z.device, derived(how.seed, 3)):  # a user's codes may come from the seed itself
        x = simulate(z)
    same: dict[str, Any] = {"log_likelihood": log_likelihood, "log_prior": log_prior}
    same |= {"posterior": posterior, "how": how}
    below = annealed_importance(x, latent=z.shape[1], **same)
    return x, below, reverse_annealing(x, z, steps=below.steps, **same)


def bdmc_gap(
    z: Float[Tensor, "n k"], *, simulate: Function, log_likelihood: Function, log_prior: Function = log_normal,
    posterior: Function | None = None, how: Annealing = USUAL,
) -> Estimate:  # fmt: skip
    """Mean distance in nats between upper and lower bounds on simulated data, at least the slack of the lower one.

    It vouches for data the model itself made; on data far from those annealing may do worse. Arguments as for
    `bidirectional`.
    """
    at_least("number of simulated examples", len(z), 2)
    _, below, above = bidirectional(z, simulate=simulate, log_likelihood=log_likelihood, log_prior=log_prior,
                                    posterior=posterior, how=how)  # fmt: skip
    gap = (above.log_p - below.log_p).cpu()
    facts = {**how.facts(posterior is not None), "temperatures": how.temperatures, "chains": how.chains, "n": len(z)}
    details = {"lower": float(below.log_p.mean()), "upper": float(above.log_p.mean()),
               "accepted": float(below.accepted.mean()), "ess_median": float(below.ess.median()),
               "one_chain": float((above.log_weights.mean(1) - below.log_weights.mean(1)).mean())}  # fmt: skip
    return Estimate("gap of bidirectional Monte Carlo", float(gap.mean()), float(gap.std()) / len(z) ** 0.5, len(z),
                    "nats", facts, bias="measured on data simulated from the model", details=details)  # fmt: skip


def derived(*numbers: int) -> int:
    """A seed made of several, unlike any of them."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _run(
    x: Tensor, z: Tensor | None, log_likelihood: Function, latent: int, log_prior: Function,
    posterior: Function | None, how: Annealing, steps: Tensor | None,
) -> Annealed:  # fmt: skip
    if not len(x) or (z is not None and len(z) != len(x)):
        raise UserError(f"{len(x)} examples and {'no' if z is None else len(z)} codes; at least one, one code for each")
    rows, parts = max(1, how.chunk // how.chains), []
    with measured(x.device):
        for first in range(0, len(x), rows):
            block = slice(first, first + rows)
            chunk = _Chunk(x[block], log_likelihood, latent, log_prior, posterior, how, first)
            known = _pilot(chunk, how) if steps is None else steps[block]
            log_w, accepted = _anneal(chunk, how, known, None if z is None else z[block])
            parts.append((log_w, accepted, known))
    log_w, accepted, found = (torch.cat(values) for values in zip(*parts, strict=True))
    sign, m = (1 if z is None else -1), how.chains
    ess = effective_samples(sign * log_w)
    error = ((m / ess - 1).clamp(min=0) / (m - 1)).sqrt() if m > 1 else torch.full_like(ess, math.nan)
    return Annealed(sign * log_mean_exp(sign * log_w), ess, error, log_w, accepted, found)


class _Chunk:
    """Some of the examples: their paths in coordinates u, z = mean + sd u, where the start is N(0, I)."""

    def __init__(
        self, x: Tensor, log_likelihood: Function, latent: int, log_prior: Function, posterior: Function | None,
        how: Annealing, first: int,
    ) -> None:  # fmt: skip
        self.x, self._log_likelihood, self._log_prior, self._latent = x, log_likelihood, log_prior, latent
        dtype = x.dtype if x.is_floating_point() else torch.get_default_dtype()
        self.like = x.new_zeros(len(x), latent, dtype=dtype)
        mean, log_sd = posterior(x) if posterior else (self.like, self.like)
        self.mean, self.log_sd = mean.detach().to(dtype), log_sd.detach().to(dtype)
        self._seed = (how.seed, first)

    def generator(self, stage: int) -> torch.Generator:
        return torch.Generator(self.x.device).manual_seed(derived(*self._seed, stage))

    def path(self, chains: int) -> Path:
        """The path of `chains` chains for each example, example after example."""
        x, mean, log_sd = (t.repeat_interleave(chains, 0) for t in (self.x, self.mean, self.log_sd))
        volume = log_sd.double().sum(1)

        def target(u: Tensor) -> Tensor:
            z = mean + torch.exp(log_sd) * u
            return self._log_likelihood(x, z).double() + self._log_prior(z).double() + volume

        return Path(target)

    def start(self, chains: int, path: Path, generator: torch.Generator) -> Point:
        """Draws of N(0, I).

        Raises:
            UserError: where the likelihood isn't a function.
        """
        shape = (len(self.x) * chains, self._latent)
        u = torch.randn(shape, generator=generator, device=self.x.device, dtype=self.like.dtype)
        point, again = path.at(u), path.at(u)
        if not torch.allclose(point.target, again.target, rtol=1e-3, atol=1e-3, equal_nan=True):
            raise UserError("log p(x | z) differs between two calls with the same z; annealing needs a function: a "
                            "decoder that returns its mean, in evaluation mode")  # fmt: skip
        return point

    def at(self, z: Tensor, chains: int, path: Path) -> Point:
        """All chains of an example at its code."""
        u = (z.to(self.like) - self.mean) * torch.exp(-self.log_sd)
        return path.at(u.repeat_interleave(chains, 0))


def _pilot(chunk: _Chunk, how: Annealing) -> Float[Tensor, "n t"]:
    """Steps for each example and temperature: a short annealing run that adapts as it goes, and is then forgotten."""
    short = min(max(how.temperatures, 50), 200)
    betas, generator, path = how.betas(short).tolist(), chunk.generator(0), chunk.path(how.pilot)
    point, log_step = chunk.start(how.pilot, path, generator), chunk.like.new_full((len(chunk.x),), math.log(0.5))
    found = []
    for beta in [betas[1]] * WARM + betas[1:]:
        step = torch.exp(log_step).repeat_interleave(how.pilot)
        point, chance = path.move(point, beta, step, how.leapfrog, generator)
        accepted = chance.view(-1, how.pilot).mean(1).to(log_step)
        log_step = (log_step + GAIN * (accepted - how.acceptance)).clamp(math.log(SMALLEST), math.log(LARGEST))
        found.append(log_step)
    grid = torch.stack(found[WARM:], 1)[None].double()
    return torch.exp(F.interpolate(grid, size=how.temperatures, mode="linear", align_corners=True)[0])


def _anneal(
    chunk: _Chunk, how: Annealing, steps: Float[Tensor, "n t"], z: Tensor | None
) -> tuple[Float[Tensor, "n chains"], Float[Tensor, " n"]]:
    """log w of every chain and the mean acceptance; from the codes `z` down where they are given."""
    betas, path = how.betas().tolist(), chunk.path(how.chains)
    generator = chunk.generator(1 if z is None else 2)
    point = chunk.start(how.chains, path, generator) if z is None else chunk.at(z, how.chains, path)
    log_w, total = torch.zeros_like(point.target), torch.zeros_like(point.target)
    for t, moves in _order(how.temperatures, forwards=z is None):
        if moves:
            step = steps[:, moves - 1].repeat_interleave(how.chains)
            point, chance = path.move(point, betas[moves], step, how.leapfrog, generator)
            total = total + chance
        log_w = log_w + (betas[t] - betas[t - 1]) * path.rise(point)
    accepted = total.view(-1, how.chains).mean(1) / (how.temperatures - 1 or math.nan)
    return log_w.view(-1, how.chains), accepted


def _order(temperatures: int, forwards: bool) -> Iterator[tuple[int, int]]:
    """(t, temperature of the move before the weight's factor t): z_{t-1} left f_{t-1} as it is on the way up, and
    comes from f_t on the way down. 0 for no move, at the two ends."""
    if forwards:
        yield from ((t, t - 1) for t in range(1, temperatures + 1))
    else:
        yield from ((t, t if t < temperatures else 0) for t in range(temperatures, 0, -1))

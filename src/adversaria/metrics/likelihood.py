"""Held-out likelihood by the best means a model has: exact, importance weighted, or a bound."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from adversaria.distributions import log_normal
from adversaria.errors import UserError, at_least
from adversaria.game.game import Game, seeded
from adversaria.metrics.estimate import Estimate
from adversaria.metrics.kinds import SIDES, kind, likelihood_estimate
from adversaria.metrics.work import codes_within

Function = Callable[..., Any]
POOR = 10
"""Effective samples below which an importance-weighted likelihood isn't to be trusted (Wu et al. 2017, 5.3.3)."""


class Weighted(NamedTuple):
    """Importance-weighted likelihoods of n examples."""

    log_p: Float[Tensor, " n"]
    """log (1/K) sum_k w_k, float64 nats; a lower bound on log p in expectation."""
    ess: Float[Tensor, " n"]
    """Effective samples (sum w)^2 / sum w^2, from 1 to K."""
    bound: Float[Tensor, " n"]
    """(1/K) sum_k log w_k, the evidence lower bound by the same samples."""


def log_mean_exp(log_w: Float[Tensor, "... k"]) -> Float[Tensor, "..."]:
    """log (1/k) sum exp over the last dimension, in float64."""
    return torch.logsumexp(log_w.double(), -1) - math.log(log_w.shape[-1])


def effective_samples(log_w: Float[Tensor, "... k"]) -> Float[Tensor, "..."]:
    """(sum w)^2 / sum w^2 over the last dimension, from log weights."""
    log_w = log_w.double()
    return torch.exp(2 * torch.logsumexp(log_w, -1) - torch.logsumexp(2 * log_w, -1))


def importance_weighted(
    x: Tensor, *, likelihood: Function, prior: Function = log_normal, infer: Function | None = None,
    posterior: Function | None = None, samples: int = 500, chunk: int = 8192, seed: int = 0,
) -> Weighted:  # fmt: skip
    """log p(x) of every example by importance sampling from an approximate posterior.

        log (1/K) sum_k w_k,   w_k = p(x | z_k) p(z_k) / q(z_k | x),   z_k ~ q(z | x)

    Below log p in expectation, the less so the larger K. With `posterior` the encoder runs once for each example and
    the draws of an example depend on the seed and its row only, not on `chunk`; with `infer` alone it runs for every
    sample, and draws depend on `chunk` too. Sums are in float64, and autocast is off inside.

    Burda, Grosse, Salakhutdinov (2016), arXiv:1509.00519, Eq. 8.

    Args:
        x: examples (n, ...).
        likelihood: examples (b, ...) and codes (b, k) to log p(x | z), (b,).
        prior: codes to log p(z), (b,).
        infer: examples to codes drawn from q and log q, where there is no `posterior`.
        posterior: examples to mean and log standard deviation (b, k) of a normal q.
        samples: K.
        chunk: most pairs of an example and a code in one pass: bounds memory.
        seed: of the draws.

    Raises:
        UserError: without one of `infer` and `posterior`, or for no example or sample.
    """
    at_least("samples", samples, 1)
    at_least("chunk", chunk, 1)
    if not len(x):
        raise UserError("no example to take the likelihood of; pass x with at least one row")
    at_least("seed", seed, 0)
    if infer is None and posterior is None:
        raise UserError("importance weighting draws codes from q(z | x); pass infer= or posterior=")
    rows = max(1, chunk // samples)
    parts = []
    with measured(x.device, seed):
        for start in range(0, len(x), rows):
            block = x[start : start + rows]
            if posterior is not None:
                draw = _from_normal(block, posterior, seed, start)
            elif infer is not None:
                draw = _from_infer(block, infer)
            log_w = _log_weights(block, draw, likelihood, prior, samples, max(1, chunk // len(block)))
            parts.append((log_mean_exp(log_w), effective_samples(log_w), log_w.mean(1)))
    return Weighted(*(torch.cat(values) for values in zip(*parts, strict=True)))


PASS = 2**19
"""Numbers in one pass: a law of 256 levels for each of them takes 2 GB with what is computed on the way."""


def negative_log_likelihood(
    model: Game | Mapping[str, Function], x: Tensor, *, data: str, by: str | None = None, samples: int | None = None,
    chunk: int | None = None, seed: int = 0, scale: str = "as given", protocol: Mapping[str, Any] | None = None,
    given: Tensor | None = None, rows: Sequence[str] = (),
) -> Estimate:  # fmt: skip
    """Mean negative log-likelihood of held-out examples, by the tightest means the model has.

    With `given` it is that of the examples given their labels, -log p(x given y), and is called so: no likelihood of
    examples alone compares with it. `over_labels` has that.

    | the model has                                        | kind                        |
    |------------------------------------------------------|-----------------------------|
    | `log_prob`                                           | exact                       |
    | `likelihood`, `prior`, and `infer` or `posterior`    | importance weighted (K=...) |
    | `bound`                                              | lower bound                 |

    Args:
        model: a game, which is measured at rest, or its abilities by name.
        x: examples in game form (n, ...).
        data: '8-bit pixels', 'continuous', 'binary' or 'tokens'; decides the unit.
        by: 'exact', 'importance weighted' or 'lower bound', in place of the tightest.
        samples: codes for each example; without, 1 for a bound and for importance weighting 500, or fewer where these
            take more work than `metrics.work` allows.
        chunk: most examples, or pairs of an example and a code, in one pass; without, those of `PASS` numbers.
        seed: of the draws.
        scale: of continuous data, in words.
        protocol: further facts: data, split, fingerprint.
        given: labels (n,), where the model is conditional on them; for exact likelihoods.
        rows: what each example is called where one has no finite likelihood; its row in `x` without.

    Raises:
        UserError: where the model has none of these, or too few examples, or labels are missing or too many.
    """
    abilities = model.abilities if isinstance(model, Game) else dict(model)
    by = by or _tightest(abilities)
    if by not in _NEEDS or not _can(abilities, by):
        raise UserError(f"this model gives no likelihood by '{by}'; it has {', '.join(sorted(abilities)) or 'nothing'}")
    _fitting(model, x, by, given)
    dims = x[0].numel() if len(x) else 0
    chunk = max(1, PASS // max(dims, 1)) if chunk is None else chunk
    facts = {**(protocol or {}), "seed": seed, **({} if given is None else {"given": "labels"})}
    common: dict[str, Any] = {"data": data, "dims": dims, "scale": scale, "protocol": facts, "rows": rows}
    with resting(model), measured(x.device, seed):
        if by == "importance weighted":
            return _by_importance(abilities, x, samples or codes_within(abilities, x), chunk, seed, common)
        draws = 1 if by == "exact" else samples or 1
        ability = abilities["log_prob" if by == "exact" else "bound"]
        told = [x.split(chunk)] if given is None else [x.split(chunk), given.to(x.device).split(chunk)]
        blocks = [torch.stack([ability(*b).double() for _ in range(draws)]).mean(0) for b in zip(*told, strict=True)]
    bias = "" if by == "exact" else "at least the true one in expectation, by KL(q(z | x) || p(z | x))"
    said = kind(by) if by == "exact" else kind(by, samples=draws)
    found = likelihood_estimate(torch.cat(blocks), kind=said, bias=bias, **common)
    return found if given is None else replace(found, name=f"{found.name} given labels")


def over_labels(game: Game, shares: Sequence[float]) -> Function:
    """log p(x) = log sum_y p(y) p(x given y) of a game that is given labels, as a function of examples.

    Args:
        game: conditional on labels, with exact likelihoods.
        shares: p(y) of every label.
    """
    prior = [(k, math.log(share)) for k, share in enumerate(shares) if share > 0]

    def log_prob(x: Tensor) -> Tensor:
        each = [game.log_prob(x, torch.full((len(x),), k)).double() + log_share for k, log_share in prior]
        return torch.stack(each).logsumexp(0)

    return log_prob


def _fitting(model: Game | Mapping[str, Function], x: Tensor, by: str, given: Tensor | None) -> None:
    condition = model.condition if isinstance(model, Game) else "label" if given is not None else None
    if given is None and condition is not None and by == "exact":
        raise UserError(f"this model's likelihood is given {condition}s; pass given= with {len(x)} of them")
    if given is not None and (condition != "label" or by != "exact" or len(given) != len(x)):
        raise UserError(f"{len(given)} labels given with {len(x)} examples by '{by}'; as many go with the exact "
                        "likelihood of a model that is conditional on labels, and none with others")  # fmt: skip


def _by_importance(
    abilities: Mapping[str, Function], x: Tensor, samples: int, chunk: int, seed: int, common: dict[str, Any]
) -> Estimate:
    found = importance_weighted(
        x, likelihood=abilities["likelihood"], prior=abilities["prior"], infer=abilities.get("infer"),
        posterior=abilities.get("posterior"), samples=samples, chunk=chunk, seed=seed,
    )  # fmt: skip
    known = found.ess[found.ess.isfinite()]
    poor = float((found.ess < POOR).double().mean())
    # To first order E log mean w = log p - var(w) / (2 K p^2), and the ESS is K / (1 + var(w) / p^2).
    short = float((0.5 * (1 / known - 1 / samples)).mean()) if len(known) else math.nan
    bias = f"at least the true one in expectation, by about {short:.2g} nats an example where the ESS is large"
    if samples >= POOR and poor > 0:
        bias += f"; ESS below {POOR} for {poor:.1%} of examples: there q misses the posterior and the slack is unknown"
    details = {
        "K": samples, "ess_median": float(known.median()) if len(known) else math.nan, "ess_below_10": poor,
        "slack_to_first_order_nats": short, "bound_nats": -float(found.bound.mean()),
    }  # fmt: skip
    return likelihood_estimate(
        found.log_p, kind=kind("importance weighted", K=samples), bias=bias, details=details, **common
    )


@contextmanager
def measured(device: torch.device, seed: int | None = None) -> Iterator[None]:
    """Inside the block: no gradient, no autocast (a sum over pixels needs more than 8 bits), torch's global
    generators from `seed` and afterwards as before."""
    with torch.no_grad(), torch.autocast(device.type, enabled=False), seeded(seed):
        yield


@contextmanager
def resting(model: Game | Mapping[str, Function]) -> Iterator[None]:
    """Inside the block a game is at rest; nothing happens to plain functions."""
    if isinstance(model, Game):
        with model.at_rest():
            yield
    else:
        yield


_NEEDS = {"exact": ("log_prob",), "importance weighted": ("likelihood", "prior"), "lower bound": ("bound",)}
assert set(_NEEDS) < set(SIDES)


def _can(abilities: Mapping[str, Function], by: str) -> bool:
    if by == "importance weighted" and not ({"infer", "posterior"} & set(abilities)):
        return False
    return all(name in abilities for name in _NEEDS[by])


def _tightest(abilities: Mapping[str, Function]) -> str:
    for by in _NEEDS:
        if _can(abilities, by):
            return by
    raise UserError("this model has no likelihood (no log_prob, bound, or likelihood with infer); a decoder alone "
                    "can be measured by annealed importance sampling with a stated sigma")  # fmt: skip


def _from_normal(x: Tensor, posterior: Function, seed: int, start: int) -> Function:
    """Draws (b, r, k) from a normal q and their log q (b, r); the encoder runs once."""
    mean, log_sd = posterior(x)
    sources = [np.random.default_rng([seed, start + i]) for i in range(len(x))]

    def draw(r: int) -> tuple[Tensor, Tensor]:
        noise = np.stack([source.standard_normal((r, mean.shape[1])) for source in sources])
        eps = torch.from_numpy(noise).to(mean)
        log_q = log_normal(eps.flatten(0, 1).double()).view(len(x), r) - log_sd.double().sum(1, keepdim=True)
        return mean[:, None] + torch.exp(log_sd)[:, None] * eps, log_q

    return draw


def _from_infer(x: Tensor, infer: Function) -> Function:
    """Draws (b, r, k) from any q that tells the density of its own draws, and their log q (b, r)."""

    def draw(r: int) -> tuple[Tensor, Tensor]:
        z, log_q = infer(x.repeat_interleave(r, 0))
        return z.view(len(x), r, *z.shape[1:]), log_q.view(len(x), r)

    return draw


def _log_weights(
    x: Tensor, draw: Function, likelihood: Function, prior: Function, samples: int, most: int
) -> Float[Tensor, "b k"]:
    """log w of `samples` codes for each example, at most `most` codes an example in a pass."""
    parts = []
    for done in range(0, samples, most):
        r = min(most, samples - done)
        z, log_q = draw(r)
        flat = z.flatten(0, 1)
        log_joint = likelihood(x.repeat_interleave(r, 0), flat).double() + prior(flat).double()
        parts.append(log_joint.view(len(x), r) - log_q.double())
    return torch.cat(parts, 1)

"""What a latent-variable model's bound is made of, and which of its codes it uses."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import Tensor

from adversaria.distributions import kl_from_standard, log_normal
from adversaria.errors import UserError, at_least
from adversaria.game.game import Game
from adversaria.metrics.checks import checked
from adversaria.metrics.estimate import Z95, Estimate, Null
from adversaria.metrics.likelihood import measured, resting

ACTIVE = 1e-2
"""Variance over examples of a code's posterior mean above which it counts as active (Burda et al. 2016, 5.2)."""


def elbo_surgery(
    *, mean: Float[Tensor, "n k"], log_sd: Float[Tensor, "n k"], reconstruction: Float[Tensor, " n"] | None = None,
    samples: int = 4, chunk: int = 4_000_000, seed: int = 0,
) -> dict[str, Estimate]:  # fmt: skip
    """The rate of a normal posterior taken apart, over n held-out examples; everything in nats an example.

        rate = (1/n) sum_i KL(q(z | x_i) || p(z)) = I_q(i; z) + KL(q(z) || p(z)),   q(z) = (1/n) sum_i q(z | x_i)
        I_q(i; z) = (1/n) sum_i E_{q(z | x_i)} [log q(z | x_i) - log q(z)] <= ln n

    The prior is standard normal. log q(z) takes all n components, not those of a minibatch. The expectations are over
    `samples` draws of each posterior, the rate itself is exact. The standard error of the information is that of its
    terms: leaving an example out of q(z) moves the mean by a constant to first order.

    Hoffman and Johnson (2016), "ELBO surgery", NIPS workshop, Eq. 5 to 8; active units: `active_units`.

    Args:
        mean: of q(z | x_i).
        log_sd: log standard deviation of it.
        reconstruction: E_q log p(x_i | z), or one draw's; adds 'distortion' and 'bound'.
        samples: draws of each posterior.
        chunk: most numbers at once: bounds memory.
        seed: of the draws.

    Raises:
        UserError: for shapes that don't agree, what isn't finite, or fewer than two examples.
    """
    checked(mean=mean, log_sd=log_sd)
    at_least("samples", samples, 1)
    if mean.shape != log_sd.shape or (reconstruction is not None and reconstruction.shape != mean.shape[:1]):
        raise UserError(f"means {tuple(mean.shape)}, log sds {tuple(log_sd.shape)} and reconstructions don't agree; "
                        "pass (n, k), (n, k) and (n,)")  # fmt: skip
    mean, log_sd = mean.detach().double(), log_sd.detach().double()
    n, facts = len(mean), {"n": len(mean), "latent": mean.shape[1], "prior": "standard normal"}
    kl = kl_from_standard(mean, log_sd)
    information = _information(mean, log_sd, samples, chunk, seed)
    drawn = facts | {"samples": samples, "seed": seed}
    found = {
        "rate": _average("rate", kl.sum(1), facts, details={"per_dimension": kl.mean(0).tolist()}),
        "mutual information": _average(
            "mutual information", information, drawn, None, details={"most": math.log(n)},
            bias=f"that of z and the example's index among these {n}, at most ln n = {math.log(n):.4g}"),
        "marginal KL": _average(
            "marginal KL", kl.sum(1) - information, drawn, bias="q(z) is of these examples only: falls with more"),
        "active units": active_units(mean=mean),
    }  # fmt: skip
    return found | _with_reconstruction(reconstruction, kl.sum(1), facts)


def active_units(
    *, mean: Float[Tensor, "n k"], noise: Float[Tensor, " k"] | None = None, threshold: float = ACTIVE
) -> Estimate:
    """Number of codes whose posterior mean varies from example to example.

        AU = #{u : Var_x E_q[z_u | x] > threshold}

    The limits count codes whose variance is surely and possibly above it, by 95% intervals of the variances. Details
    hold the variances: two separate groups of them justify the threshold, a spread across it does not.

    Burda, Grosse, Salakhutdinov (2016), arXiv:1509.00519, Section 5.2.

    Args:
        mean: of q(z | x), in the prior's scale.
        noise: variance of the error of `mean` where it is itself an average of draws; subtracted.
        threshold: of the variance.

    Raises:
        UserError: for what isn't finite or fewer than two examples.
    """
    checked(mean=mean)
    x = mean.detach().double()
    n, centred = len(x), x - x.mean(0)
    variance = centred.square().sum(0) / (n - 1)
    spread = ((centred**4).mean(0) - variance.square()).clamp(min=0).div(n).sqrt() * Z95
    if noise is not None:
        variance = variance - noise.to(variance)
    counts = [int((v > threshold).sum()) for v in (variance - spread, variance, variance + spread)]
    edges = np.array([-np.inf, *np.arange(-6.0, 1.5, 0.5), np.inf])
    logs = np.log10(np.maximum(variance.cpu().numpy(), 1e-300))
    details = {"variances": variance.tolist(), "log10_edges": edges[1:-1].tolist(),
               "histogram": np.histogram(logs, edges)[0].tolist()}  # fmt: skip
    return Estimate("active units", counts[1], math.nan, n, f"of {x.shape[1]}", {"n": n, "threshold": threshold},
                    None, (counts[0], counts[2]), details=details)  # fmt: skip


def game_surgery(
    game: Game, x: Tensor, *, samples: int = 4, seed: int = 0, chunk: int = 1000,
    protocol: Mapping[str, Any] | None = None,
) -> dict[str, Estimate]:  # fmt: skip
    """What can be had of a game's bound on held-out examples `x` in game form.

    With a normal `posterior` all of `elbo_surgery`. With `infer` alone, whose density is known at its own draws only,
    q(z) cannot be had, and so neither mutual information nor marginal KL: the rate is by draws, that is the mean of
    log q(z | x) - log p(z), and active units are counted on means of `samples` draws, less what their noise adds to the
    variance. A `likelihood` adds distortion and bound.

    Raises:
        UserError: where the game infers nothing, or its prior isn't the standard normal that `elbo_surgery` takes.
    """
    at_least("samples", samples, 2)
    if not (game.can("posterior") or (game.can("infer") and game.can("prior"))):
        raise UserError("this model has no posterior over codes (no posterior, no infer with prior) to take apart")
    with resting(game), measured(x.device, seed):
        parts = [_of_block(game, block, samples) for block in x.split(chunk)]
    known = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    if "log_sd" in known:
        found = elbo_surgery(mean=known["mean"], log_sd=known["log_sd"], reconstruction=known.get("reconstruction"),
                             samples=samples, seed=seed)  # fmt: skip
    else:
        facts = {"n": len(x), "latent": known["mean"].shape[1], "samples": samples, "seed": seed}
        found = {"rate": _average("rate", known["rate"], facts, bias="by draws of q"),
                 "active units": active_units(mean=known["mean"], noise=known["noise"].mean(0))}  # fmt: skip
        found |= _with_reconstruction(known.get("reconstruction"), known["rate"], facts)
    return {name: estimate.under(**(protocol or {})) for name, estimate in found.items()}


def codebook_use(
    tokens: Integer[Tensor, "n ..."], codes: int, *, draws: int = 200, seed: int = 0
) -> dict[str, Estimate]:
    """How many of a codebook's codes are used, and how evenly.

        perplexity = exp(-sum_k p_k ln p_k),   unused = #{k : p_k = 0} / K

    Each comes with the value of a codebook whose codes are all used alike, at the same number of tokens: few tokens
    leave codes unused whatever the model, (1 - 1/K)^N of them. Standard errors are over examples, since the tokens of
    one depend on one another: the perplexity's by the delta method, the unused share's by leaving examples out one by
    one, which overstates it somewhat (Efron and Stein 1981).

    Args:
        tokens: indices below `codes`, a row for each example.
        codes: K.
        draws: uniform users simulated for the null.
        seed: of them.

    Raises:
        UserError: for tokens that aren't indices below K, or fewer than two examples.
    """
    if tokens.is_floating_point() or tokens.ndim < 1 or len(tokens) < 2 or codes < 1:
        raise UserError(f"tokens {tuple(tokens.shape)} of {tokens.dtype} and {codes} codes; expected integers, a row "
                        "for each of 2 or more examples")  # fmt: skip
    rows = tokens.flatten(1).cpu().numpy() if tokens.ndim > 1 else tokens[:, None].cpu().numpy()
    if rows.size == 0 or rows.min() < 0 or rows.max() >= codes:
        raise UserError(f"tokens lie outside 0 to {codes - 1}; pass the size of the codebook they index")
    n, total = len(rows), rows.size
    counts, examples = np.bincount(rows.ravel(), minlength=codes), _examples_with(rows, codes)
    p = counts / total
    surprise = -np.log(np.maximum(p, 1 / total))
    entropy = float(p @ surprise)
    error = math.exp(entropy) * float(surprise[rows].mean(1).std(ddof=1)) / math.sqrt(n)
    # Left out, an example takes with it the codes that it alone uses.
    alone = (examples == 1)[rows] / np.maximum(counts[rows], 1)
    lost = alone.sum(1) / codes
    facts = {"codes": codes, "n": n, "tokens": total}
    uniform = np.random.default_rng(seed).multinomial(total, np.full(codes, 1 / codes), size=draws)
    shares = uniform / total
    even = np.exp(-(shares * np.log(np.where(uniform > 0, shares, 1))).sum(1))
    empty = (uniform == 0).mean(1)
    how = "a codebook used evenly"
    expected = float((1 - 1 / codes) ** total)
    return {
        "perplexity": Estimate(
            "perplexity of code use", math.exp(entropy), error, n, f"of {codes} codes", facts, False,
            bias="rises with more tokens", null=Null(float(even.mean()), float(even.std(ddof=1)), draws, how)),
        "unused": Estimate(
            "share of unused codes", float((counts == 0).mean()), math.sqrt((n - 1) * float(lost.var())), n,
            protocol=facts, bias=f"falls with more tokens, next by about {float(lost.mean()):.2g} an example",
            null=Null(expected, float(empty.std(ddof=1)), draws, how),
            details={"unused": int((counts == 0).sum()), "counts": counts.tolist()}),
    }  # fmt: skip


def _information(mean: Tensor, log_sd: Tensor, samples: int, chunk: int, seed: int) -> Float[Tensor, " n"]:
    """E over draws of q(z | x_i) of log q(z | x_i) - log q(z), for each i."""
    n, k = mean.shape
    noise = np.random.default_rng(seed).standard_normal((n, samples, k))
    eps = torch.from_numpy(noise).to(mean)
    # log q(z_i | x_j) as an inner product: z^2 . a_j + z . b_j + c_j, with codes about their own centre.
    m = mean - mean.mean(0)
    precision = torch.exp(-2 * log_sd)
    constant = -0.5 * (m.square() * precision).sum(1) - log_sd.sum(1) - 0.5 * k * math.log(2 * math.pi)
    parts = []
    for rows in torch.arange(n, device=mean.device).split(max(1, chunk // (samples * n))):
        z = (m[rows, None] + torch.exp(log_sd[rows, None]) * eps[rows]).flatten(0, 1)
        every = z.square() @ (-0.5 * precision).T + z @ (m * precision).T + constant
        own = log_normal(eps[rows].flatten(0, 1)) - log_sd[rows].sum(1).repeat_interleave(samples)
        # Its own term as it is known exactly: rounding must not take the difference above ln n.
        column = rows.repeat_interleave(samples)[:, None]
        every = every.scatter(1, column, own[:, None])
        parts.append((own - (torch.logsumexp(every, 1) - math.log(n))).view(-1, samples).mean(1))
    return torch.cat(parts).clamp(max=math.log(n))


def _of_block(game: Game, x: Tensor, samples: int) -> dict[str, Tensor]:
    """Mean and log sd, or rate and mean by draws, and the reconstruction, of some examples."""
    known: dict[str, Tensor] = {}
    draws: list[tuple[Tensor, Tensor | None]] = []
    if game.can("posterior"):
        mean, log_sd = game.abilities["posterior"](x)
        known = {"mean": mean, "log_sd": log_sd}
        if game.can("prior") and not torch.allclose(game.abilities["prior"](mean), log_normal(mean), 1e-4, 1e-4):
            raise UserError("the prior isn't standard normal, which the surgery takes it to be; a rate by draws of "
                            "infer is negative_log_likelihood's bound less the distortion")  # fmt: skip
        draws = [(mean + torch.exp(log_sd) * torch.randn_like(mean), None) for _ in range(samples)]
    else:
        drawn = [game.abilities["infer"](x) for _ in range(samples)]
        z = torch.stack([code for code, _ in drawn]).double()
        rates = [log_q.double() - game.abilities["prior"](code).double() for code, log_q in drawn]
        known = {"mean": z.mean(0), "noise": z.var(0) / samples, "rate": torch.stack(rates).mean(0)}
        draws = drawn
    if game.can("likelihood"):
        told: Callable[..., Tensor] = game.abilities["likelihood"]
        known["reconstruction"] = torch.stack([told(x, code).double() for code, _ in draws]).mean(0)
    return known


def _with_reconstruction(reconstruction: Tensor | None, rate: Tensor, facts: Mapping[str, Any]) -> dict[str, Estimate]:
    if reconstruction is None:
        return {}
    log_p = reconstruction.detach().to(rate)
    return {"distortion": _average("distortion", -log_p, facts),
            "bound": _average("negative bound", rate - log_p, facts, bias="rate and distortion together")}  # fmt: skip


def _average(
    name: str, values: Tensor, facts: Mapping[str, Any], lower: bool | None = True, *, bias: str = "",
    details: Mapping[str, Any] | None = None,
) -> Estimate:  # fmt: skip
    error = float(values.std()) / len(values) ** 0.5
    return Estimate(name, float(values.mean()), error, len(values), "nats", facts, lower, bias=bias,
                    details=details or {}, on_reference=(values - values.mean()).cpu().numpy())  # fmt: skip


def _examples_with(rows: np.ndarray, codes: int) -> np.ndarray:
    """For each code, how many examples use it."""
    ordered = np.sort(rows, 1)
    first = np.ones_like(ordered, dtype=bool)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    return np.bincount(ordered[first], minlength=codes)

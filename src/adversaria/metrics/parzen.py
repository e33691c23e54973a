"""The Parzen window estimate of likelihood: kept to read older papers by, and to show why not to trust it."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from adversaria.errors import UserError, at_least
from adversaria.metrics.checks import checked, facts
from adversaria.metrics.estimate import Estimate

GRID = tuple(10 ** (-2 + i / 8) for i in range(21))
"""Bandwidths from 0.01 to about 3.2, even in their logarithm."""


def log_parzen(
    x: Float[Tensor, "n d"], *, samples: Float[Tensor, "m d"], sigma: float, chunk: int = 4_000_000
) -> Float[Tensor, " n"]:
    """Log-density at x of the samples smoothed by a normal kernel, in float64 nats.

        log p(x) = log (1/m) sum_j N(x; y_j, sigma^2 I)

    >>> x = torch.zeros(1, 2)
    >>> round(log_parzen(x, samples=x, sigma=1.0).item(), 6)
    -1.837877
    """
    return _log_parzen(x, samples, (sigma,), chunk)[:, 0]


def _log_parzen(x: Tensor, samples: Tensor, sigmas: Sequence[float], chunk: int = 4_000_000) -> Float[Tensor, "n s"]:
    """One column for each sigma, from the same distances."""
    centre = samples.double().mean(0)  # about it, so that the inner product rounds little
    y, x = samples.double() - centre, x.double() - centre
    m, d = y.shape
    parts = []
    for block in x.split(max(1, chunk // m)):
        squares = (block.square().sum(1, keepdim=True) + y.square().sum(1) - 2 * block @ y.T).clamp(min=0)
        logs = [torch.logsumexp(squares / (-2 * s**2), 1) - d * math.log(s) for s in sigmas]
        parts.append(torch.stack(logs, 1))
    return torch.cat(parts) - math.log(m) - 0.5 * d * math.log(2 * math.pi)


def parzen_log_likelihood(
    *, samples: Float[Tensor, "m d"], held_out: Float[Tensor, "n d"], valid: Float[Tensor, "v d"],
    sigmas: Sequence[float] = GRID,
) -> Estimate:  # fmt: skip
    """A number that looks like a likelihood and ranks models wrongly. Higher is called better.

        (1/n) sum_i log (1/m) sum_j N(x_i; y_j, sigma^2 I),   sigma the best on `valid`

    Don't choose a model by it. With the number of samples anybody takes it is far below the likelihood in more than a
    few dimensions, and what it rewards is to have a sample near every example, at a distance of sigma: **the centroids
    of k-means on the training set score higher than samples of the true distribution** (on MNIST 313 against 243 nats,
    Theis, van den Oord, Bethge 2016, arXiv:1511.01844, Table 1), though no centroid looks like a sample. It also puts
    models in another order than annealed importance sampling does (Wu et al. 2017, arXiv:1611.04273, Table 2). Use
    `negative_log_likelihood` or `annealed_likelihood`. Breuleux, Bengio, Vincent (2011) for the estimate.

    Args:
        samples: of the model, y.
        held_out: examples to score, x.
        valid: examples to choose sigma on, none of those to score: the best sigma on the scored ones flatters.
        sigmas: to choose from.

    Raises:
        UserError: where the sets differ in width, hold what isn't finite, or no sigma is positive.
    """
    checked(1, samples=samples, held_out=held_out, valid=valid)
    at_least("number of held-out examples", len(held_out), 2)
    if not sigmas or not all(s > 0 and math.isfinite(s) for s in sigmas):
        raise UserError(f"sigmas are {tuple(sigmas)}; give at least one, all positive")
    scores = dict(zip(sigmas, _log_parzen(valid, samples, sigmas).mean(0).tolist(), strict=True))
    sigma = max(scores, key=scores.__getitem__)
    values = log_parzen(held_out, samples=samples, sigma=sigma)
    edge = len(sigmas) > 1 and sigma in (min(sigmas), max(sigmas))
    bias = "not a likelihood: ranks k-means centroids above true samples"
    if edge:
        bias += f"; sigma {sigma:.3g} is at the edge of its grid"
    protocol = facts(samples=samples, held_out=held_out, valid=valid)
    protocol |= {"sigmas": ", ".join(f"{s:.3g}" for s in sigmas), "sigma_chosen_on": "valid"}
    return Estimate(
        "Parzen log-likelihood", float(values.mean()), float(values.std()) / len(values) ** 0.5, len(values), "nats",
        protocol, False, bias=bias, details={"sigma": sigma, "on_valid": scores[sigma]},
        on_reference=(values - values.mean()).cpu().numpy(),
    )  # fmt: skip

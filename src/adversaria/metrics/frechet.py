"""The Fréchet distance between two samples' means and covariances, with its bias and its standard error."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from adversaria.errors import UserError
from adversaria.metrics.checks import checked, facts
from adversaria.metrics.estimate import Estimate

CHUNK, BLOCK = 4096, 256


@dataclass(frozen=True)
class Moments:
    """Mean (d,) and covariance (d, d) of n examples, in float64; the covariance divides by n - 1."""

    mean: Tensor
    covariance: Tensor
    n: int


def moments(x: Float[Tensor, "n d"]) -> Moments:
    """Mean and covariance in float64, centred before anything is multiplied, in chunks of rows.

    >>> moments(torch.tensor([[0.0, 0.0], [2.0, 2.0]])).covariance.tolist()
    [[2.0, 2.0], [2.0, 2.0]]
    """
    x = x.detach()
    mean = x.mean(0, dtype=torch.float64)
    d = x.shape[1]
    upper = torch.zeros(d, d, dtype=torch.float64, device=x.device)
    for rows in x.split(CHUNK):
        centred = rows.double() - mean
        for i in range(0, d, BLOCK):  # what lies below the diagonal's blocks isn't computed
            upper[i : i + BLOCK, i:] += centred[:, i : i + BLOCK].T @ centred[:, i:]
    return Moments(mean, (upper.triu() + upper.triu(1).T) / (len(x) - 1), len(x))


def raw_frechet(mean1: Float[Tensor, " d"], cov1: Float[Tensor, "d d"], mean2: Float[Tensor, " d"],
                cov2: Float[Tensor, "d d"]) -> float:  # fmt: skip
    """The Fréchet distance of two normal laws from their moments, as they are: nothing is corrected or refused.

        |m1 - m2|^2 + tr(S1 + S2 - 2 (S1^1/2 S2 S1^1/2)^1/2)

    Covariances may be singular. For moments that others stored; from samples, `frechet_distance` also gives the bias
    and the standard error.

    Dowson and Landau (1982), Equation 16; Heusel et al. (2017), arXiv:1706.08500.

    >>> one, five = torch.tensor([[1.0]]), torch.tensor([[4.0]])
    >>> raw_frechet(torch.tensor([0.0]), one, torch.tensor([3.0]), five)
    10.0

    Raises:
        UserError: where shapes don't agree, numbers aren't finite, or a covariance isn't symmetric.
    """
    mean1, cov1, mean2, cov2 = (t.detach().double() for t in (mean1, cov1, mean2, cov2))
    d = len(mean1)
    for mean, cov in ((mean1, cov1), (mean2, cov2)):
        if mean.shape != (d,) or cov.shape != (d, d):
            raise UserError(f"mean {tuple(mean.shape)}, covariance {tuple(cov.shape)}; expected ({d},) and ({d}, {d})")
        if not (mean.isfinite().all() and cov.isfinite().all()):
            raise UserError("a mean or a covariance is not finite; a distance to it means nothing")
        if float((cov - cov.T).abs().max()) > 1e-6 * float(cov.abs().max()):
            raise UserError("a covariance is not symmetric; give the matrix itself, not a factor of it")
    return _parts(mean1, cov1, mean2, cov2, _alignment(cov1, cov2).s)[2]


def frechet_distance(*, real: Float[Tensor, "n d"], generated: Float[Tensor, "m d"]) -> Estimate:
    """The Fréchet distance between the samples' means and covariances, less its first-order bias.

        |m_x - m_y|^2 + tr(S_x + S_y - 2 (S_x^1/2 S_y S_x^1/2)^1/2)  -  b_x - b_y

    From samples the distance comes out too large. With s the eigenvalues of (S_x^1/2 S_y S_x^1/2)^1/2 and v the
    examples in the coordinates in which both covariances are diagonal and their own is 1, its bias to order 1/n is

        b = tr(S)/n + 1/(2n) sum_ij s_i s_j / (s_i + s_j) Var(v_i v_j)

    for each side, whatever the law; for a normal law Var(v_i v_j) is 1, and 2 where i = j. The standard error is that
    of the mean of each side's influence 2 (m_x - m_y)'x + |x|^2 - sum_i s_i v_i^2 (x centred). Where both laws are the
    same the influence vanishes and the error is only an upper limit: whether there is any difference is a question for
    a permutation test. The corrected value may be below 0. Laws that differ beyond two moments may have distance 0.

    Dowson and Landau (1982); Heusel et al. (2017), arXiv:1706.08500. Bias and influence are the second and first terms
    of the expansion of the trace in S. Chong and Forsyth (2020), arXiv:1911.07023, remove the bias by extrapolation.

    Raises:
        UserError: where the sets differ in width, hold what is not finite, or have fewer than 2 rows a feature.
    """
    checked(real=real, generated=generated)
    width = int(((real != real[0]).any(0) | (generated != generated[0]).any(0)).sum())
    least = min(len(real), len(generated))
    if least < 2 * width:
        advice = f"project on {max(least // 10, 1)} principal components, or use the kernel distance"
        raise UserError(f"{least} examples for {width} features that vary; at least {2 * width}: {advice}")
    x, y = moments(real), moments(generated)
    found = _alignment(x.covariance, y.covariance)
    shift, spread, raw = _parts(x.mean, x.covariance, y.mean, y.covariance, found.s)
    bias_x, psi_x = _side(real, x, y.mean, found.to_x, found.s)
    bias_y, psi_y = _side(generated, y, x.mean, found.to_y, found.s)
    variance_x, variance_y = float(psi_x.var()) / x.n, float(psi_y.var()) / y.n
    details = {
        "raw": raw, "bias": bias_x + bias_y, "bias_real": bias_x, "bias_generated": bias_y,
        "mean_part": shift, "covariance_part": spread, "error_real": math.sqrt(variance_x),
        "error_generated": math.sqrt(variance_y), "rank": len(found.s), "varying_features": width,
    }  # fmt: skip
    return Estimate(
        "Fréchet distance", raw - bias_x - bias_y, math.sqrt(variance_x + variance_y), y.n,
        protocol=facts(real=real, generated=generated) | {"corrected": "first-order bias"}, details=details,
        bias=_note(least, width, raw, bias_x + bias_y), on_reference=psi_x.cpu().numpy(),
    )  # fmt: skip


def _note(n: int, width: int, raw: float, bias: float) -> str:
    note = f"first-order bias of {bias:.3g} removed"
    if n < 5 * width:
        note += f"; warn: {n / width:.1f} examples a feature, and below 5 much of the bias stays"
    if raw < 2 * bias:
        note += "; mostly bias: near 0 the error is an upper limit, test for a difference by permutation"
    return note


@dataclass(frozen=True)
class _Alignment:
    """Maps (r, d) to coordinates in which either sample has covariance 1 and their cross term is diag(s)."""

    s: Tensor
    to_x: Tensor
    to_y: Tensor


def _alignment(cov_x: Tensor, cov_y: Tensor) -> _Alignment:
    """With S_x = L L' and S_y = K K': the singular values s of K'L, whose sum is tr (S_x^1/2 S_y S_x^1/2)^1/2.

    By Cholesky and the eigenvalues of L' S_y L = U s^2 U' where both are well conditioned; otherwise by factors from
    eigenvectors, cut at rounding, and singular values: s is then short, but examples lie in their covariances' ranges,
    within which the distance is as smooth as for full rank, so that bias and influence keep their form.
    """
    L, failed = torch.linalg.cholesky_ex(cov_x)
    pivots = L.diagonal().square()
    if not failed and float(pivots.min()) > 1e-10 * float(pivots.max()):
        squares, U = torch.linalg.eigh(L.T @ cov_y @ L)
        if float(squares[0]) > 1e-10 * float(squares[-1]):
            s = squares.sqrt()
            to_x = torch.linalg.solve_triangular(L.T, U, upper=True).T
            return _Alignment(s, to_x, (L @ U).T / s[:, None])
    (factor_x, inverse_x), (factor_y, inverse_y) = _factor(cov_x), _factor(cov_y)
    left, s, right = torch.linalg.svd(factor_y.T @ factor_x, full_matrices=False)
    return _Alignment(s, right @ inverse_x, left.T @ inverse_y)


def _factor(cov: Tensor) -> tuple[Tensor, Tensor]:
    """K (d, r) with K K' = S, and its pseudo-inverse (r, d)."""
    values, vectors = torch.linalg.eigh(cov)
    kept = values > len(values) * torch.finfo(values.dtype).eps * values[-1].clamp(min=0)
    root, vectors = values[kept].sqrt(), vectors[:, kept]
    return vectors * root, vectors.T / root[:, None]


def _parts(mean_x: Tensor, cov_x: Tensor, mean_y: Tensor, cov_y: Tensor, s: Tensor) -> tuple[float, float, float]:
    """The means' part, the covariances' part and their sum; what rounding made negative is 0."""
    shift = float((mean_x - mean_y).square().sum())
    spread = max(float(cov_x.trace() + cov_y.trace() - 2 * s.sum()), 0.0)
    return shift, spread, shift + spread


def _side(rows: Tensor, own: Moments, other_mean: Tensor, to: Tensor, s: Tensor) -> tuple[float, Tensor]:
    """One side's part of the bias, and the influence (n,) of each of its examples."""
    n, fourth, influence = own.n, 0.0, []
    harmonic = _harmonic(s)
    for part in rows.detach().split(CHUNK):
        centred = part.double() - own.mean
        squares = (centred @ to.T).square()
        fourth += float((squares @ harmonic).square().sum())
        influence.append(2 * centred @ (own.mean - other_mean) + centred.square().sum(1) - squares @ s)
    # Coordinates made from the same examples have smaller fourth moments; this factor is exact for a normal law.
    curvature = fourth * (n + 1) * n / (n - 1) ** 3 - float(s.sum()) / 2
    psi = torch.cat(influence)
    return (float(own.covariance.trace()) + curvature / 2) / n, psi - psi.mean()


def _harmonic(s: Tensor, step: float = 0.5) -> Tensor:
    """H (r, nodes) with (H H')_ij = s_i s_j / (s_i + s_j) to 1e-7, so that no sum over pairs of coordinates is needed.

    1/(a + b) is the integral of exp(-(a + b) t) over t > 0; the trapezoidal rule in log t converges geometrically.
    """
    positive = s[s > 0]
    if not len(positive):
        return s[:, None]
    low, high = -18.0 - math.log(float(positive.max())), math.log(20) - math.log(float(positive.min()))
    t = torch.arange(low, high + step, step, dtype=s.dtype, device=s.device).exp()
    return s[:, None] * torch.exp(-s[:, None] * t) * (step * t).sqrt()

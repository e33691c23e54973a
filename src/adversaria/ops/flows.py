"""Invertible maps of vectors with the logarithm of their Jacobian's determinant, and their inverses."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Batch = Float[Tensor, "n d"]
SHIFT = math.log(math.e - 1)
"""The `shift` of `planar` by which small w and u are nearly the identity."""


def planar(z: Batch, w: Tensor, u: Tensor, b: Tensor, shift: float = 0.0) -> tuple[Batch, Float[Tensor, " n"]]:
    """f(z) = z + u' tanh(w^T z + b) and log |det df/dz| = log |1 + u'^T w tanh'(w^T z + b)|.

        u' = u + (m(w^T u) - w^T u) w / ||w||^2,   m(x) = -1 + log(1 + e^(x + shift))

    so that w^T u' > -1 and f is invertible. The paper has no shift: there small w and u shrink z along w to 0.69 of it,
    and 30 random layers take it to a point. With `SHIFT` m(0) = 0, and they leave it where it is.

    With a = tanh(w^T z + b) the determinant is a^2 + (1 + w^T u') (1 - a^2): no difference that rounds below 0.

    w and u are (d,) with a number b, or (n, d) with b (n,). Rezende and Mohamed (2015), arXiv:1505.05770, Eq. 10 to 12,
    23, 24.
    """
    a = torch.tanh((z * w).sum(-1) + b)
    rise = torch.where(w.square().sum(-1) > 0, F.softplus((w * u).sum(-1) + shift), 1.0)  # 1 + w^T u'
    log_det = torch.log(a.square() + rise * (1 - a.square()))
    return z + invertible_direction(w, u, shift) * a[:, None], log_det


def invertible_direction(w: Tensor, u: Tensor, shift: float = 0.0) -> Tensor:
    """u' of `planar`."""
    along = (w * u).sum(-1, keepdim=True)
    length = w.square().sum(-1, keepdim=True).clamp_min(torch.finfo(w.dtype).tiny)
    return u + (F.softplus(along + shift) - 1 - along) * w / length


def planar_inverse(y: Batch, w: Tensor, u: Tensor, b: Tensor, shift: float = 0.0) -> Batch:
    """z with f(z) = y. Along w it is the root of a + w^T u' tanh(a + b) = w^T y, found by bisection; the rest follows.

    The root lies within |w^T u'| of w^T y, and the left side rises, so that bisection can't miss it.
    """
    u = invertible_direction(w, u, shift)
    slope, target = (u * w).sum(-1), (y * w).sum(-1)
    low, high = target - slope.abs(), target + slope.abs()
    for _ in range(80 if y.dtype == torch.float64 else 50):
        middle = (low + high) / 2
        above = middle + slope * torch.tanh(middle + b) > target
        low, high = torch.where(above, low, middle), torch.where(above, middle, high)
    return y - u * torch.tanh((low + high) / 2 + b)[:, None]


def radial(z: Batch, centre: Tensor, alpha: Tensor, beta: Tensor) -> tuple[Batch, Float[Tensor, " n"]]:
    """f(z) = z + beta h (z - centre) with h = 1 / (alpha + r), r = ||z - centre||, and log |det df/dz|.

        log det = (d - 1) log(1 + beta h) + log(1 + beta h - beta r h^2),   invertible for alpha > 0, beta > -alpha

    The centre is (d,) with numbers alpha and beta, or (n, d) with (n,). Rezende and Mohamed (2015), arXiv:1505.05770,
    Eq. 14, 26.
    """
    away = z - centre
    r = away.norm(dim=1)
    h = 1 / (alpha + r)
    log_det = (z.shape[1] - 1) * torch.log1p(beta * h) + torch.log1p(beta * h - beta * r * h.square())
    return z + (beta * h)[:, None] * away, log_det


def radial_inverse(y: Batch, centre: Tensor, alpha: Tensor, beta: Tensor) -> Batch:
    """z with f(z) = y: the radius r solves r + beta r / (alpha + r) = ||y - centre||, a quadratic."""
    away = y - centre
    rho = away.norm(dim=1)
    half = (alpha + beta - rho) / 2
    root = (half.square() + alpha * rho).sqrt()
    r = torch.where(half > 0, alpha * rho / (half + root).clamp_min(torch.finfo(y.dtype).tiny), root - half)
    return centre + away / (1 + beta / (alpha + r))[:, None]


def rational_quadratic(
    x: Float[Tensor, "*n"], widths: Float[Tensor, "*n k"], heights: Float[Tensor, "*n k"],
    slopes: Float[Tensor, "*n k+1"], inverse: bool = False,
) -> tuple[Float[Tensor, "*n"], Float[Tensor, "*n"]]:  # fmt: skip
    """A monotone spline of k rational quadratics from [0, sum widths] to [0, sum heights], and log dy/dx.

    With s = height / width of x's bin, t = the share of the bin below x, and slopes d, e at its ends:

        y = y_0 + height (s t^2 + d t (1 - t)) / (s + (d + e - 2 s) t (1 - t))                            Eq. 4
        dy/dx = s^2 (e t^2 + 2 s t (1 - t) + d (1 - t)^2) / (s + (d + e - 2 s) t (1 - t))^2                Eq. 5

    `inverse` gives x for y, the root of a quadratic (Eq. 6 to 8) whose discriminant is kept from rounding below 0, and
    log dx/dy. Durkan et al. (2019), arXiv:1906.04032.
    """
    right, top = widths.cumsum(-1), heights.cumsum(-1)
    bins = (x[..., None] >= (top if inverse else right)[..., :-1]).sum(-1, keepdim=True)
    w, h = widths.gather(-1, bins)[..., 0], heights.gather(-1, bins)[..., 0]
    x_0, y_0 = right.gather(-1, bins)[..., 0] - w, top.gather(-1, bins)[..., 0] - h
    d, e = slopes.gather(-1, bins)[..., 0], slopes.gather(-1, bins + 1)[..., 0]
    s = h / w
    bend = d + e - 2 * s
    if inverse:
        over = x - y_0
        a, b, c = h * (s - d) + over * bend, h * d - over * bend, -s * over
        t = 2 * c / (-b - (b.square() - 4 * a * c).clamp_min(0).sqrt())
    else:
        t = (x - x_0) / w
    t = t.clamp(0, 1)  # what rounding leaves outside
    below = s + bend * t * (1 - t)
    log_slope = 2 * s.log() + (e * t.square() + 2 * s * t * (1 - t) + d * (1 - t).square()).log() - 2 * below.log()
    if inverse:
        return x_0 + t * w, -log_slope
    return y_0 + h * (s * t.square() + d * t * (1 - t)) / below, log_slope

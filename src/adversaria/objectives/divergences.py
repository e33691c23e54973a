"""f-divergences by their variational bound.

    D_f(P || Q) = E_Q f(p / q)  >=  E_P T - E_Q f*(T),   T = g_f(v),   f*(t) = sup_u (u t - f(u))

v is the discriminator's output, any number; g_f maps it onto the domain of f*. The bound is tight at T = f'(p / q).

Nowozin, Cseke and Tomioka (2016), arXiv:1606.00709, Sections 2.2 to 2.4, Tables 1, 2 and 6.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from adversaria.errors import UserError, unknown
from adversaria.objectives.normals import CLOSED
from adversaria.ops import widened

Divergence = Literal["kl", "reverse-kl", "jensen-shannon", "gan", "pearson", "squared-hellinger", "total-variation"]
Values = Float[Tensor, "*n"]
Function = Callable[[Tensor], Tensor]

CEILING = 20.0
"""Where an exponential's argument begins to grow by its logarithm only: exp(100) is more than float32 holds."""


def _capped(v: Tensor) -> Tensor:
    """v up to the ceiling c, c + log(1 + v - c) above it: increasing, onto all numbers, once differentiable."""
    return v.clamp(max=CEILING) + torch.log1p(F.relu(v - CEILING))


def _uncapped(v: Tensor) -> Tensor:
    return v.clamp(max=CEILING) + torch.expm1(F.relu(v - CEILING))


def _floored(v: Tensor) -> Tensor:
    return -_capped(-v)


def _unfloored(v: Tensor) -> Tensor:
    return -_uncapped(-v)


@dataclass(frozen=True)
class Row:
    """A divergence's line in the paper's tables."""

    f: Function
    slope: Function
    """f'."""
    conjugate: Function
    """f*."""
    domain: tuple[float, float]
    """Of f*."""
    activation: Function
    """g_f."""
    composed: Function
    """f*(g_f(v)), without the detour."""
    best: Function
    """From log p / q to the v at which the bound is tight."""
    recession: float
    """lim f(u) / u as u grows: what a unit of P's mass costs where Q has none."""


def _plus_one_log(u: Tensor) -> Tensor:
    return torch.xlogy(u + 1, u + 1)


ROWS: dict[str, Row] = {
    "kl": Row(
        f=lambda u: torch.xlogy(u, u),
        slope=lambda u: 1 + u.log(),
        conjugate=lambda t: torch.exp(t - 1),
        domain=(-math.inf, math.inf),
        activation=_capped,
        composed=lambda v: torch.exp(_capped(v) - 1),
        best=lambda r: _uncapped(1 + r),
        recession=math.inf,
    ),
    "reverse-kl": Row(
        f=lambda u: -u.log(),
        slope=lambda u: -1 / u,
        conjugate=lambda t: -1 - torch.log(-t),
        domain=(-math.inf, 0.0),
        activation=lambda v: -torch.exp(-_floored(v)),
        composed=lambda v: _floored(v) - 1,
        best=_unfloored,
        recession=0.0,
    ),
    "jensen-shannon": Row(
        f=lambda u: torch.xlogy(u, u) - _plus_one_log(u) + (u + 1) * math.log(2),
        slope=lambda u: math.log(2) - torch.log1p(1 / u),
        conjugate=lambda t: -torch.log(2 - torch.exp(t)),
        domain=(-math.inf, math.log(2)),
        activation=lambda v: math.log(2) + F.logsigmoid(v),
        composed=lambda v: F.softplus(v) - math.log(2),
        best=lambda r: r,
        recession=math.log(2),
    ),
    "gan": Row(
        f=lambda u: torch.xlogy(u, u) - _plus_one_log(u),
        slope=lambda u: -torch.log1p(1 / u),
        conjugate=lambda t: -torch.log(-torch.expm1(t)),
        domain=(-math.inf, 0.0),
        activation=F.logsigmoid,
        composed=F.softplus,
        best=lambda r: r,
        recession=0.0,
    ),
    "pearson": Row(
        f=lambda u: (u - 1).square(),
        slope=lambda u: 2 * (u - 1),
        conjugate=lambda t: t.square() / 4 + t,
        domain=(-math.inf, math.inf),
        activation=lambda v: v,
        composed=lambda v: v.square() / 4 + v,
        best=lambda r: 2 * torch.expm1(r),
        recession=math.inf,
    ),
    "squared-hellinger": Row(
        f=lambda u: (u.sqrt() - 1).square(),
        slope=lambda u: 1 - u.rsqrt(),
        conjugate=lambda t: t / (1 - t),
        domain=(-math.inf, 1.0),
        activation=lambda v: -torch.expm1(-_floored(_capped(v))),
        composed=lambda v: torch.expm1(_floored(_capped(v))),
        best=lambda r: _unfloored(_uncapped(r / 2)),
        recession=1.0,
    ),
    "total-variation": Row(
        f=lambda u: (u - 1).abs() / 2,
        slope=lambda u: (u - 1).sign() / 2,
        conjugate=lambda t: t,
        domain=(-0.5, 0.5),
        activation=lambda v: torch.tanh(v) / 2,
        composed=lambda v: torch.tanh(v) / 2,
        best=lambda r: 100 * r.sign(),
        recession=0.5,
    ),
}


@dataclass(frozen=True)
class FDivergence:
    """A zero-sum game for the bound on D_f; v are the discriminator's outputs.

        discriminator   -E_P g_f(v) + E_Q f*(g_f(v)),    at best -D_f(P || Q)
        generator       -E_Q f*(g_f(v))                  its gradient there is that of D_f; alternative: -E_Q g_f(v)
        mirror          E_P g_f(v)                       alternative: E_P f*(g_f(v))

        kl                 int p log(p/q)                          v* = 1 + log p/q
        reverse-kl         int q log(q/p)                          v* = log p/q
        jensen-shannon     2 JSD, JSD with halves at its terms     v* = log p/q
        gan                2 JSD - log 4                           v* = log p/q
        pearson            int (p - q)^2 / q                       v* = 2 (p/q - 1)
        squared-hellinger  int (sqrt p - sqrt q)^2                 v* = log(p/q) / 2
        total-variation    int |p - q| / 2                         v* = +-infinity, in the limit

    Where Table 1 writes half of the Jensen-Shannon value and Pearson's integral with p below, this is what f in the
    same line gives. Beyond |v| = 20 exponentials of v go on linearly, by another g_f onto the same domain, which leaves
    the bound a bound. Pearson's f* is the conjugate over all u, the table's; over u >= 0 it would be -1 below t = -2.

    Raises:
        UserError: for another name.

    Nowozin et al. (2016), arXiv:1606.00709, Tables 1, 2 and 6; Section 3.2 for the alternative.

    >>> round(FDivergence("kl").between(torch.tensor([0.5, 0.5]), torch.tensor([0.25, 0.75])).item(), 6)
    0.143841
    """

    name: str
    """One of the seven above."""
    alternative: bool = False
    """The generator maximises E_Q g_f(v), which pushes where the bound's own term stalls."""
    paired: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.name not in ROWS:
            raise unknown("f-divergence", self.name, ROWS)

    @property
    def row(self) -> Row:
        """f, f', f*, g_f and what follows from them."""
        return ROWS[self.name]

    @property
    def threshold(self) -> float:
        """f'(1): an example with g_f(v) above it is taken for data. Table 2."""
        return float(self.row.slope(torch.ones((), dtype=torch.float64)))

    def discriminator(self, real: Values, fake: Float[Tensor, "*m"]) -> dict[str, Tensor]:
        """Minus the bound, in its two parts."""
        return {"real": -self._on_data(real), "fake": self._on_samples(fake)}

    def generator(self, fake: Values, real: Tensor | None = None) -> dict[str, Tensor]:
        """-E_Q f*(g_f(v)); alternative: -E_Q g_f(v)."""
        return {self.name: -(self._on_data(fake) if self.alternative else self._on_samples(fake))}

    def mirror(self, real: Values) -> dict[str, Tensor]:
        """E_P g_f(v); alternative: E_P f*(g_f(v))."""
        return {"mirror": self._on_samples(real) if self.alternative else self._on_data(real)}

    def bound(self, real: Values, fake: Float[Tensor, "*m"]) -> Float[Tensor, ""]:
        """E_P g_f(v) - E_Q f*(g_f(v)): at most D_f, but for the luck of the draw. Section 2.4."""
        return self._on_data(real) - self._on_samples(fake)

    def best(self, log_ratio: Values) -> Values:
        """The v at which the bound is tight, from log p / q. Table 1, T*; for total variation a limit, g_f = +-1/2."""
        return self.row.best(log_ratio)

    def between(self, p: Float[Tensor, " k"], q: Float[Tensor, " k"]) -> Float[Tensor, ""]:
        """D_f of two distributions over the same k states, exactly, infinite where it is.

        sum_{q > 0} q f(p / q)  +  sum_{q = 0} p lim f(u) / u
        """
        inside = q > 0
        outside = p[~inside].sum()
        found = (q[inside] * self.row.f(p[inside] / q[inside])).sum()
        return found + outside * self.row.recession if outside > 0 else found

    def between_normals(self, mean_p: float, sd_p: float, mean_q: float, sd_q: float) -> float | None:
        """D_f of N(mean_p, sd_p^2) and N(mean_q, sd_q^2) where it has a closed form, None where not.

        Jensen-Shannon's and the GAN's have none.
        """
        if not (sd_p > 0 and sd_q > 0):
            raise UserError(f"standard deviations are {sd_p:g} and {sd_q:g}; both must be above 0")
        closed = CLOSED.get(self.name)
        return None if closed is None else closed(mean_p, sd_p, mean_q, sd_q)

    def _on_data(self, v: Tensor) -> Tensor:
        return self.row.activation(widened(v)).mean()

    def _on_samples(self, v: Tensor) -> Tensor:
        return self.row.composed(widened(v)).mean()

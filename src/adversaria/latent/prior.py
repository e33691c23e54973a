"""What law a model's codes follow, as told by its own draws: coordinate by coordinate normal, uniform, or neither."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from adversaria.errors import UserError
from adversaria.game import Game

Law = Literal["other", "normal", "uniform", "discrete"]
LAWS: tuple[Law, ...] = get_args(Law)

DRAWS = 4096
EDGE = 3**0.5
"""Where a uniform law ends, in its standard deviations."""


@dataclass(frozen=True)
class Prior:
    """Law, mean and standard deviation of each coordinate of a code.

    A coordinate counts as normal where skewness and kurtosis of 4,096 draws lie within 0.3 of 0 and 0.5 of 3 (6 and
    more standard errors), as uniform where they lie within 0.15 of 0 and 1.8 and the range goes with the
    standard deviation (the range then gives both moments), and as discrete where most draws repeat one another. Normal
    coordinates that can't be told from N(0, 1) are taken for it exactly. Dependence is not looked at.
    """

    laws: tuple[Law, ...]
    mean: Float[Tensor, " k"]
    sd: Float[Tensor, " k"]

    @classmethod
    def of(cls, game: Game) -> Prior:
        """The prior of a game that can `latent`.

        Raises:
            UserError: where its codes are no vectors of real numbers.
        """
        z = game.latent(DRAWS, seed=0)
        if z.ndim != 2 or not z.is_floating_point():
            raise UserError(f"codes are {z.dtype} of shape {tuple(z.shape[1:])}; the tools work on real vectors (n, k)")
        x = z.double()
        mean, sd, span = x.mean(0), x.std(0), (x.amax(0) - x.amin(0)) * (DRAWS + 1) / (DRAWS - 1)
        u = (x - mean) / sd.clamp(min=1e-30)
        skew, kurtosis = u.pow(3).mean(0), u.pow(4).mean(0)
        repeated = (x.sort(0).values.diff(dim=0) == 0).double().mean(0) > 0.5
        normal = (skew.abs() < 0.3) & ((kurtosis - 3).abs() < 0.5) & ~repeated
        uniform = (skew.abs() < 0.15) & ((kurtosis - 1.8).abs() < 0.15) & (span < 1.05 * 2 * EDGE * sd) & ~repeated
        standard = normal & (mean.abs() < 6 / DRAWS**0.5) & ((sd - 1).abs() < 6 / (2 * DRAWS) ** 0.5)
        mean = torch.where(standard, 0.0, torch.where(uniform, (x.amax(0) + x.amin(0)) / 2, mean))
        sd = torch.where(standard, 1.0, torch.where(uniform, span / (2 * EDGE), sd))
        codes = (normal.long() + 2 * uniform.long() + 3 * repeated.long()).tolist()
        return cls(tuple(LAWS[code] for code in codes), mean.to(z), sd.to(z))

    @property
    def law(self) -> Law:
        """The law of all coordinates; "other" where they differ."""
        return self.laws[0] if len(set(self.laws)) == 1 else "other"

    def where(self, law: Law) -> Tensor:
        """Which coordinates follow the law, (k,)."""
        return torch.tensor([name == law for name in self.laws], device=self.mean.device)

    def standard(self, z: Float[Tensor, "*n k"]) -> Float[Tensor, "*n k"]:
        """Codes in standard deviations from the mean."""
        return (z - self.mean) / self.sd.clamp(min=1e-30)

    def restored(self, u: Float[Tensor, "*n k"]) -> Float[Tensor, "*n k"]:
        """The inverse of `standard`."""
        return self.mean + self.sd * u

    def inside(self, u: Float[Tensor, "*n k"]) -> Float[Tensor, "*n k"]:
        """Standardised codes, those of uniform coordinates moved to the nearest place where the prior has mass."""
        return torch.where(self.where("uniform"), u.clamp(-EDGE, EDGE), u)

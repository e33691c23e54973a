"""Neural spline flow: coordinates go through monotone splines that half of the others choose.

    z_B = spline(x_B; widths, heights and slopes = read(x_A)),   z_A = x_A,   A and B take turns        Section 3, Eq. 4
    log |det dz/dx| = sum over B of log spline'(x_B)                                                              Eq. 5
    one player    min  -E log N(z; 0, I) - log |det dz/dx|

Rational-quadratic splines on [-edge, edge], the identity beyond; their inverse is the root of a quadratic.
"""

from typing import Annotated

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass

from adversaria.data import DataSpec
from adversaria.density import flow_game
from adversaria.game import CHECKED, Adam, Count, Fraction, Game, Recipe, Reference
from adversaria.nn.flows import ActNorm, Composite, Flow
from adversaria.nn.mlp import MLP
from adversaria.nn.splines import Splines

REFERENCE = Reference(
    title="Neural Spline Flows",
    authors="Durkan, Bekasov, Murray, Papamakarios",
    year=2019,
    arxiv="1906.04032",
    venue="NeurIPS",
)
PRESETS = {
    "smoke": {"layers": 2, "hidden": 8, "bins": 3, "batch": 8, "rounds": 4},
    "small": {"rounds": 1_000},
}
DEPARTURES = (
    "MLPs that read the other half; the paper has residual networks.",
    "Halves that take turns; the paper has LU-decomposed linear maps between layers.",
)
CLAIMS = ("Densities with sharp edges and many modes are fitted with few layers (Figure 3; Table 1).",)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class SplineFlow(Recipe):
    """Neural spline flow of coupling layers."""

    KINDS = ("points",)

    layers: Count = 6
    """Coupling layers (Table 5: 10)."""
    hidden: Count = 64
    """Units of each of the two hidden layers (Table 5: 256)."""
    bins: Annotated[int, Field(ge=1, le=500)] = 8
    """K, bins of a spline (Table 5: 8)."""
    edge: Annotated[float, Field(gt=0)] = 4.0
    """B, where splines end (Table 5: 3)."""
    adam: Adam = Adam(lr=1e-3, clip=5.0, schedule="cosine")
    """For all weights."""
    average: Fraction = 0.99
    """Decay of the averaged weights that are sampled and scored; 0 for none."""
    batch: Count = 256
    """Examples a round."""
    rounds: Count = 4000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        (d,) = spec.shape
        even = (torch.arange(d) % 2 == 0).float() if d > 1 else torch.zeros(1)
        layers: list[Flow] = [ActNorm(d, image=False)]
        for k in range(self.layers):
            mask = even if k % 2 or d == 1 else 1 - even
            read = MLP(d, int((mask == 0).sum()) * (3 * self.bins - 1), self.hidden, 2)
            layers.append(Splines(mask, read, self.bins, self.edge))
        flow = Composite(layers)
        return flow_game(flow, spec, self.adam, average=self.average)

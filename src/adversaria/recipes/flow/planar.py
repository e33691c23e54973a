"""Planar flow: bends along single directions, one after the other.

    f(x) = x + u tanh(w^T x + b),   log |det df/dx| = log |1 + u^T w tanh'(w^T x + b)|                           Eq. 10
    one player    min  -E log N(z; 0, I) - log |det dz/dx|,   z = f_K(.. f_1(x))

As a posterior, where no inverse is asked for, it is in Section 4 of the paper; here samples go back by bisection.
The u that keeps f invertible is the paper's (Eq. 23) with a shift, by which small w and u begin near the identity.
"""

from pydantic.dataclasses import dataclass

from adversaria.data import DataSpec
from adversaria.density import flow_game
from adversaria.game import CHECKED, Adam, Count, Fraction, Game, Recipe, Reference
from adversaria.nn.flows import Composite, Planar

REFERENCE = Reference(
    title="Variational Inference with Normalizing Flows",
    authors="Rezende, Mohamed",
    year=2015,
    arxiv="1505.05770",
    venue="ICML",
)
PRESETS = {
    "smoke": {"layers": 2, "batch": 8, "rounds": 4},
    "small": {"layers": 16, "rounds": 2_000},
}
DEPARTURES = (
    "From data to noise, fitted by maximum likelihood; the paper goes from noise to an energy or a posterior.",
)
CLAIMS = ("More layers fit better (Figure 3, 4).",)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class PlanarFlow(Recipe):
    """Planar flow, as a density."""

    KINDS = ("points",)

    layers: Count = 32
    """K, bends (Section 6: 2 to 80)."""
    adam: Adam = Adam(lr=5e-3, clip=10.0, schedule="cosine")
    """For all weights."""
    average: Fraction = 0.99
    """Decay of the averaged weights that are sampled and scored; 0 for none."""
    batch: Count = 256
    """Examples a round."""
    rounds: Count = 4000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        flow = Composite(Planar(spec.size) for _ in range(self.layers))
        return flow_game(flow, spec, self.adam, average=self.average)

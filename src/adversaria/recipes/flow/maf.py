"""MAF: autoregressive models on top of each other, each of the noise that the one before leaves over.

    z_i = (x_i - m_i(x_<i)) exp(-a_i(x_<i)),   log |det dz/dx| = -sum_i a_i                                  Eq. 3 to 6
    one player    min  -E log N(z; 0, I) - log |det dz/dx|

The order of the coordinates is turned round between layers. Densities take one pass, samples one for each coordinate.
"""

from pydantic.dataclasses import dataclass

from adversaria.data import DataSpec
from adversaria.density import flow_game
from adversaria.game import CHECKED, Adam, Count, Fraction, Game, Recipe, Reference
from adversaria.nn.flows import ActNorm, Autoregressive, Composite, Reversal

REFERENCE = Reference(
    title="Masked Autoregressive Flow for Density Estimation",
    authors="Papamakarios, Pavlakou, Murray",
    year=2017,
    arxiv="1705.07057",
    venue="NeurIPS",
)
PRESETS = {
    "smoke": {"layers": 2, "hidden": 8, "batch": 8, "rounds": 4},
    "small": {"rounds": 1_000},
}
DEPARTURES = (
    "Activation normalisation in place of batch normalisation between layers (Section 3.5).",
    "Scales of a layer lie between exp(-3) and exp(3).",
)
CLAIMS = (
    "Held-out data are likelier than under one autoregressive model with normal conditionals, and than under RealNVP "
    "(Table 1).",
)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class MAF(Recipe):
    """Masked autoregressive flow."""

    KINDS = ("points",)

    layers: Count = 5
    """Autoregressive layers (Section 4.2: 5 and 10)."""
    hidden: Count = 256
    """Units of each of the two hidden layers (Section 4.2: 100 to 1024)."""
    adam: Adam = Adam(lr=1e-3, clip=10.0, schedule="cosine")
    """For all weights."""
    average: Fraction = 0.99
    """Decay of the averaged weights that are sampled and scored; 0 for none."""
    batch: Count = 256
    """Examples a round."""
    rounds: Count = 4000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        (d,) = spec.shape
        layers = [
            part
            for _ in range(self.layers)
            for part in (Autoregressive(d, self.hidden), ActNorm(d, image=False), Reversal())
        ]
        flow = Composite(layers)
        return flow_game(flow, spec, self.adam, average=self.average)

"""IAF: the inverse of a masked autoregressive flow. Samples take one pass, densities one for each coordinate.

    x_i = (z_i - m_i(z_<i)) exp(-a_i(z_<i)),   log |det dx/dz| = -sum_i a_i                                  Eq. 9, 10
    one player    min  -E log N(z; 0, I) + log |det dx/dz|

As a posterior, where densities are only read at its own samples, it is in `vae-iaf`; here it is a density of its own.
"""

from pydantic.dataclasses import dataclass

from adversaria.data import DataSpec
from adversaria.density import flow_game
from adversaria.game import CHECKED, Adam, Count, Fraction, Game, Recipe, Reference
from adversaria.nn.flows import Autoregressive, Composite, Inverse, Reversal

REFERENCE = Reference(
    title="Improving Variational Inference with Inverse Autoregressive Flow",
    authors="Kingma, Salimans, Jozefowicz, Chen, Sutskever, Welling",
    year=2016,
    arxiv="1606.04934",
    venue="NeurIPS",
)
PRESETS = {
    "smoke": {"layers": 2, "hidden": 8, "batch": 8, "rounds": 4},
    "small": {"rounds": 1_000},
}
DEPARTURES = (
    "Fitted to data by maximum likelihood; the paper has it as a posterior.",
    "Scales of a layer lie between exp(-3) and exp(3).",
)
CLAIMS = ("Samples come in one pass, however many coordinates there are (Section 3).",)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class IAF(Recipe):
    """Inverse autoregressive flow, as a density."""

    KINDS = ("points",)

    layers: Count = 5
    """Autoregressive layers."""
    hidden: Count = 64
    """Units of each of the two hidden layers."""
    adam: Adam = Adam(lr=1e-3, clip=10.0, schedule="cosine")
    """For all weights."""
    average: Fraction = 0.99
    """Decay of the averaged weights that are sampled and scored; 0 for none."""
    batch: Count = 256
    """Examples a round."""
    rounds: Count = 3000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        (d,) = spec.shape
        layers = [part for _ in range(self.layers) for part in (Inverse(Autoregressive(d, self.hidden)), Reversal())]
        flow = Composite(layers)
        return flow_game(flow, spec, self.adam, average=self.average)

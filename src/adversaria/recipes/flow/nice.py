"""NICE: additive couplings, which keep all volume, and one scaling of every coordinate at the end.

    x centred and scaled, coordinate by coordinate, by the first batch; both are learned from there on
    y_1 = x_1,   y_2 = x_2 + m(x_1)                                 Eq. 5; the halves change places between layers
    z = exp(s) y,   log |det dz/dx| = sum_i s_i                                             Section 3.3
    one player    min  -E sum_i log p_z(z_i) - log |det dz/dx|,   p_z logistic               Eq. 3, Section 3.4

Of images the bound under dequantisation is minimised, as in `nn.dequantise`.
"""

import torch
from pydantic.dataclasses import dataclass

from adversaria.data import DataSpec
from adversaria.density import LOGISTIC, Noise, flow_game, pixels_of
from adversaria.game import CHECKED, Adam, Count, Fraction, Game, Recipe, Reference
from adversaria.nn.flows import ActNorm, Composite, Coupling, Flow, Rows, Scaling
from adversaria.nn.mlp import MLP

REFERENCE = Reference(
    title="NICE: Non-linear Independent Components Estimation",
    authors="Dinh, Krueger, Bengio",
    year=2015,
    arxiv="1410.8516",
    venue="ICLR workshop",
)
PRESETS = {
    "smoke": {"layers": 2, "hidden": 8, "depth": 1, "width": 4, "batch": 8, "rounds": 4},
    "small": {"hidden": 200, "depth": 2, "rounds": 1_500},
}
DEPARTURES = (
    "Pixels go through a logit before the first layer (RealNVP, Section 4.1); the paper's stay in [0, 1], so that its "
    "samples may lie beyond.",
    "Every coordinate is centred and scaled by the first batch, and Adam falls along a cosine: the paper's scales have "
    "1,500 epochs at a constant rate to grow.",
    "No whitening of colour images (Section 5.1: ZCA).",
)
CLAIMS = ("The likelihood of held-out images is above that of a Gaussian of full covariance.",)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class NICE(Recipe):
    """Non-linear independent components estimation."""

    KINDS = ("image", "points")

    layers: Count = 4
    """Coupling layers (Section 5.1: 4)."""
    hidden: Count = 500
    """Units in a hidden layer (Section 5.1: 1000)."""
    depth: Count = 3
    """Hidden layers (Section 5.1: 5)."""
    dequantisation: Noise = "uniform"
    """Of pixels: uniform noise (Section 5.1), or variational."""
    width: Count = 32
    """Channels of the network that gives variational noise."""
    adam: Adam = Adam(lr=1e-3, clip=100.0, schedule="cosine")
    """For all weights (Section 5.1)."""
    average: Fraction = 0.99
    """Decay of the averaged weights that are sampled and scored; 0 for none."""
    batch: Count = 128
    """Examples a round."""
    rounds: Count = 4_000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        d = spec.size
        even = (torch.arange(d) % 2 == 0).float()
        layers: list[Flow] = [Rows(spec.shape), ActNorm(d, image=False)]
        for k in range(self.layers):
            layers.append(Coupling(1 - even if k % 2 else even, MLP(d, d, self.hidden, self.depth), affine=False))
        flow = Composite([*layers, Scaling((d,))])
        pixels = pixels_of(spec, self.dequantisation, self.width)
        return flow_game(flow, spec, self.adam, average=self.average, base=LOGISTIC, pixels=pixels)

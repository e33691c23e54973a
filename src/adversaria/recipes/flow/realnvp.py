"""RealNVP: affine couplings of images, scale by scale, whose Jacobian is a triangle.

    y_1 = x_1,   y_2 = x_2 exp(s(x_1)) + t(x_1),   log |det dy/dx| = sum s(x_1)             Eq. 4 to 6
    the parts are the colours of a checkerboard, then channels of the squeezed image        Eq. 9, Section 3.6
    after a scale half of the channels are left as they are and the others go on            Eq. 14 to 16
    one player    min  -E log N(z; 0, I) - log |det dz/dx|

Of images the bound under dequantisation is minimised, as in `nn.dequantise`. On points the parts are coordinates.
"""

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from adversaria.data import DataSpec
from adversaria.density import Noise, flow_game, pixels_of
from adversaria.game import CHECKED, Adam, Count, Fraction, Game, Recipe, Reference
from adversaria.nn.flows import ActNorm, Composite, Coupling, Flow
from adversaria.nn.mlp import MLP
from adversaria.nn.multiscale import Levels, Residual, Squeeze, channelwise, checkerboard, halvings, kept

REFERENCE = Reference(
    title="Density Estimation using Real NVP",
    authors="Dinh, Sohl-Dickstein, Bengio",
    year=2017,
    arxiv="1605.08803",
    venue="ICLR",
)
PRESETS = {
    "smoke": {"width": 4, "blocks": 1, "scales": 1, "layers": 2, "hidden": 8, "batch": 8, "rounds": 4},
    "small": {"width": 16, "blocks": 1, "rounds": 1_500},
}
DEPARTURES = (
    "Activation normalisation after each coupling in place of batch normalisation (Section 3.7).",
    "Scales of a layer lie between exp(-3) and exp(3); residual networks have neither norm nor skips to the end.",
    "No horizontal flips of the data (Section 4.1).",
)
CLAIMS = ("Samples and latent codes are exact inverses, and bits per dimension are below NICE's (Table 1).",)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class RealNVP(Recipe):
    """Real-valued non-volume-preserving transformations."""

    KINDS = ("image", "points")

    scales: Count = 3
    """At most; an image of odd sides has one (Section 4.1: down to 4x4)."""
    width: Count = 32
    """Channels of the residual networks (Section 4.1: 32 to 64)."""
    blocks: Count = 2
    """Residual blocks (Section 4.1: 2 to 8)."""
    layers: Count = 6
    """Coupling layers, for points."""
    hidden: Count = 64
    """Units of each of the two hidden layers, for points."""
    dequantisation: Noise = "uniform"
    """Of pixels: uniform noise (Section 4.1), or variational."""
    adam: Adam = Adam(lr=1e-3, clip=50.0, schedule="cosine")
    """For all weights (Section 4.1: 1e-3)."""
    average: Fraction = 0.99
    """Decay of the averaged weights that are sampled and scored; 0 for none."""
    batch: Count = 64
    """Examples a round (Section 4.1: 64)."""
    rounds: Count = 3_000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        flow = self.of_image(spec.shape) if spec.kind == "image" else self.of_points(*spec.shape)
        pixels = pixels_of(spec, self.dequantisation, self.width)
        return flow_game(flow, spec, self.adam, average=self.average, pixels=pixels)

    def of_points(self, d: int) -> Flow:
        even = (torch.arange(d) % 2 == 0).float() if d > 1 else torch.zeros(1)
        layers: list[Flow] = []
        for k in range(self.layers):
            mask = 1 - even if k % 2 and d > 1 else even
            layers += [Coupling(mask, MLP(d, 2 * d, self.hidden, 2), affine=True), ActNorm(d, image=False)]
        return Composite(layers)

    def of_image(self, shape: tuple[int, ...]) -> Flow:
        c, h, w = shape
        levels: list[Flow] = []
        for _ in range(halvings(shape, self.scales)):
            boards = [checkerboard((c, h, w), odd=k % 2 == 0) for k in range(3)]
            halves = [channelwise(4 * c, first=k % 2 == 0) for k in range(3)]
            levels.append(Composite([*self.couple(boards, c), Squeeze(), *self.couple(halves, 4 * c)]))
            c, h, w = kept(4 * c), h // 2, w // 2
        boards = [checkerboard((c, h, w), odd=k % 2 == 0) for k in range(4)]
        return Levels(shape, [*levels, Composite(self.couple(boards, c))])

    def couple(self, masks: list[Tensor], c: int) -> list[Flow]:
        layers: list[Flow] = []
        for mask in masks:
            layers += [Coupling(mask, Residual(c, 2 * c, self.width, self.blocks), affine=True), ActNorm(c, image=True)]
        return layers

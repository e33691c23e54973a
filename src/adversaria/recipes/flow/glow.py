"""Glow: steps of normalised, mixed and coupled channels, level by level.

    y = s * x + b, a scale and an offset for each channel, set by the first batch           activation norm, Table 1
    y = W x at every pixel,   log |det dy/dx| = h w log |det W|                             1x1 convolution, Eq. 9
    y_a = exp(log s) * x_a + t,   [log s, t] = NN(x_b),   y_b = x_b                         coupling, Table 1
    one player    min  -E log p(z) - log |det dz/dx|                                        Eq. 4, 7

A fixed permutation of the channels, whose log det is 0, may stand in the convolution's place (`mixing`). K steps make a
level; after it half of the channels are left behind, normal given the others. Of the pixels the bound under
dequantisation is minimised, as in `nn.dequantise`.
"""

from typing import Literal

from pydantic.dataclasses import dataclass

from adversaria.data import DataSpec
from adversaria.density import Noise, flow_game, pixels_of
from adversaria.errors import UserError
from adversaria.game import CHECKED, Adam, Count, Fraction, Game, Recipe, Reference
from adversaria.nn.flows import ActNorm, Composite, Coupling, Flow
from adversaria.nn.multiscale import Convolutions, Given, Levels, Mixing, Shuffle, Squeeze, channelwise, halvings, kept

REFERENCE = Reference(
    title="Glow: Generative Flow with Invertible 1x1 Convolutions",
    authors="Kingma, Dhariwal",
    year=2018,
    arxiv="1807.03039",
    venue="NeurIPS",
)
PRESETS = {
    "smoke": {"levels": 1, "steps": 2, "width": 4, "batch": 8, "rounds": 4},
    "small": {"steps": 4, "width": 32, "rounds": 1_500},
}
DEPARTURES = (
    "Pixels go through a logit before the first layer (RealNVP, Section 4.1); the paper's are only centred.",
    "Scales of a coupling lie between exp(-3) and exp(3); the authors' code has a sigmoid there.",
    "The last level's prior isn't learned: the activation norm before it is.",
    "Channels left behind are normal given those that go on, as in the authors' code (Section 3.3 doesn't say).",
)
CLAIMS = ("Bits per dimension are below those with channels in a fixed permutation, and below RealNVP's (Table 2).",)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class Glow(Recipe):
    """Generative flow with invertible 1x1 convolutions."""

    KINDS = ("image",)

    levels: Count = 3
    """L, at most; each halves the image, while its sides are even (Section 5: 3 at 32x32)."""
    steps: Count = 8
    """K, steps of a level (Section 5: 32)."""
    width: Count = 64
    """Channels of a coupling's network (Section 5: 512)."""
    mixing: Literal["convolution", "permutation"] = "convolution"
    """Of a step's channels: a 1x1 convolution, or the fixed permutation that the paper sets beside it (Section 5)."""
    dequantisation: Noise = "uniform"
    """Of pixels: uniform noise (Section 2), or variational."""
    adam: Adam = Adam(lr=1e-3, clip=50.0, schedule="cosine")
    """For all weights (Section 5: 1e-3)."""
    average: Fraction = 0.99
    """Decay of the averaged weights that are sampled and scored; 0 for none."""
    batch: Count = 64
    """Examples a round."""
    rounds: Count = 3_000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        L, c = halvings(spec.shape, self.levels), spec.shape[0]
        if not L and c == 1:
            raise UserError(f"Glow halves grey images and these have shape {spec.shape}; take images with even sides")
        levels: list[Flow] = []
        for level in range(max(L, 1)):
            squeeze = [Squeeze()] if L else []
            c = 4 * c if L else c
            on = kept(c) if level < L - 1 else c
            behind = [Given(on, c - on)] if on < c else []
            levels.append(Composite([*squeeze, *(self.step(c) for _ in range(self.steps)), *behind]))
            c = on
        pixels = pixels_of(spec, self.dequantisation, self.width)
        return flow_game(Levels(spec.shape, levels), spec, self.adam, average=self.average, pixels=pixels)

    def step(self, c: int) -> Flow:
        coupling = Coupling(channelwise(c, first=True), Convolutions(c, 2 * c, self.width, normed=True), affine=True)
        mixed = Mixing(c) if self.mixing == "convolution" else Shuffle(c)
        return Composite([ActNorm(c, image=True), mixed, coupling])

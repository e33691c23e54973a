"""R3GAN: the modern baseline. Data and samples are compared in pairs, with a penalty on either side.

    discriminator   min_D  E softplus(D(G(z)) - D(x)) + gamma/2 E ||grad D(x)||^2 + gamma/2 E ||grad D(G(z))||^2
    generator       min_G  E softplus(D(x) - D(G(z))),   z ~ N(0, I)

Pairing leaves no place for samples that all sit on one side of a boundary, and so fewer modes are dropped; R1 and R2
together make the game converge locally (Section 2), so that residual networks without normalisation do.
"""

from typing import Any

from pydantic.dataclasses import dataclass
from torch import Tensor

from adversaria.data import DataSpec
from adversaria.duel import Parts, contest
from adversaria.game import CHECKED, Adam, Count, Fraction, Game, Recipe, Reference, Weight
from adversaria.nn.backbones import Network
from adversaria.nn.noise import normal
from adversaria.objectives.losses import Relativistic

REFERENCE = Reference(
    title="The GAN is dead; long live the GAN! A Modern GAN Baseline",
    authors="Huang, Gokaslan, Kuleshov, Tompkin",
    year=2024,
    arxiv="2501.05441",
    venue="NeurIPS",
)
PRESETS = {
    "smoke": {"latent": 8, "width": 4, "hidden": 16, "depth": 1, "batch": 8, "rounds": 4},
    "small": {"width": 16, "rounds": 1_000},
}
DEPARTURES = (
    "Smaller networks; gamma and rates are constant, where the paper anneals both over hundreds of millions of images.",
    "No augmentation by default; the paper has it for CIFAR-10 (--parts.augment adaptive).",
)
CLAIMS = ("It covers all modes of stacked digits (Section 2).",)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class R3GAN(Recipe):
    """Relativistic pairing with R1 and R2 on residual networks."""

    latent: Count = 64
    """Dimension of z."""
    gamma: Weight = 1.0
    """Weight of either penalty (Section 2)."""
    network: Network = "modern"
    """Of both players, for images (Section 3)."""
    width: Count = 32
    """Channels at half the image's resolution."""
    hidden: Count = 256
    """Units in a hidden layer, for data that aren't images."""
    depth: Count = 3
    """Hidden layers, for data that aren't images."""
    average: Fraction = 0.999
    """Decay of the averaged generator that samples; 0 for none."""
    adam: Adam = Adam(lr=5e-4, betas=(0.0, 0.99))
    """For both players."""
    parts: Parts = Parts()
    """Techniques beside the recipe's own, such as --parts.r1 1; 'adversaria show' lists them."""
    batch: Count = 64
    """Examples a move."""
    rounds: Count = 2_000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        size: Any = {"width": self.width, "hidden": self.hidden, "depth": self.depth}
        G = self.parts.decoder(self.latent, spec.shape, **size, norm="none", network=self.network)
        D = self.parts.critic(spec.shape, **size, norm="none", network=self.network)

        def prior(n: int) -> Tensor:
            return normal(n, self.latent, like=G)

        return contest(
            self, G, D, prior, loss=Relativistic(), optimizers=(self.adam, self.adam),
            parts=self.parts.own(r1=self.gamma, r2=self.gamma), called="critic",
        )  # fmt: skip

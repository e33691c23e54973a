"""DCGAN: the GAN game between strided convolutional networks with batch normalisation.

    discriminator   max_D  E log D(x) + E log(1 - D(G(z))),   z ~ U(-1, 1)^d
    generator       max_G  E log D(G(z))

Batch normalisation everywhere but in G's last and D's first layer, ReLU in G and tanh at its end, LeakyReLU 0.2 in D,
weights from N(0, 0.02), Adam with a rate of 2e-4 and beta_1 of 0.5 (Sections 3 and 4).
"""

from typing import Any

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from adversaria.data import DataSpec
from adversaria.duel import Parts, contest
from adversaria.game import CHECKED, Adam, Count, Fraction, Game, Recipe, Reference
from adversaria.objectives.losses import NonSaturating

REFERENCE = Reference(
    title="Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks",
    authors="Radford, Metz, Chintala",
    year=2016,
    arxiv="1511.06434",
    venue="ICLR",
)
PRESETS = {
    "smoke": {"latent": 8, "width": 4, "batch": 8, "rounds": 4},
    "small": {"width": 32, "rounds": 1_500},
    "paper": {"width": 128, "average": 0.0, "rounds": 100_000},
}
DEPARTURES = (
    "width is 64 by default, for two CPU cores; the preset 'paper' has the paper's 128 (1024 channels at 4x4 of 64).",
    "4x4 kernels in place of 5x5, so that stride 2 covers every pixel evenly; networks follow the image's size.",
    "Samples come from an averaged generator; the preset 'paper' takes the last one.",
)
CLAIMS = (
    "Interpolation between two codes is smooth, with no sudden transition (Section 6.1).",
    "Averages of codes add and subtract like concepts (Section 6.3.2).",
)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class DCGAN(Recipe):
    """Deep convolutional GAN."""

    KINDS = ("image",)

    latent: Count = 100
    """Dimension of z (Section 4 and Figure 1)."""
    width: Count = 64
    """Channels at half the image's resolution; each halving doubles them (Figure 1: 128 at 32x32)."""
    average: Fraction = 0.99
    """Decay of the averaged generator that samples; 0 for none."""
    adam: Adam = Adam(lr=2e-4, betas=(0.5, 0.999))
    """For both players (Section 4)."""
    parts: Parts = Parts()
    """Techniques beside the recipe's own, such as --parts.r1 1; 'adversaria show' lists them."""
    batch: Count = 128
    """Examples a move (Section 4)."""
    rounds: Count = 2_000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        size: Any = {"width": self.width, "hidden": 512, "depth": 4}
        G = self.parts.decoder(self.latent, spec.shape, **size)
        D = self.parts.critic(spec.shape, **size)

        def prior(n: int) -> Tensor:
            return torch.rand(n, self.latent, device=next(G.parameters()).device) * 2 - 1

        return contest(self, G, D, prior, loss=NonSaturating(), optimizers=(self.adam, self.adam))

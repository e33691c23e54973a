"""LSGAN: least squares in place of log-likelihood, so that samples on the right side but far away are still pulled in.

    discriminator   min_D  E (D(x) - b)^2 + E (D(G(z)) - a)^2,   z ~ N(0, I)                                Eq. 2
    generator       min_G  E (D(G(z)) - c)^2

D* = (b p + a q) / (p + q); with b - c = 1 and b - a = 2 the generator minimises the Pearson chi^2 divergence of
p + q from 2q (Section 3.2). a = 0, b = c = 1 pulls samples to the data's code instead, Eq. 9.
"""

from typing import Any

from pydantic.dataclasses import dataclass
from torch import Tensor

from adversaria.data import DataSpec
from adversaria.duel import Parts, contest
from adversaria.game import CHECKED, Adam, Count, Fraction, Game, Recipe, Reference
from adversaria.nn.noise import normal
from adversaria.objectives.losses import LeastSquares

REFERENCE = Reference(
    title="Least Squares Generative Adversarial Networks",
    authors="Mao, Li, Xie, Lau, Wang, Smolley",
    year=2017,
    arxiv="1611.04076",
    venue="ICCV",
)
PRESETS = {
    "smoke": {"latent": 8, "width": 4, "hidden": 16, "depth": 1, "batch": 8, "rounds": 4},
    "small": {"width": 32, "rounds": 1_500},
    "pearson": {"a": -1.0, "b": 1.0, "c": 0.0},
}
DEPARTURES = (
    "Terms are twice the paper's, which halves them.",
    "DCGAN's networks; the paper's for 112x112 pictures have more layers.",
    "Samples come from an averaged generator.",
)
CLAIMS = ("Without batch normalisation in the generator it trains where DCGAN's loss fails (Section 4.2, Figure 5).",)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class LSGAN(Recipe):
    """Least-squares GAN."""

    latent: Count = 100
    """Dimension of z."""
    a: float = 0.0
    """The code of samples (Eq. 9)."""
    b: float = 1.0
    """The code of data (Eq. 9)."""
    c: float = 1.0
    """What the generator wants the discriminator to say (Eq. 9)."""
    width: Count = 64
    """Channels at half the image's resolution."""
    hidden: Count = 256
    """Units in a hidden layer, for data that aren't images."""
    depth: Count = 3
    """Hidden layers, for data that aren't images."""
    average: Fraction = 0.99
    """Decay of the averaged generator that samples; 0 for none."""
    adam: Adam = Adam(lr=2e-4, betas=(0.5, 0.999))
    """For both players (Section 4: 2e-4 for characters, 1e-3 for scenes)."""
    parts: Parts = Parts()
    """Techniques beside the recipe's own, such as --parts.r1 1; 'adversaria show' lists them."""
    batch: Count = 64
    """Examples a move (Section 4)."""
    rounds: Count = 3_000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        size: Any = {"width": self.width, "hidden": self.hidden, "depth": self.depth}
        G = self.parts.decoder(self.latent, spec.shape, **size)
        D = self.parts.critic(spec.shape, **size)

        def prior(n: int) -> Tensor:
            return normal(n, self.latent, like=G)

        return contest(
            self, G, D, prior, loss=LeastSquares(self.a, self.b, self.c), optimizers=(self.adam, self.adam),
            called="critic",
        )  # fmt: skip

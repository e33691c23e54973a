"""Instance noise: the discriminator sees data and samples through the same normal noise, which is annealed away.

    discriminator   max_D  E log D(x + sigma_t e) + E log(1 - D(G(z) + sigma_t e)),   e ~ N(0, I),   z ~ N(0, I)
    generator       max_G  E log D(G(z) + sigma_t e),   sigma_t = sigma max(0, 1 - t / T)

Two laws on thin sets that don't meet are told apart for certain, and the generator's gradient vanishes; their
convolutions with the noise overlap, so that divergence and gradient are finite (1701.04862, Theorems 3.2 and 3.3).
"""

from typing import Annotated, Any

from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from adversaria.data import DataSpec
from adversaria.duel import Parts, contest
from adversaria.game import CHECKED, Adam, Count, Fraction, Game, Recipe, Reference, Weight
from adversaria.nn.noise import normal
from adversaria.objectives.losses import NonSaturating

REFERENCE = Reference(
    title="Towards Principled Methods for Training Generative Adversarial Networks",
    authors="Arjovsky, Bottou",
    year=2017,
    arxiv="1701.04862",
    venue="ICLR",
)
PRESETS = {
    "smoke": {"latent": 8, "width": 4, "hidden": 16, "depth": 1, "batch": 8, "rounds": 4},
    "small": {"width": 32, "rounds": 1_500},
}
DEPARTURES = (
    "The paper gives no schedule; the noise falls linearly (Sønderby et al., 1610.04490, Section 4, anneal it too).",
    "DCGAN's networks and Adam; samples come from an averaged generator.",
)
CLAIMS = (
    "Between laws on disjoint sets noise keeps the generator's gradient from vanishing (1701.04862, Theorem 3.2).",
)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class InstanceNoise(Recipe):
    """GAN with annealed noise on all the discriminator sees."""

    latent: Count = 64
    """Dimension of z."""
    noise: Weight = 0.5
    """sigma, the noise's standard deviation at the start; images lie in [-1, 1]."""
    until: Annotated[float, Field(gt=0)] = 0.5
    """T, as a share of the rounds."""
    width: Count = 64
    """Channels at half the image's resolution."""
    hidden: Count = 256
    """Units in a hidden layer, for data that aren't images."""
    depth: Count = 2
    """Hidden layers, for data that aren't images."""
    average: Fraction = 0.995
    """Decay of the averaged generator that samples; 0 for none."""
    adam: Adam = Adam(lr=5e-4, betas=(0.5, 0.999))
    """For both players."""
    parts: Parts = Parts()
    """Techniques beside the recipe's own, such as --parts.r1 1; 'adversaria show' lists them."""
    batch: Count = 128
    """Examples a move."""
    rounds: Count = 2_500
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        size: Any = {"width": self.width, "hidden": self.hidden, "depth": self.depth}
        G = self.parts.decoder(self.latent, spec.shape, **size)
        D = self.parts.critic(spec.shape, **size)

        def prior(n: int) -> Tensor:
            return normal(n, self.latent, like=G)

        return contest(
            self, G, D, prior, loss=NonSaturating(), optimizers=(self.adam, self.adam),
            parts=self.parts.own(noise=self.noise, noise_until=self.until),
        )  # fmt: skip

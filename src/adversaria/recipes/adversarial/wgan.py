"""WGAN: a critic with clipped weights estimates the Wasserstein distance, and the generator descends it.

    critic      max_f  E f(x) - E f(G(z)),   w <- clip(w, -c, c) after each move,   z ~ N(0, I)             Eq. 3
    generator   min_G  -E f(G(z))

Clipping keeps f K-Lipschitz for some K, so that the critic's value is K times a lower bound of W_1 (Algorithm 1).
"""

from typing import Annotated, Any

from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from adversaria.data import DataSpec
from adversaria.duel import Parts, contest
from adversaria.game import CHECKED, Count, Fraction, Game, Recipe, Reference, RMSProp
from adversaria.nn.noise import normal
from adversaria.objectives.losses import Wasserstein

REFERENCE = Reference(
    title="Wasserstein Generative Adversarial Networks",
    authors="Arjovsky, Chintala, Bottou",
    year=2017,
    arxiv="1701.07875",
    venue="ICML",
)
PRESETS = {
    "smoke": {"latent": 8, "width": 4, "hidden": 16, "depth": 1, "critic_steps": 2, "batch": 8, "rounds": 3},
    "small": {"width": 32, "rounds": 800},
    "paper": {"width": 64, "average": 0.0, "rounds": 100_000, "rmsprop": {"lr": 5e-5}},
}
DEPARTURES = (
    "RMSProp's rate is 5e-4 by default, so that minutes on a CPU show something; the preset 'paper' has 5e-5.",
    "Samples come from an averaged generator; the preset 'paper' takes the last one.",
    "The critic moves 5 times in every round; the paper's code moves it 100 times in the first 25 rounds.",
)
CLAIMS = (
    "The critic's estimate falls as samples get better (Section 4.2, Figure 3).",
    "Clipped weights pile up at -c and c (1704.00028, Section 3 and Figure 1).",
)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class WGAN(Recipe):
    """Wasserstein GAN with weight clipping."""

    latent: Count = 100
    """Dimension of z."""
    clip: Annotated[float, Field(gt=0)] = 0.01
    """c (Algorithm 1)."""
    critic_steps: Count = 5
    """Critic moves per round, n_critic (Algorithm 1)."""
    width: Count = 32
    """Channels at half the image's resolution."""
    hidden: Count = 256
    """Units in a hidden layer, for data that aren't images."""
    depth: Count = 3
    """Hidden layers, for data that aren't images."""
    average: Fraction = 0.99
    """Decay of the averaged generator that samples; 0 for none."""
    rmsprop: RMSProp = RMSProp(lr=5e-4)
    """For both players; alpha = 5e-5 in Algorithm 1."""
    parts: Parts = Parts()
    """Techniques beside the recipe's own, such as --parts.r1 1; 'adversaria show' lists them."""
    batch: Count = 64
    """m (Algorithm 1)."""
    rounds: Count = 1_500
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        size: Any = {"width": self.width, "hidden": self.hidden, "depth": self.depth}
        G = self.parts.decoder(self.latent, spec.shape, **size)
        f = self.parts.critic(spec.shape, **size)

        def prior(n: int) -> Tensor:
            return normal(n, self.latent, like=G)

        return contest(
            self, G, f, prior, loss=Wasserstein(), optimizers=(self.rmsprop, self.rmsprop),
            parts=self.parts.own(clip=self.clip), steps=self.critic_steps, called="critic",
        )  # fmt: skip

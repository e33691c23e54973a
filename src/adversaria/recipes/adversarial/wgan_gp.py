"""WGAN-GP: the critic is kept 1-Lipschitz by penalising the norm of its input gradient.

    critic     min_f  E f(G(z)) - E f(x) + lambda E (||grad f(x^)||_2 - 1)^2,   x^ = u x + (1 - u) G(z), u ~ U[0, 1]
    generator  min_G  -E f(G(z)),   z ~ N(0, I)

Minus the critic's first two terms estimate the Wasserstein-1 distance between data and samples (Algorithm 1).
"""

from typing import Any

from pydantic.dataclasses import dataclass
from torch import Tensor

from adversaria.data import DataSpec
from adversaria.duel import Parts, contest
from adversaria.game import CHECKED, Adam, Count, Fraction, Game, Recipe, Reference, Weight
from adversaria.nn.noise import normal
from adversaria.objectives.losses import Wasserstein

REFERENCE = Reference(
    title="Improved Training of Wasserstein GANs",
    authors="Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville",
    year=2017,
    arxiv="1704.00028",
    venue="NeurIPS",
)
PRESETS = {
    "smoke": {"latent": 8, "width": 4, "hidden": 16, "depth": 1, "critic_steps": 2, "batch": 8, "rounds": 3},
    "small": {"width": 32, "rounds": 600},
    "paper": {"width": 64, "average": 0.0, "rounds": 200_000, "adam": {"lr": 1e-4, "betas": (0.0, 0.9)}},
}
DEPARTURES = (
    "DCGAN's networks, as in the paper's Section 5.1; its CIFAR-10 result (Section 5.3) uses ResNets.",
    "Adam's rate is 5e-4 by default, so that minutes on a CPU show something; the preset 'paper' has 1e-4.",
    "Samples come from an averaged generator; the preset 'paper' takes the last one.",
)
CLAIMS = (
    "The critic's slope on the segments is near 1 (Section 3, Figure 1).",
    "The critic's loss falls as samples get better (Section 5.2, Figure 5).",
)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class WGANGP(Recipe):
    """Wasserstein GAN with a gradient penalty."""

    latent: Count = 128
    """Dimension of z (Appendix F)."""
    penalty: Weight = 10.0
    """lambda (Algorithm 1)."""
    critic_steps: Count = 5
    """Critic moves per round, n_critic (Algorithm 1)."""
    width: Count = 32
    """Channels at half the image's resolution."""
    hidden: Count = 256
    """Units in a hidden layer, for data that aren't images (Section 5.1 takes 512 in Figure 1's toys)."""
    depth: Count = 3
    """Hidden layers, for data that aren't images."""
    average: Fraction = 0.99
    """Decay of the averaged generator that samples; 0 for none."""
    adam: Adam = Adam(lr=5e-4, betas=(0.0, 0.9))
    """For both players; (alpha, beta_1, beta_2) = (1e-4, 0, 0.9) in Algorithm 1."""
    parts: Parts = Parts()
    """Techniques beside the recipe's own, such as --parts.r1 1; 'adversaria show' lists them."""
    batch: Count = 64
    """m (Algorithm 1)."""
    rounds: Count = 1_500
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        size: Any = {"width": self.width, "hidden": self.hidden, "depth": self.depth}
        G = self.parts.decoder(self.latent, spec.shape, **size)
        f = self.parts.critic(spec.shape, norm="layer", **size)  # no batch norm: the penalty is per example (Section 4)

        def prior(n: int) -> Tensor:
            return normal(n, self.latent, like=G)

        return contest(
            self, G, f, prior, loss=Wasserstein(), optimizers=(self.adam, self.adam),
            parts=self.parts.own(gradient=self.penalty), steps=self.critic_steps, called="critic",
        )  # fmt: skip

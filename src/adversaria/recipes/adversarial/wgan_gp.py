"""WGAN-GP: the critic is kept 1-Lipschitz by penalising the norm of its input gradient.

    critic     min_f  E f(G(z)) - E f(x) + lambda E (||grad f(x^)||_2 - 1)^2,   x^ = u x + (1 - u) G(z), u ~ U[0, 1]
    generator  min_G  -E f(G(z)),   z ~ N(0, I)

Minus the critic's first two terms estimate the Wasserstein-1 distance between data and samples (Algorithm 1).
"""

from typing import Any

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from adversaria.data import Batch, DataSpec
from adversaria.game import CHECKED, Adam, Count, Game, Player, Recipe, Reference, Terms, Weight
from adversaria.nn.backbones import decoder, encoder
from adversaria.nn.noise import normal
from adversaria.ops import gradient_penalty

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
    average: float = 0.99
    """Decay of the averaged generator that samples; 0 for none."""
    adam: Adam = Adam(lr=5e-4, betas=(0.0, 0.9))
    """For both players; (alpha, beta_1, beta_2) = (1e-4, 0, 0.9) in Algorithm 1."""
    batch: Count = 64
    """m (Algorithm 1)."""
    rounds: Count = 1_500
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        size: Any = {"width": self.width, "hidden": self.hidden, "depth": self.depth}
        G = decoder(self.latent, spec.shape, **size)
        f = encoder(spec.shape, norm="layer", **size)  # no batch norm: the penalty is per example (Section 4)

        def fake(n: int) -> Tensor:
            return G(normal(n, self.latent, like=G))

        def critic(batch: Batch) -> Terms:
            with torch.no_grad():
                y = fake(len(batch))
            return {
                "wasserstein": f(y).mean() - f(batch.x).mean(),
                "penalty": self.penalty * gradient_penalty(f, batch.x, y),
            }

        def generator(batch: Batch) -> Terms:
            return {"wasserstein": -f(fake(len(batch))).mean()}

        return Game(
            Player("critic", (f,), critic, self.adam, moves=self.critic_steps),
            Player("generator", (G,), generator, self.adam),
            networks={"generator": G, "critic": f},
            averages={"generator": self.average},
            sample=fake,
            latent=lambda n: normal(n, self.latent, like=G),
            decode=G,
            score=f,
        )

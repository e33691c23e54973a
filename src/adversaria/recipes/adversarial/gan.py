"""GAN: a generator learns to fool a discriminator that learns to tell its samples from data.

    discriminator   max_D  E log D(x) + E log(1 - D(G(z))),   z ~ N(0, I)
    generator       min_G  E log(1 - D(G(z)))                 loss = "minimax", Eq. 1
                    max_G  E log D(G(z))                      loss = "non-saturating", end of Section 3

For a fixed G the best discriminator is D* = p_data / (p_data + p_G) (Prop. 1), and the game's value there is
-log 4 + 2 JSD(p_data || p_G) (Theorem 1): -1.386 at the equilibrium, where D = 1/2.
"""

from typing import Annotated, Literal

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from adversaria.data import Batch, DataSpec
from adversaria.game import CHECKED, Adam, Count, Game, Player, Recipe, Reference, Terms
from adversaria.nn.mlp import MLP
from adversaria.nn.noise import normal
from adversaria.objectives.adversarial import is_fake, is_real, saturating

REFERENCE = Reference(
    title="Generative Adversarial Nets",
    authors="Goodfellow, Pouget-Abadie, Mirza, Xu, Warde-Farley, Ozair, Courville, Bengio",
    year=2014,
    arxiv="1406.2661",
)
PRESETS = {
    "smoke": {"latent": 4, "hidden": 16, "depth": 1, "batch": 16, "rounds": 6},
    "small": {"rounds": 4_000},
}
DEPARTURES = (
    "ReLU layers in both players; the paper's discriminator has maxout units and dropout.",
    "Adam with a falling rate and an averaged generator; the paper uses momentum with a falling rate.",
    "z is normal; the paper's is uniform.",
)
CLAIMS = ("The minimax loss stalls where the discriminator wins early; the non-saturating one does not (Section 3).",)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class GAN(Recipe):
    """Generative adversarial net of two MLPs."""

    latent: Annotated[int, Field(ge=0)] = 0
    """Dimension of z; 0 for that of the data, 64 at most, below which no generator's samples can have a density."""
    hidden: Count = 256
    """Units in a hidden layer."""
    depth: Count = 2
    """Hidden layers in each player."""
    loss: Literal["non-saturating", "minimax"] = "non-saturating"
    """What the generator plays for (Section 3)."""
    steps: Count = 1
    """Discriminator moves per round, k (Algorithm 1)."""
    average: float = 0.999
    """Decay of the averaged generator that samples; 0 for none."""
    adam: Adam = Adam(lr=1e-3, betas=(0.0, 0.9), schedule="linear")
    """For both players."""
    batch: Count = 256
    """m (Algorithm 1)."""
    rounds: Count = 8_000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        latent = self.latent or min(spec.size, 64)
        G = MLP(latent, spec.shape, self.hidden, self.depth, bounded=spec.kind == "image")
        D = MLP(spec.size, (), self.hidden, self.depth)

        def fake(n: int) -> Tensor:
            return G(normal(n, latent, like=G))

        def discriminator(batch: Batch) -> Terms:
            with torch.no_grad():
                y = fake(len(batch))
            return {"real": is_real(D(batch.x)), "fake": is_fake(D(y))}

        def generator(batch: Batch) -> Terms:
            logits = D(fake(len(batch)))
            return {self.loss: is_real(logits) if self.loss == "non-saturating" else saturating(logits)}

        return Game(
            Player("discriminator", (D,), discriminator, self.adam, moves=self.steps),
            Player("generator", (G,), generator, self.adam),
            networks={"generator": G, "discriminator": D},
            averages={"generator": self.average},
            sample=fake,
            latent=lambda n: normal(n, latent, like=G),
            decode=G,
            score=D,
        )

"""GAN: a generator learns to fool a discriminator that learns to tell its samples from data.

    discriminator   max_D  E log D(x) + E log(1 - D(G(z))),   z ~ N(0, I)
    generator       min_G  E log(1 - D(G(z)))                 loss = "minimax", Eq. 1
                    max_G  E log D(G(z))                      loss = "non-saturating", end of Section 3

For a fixed G the best discriminator is D* = p_data / (p_data + p_G) (Prop. 1), and the game's value there is
-log 4 + 2 JSD(p_data || p_G) (Theorem 1): -1.386 at the equilibrium, where D = 1/2.
"""

from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from adversaria.data import DataSpec
from adversaria.duel import Parts, contest
from adversaria.game import CHECKED, Adam, Count, Fraction, Game, Recipe, Reference
from adversaria.nn.noise import normal
from adversaria.objectives.losses import LOSSES

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
CLAIMS = (
    "The minimax loss stalls where the discriminator wins early; the non-saturating one does not (Section 3).",
    "As samples come to match the data the game's value falls to -log 4 = -1.386 (Theorem 1).",
)


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
    average: Fraction = 0.999
    """Decay of the averaged generator that samples; 0 for none."""
    adam: Adam = Adam(lr=1e-3, betas=(0.0, 0.9), schedule="linear")
    """For both players."""
    parts: Parts = Parts()
    """Techniques beside the recipe's own, such as --parts.r1 1; 'adversaria show' lists them."""
    batch: Count = 256
    """m (Algorithm 1)."""
    rounds: Count = 8_000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        size: Any = {"width": 32, "hidden": self.hidden, "depth": self.depth, "network": "mlp"}
        latent = self.latent or min(spec.size, 64)
        G = self.parts.decoder(latent, spec.shape, **size)
        D = self.parts.critic(spec.shape, **size)

        def prior(n: int) -> Tensor:
            return normal(n, latent, like=G)

        return contest(self, G, D, prior, loss=LOSSES[self.loss](), optimizers=(self.adam, self.adam), steps=self.steps)

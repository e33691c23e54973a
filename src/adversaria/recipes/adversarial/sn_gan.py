"""SN-GAN: a discriminator whose layers have spectral norm 1, and the hinge objective.

    W_SN = W / sigma(W),   sigma(W) the largest singular value, followed by one power iteration a move      Algorithm 1
    discriminator   min_D  E max(0, 1 - D(x)) + E max(0, 1 + D(G(z))),   z ~ N(0, I)                        Eq. 16
    generator       min_G  -E D(G(z))                                                                      Eq. 17

With 1-Lipschitz activations D is 1-Lipschitz (Eq. 7), whatever the data.
"""

from dataclasses import replace
from typing import Any

from pydantic.dataclasses import dataclass
from torch import Tensor

from adversaria.data import DataSpec
from adversaria.duel import Parts, contest
from adversaria.game import CHECKED, Adam, Count, Fraction, Game, Recipe, Reference
from adversaria.nn.noise import normal
from adversaria.objectives.losses import Hinge

REFERENCE = Reference(
    title="Spectral Normalization for Generative Adversarial Networks",
    authors="Miyato, Kataoka, Koyama, Yoshida",
    year=2018,
    arxiv="1802.05957",
    venue="ICLR",
)
PRESETS = {
    "smoke": {"latent": 8, "width": 4, "hidden": 16, "depth": 1, "batch": 8, "rounds": 4},
    "small": {"width": 32, "rounds": 1_200},
    "resnet": {"parts": {"network": "resnet"}},
}
DEPARTURES = (
    "DCGAN's networks; the paper's have 3x3 layers between the strided ones, or residual blocks (--preset resnet).",
    "One discriminator move a round (setting C), which is quicker on a CPU; the paper's best settings have five.",
    "Samples come from an averaged generator.",
)
CLAIMS = ("Every layer's largest singular value is 1 throughout training (Section 2.1).",)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class SNGAN(Recipe):
    """GAN with spectral normalisation and hinge loss."""

    latent: Count = 128
    """Dimension of z (Appendix B.3)."""
    critic_steps: Count = 1
    """Discriminator moves per round, n_dis (Section 4: 1 or 5)."""
    width: Count = 64
    """Channels at half the image's resolution."""
    hidden: Count = 256
    """Units in a hidden layer, for data that aren't images."""
    depth: Count = 3
    """Hidden layers, for data that aren't images."""
    average: Fraction = 0.99
    """Decay of the averaged generator that samples; 0 for none."""
    adam: Adam = Adam(lr=2e-4, betas=(0.5, 0.999))
    """For both players (Section 4, setting C)."""
    parts: Parts = Parts()
    """Techniques beside the recipe's own, such as --parts.r1 1; 'adversaria show' lists them."""
    batch: Count = 64
    """Examples a move (Appendix B.3)."""
    rounds: Count = 3_000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        size: Any = {"width": self.width, "hidden": self.hidden, "depth": self.depth}
        parts = replace(self.parts, spectral=True)
        G = parts.decoder(self.latent, spec.shape, **size)
        D = parts.critic(spec.shape, **size, norm="none")

        def prior(n: int) -> Tensor:
            return normal(n, self.latent, like=G)

        return contest(
            self, G, D, prior, loss=Hinge(), optimizers=(self.adam, self.adam), parts=parts, steps=self.critic_steps
        )

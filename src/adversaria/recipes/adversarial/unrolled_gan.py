"""Unrolled GAN: the generator plays against the discriminator as it will be after k steps.

    discriminator   max_D  V(theta_D, theta_G) = E log D(x) + E log(1 - D(G(z)))
    surrogate       theta_0 = theta_D,   theta_{j+1} = theta_j + eta grad_theta V(theta_j, theta_G)     Eq. 5 to 7
    generator       min_G  V_k = V(theta_k(theta_D, theta_G), theta_G)                                  Eq. 8

The generator's gradient runs through the k steps (Eq. 10, second term); only the generator moves by it. k = 0 is the
GAN of Goodfellow et al.; with k > 0 a collapse onto one mode is foreseen to be punished.
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
    title="Unrolled Generative Adversarial Networks",
    authors="Metz, Poole, Pfau, Sohl-Dickstein",
    year=2017,
    arxiv="1611.02163",
    venue="ICLR",
)
PRESETS = {
    "smoke": {"latent": 4, "width": 4, "hidden": 8, "depth": 1, "unroll": 2, "batch": 8, "rounds": 4},
    "small": {"hidden": 64, "unroll": 3, "batch": 128, "rounds": 1_500},
}
DEPARTURES = (
    "ReLU layers for points (Appendix A: tanh), and for images DCGAN's convolutions.",
    "The surrogate takes plain gradient steps, Eq. 6 as written; the paper's experiments unroll Adam (Appendix A).",
    "The generator's loss after unrolling is -log D, its non-saturating form; Eq. 8 has the minimax one.",
    "An averaged generator samples.",
)
CLAIMS = ("With k = 5 or more the generator covers the ring of 8 Gaussians where k = 0 hops between modes (Fig. 2).",)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class UnrolledGAN(Recipe):
    """GAN whose generator foresees k discriminator steps."""

    latent: Count = 256
    """Dimension of z (Appendix A)."""
    width: Count = 32
    """Channels at half the image's resolution."""
    hidden: Count = 128
    """Units in a hidden layer, for data that aren't images (Appendix A)."""
    depth: Count = 2
    """Hidden layers, for data that aren't images (Appendix A)."""
    unroll: Annotated[int, Field(ge=0)] = 5
    """k, the discriminator steps looked through (Section 2.2); 0 for a plain GAN."""
    step: Weight = 0.1
    """eta, the step size of the surrogate (Eq. 6)."""
    average: Fraction = 0.995
    """Decay of the averaged generator that samples; 0 for none."""
    generator: Adam = Adam(lr=1e-3, betas=(0.5, 0.999), schedule="linear")
    """For the generator (Appendix A)."""
    discriminator: Adam = Adam(lr=1e-3, betas=(0.5, 0.999), schedule="linear")
    """For the discriminator (Appendix A: its rate is the smaller one, 1e-4)."""
    parts: Parts = Parts()
    """Techniques beside the recipe's own, such as --parts.r1 1; 'adversaria show' lists them."""
    batch: Count = 256
    """Examples a move (Appendix A: 512)."""
    rounds: Count = 4_000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        size: Any = {"width": self.width, "hidden": self.hidden, "depth": self.depth}
        G = self.parts.decoder(self.latent, spec.shape, **size)
        D = self.parts.critic(spec.shape, **size)

        def prior(n: int) -> Tensor:
            return normal(n, self.latent, like=G)

        return contest(
            self, G, D, prior, loss=NonSaturating(), optimizers=(self.discriminator, self.generator),
            parts=self.parts.own(unroll=self.unroll, unroll_step=self.step),
        )  # fmt: skip

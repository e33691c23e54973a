"""f-GAN: any f-divergence between data P and samples Q, by its variational bound.

    D_f(P || Q) = int q f(p / q) >= F(T, Q) = E_P T(x) - E_Q f*(T(x)),   T = g_f(V(x))                      Eq. 4 to 6
    V   max_V  F                                                        tight at T* = f'(p / q)            Eq. 5
    G   min_G  F                                                        Algorithm 1
        max_G  E g_f(V(G(z)))                                           alternative, Section 3.2

g_f maps the network's output V into the domain of the conjugate f* (Table 6 of the paper lists both).
"""

from typing import Annotated, Any

from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from adversaria.data import DataSpec
from adversaria.duel import Parts, contest
from adversaria.game import CHECKED, Adam, Count, Fraction, Game, Recipe, Reference
from adversaria.nn.noise import normal
from adversaria.objectives.divergences import Divergence, FDivergence

REFERENCE = Reference(
    title="f-GAN: Training Generative Neural Samplers using Variational Divergence Minimization",
    authors="Nowozin, Cseke, Tomioka",
    year=2016,
    arxiv="1606.00709",
    venue="NeurIPS",
)
PRESETS = {
    "smoke": {"latent": 8, "width": 4, "hidden": 16, "depth": 1, "generator_depth": 1, "batch": 8, "rounds": 4},
    "small": {"width": 32, "rounds": 1_500},
}
DEPARTURES = (
    "DCGAN's convolutions for images; the paper has fully connected layers for MNIST (Appendix D).",
    "Gradients are bounded (clip), since the exponential conjugates have no bound of their own.",
    "Samples come from an averaged generator.",
)
CLAIMS = (
    "The bound at the optimum is the divergence itself (Section 2.2, Eq. 4; Table 2's estimates against quadrature).",
    "A normal law fitted to a mixture depends on the divergence: KL covers it, reverse KL less (Section 2.4, Table 3).",
)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class FGAN(Recipe):
    """GAN that minimises a chosen f-divergence."""

    latent: Count = 64
    """Dimension of z."""
    divergence: Divergence = "jensen-shannon"
    """f (Table 1)."""
    alternative: bool = True
    """The generator's alternative form (Section 3.2); without, it descends the bound itself (Algorithm 1)."""
    width: Count = 64
    """Channels at half the image's resolution."""
    hidden: Count = 256
    """Units in a hidden layer, for data that aren't images (Section 2.4: 64)."""
    depth: Count = 2
    """Hidden layers of V, for data that aren't images (Section 2.4: 2)."""
    generator_depth: Annotated[int, Field(ge=0)] = 2
    """Hidden layers of G, for data that aren't images; 0 for a linear map of z, a normal law (Section 2.4)."""
    average: Fraction = 0.995
    """Decay of the averaged generator that samples; 0 for none."""
    adam: Adam = Adam(lr=2e-4, betas=(0.5, 0.999), clip=10.0)
    """For both players."""
    parts: Parts = Parts()
    """Techniques beside the recipe's own, such as --parts.r1 1; 'adversaria show' lists them."""
    batch: Count = 128
    """Examples a move."""
    rounds: Count = 2_000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        size: Any = {"width": self.width, "hidden": self.hidden, "depth": self.depth}
        G = self.parts.decoder(self.latent, spec.shape, **size | {"depth": self.generator_depth})
        V = self.parts.critic(spec.shape, **size)

        def prior(n: int) -> Tensor:
            return normal(n, self.latent, like=G)

        return contest(
            self, G, V, prior, loss=FDivergence(self.divergence, self.alternative), optimizers=(self.adam, self.adam),
            called="critic",
        )  # fmt: skip

"""BiGAN: a discriminator tells pairs (x, E(x)) from pairs (G(z), z); E and G, which never meet, become inverses.

    discriminator       max_D      E log D(x, E(x)) + E log(1 - D(G(z), z)),   z ~ p(z)                      Eq. 3
    encoder, generator  max_{E,G}  E log(1 - D(x, E(x))) + E log D(G(z), z)                            Section 3.4

For the best D what is left of Eq. 3 is 2 JSD(P_EX || P_GZ) - log 4 (Theorem 1); where it is 0, G(E(x)) = x and
E(G(z)) = z almost everywhere (Theorem 2). E has no noise of its own; with noise this is `ali`.
"""

from typing import Any, Literal

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from adversaria.data import Batch, DataSpec
from adversaria.duel import Duel, Pair, Parts
from adversaria.game import CHECKED, Adam, Count, Fraction, Game, Recipe, Reference, simultaneous
from adversaria.nn.backbones import encoder
from adversaria.nn.joint import JointDiscriminator
from adversaria.nn.noise import normal
from adversaria.objectives.losses import NonSaturating

REFERENCE = Reference(
    title="Adversarial Feature Learning",
    authors="Donahue, Krähenbühl, Darrell",
    year=2017,
    arxiv="1605.09782",
    venue="ICLR",
)
PRESETS = {
    "smoke": {"latent": 4, "width": 4, "hidden": 16, "depth": 1, "batch": 8, "rounds": 4},
    "small": {"width": 16, "rounds": 1_500},
}
DEPARTURES = (
    "DCGAN's convolutions for all images; the paper's networks for MNIST have no convolutions, those for ImageNet are "
    "AlexNet's (Sections 4.1, 4.3).",
    "The encoder's output is batch-normalised, so that codes have the prior's first two moments from the start.",
    "The discriminator also reads the product of its features of x and of z.",
    "An averaged encoder and generator encode and sample.",
)
CLAIMS = (
    "A reconstruction G(E(x)) keeps the class of x (Section 4.2, Figure 2).",
    "The encoder's features tell classes apart better than pixels do, where labels are few (Section 4).",
)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class BiGAN(Recipe):
    """Bidirectional GAN."""

    latent: Count = 32
    """Dimension of z (Section 4.2: 50)."""
    prior: Literal["uniform", "normal"] = "uniform"
    """Distribution of z: uniform on [-1, 1] (Section 4.2), or standard normal."""
    width: Count = 32
    """Channels at half the image's resolution."""
    hidden: Count = 256
    """Units in a hidden layer."""
    depth: Count = 2
    """Hidden layers, for data that aren't images (Section 4.2: 2)."""
    average: Fraction = 0.99
    """Decay of the averaged encoder and generator; 0 for none."""
    discriminator: Adam = Adam(lr=2e-4, betas=(0.5, 0.999))
    """For the discriminator (Section 4.1)."""
    generators: Adam = Adam(lr=5e-4, betas=(0.5, 0.999))
    """For encoder and generator (Section 4.1: 2e-4)."""
    parts: Parts = Parts()
    """Techniques beside the recipe's own, such as --parts.r1 1; 'adversaria show' lists them."""
    batch: Count = 128
    """Examples a round (Section 4.1)."""
    rounds: Count = 2_500
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        parts = self.parts
        size: Any = {"width": self.width, "hidden": self.hidden, "depth": self.depth}
        E = encoder(spec.shape, self.latent, **size)
        E.head = nn.Sequential(E.head, nn.BatchNorm1d(self.latent, affine=False))
        G = parts.decoder(self.latent, spec.shape, **size)
        x_reader = parts.critic(spec.shape, self.hidden, **size)
        D = parts.equip(JointDiscriminator(x_reader, self.hidden, parts.pack * self.latent, self.hidden))

        def prior(n: int) -> Tensor:
            return placed(normal(n, self.latent, like=G))

        def encode(x: Tensor) -> Tensor:
            return placed(E(x).view(len(x), -1))

        def placed(z: Tensor) -> Tensor:
            """2 Phi(z) - 1 is uniform where z is normal."""
            return z if self.prior == "normal" else torch.erf(z / 2**0.5)

        def decoded(batch: Batch) -> Pair:
            z = prior(len(batch))
            return G(z), z

        duel = Duel((E, G), D, loss=NonSaturating(), joint=True, real=lambda batch: (batch.x, encode(batch.x)),
                    fake=decoded, parts=parts, batch=self.batch, rounds=self.rounds,
                    called=("discriminator", "generators"))  # fmt: skip
        return Game(
            stages=[duel.stage(self.discriminator, self.generators, rule=simultaneous)],
            networks={"encoder": E, "generator": G, "discriminator": D, **duel.networks},
            averages={"encoder": self.average, "generator": self.average},
            sample=lambda n: G(prior(n)),
            latent=prior,
            decode=G,
            encode=encode,
        )

"""ALI: a discriminator tells pairs (x, encoded z) from pairs (generated x, z); encoder and decoder learn to agree.

    q(x, z) = q(x) q(z | x),   z = mu(x) + sigma(x) eps          p(x, z) = p(z) p(x | z),   z, eps ~ N(0, I)
    discriminator   max_D      E_q log D(x, z) + E_p log(1 - D(x, z))                                    Eq. 1
    generators      max_{E,G}  E_q log(1 - D(x, z)) + E_p log D(x, z)                                    Section 2.2

All players move at once from one shared forward pass (Algorithm 1). At the optimum the two joints are equal, so that
the encoder is the decoder's posterior.
"""

from typing import Any

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from adversaria.data import Batch, DataSpec
from adversaria.duel import Duel, Pair, Parts
from adversaria.game import CHECKED, Adam, Count, Fraction, Game, Recipe, Reference, simultaneous
from adversaria.nn.backbones import encoder
from adversaria.nn.joint import JointDiscriminator
from adversaria.nn.noise import normal
from adversaria.objectives.losses import NonSaturating

REFERENCE = Reference(
    title="Adversarially Learned Inference",
    authors="Dumoulin, Belghazi, Poole, Mastropietro, Lamb, Arjovsky, Courville",
    year=2017,
    arxiv="1606.00704",
    venue="ICLR",
)
PRESETS = {
    "smoke": {"latent": 4, "width": 4, "hidden": 16, "depth": 1, "batch": 8, "rounds": 4},
    "small": {"width": 16, "rounds": 1_500},
}
DEPARTURES = (
    "DCGAN's convolutions for images; the paper's networks (Appendix A) have more layers, dropout and maxout.",
    "The encoder's means are batch-normalised and sigma^2 is below 1, so that codes have the prior's first two moments "
    "from the start.",
    "The discriminator also reads the product of its features of x and of z.",
    "An averaged encoder and decoder sample and encode.",
)
CLAIMS = (
    "A reconstruction G(E(x)) keeps the subject of x, not its pixels (Section 4.1).",
    "On a toy mixture the joint is matched and no mode is lost (Section 4.4, Figure 8).",
)


class Centred(nn.Module):
    """Numbers (n, 2k), of which the first k are batch-normalised, and the others less 4: sigma begins at 0.13."""

    def __init__(self, k: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(k, affine=False)

    def forward(self, y: Tensor) -> Tensor:
        """The same shape."""
        m, s = y.chunk(2, 1)
        return torch.cat([self.norm(m), s - 4], 1)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class ALI(Recipe):
    """Adversarially learned inference."""

    latent: Count = 32
    """Dimension of z."""
    width: Count = 32
    """Channels at half the image's resolution."""
    hidden: Count = 256
    """Units in a hidden layer."""
    depth: Count = 2
    """Hidden layers, for data that aren't images."""
    average: Fraction = 0.995
    """Decay of the averaged encoder and decoder; 0 for none."""
    discriminator: Adam = Adam(lr=2e-4, betas=(0.5, 0.999))
    """For the discriminator (Appendix A: 1e-4)."""
    generators: Adam = Adam(lr=5e-4, betas=(0.5, 0.999))
    """For encoder and decoder (Appendix A: 1e-4)."""
    parts: Parts = Parts()
    """Techniques beside the recipe's own, such as --parts.r1 1; 'adversaria show' lists them."""
    batch: Count = 100
    """Examples a round (Appendix A)."""
    rounds: Count = 2_500
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        parts = self.parts
        size: Any = {"width": self.width, "hidden": self.hidden, "depth": self.depth}
        E = encoder(spec.shape, 2 * self.latent, **size)
        E.head = nn.Sequential(E.head, Centred(self.latent))
        G = parts.decoder(self.latent, spec.shape, **size)
        x_reader = parts.critic(spec.shape, self.hidden, **size)
        D = parts.equip(JointDiscriminator(x_reader, self.hidden, parts.pack * self.latent, self.hidden))

        def infer(x: Tensor) -> Tensor:
            m, s = E(x).chunk(2, 1)  # m has mean 0 and variance 1 over the data, and so has z whatever s is
            mu, sigma = torch.exp(logsigmoid(-s) / 2) * m, torch.exp(logsigmoid(s) / 2)
            return mu + sigma * torch.randn_like(mu)

        def prior(n: int) -> Tensor:
            return normal(n, self.latent, like=G)

        def decoded(batch: Batch) -> Pair:
            z = prior(len(batch))
            return G(z), z

        duel = Duel((E, G), D, loss=NonSaturating(), joint=True, real=lambda batch: (batch.x, infer(batch.x)),
                    fake=decoded, parts=parts, batch=self.batch, rounds=self.rounds,
                    called=("discriminator", "generators"))  # fmt: skip
        return Game(
            stages=[duel.stage(self.discriminator, self.generators, rule=simultaneous)],
            networks={"encoder": E, "decoder": G, "discriminator": D, **duel.networks},
            averages={"encoder": self.average, "decoder": self.average},
            sample=lambda n: G(prior(n)),
            latent=prior,
            decode=G,
            encode=infer,
        )

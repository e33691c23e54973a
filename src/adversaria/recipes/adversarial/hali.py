"""HALI: ALI with two levels of codes; the lower keeps what x looks like, the upper what it is about.

    q(x, z1, z2) = q(x) q(z1 | x) q(z2 | z1)         p(x, z1, z2) = p(z2) p(z1 | z2) p(x | z1),   z2 ~ N(0, I)
    discriminator   max_D      E_q log D(x, z1, z2) + E_p log(1 - D(x, z1, z2))                   Section 3
    generators      max_{E,G}  E_q log(1 - D(x, z1, z2)) + E_p log D(x, z1, z2)

q(z1 | x), q(z2 | z1) and p(z1 | z2) are normal, x is a function of z1; for images z1 is a map. Both chains are Markov,
so that an example can be made again from either level: x -> z1 -> x, or x -> z1 -> z2 -> z1' -> x'.
"""

from typing import Any

from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from adversaria.data import Batch, DataSpec
from adversaria.duel import LAYERS, Duel, Pair, Parts
from adversaria.game import CHECKED, Adam, Count, Fraction, Game, Recipe, Reference, simultaneous
from adversaria.nn.backbones import decoder, encoder
from adversaria.nn.dcgan import levels
from adversaria.nn.joint import JointDiscriminator, Pairing
from adversaria.nn.maps import Grow, Shrink, resolution
from adversaria.nn.noise import normal
from adversaria.nn.normal_codes import NormalCodes
from adversaria.objectives.losses import NonSaturating

REFERENCE = Reference(
    title="Hierarchical Adversarially Learned Inference",
    authors="Belghazi, Rajeswar, Mastropietro, Rostamzadeh, Mitrovic, Courville",
    year=2018,
    arxiv="1802.01071",
)
PRESETS = {
    "smoke": {"latent": 4, "middle": 2, "width": 4, "hidden": 16, "depth": 1, "batch": 8, "rounds": 4},
    "small": {"width": 16, "rounds": 1_500},
}
DEPARTURES = (
    "Few plain convolutions for images; the paper's networks are deeper.",
    "The discriminator also reads products of features, first of x with z1, then of both with z2.",
    "Means of codes are batch-normalised, and their standard deviations begin at 1/e.",
    "Averaged networks sample and encode.",
)
CLAIMS = (
    "A reconstruction from z1 is close to x; one from z2 alone keeps the gist only (Section 4).",
    "Both keep the class of x more often than not (Section 4).",
)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class HALI(Recipe):
    """Hierarchical adversarially learned inference."""

    latent: Count = 16
    """Dimension of z2."""
    middle: Count = 8
    """Channels of z1, a map of the resolution that decoders begin with, 4 to 7 pixels; its length for vectors."""
    width: Count = 32
    """Channels at half the image's resolution."""
    hidden: Count = 256
    """Units in a hidden layer."""
    depth: Count = 2
    """Hidden layers, for data that aren't images."""
    average: Fraction = 0.99
    """Decay of the averaged encoders and decoders; 0 for none."""
    discriminator: Adam = Adam(lr=2e-4, betas=(0.5, 0.999))
    """For the discriminator."""
    generators: Adam = Adam(lr=5e-4, betas=(0.5, 0.999))
    """For both encoders and both decoders."""
    parts: Parts = Parts()
    """Techniques beside the recipe's own, such as --parts.r1 1; 'adversaria show' lists them."""
    batch: Count = 100
    """Examples a round."""
    rounds: Count = 2_500
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        parts = self.parts
        parts.without(*LAYERS, why="its layers are hali's own")
        E1, E2, G2, G1, D = self._image_networks(spec.shape) if len(spec.shape) == 3 else self._networks(spec.size)
        D = parts.equip(JointDiscriminator(D, self.hidden, parts.pack * self.latent, self.hidden))

        def encoded(batch: Batch) -> Pair:
            z1 = E1(batch.x)
            return batch.x, z1, E2(z1)

        def decoded(batch: Batch) -> Pair:
            z2 = prior(len(batch))
            z1 = G2(z2)
            return G1(z1), z1, z2

        def prior(n: int) -> Tensor:
            return normal(n, self.latent, like=G1)

        duel = Duel((E1, E2, G2, G1), D, loss=NonSaturating(), joint=True, real=encoded, fake=decoded, parts=parts,
                    batch=self.batch, rounds=self.rounds, called=("discriminator", "generators"))  # fmt: skip
        made = {"encoder 1": E1, "encoder 2": E2, "decoder 2": G2, "decoder 1": G1}
        return Game(
            stages=[duel.stage(self.discriminator, self.generators, rule=simultaneous)],
            networks={**made, "discriminator": D, **duel.networks},
            averages=dict.fromkeys(made, self.average),
            sample=lambda n: G1(G2(prior(n))),
            latent=prior,
            decode=lambda z2: G1(G2.moments(z2)[0]),  # the mean of p(z1 | z2): a code has one example
            encode=lambda x: E2(E1(x)),
            reconstruct=lambda x: G1(E1(x)),
        )

    def _image_networks(self, shape: tuple[int, ...]) -> tuple[Any, ...]:
        """q(z1 | x), q(z2 | z1), p(z1 | z2), p(x | z1), and what reads x and z1 for the discriminator."""
        m, c, halvings = self.parts.pack, self.middle, levels(*shape[1:])
        at, w = resolution(shape[1], shape[2], halvings), self.width * 2 ** (halvings - 1)
        size: Any = {"width": 2 * w, "hidden": self.hidden, "depth": self.depth}
        pairing = Pairing(
            Shrink(m * shape[0], w, self.width, halvings),
            nn.Conv2d(m * c, w, 3, padding=1),
            encoder((3 * w, *at), self.hidden, **size),
        )
        return (
            NormalCodes(Shrink(shape[0], 2 * c, self.width, halvings), c, maps=True),
            NormalCodes(encoder((c, *at), 2 * self.latent, **size), self.latent),
            NormalCodes(decoder(self.latent, (2 * c, *at), bounded=False, **size), c, maps=True),
            Grow(c, shape, self.width, halvings),
            pairing,
        )

    def _networks(self, d: int) -> tuple[Any, ...]:
        """The same for vectors."""
        m, c, h, k = self.parts.pack, self.middle, self.hidden, self.latent
        size: Any = {"width": 0, "hidden": h, "depth": self.depth}
        pairing = Pairing(encoder((m * d,), h, **size), decoder(m * c, (h,), **size), decoder(3 * h, (h,), **size))
        return (
            NormalCodes(decoder(d, (2 * c,), **size), c),
            NormalCodes(decoder(c, (2 * k,), **size), k),
            NormalCodes(decoder(k, (2 * c,), **size), c),
            decoder(c, (d,), **size),
            pairing,
        )

"""Conditional GAN: both players of a DCGAN are told the label.

    discriminator   max_D  E log D(x | c) + E log(1 - D(G(z | c) | c)),   z ~ N(0, I)                       Eq. 2
    generator       max_G  E log D(G(z | c) | c)

The label enters by concatenation: an embedding of c beside z, and as constant planes (or columns) beside x. The
labels of generated examples are those of the batch.
"""

from typing import Any

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from adversaria.data import Batch, DataSpec
from adversaria.game import CHECKED, Adam, Count, Game, Player, Recipe, Reference, Terms
from adversaria.nn.backbones import decoder, encoder
from adversaria.nn.noise import normal
from adversaria.objectives.adversarial import is_fake, is_real

REFERENCE = Reference(
    title="Conditional Generative Adversarial Nets", authors="Mirza, Osindero", year=2014, arxiv="1411.1784"
)
PRESETS = {
    "smoke": {"latent": 8, "embedding": 4, "width": 4, "hidden": 16, "depth": 1, "batch": 8, "rounds": 4},
    "small": {"width": 32, "rounds": 1_500},
}
DEPARTURES = (
    "DCGAN's networks and Adam; the paper has maxout layers with dropout and momentum.",
    "A learned embedding of the label for each player, in place of a hidden layer over its one-hot code.",
    "Samples come from an averaged generator.",
)
CLAIMS = ("Samples given a label belong to its class (Section 4.1, Figure 2).",)


class Labelled(nn.Module):
    """A network that also sees an embedding of the label, concatenated to its input along dimension 1."""

    def __init__(self, network: nn.Module, classes: int, size: int) -> None:
        super().__init__()
        self.network, self.embedding = network, nn.Embedding(classes, size)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """The network's output on x (n, k, ...) and the labels' embedding spread over the other dimensions."""
        c = self.embedding(labels)
        return self.network(torch.cat([x, c.view(*c.shape, *[1] * (x.ndim - 2)).expand(-1, -1, *x.shape[2:])], 1))


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class CGAN(Recipe):
    """Conditional GAN by concatenation."""

    latent: Count = 100
    """Dimension of z (Section 4.1)."""
    embedding: Count = 16
    """Dimension of the label's embedding in each player."""
    width: Count = 64
    """Channels at half the image's resolution."""
    hidden: Count = 256
    """Units in a hidden layer, for data that aren't images."""
    depth: Count = 3
    """Hidden layers, for data that aren't images."""
    average: float = 0.99
    """Decay of the averaged generator that samples; 0 for none."""
    adam: Adam = Adam(lr=2e-4, betas=(0.5, 0.999))
    """For both players (DCGAN's)."""
    batch: Count = 128
    """Examples a move (Section 4.1: 100)."""
    rounds: Count = 2_000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        classes = self.labels_of(spec)
        size: Any = {"width": self.width, "hidden": self.hidden, "depth": self.depth}
        G = Labelled(decoder(self.latent + self.embedding, spec.shape, **size), classes, self.embedding)
        shape = (spec.shape[0] + self.embedding, *spec.shape[1:])
        D = Labelled(encoder(shape, **size), classes, self.embedding)

        def fake(labels: Tensor | None) -> Tensor:
            assert labels is not None
            return G(normal(len(labels), self.latent, like=G), labels)

        def discriminator(batch: Batch) -> Terms:
            with torch.no_grad():
                y = fake(batch.labels)
            return {"real": is_real(D(batch.x, batch.labels)), "fake": is_fake(D(y, batch.labels))}

        def generator(batch: Batch) -> Terms:
            return {"non-saturating": is_real(D(fake(batch.labels), batch.labels))}

        return Game(
            Player("discriminator", (D,), discriminator, self.adam),
            Player("generator", (G,), generator, self.adam),
            networks={"generator": G, "discriminator": D},
            averages={"generator": self.average},
            condition="label",
            sample=fake,
        )

"""Conditional GAN: both players of a DCGAN are told the label.

    discriminator   max_D  E log D(x | c) + E log(1 - D(G(z | c) | c)),   z ~ N(0, I)                       Eq. 2
    generator       max_G  E log D(G(z | c) | c)

How the discriminator takes the label c, with phi(x) its features and psi its read-out:

    concatenation   D([x, 1_c])                  c one-hot, as constant planes or columns              1411.1784
    embedding       D([x, e_c])                  the same with a learned embedding
    projection      D = psi(phi(x)) + <e_c, phi(x)>                                                    1802.05637, Eq. 3
    classifier      D(x), and P(c | x) from the same features: both players also maximise
                    E log P(c | x) + E log P(c | G(z | c))                                             1610.09585

The generator has 1_c or e_c beside z, their product z * e_c, or a scale and offset for each class in its normalisation
(conditional batch norm). The labels of generated examples are those of the batch.
"""

from typing import Any, Literal

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from adversaria.data import Batch, DataSpec
from adversaria.duel import Duel, Pair, Parts
from adversaria.game import CHECKED, Adam, Count, Fraction, Game, Recipe, Reference, Terms, Weight
from adversaria.nn.conditional import AuxiliaryClassifier, Concatenation, Conditional, Projection
from adversaria.nn.minibatch import with_spectral
from adversaria.nn.noise import normal
from adversaria.objectives.losses import NonSaturating

REFERENCE = Reference(
    title="Conditional Generative Adversarial Nets", authors="Mirza, Osindero", year=2014, arxiv="1411.1784"
)
PRESETS = {
    "smoke": {"latent": 8, "embedding": 4, "width": 4, "hidden": 16, "depth": 1, "batch": 8, "rounds": 4},
    "small": {"width": 32, "rounds": 1_500},
    "projection": {"condition": "projection", "generator_condition": "norm"},
    "ac": {"condition": "classifier", "generator_condition": "product"},
}
DEPARTURES = (
    "DCGAN's networks and Adam; the paper has maxout layers with dropout and momentum.",
    "A learned embedding of the label for each player, in place of a hidden layer over its one-hot code.",
    "Samples come from an averaged generator.",
    "With an auxiliary classifier and the label beside z, the generator has one image for each class: the variance "
    "within a class is 0.00 of 0.17 on digits. The preset 'ac' takes their product, with 0.09.",
)
CLAIMS = ("Samples given a label belong to its class (Section 4.1, Figure 2).",)


class Product(Conditional):
    """A generator of z * e_c, which can't tell the classes apart without z; e_c starts with N(0, 1)."""

    def __init__(self, network: nn.Module, classes: int, latent: int) -> None:
        super().__init__()
        self.network, self.embedding = network, nn.Embedding(classes, latent)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Examples (n, ...) of z (n, latent)."""
        return self.network(z * self.embedding(labels))


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class CGAN(Recipe):
    """Conditional GAN."""

    latent: Count = 100
    """Dimension of z (Section 4.1)."""
    condition: Literal["concatenation", "embedding", "projection", "classifier"] = "embedding"
    """How the discriminator takes the label."""
    generator_condition: Literal["concatenation", "embedding", "product", "norm"] = "embedding"
    """How the generator takes it: beside z, as a product with it, or by conditional normalisation."""
    embedding: Count = 16
    """Dimension of the label's embedding where it is concatenated."""
    classify: Weight = 1.0
    """Weight of the class terms, with condition classifier."""
    width: Count = 64
    """Channels at half the image's resolution."""
    hidden: Count = 256
    """Units in a hidden layer, for data that aren't images."""
    depth: Count = 3
    """Hidden layers, for data that aren't images."""
    average: Fraction = 0.99
    """Decay of the averaged generator that samples; 0 for none."""
    adam: Adam = Adam(lr=2e-4, betas=(0.5, 0.999))
    """For both players (DCGAN's)."""
    parts: Parts = Parts()
    """Techniques beside the recipe's own, such as --parts.r1 1; 'adversaria show' lists them."""
    batch: Count = 128
    """Examples a move (Section 4.1: 100)."""
    rounds: Count = 2_000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        G, D = self.networks(spec, self.labels_of(spec))

        def sample(labels: Tensor) -> Tensor:
            return G(normal(len(labels), self.latent, like=G), labels)

        def told(batch: Batch) -> Tensor:
            assert batch.labels is not None
            return batch.labels

        def class_terms(*pairs: Pair) -> Terms:
            return {"class": self.classify * torch.stack([cross_entropy(D.classify(x), c) for x, c in pairs]).sum()}

        classifies = self.condition == "classifier"
        duel = Duel(G, D, loss=NonSaturating(), fake=lambda b: (sample(told(b)), told(b)),
                    real=lambda b: (b.x, told(b)), parts=self.parts, batch=self.batch, rounds=self.rounds,
                    also=(class_terms, lambda real, fake: class_terms(fake)) if classifies else None)  # fmt: skip
        return Game(
            stages=[duel.stage(self.adam, self.adam)],
            networks={"generator": G, "discriminator": D, **duel.networks},
            averages={"generator": self.average},
            condition="label",
            sample=sample,
            classify=D.classify if classifies else None,
        )

    def networks(self, spec: DataSpec, classes: int) -> tuple[nn.Module, Any]:
        """Generator and discriminator, each called with labels too."""
        size: Any = {"width": self.width, "hidden": self.hidden, "depth": self.depth}
        planes = {"concatenation": classes, "embedding": self.embedding}
        beside = planes.get(self.generator_condition, 0)
        norm = classes if self.generator_condition == "norm" else 0
        G = self.parts.decoder(self.latent + beside, spec.shape, classes=norm, **size)
        more = planes.get(self.condition, 0)
        D = self.parts.critic((spec.shape[0] + more, *spec.shape[1:]), **size)
        if beside:
            G = Concatenation(G, classes, beside, self.generator_condition == "concatenation")
        elif not norm:
            G = Product(G, classes, self.latent)
        told: nn.Module
        if more:
            told = Concatenation(D, classes, more, self.condition == "concatenation")
        else:
            told = Projection(D, classes) if self.condition == "projection" else AuxiliaryClassifier(D, classes)
        return G, with_spectral(told) if self.parts.spectral else told

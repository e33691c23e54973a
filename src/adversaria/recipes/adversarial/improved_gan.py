"""Improved GAN: a classifier of K classes is its own discriminator, and learns from few labels and many examples.

With logits l_1(x), ..., l_K(x), and that of class K + 1, "generated", fixed at 0 (Section 5):

    p(y | x) = exp l_y / (Z + 1),   D(x) = Z / (Z + 1),   Z(x) = sum_k exp l_k(x)
    classifier  min_D  -E log p(y | x, y <= K) + w (-E log D(x) - E log(1 - D(G(z)))),   z ~ N(0, I)
    generator   min_G  ||E f(x) - E f(G(z))||^2,  f the classifier's features      feature matching, Section 3.1
                min_G  -E log D(G(z)),  D sees the batch       minibatch discrimination, Section 3.2

The first expectation is over `labels` examples of the training split, the others over all of it without labels. With
w = 0 the generator stands still, and what is left is the same classifier trained on the labelled examples alone.
"""

from dataclasses import replace
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from adversaria.data import Batch, Dataset, DataSpec
from adversaria.duel import LAYERS, Duel, Parts
from adversaria.game import CHECKED, Adam, Count, Fraction, Game, Recipe, Reference, Terms, Weight
from adversaria.nn.backbones import decoder
from adversaria.nn.noise import normal
from adversaria.nn.reader import Reader
from adversaria.nn.semi import Evidence, aware, dropped_convolutions, noisy_mlp, smooth_generator
from adversaria.objectives.losses import NonSaturating

REFERENCE = Reference(title="Improved Techniques for Training GANs", year=2016, arxiv="1606.03498", venue="NeurIPS",
                      authors="Salimans, Goodfellow, Zaremba, Cheung, Radford, Chen")  # fmt: skip
PRESETS = {
    "smoke": {"labels": 20, "latent": 8, "hidden": 16, "units": 16, "width": 4, "batch": 8, "rounds": 4},
    "small": {"rounds": 2_000},
    "paper": {"hidden": 1000, "input_noise": 0.3, "rounds": 180_000},
}
DEPARTURES = (
    "Half the units, more noise on the input and 8,000 rounds with rates that fall to 0, so that minutes on a CPU do; "
    "the preset 'paper' has the authors' networks and rounds.",
    "The generator's rate is a tenth of the classifier's; in the authors' code they are equal, under a damped Adam.",
    "z is normal; in the authors' code it is uniform.",
)
CLAIMS = ("With few labels the test error is well below that of the same classifier trained on them alone (Table 1).",)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class ImprovedGAN(Recipe):
    """Semi-supervised classifier against a generator that matches its features."""

    labels: Count = 100
    """Training examples whose labels are used, as many of each class (Table 1: 20 to 200)."""
    label_seed: Annotated[int, Field(ge=0)] = 0
    """Which ones."""
    unsupervised: Weight = 1.0
    """w; 0 for the classifier on its labels alone."""
    objective: Literal["feature-matching", "minibatch-discrimination"] = "feature-matching"
    """What the generator wants: with the second, samples are better and the classifier is worse (Section 6.2)."""
    network: Literal["by-data", "mlp", "convolutions"] = "by-data"
    """The classifier: layers for vectors and grey images up to 32 pixels, convolutions for others (Section 6)."""
    latent: Count = 100
    """Dimension of z."""
    hidden: Count = 500
    """Units of the classifier's first layer; four more have 1/2, 1/4, 1/4 and 1/4 of it."""
    units: Count = 500
    """Units of the generator's two layers."""
    width: Count = 32
    """Channels at full resolution, of convolutions."""
    input_noise: Weight = 0.4
    """Standard deviation of the noise on examples; on images, of intensities from 0 to 1."""
    noise: Weight = 0.5
    """That on every layer's output (Section 6.1)."""
    average: Fraction = 0.999
    """Decay of the averaged networks that classify and sample; 0 for none."""
    classifier: Adam = Adam(lr=3e-3, betas=(0.5, 0.999), schedule="linear", hold=0.5)
    """For the classifier."""
    generator: Adam = Adam(lr=3e-4, betas=(0.5, 0.999), schedule="linear", hold=0.5)
    """For the generator."""
    parts: Parts = Parts()
    """Techniques beside the recipe's own, such as --parts.r1 1; 'adversaria show' lists them."""
    batch: Count = 100
    """Examples a move, and as many with labels."""
    rounds: Count = 8_000
    """Rounds of play."""

    def arrange(self, data: Dataset) -> Dataset:
        return data if data.labelled is not None else data.with_labels(self.labels, self.label_seed)

    def networks(self, spec: DataSpec) -> tuple[nn.Module, Reader]:
        """The generator and the classifier."""
        image, classes = spec.kind == "image", self.labels_of(spec)
        small = not image or (spec.shape[0] == 1 and max(spec.shape[1:]) <= 32)
        if not image or self.network == "mlp" or (self.network == "by-data" and small):
            layers = [max(1, self.hidden // part) for part in (1, 2, 4, 4, 4)]
            G = smooth_generator(self.latent, spec.shape, self.units, bounded=image)
            D = noisy_mlp(spec.size, classes, layers, first=self.input_noise, noise=self.noise, pixels=image)
        else:
            G = decoder(self.latent, spec.shape, width=self.width, hidden=self.units, depth=2)
            D = dropped_convolutions(spec.shape, classes, self.width)
        return G, aware(D) if self.objective == "minibatch-discrimination" else D

    def game(self, spec: DataSpec) -> Game:
        self.parts.without(*LAYERS, "spectral", why="it has its own layers")
        self.parts.without("minibatch", "matching", why="--objective says what the generator wants")
        self.parts.without("pack", why="a classifier tells the class of one example at a time")
        G, C = self.networks(spec)
        D = Evidence(C)

        def prior(n: int) -> Tensor:
            return normal(n, self.latent, like=G)

        own = self.parts.own(matching=self.objective == "feature-matching")
        duel = Duel(G, D, loss=NonSaturating(), fake=lambda batch: (G(prior(len(batch))),), parts=own,
                    batch=self.batch, rounds=self.rounds)  # fmt: skip

        def discriminator(batch: Batch) -> Terms:
            known = batch if batch.labelled is None else batch.labelled
            assert known.labels is not None
            terms = {"labelled": F.cross_entropy(C(known.x), known.labels)}
            more = duel.discriminator(batch) if self.unsupervised else {}
            return terms | {name: self.unsupervised * term for name, term in more.items()}

        def classify(x: Tensor) -> Tensor:  # in batches like those of training, in case C looks at them
            return torch.cat([C(part) for part in x.tensor_split(max(1, round(len(x) / self.batch)))])

        stage = duel.stage(self.classifier, self.generator, objectives=(discriminator, duel.generator))
        if not self.unsupervised:
            stage = replace(stage, players=stage.players[:1])
            G.requires_grad_(False)
        return Game(
            stages=[stage], networks={"generator": G, "discriminator": C, **duel.networks},
            averages={"generator": self.average, "discriminator": self.average}, sample=lambda n: G(prior(n)),
            latent=prior, decode=G, score=D, classify=classify,
        )  # fmt: skip

"""Improved GAN: a classifier of K classes is its own discriminator, and learns from few labels and many examples.

With logits l_1(x), ..., l_K(x), and that of class K + 1, "generated", fixed at 0 (Section 5):

    p(y | x) = exp l_y / (Z + 1),   D(x) = Z / (Z + 1),   Z(x) = sum_k exp l_k(x)
    classifier  min_D  -E log p(y | x, y <= K) + w (-E log D(x) - E log(1 - D(G(z)))),   z ~ N(0, I)
    generator   min_G  ||E f(x) - E f(G(z))||^2 / k,  f the classifier's k features    feature matching, Section 3.1
                min_G  -E log D(G(z)),  D sees the batch       minibatch discrimination, Section 3.2

The first expectation is over `labels` examples of the training split, the others over all of it without labels. With
w = 0 the generator stands still, and what is left is the same classifier trained on the labelled examples alone.
"""

from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from adversaria.data import Batch, Dataset, DataSpec
from adversaria.game import CHECKED, Adam, Count, Game, Player, Recipe, Reference, Terms, Weight
from adversaria.nn.backbones import decoder
from adversaria.nn.noise import normal
from adversaria.nn.reader import Reader
from adversaria.nn.semi import aware, dropped_convolutions, noisy_mlp, smooth_generator
from adversaria.objectives.adversarial import is_fake, is_real

REFERENCE = Reference(
    title="Improved Techniques for Training GANs",
    authors="Salimans, Goodfellow, Zaremba, Cheung, Radford, Chen",
    year=2016,
    arxiv="1606.03498",
    venue="NeurIPS",
)
PRESETS = {
    "smoke": {"labels": 20, "latent": 8, "hidden": 16, "width": 4, "batch": 8, "rounds": 4},
    "small": {"rounds": 1_500},
    "paper": {"rounds": 180_000},
}
DEPARTURES = (
    "z is normal and the generator's last layer plain; in the authors' code z is uniform and that layer normalised.",
    "A few thousand rounds with a rate that falls at the end; the authors' code takes 180,000 at a constant rate.",
    "Noise follows ReLU layers; images of more than 32 pixels or in colour get convolutions, with dropout for noise.",
    "Weights start from the first batch that is drawn, the authors' from 500 examples.",
)
CLAIMS = ("With few labels the test error is well below that of the same classifier trained on them alone (Table 1).",)


def classifier_terms(known: Tensor, labels: Tensor, real: Tensor, fake: Tensor, weight: float) -> Terms:
    """The classifier's loss from logits (n, K) of labelled, unlabelled and generated examples.

    log Z is the logit of D, so -log D = softplus(-log Z) and -log(1 - D) = softplus(log Z); and
    log p(y | x, y <= K) = l_y - log Z.
    """
    unsupervised = {"real": weight * is_real(real.logsumexp(1)), "fake": weight * is_fake(fake.logsumexp(1))}
    return {"labelled": F.cross_entropy(known, labels)} | unsupervised


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class ImprovedGAN(Recipe):
    """Semi-supervised classifier against a generator that matches its features."""

    labels: Count = 100
    """Training examples whose labels are used, as many of each class (Table 1: 20 to 200)."""
    label_seed: Annotated[int, Field(ge=0)] = 0
    """Which ones."""
    unsupervised: Weight = 1.0
    """w; 0 for the classifier on its labels alone."""
    generator: Literal["feature-matching", "minibatch-discrimination"] = "feature-matching"
    """What the generator wants: with the second, samples are better and the classifier is worse (Section 6.2)."""
    network: Literal["by-data", "mlp", "convolutions"] = "by-data"
    """The classifier: layers for vectors and grey images up to 32 pixels, convolutions for others (Section 6)."""
    latent: Count = 100
    """Dimension of z."""
    hidden: Count = 1000
    """Units of the classifier's first layer; four more have 1/2, 1/4, 1/4 and 1/4 of it, two of the generator 1/2."""
    width: Count = 32
    """Channels at full resolution, of convolutions (Section 6.2: 96)."""
    input_noise: Weight = 0.3
    """Standard deviation of the noise on examples; on images, of intensities from 0 to 1."""
    noise: Weight = 0.5
    """That on every layer's output (Section 6.1)."""
    average: float = 0.999
    """Decay of the averaged networks that classify and sample; 0 for none."""
    adam: Adam = Adam(lr=3e-3, betas=(0.5, 0.999), eps=1e-4, schedule="linear", hold=0.5)
    """For both players."""
    batch: Count = 100
    """Examples a move, and as many with labels."""
    rounds: Count = 5_000
    """Rounds of play."""

    def arrange(self, data: Dataset) -> Dataset:
        return data if data.labelled is not None else data.with_labels(self.labels, self.label_seed)

    def networks(self, spec: DataSpec) -> tuple[nn.Module, Reader]:
        """The generator and the classifier."""
        image, classes = spec.kind == "image", self.labels_of(spec)
        small = not image or (spec.shape[0] == 1 and max(spec.shape[1:]) <= 32)
        if self.network == "mlp" or not image or (self.network == "by-data" and small):
            layers = [max(1, self.hidden // part) for part in (1, 2, 4, 4, 4)]
            G = smooth_generator(self.latent, spec.shape, layers[1], bounded=image)
            D = noisy_mlp(spec.size, classes, layers, first=self.input_noise, noise=self.noise, pixels=image)
        else:
            G = decoder(self.latent, spec.shape, width=self.width, hidden=self.hidden, depth=2)
            D = dropped_convolutions(spec.shape, classes, self.width)
        return G, aware(D) if self.generator == "minibatch-discrimination" else D

    def game(self, spec: DataSpec) -> Game:
        G, D = self.networks(spec)

        def fake(n: int) -> Tensor:
            return G(normal(n, self.latent, like=G))

        def discriminator(batch: Batch) -> Terms:
            known = batch if batch.labelled is None else batch.labelled
            assert known.labels is not None
            if not self.unsupervised:
                return {"labelled": F.cross_entropy(D(known.x), known.labels)}
            with torch.no_grad():
                y = fake(len(batch))
            return classifier_terms(D(known.x), known.labels, D(batch.x), D(y), self.unsupervised)

        def generator(batch: Batch) -> Terms:
            y = fake(len(batch))
            if self.generator == "minibatch-discrimination":
                return {"non-saturating": is_real(D(y).logsumexp(1))}
            with torch.no_grad():
                f = D.features(batch.x).mean(0)
            return {"matching": (f - D.features(y).mean(0)).square().mean()}

        def classify(x: Tensor) -> Tensor:  # in batches like those of training, in case D looks at them
            return torch.cat([D(part) for part in x.tensor_split(max(1, round(len(x) / self.batch)))])

        players = [Player("discriminator", (D,), discriminator, self.adam)]
        if self.unsupervised:
            players.append(Player("generator", (G,), generator, self.adam))
        else:
            G.requires_grad_(False)
        return Game(
            *players, networks={"generator": G, "discriminator": D},
            averages={"generator": self.average, "discriminator": self.average}, sample=fake, decode=G,
            latent=lambda n: normal(n, self.latent, like=G), score=lambda x: D(x).logsumexp(1), classify=classify,
        )  # fmt: skip

"""Conditional GAN: samples given a label belong to its class.

2,000 samples, their labels in equal shares; a classifier trained on the same data tells their class (Section 4.1 shows
them in Figure 2, a row for each label). What is measured is the share that it tells as the label given; its accuracy
on real data, which stands beside it, is about as high as a perfect model could come. Thresholds: 0.9 on the digits,
whose classifier has 0.96; 0.95 on MNIST. One image for each class would do as well, so that the variance of pixels
within a class, over that of the data within theirs, is kept beside it too.
"""

from typing import Any

import torch
from torch import Tensor

from adversaria.catalogue import make as recipe
from adversaria.claims.check import Check, Measured, Trial
from adversaria.claims.tools import eye, told
from adversaria.data import Dataset
from adversaria.game import Game

BELONG = "Samples given a label belong to its class (Section 4.1, Figure 2)."
SHARE = "share of samples that a classifier tells as the label they were given"
N = 2_000
MNIST: dict[str, Any] = {"width": 16, "average": 0.998, "adam": {"lr": 5e-4},
                         "parts": {"noise": 0.3, "noise_until": 4.0}}  # fmt: skip


def belongs(game: Game, data: Dataset) -> Tensor:
    """Whether each of N samples (N,) is told as the label it was given."""
    labels = torch.arange(N) % data.spec.classes
    x = torch.cat([game.sample(len(part), part, seed=i) for i, part in enumerate(labels.split(500))])
    return told(x, data) == labels


def spread(x: Tensor, labels: Tensor) -> float:
    """The variance of x (n, ...) within a class, its mean over pixels and classes."""
    return float(torch.stack([x[labels == c].var(0).mean() for c in labels.unique()]).mean())


def measured(trial: Trial, preset: str | None, **changed: Any) -> Measured:
    """Agreement of the label given and the class told."""
    game, data = trial.play(recipe("cgan", preset, **changed)), trial.data
    agree = belongs(game, data)
    labels, real = torch.arange(N) % data.spec.classes, data.examples(min(data.size("train"), 5 * N), "train")
    assert real.labels is not None
    facts = {
        "classifier's accuracy": eye(data).accuracy or 0.0,
        "variance within a class, over the data's": spread(game.sample(N, labels, seed=0), labels)
        / spread(real.x, real.labels),
    }
    return Measured(float(agree.float().mean()), facts=facts)


def embedded(trial: Trial) -> Measured:
    """Both players see an embedding."""
    return measured(trial, None, **({"width": 32, "rounds": 800} if trial.quick else {"rounds": 3_000}))


def classified(trial: Trial) -> Measured:
    """The discriminator is a classifier too."""
    return measured(trial, "ac", **({"width": 16, "rounds": 1_500} if trial.quick else {"rounds": 3_000}))


def mnist(trial: Trial) -> Measured:
    """In images of 28 pixels, with noise on what the discriminator sees, which wins too early otherwise."""
    return measured(trial, None, **MNIST, rounds=2_000 if trial.quick else 4_000)


CHECKS = (
    Check(claim=BELONG, quantity=SHARE, measure=embedded, threshold=0.9, holds="above"),
    Check(claim=BELONG, quantity=f"{SHARE}, preset ac", measure=classified, threshold=0.9, holds="above"),
    Check(claim=BELONG, quantity=f"{SHARE}, MNIST", measure=mnist, threshold=0.95, holds="above", data=(),
          own="labelled images", needs="MNIST"),
)  # fmt: skip

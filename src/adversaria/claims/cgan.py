"""Conditional GAN: samples given a label belong to its class.

2,000 samples, their labels in equal shares; a classifier trained on the same data tells their class (Section 4.1 shows
them in Figure 2, a row for each label). What is measured is the share that it tells as the label given; its accuracy
on real data, which stands beside it, is about as high as a perfect model could come. Thresholds: 0.9 on the digits,
whose classifier has 0.96; 0.95 on MNIST.
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


def belongs(game: Game, data: Dataset) -> Tensor:
    """Whether each of N samples (N,) is told as the label it was given."""
    labels = torch.arange(N) % data.spec.classes
    x = torch.cat([game.sample(len(part), part, seed=i) for i, part in enumerate(labels.split(500))])
    return told(x, data) == labels


def measure(trial: Trial) -> Measured:
    """Agreement of the label given and the class told."""
    changed: dict[str, Any] = {"width": 32, "rounds": 800} if trial.quick else {"rounds": 3_000}
    game = trial.play(recipe("cgan", **changed))
    agree = belongs(game, trial.data)
    return Measured(float(agree.float().mean()), facts={"classifier's accuracy": eye(trial.data).accuracy or 0.0})


CHECKS = (
    Check(claim=BELONG, quantity=SHARE, measure=measure, threshold=0.9, holds="above"),
    Check(claim=BELONG, quantity=f"{SHARE}, MNIST", measure=measure, threshold=0.95, holds="above", data=(),
          own="labelled images", needs="MNIST"),
)  # fmt: skip

"""Improved GAN: the test error with few labels, against that of the same classifier trained on them alone.

Both have the same labelled examples, as many of each class, the same network, noise, batches and average; without the
others (w = 0) the generator stands still. What is measured is the logarithm of the error of the one less that of the
other, over the whole test split. Threshold: log 1/3 on MNIST with 100 labels; on digits, which are few and easy, with
20 labels of 1,437, 0.
"""

import math
from typing import Any

import torch
from torch import Tensor

from adversaria.catalogue import make
from adversaria.claims.check import Check, Measured, Trial
from adversaria.data import Dataset
from adversaria.game import Game

BELOW = "With few labels the test error is well below that of the same classifier trained on them alone (Table 1)."
FEW = "log of the test error with 20 labels, less without the other examples"
HUNDRED = "log of the test error with 100 labels, less without the other examples, MNIST"


def wrong(game: Game, data: Dataset) -> Tensor:
    """Whether the classifier gets each test example wrong, (n,)."""
    held = data.examples(data.size("test"), "test")
    assert held.labels is not None
    logits = torch.cat([game.classify(part.to(game.device)).cpu() for part in held.x.split(1_000)])
    return logits.argmax(1) != held.labels


def error(trial: Trial, **changed: Any) -> float:
    """The share of test examples that the trained classifier gets wrong."""
    game = trial.play(make("improved-gan", None, label_seed=trial.seed, **changed))
    found = wrong(game, trial.data)
    return max(int(found.sum()), 1) / len(found)


def compared(trial: Trial, labels: int, rounds: int, **changed: Any) -> Measured:
    """Both errors. The classifier alone has learned its labels long before the end, in a quarter of the rounds."""
    semi = error(trial, labels=labels, rounds=rounds, **changed)
    alone = error(trial, labels=labels, rounds=rounds // 4, unsupervised=0.0, **changed)
    return Measured(math.log(semi), math.log(alone), {"error": semi, "error of the classifier alone": alone})


def few(trial: Trial) -> Measured:
    """On small data."""
    return compared(trial, 20, 1_500 if trial.quick else 4_000, hidden=200, units=200)


def hundred(trial: Trial) -> Measured:
    """With 100 labels."""
    return compared(trial, 100, 2_000 if trial.quick else 8_000)


CHECKS = (
    Check(claim=BELOW, quantity=FEW, measure=few, threshold=0.0, holds="below", seeds=6, quick_seeds=6),
    Check(claim=BELOW, quantity=HUNDRED, measure=hundred, threshold=-math.log(3), holds="below", data=(),
          own="labelled images", needs="MNIST"),
)  # fmt: skip

"""FVSBN: whether it is a distribution, and what it gains over independent numbers.

**Sum** (exact by construction): after training on twelve pixels of black and white digits the probabilities of all
4,096 states are added up. Threshold for the distance from 1: 1e-5, a hundred roundings of float32.

**Gain**: test images of digits, black and white and drawn anew in training, in nats, less their cost under independent
bits with add-one smoothing. Threshold 0.
"""

import math

from adversaria.catalogue import make
from adversaria.claims.check import Check, Measured, Trial
from adversaria.claims.held import cost, trained, twelve
from adversaria.metrics.floors import closed_forms
from adversaria.oracles.tiny import everything

CLAIM = "Probabilities of all states sum to 1, and held-out data are likelier than under independent numbers."


def total(trial: Trial) -> float:
    """Distance of the sum of all probabilities from 1."""
    data = twelve(trial)
    game = trial.play(make("fvsbn", "small", rounds=300), data)
    return abs(math.expm1(float(game.log_prob(everything(data.spec)).double().logsumexp(0))))


def gain(trial: Trial) -> Measured:
    """Cost under fvsbn, and under independent bits."""
    game, at = trained(trial, make("fvsbn", "small", rounds=600 if trial.quick else 2_000))
    train, test = (trial.data.examples(trial.data.size(split), split).x for split in ("train", "test"))
    floor = closed_forms(train, test, trial.data.spec)["bernoulli"]
    return Measured(cost(game, trial.data).value, floor.value, {"best round": at})


CHECKS = (
    Check(claim=CLAIM, quantity="distance from 1 of the sum over 4,096 states", measure=total, threshold=1e-5,
          holds="below", data=("digits-static",)),
    Check(claim=CLAIM, quantity="nats of test images, less those under independent bits", measure=gain, threshold=0.0,
          holds="below", data=("digits-dynamic",)),
)  # fmt: skip

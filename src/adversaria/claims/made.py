"""MADE: whether every set of masks is a distribution, and what hidden units gain.

**Sum** (exact by construction): after training with four sets of masks on twelve pixels of black and white digits, the
probabilities of all 4,096 states under each set are added up. Threshold for the largest distance from 1: 1e-5, a
hundred roundings of float32.

**Gain** (Table 2): test images of digits, black and white and drawn anew in training, in nats, less their cost under
fvsbn; both at their presets `small`, from the same seed, for the same rounds, each where the validation split was
likeliest. Threshold 0.
"""

import math
from typing import Any

from adversaria.catalogue import make
from adversaria.claims.check import Check, Measured, Trial
from adversaria.claims.held import against, twelve
from adversaria.oracles.tiny import everything
from adversaria.ordered import alphabet

SUM = "Probabilities of all states sum to 1 for every set of masks (Section 4)."
GAIN = "Held-out data are likelier than under a fully visible belief network (Table 2)."
MASKS = 4


def total(trial: Trial) -> float:
    """Largest distance from 1 of a sum of all probabilities, over sets of masks."""
    data = twelve(trial)
    game = trial.play(make("made", "small", masks=MASKS, rounds=300), data)
    P: Any = game.networks["model"]
    A = alphabet(data.spec)
    line = A.line(everything(data.spec))
    sums = []
    with game.at_rest():
        for k in range(MASKS):
            log_p = A.log_prob(line, P(A.read(line), P.masked(k))).sum(1)
            sums.append(abs(math.expm1(float(log_p.double().logsumexp(0)))))
    return max(sums)


def gain(trial: Trial) -> Measured:
    """Cost under made, and under fvsbn."""
    return against(trial, "made", "fvsbn", rounds=600 if trial.quick else 2_000)


CHECKS = (
    Check(claim=SUM, quantity="largest distance from 1 of the sum over 4,096 states, of four sets of masks",
          measure=total, threshold=1e-5, holds="below", data=("digits-static",)),
    Check(claim=GAIN, quantity="nats of test images, less fvsbn's", measure=gain, threshold=0.0, holds="below",
          data=("digits-dynamic",)),
)  # fmt: skip

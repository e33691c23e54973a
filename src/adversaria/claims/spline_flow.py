"""Spline flow: how near it comes to a law of many sharp modes.

Test points of the grid of 25 normals of sd 0.05, two units apart, in nats, less what they cost under the mixture that
they were drawn from: an estimate of the KL divergence from the law to the model. Six coupling layers of 32 bins. A
flow that joins all modes by a ridge of a tenth of its mass is at 0.1; threshold 0.25, less than a tenth of what RealNVP
is away after the same rounds (3.2 nats in one trial).
"""

import math

import torch

from adversaria.catalogue import make
from adversaria.claims.check import Check, Measured, Trial
from adversaria.claims.held import cost, trained
from adversaria.data.made import modes

CLAIM = "Densities with sharp edges and many modes are fitted with few layers (Figure 3; Table 1)."


def measure(trial: Trial) -> Measured:
    """Cost under the flow, and under the law itself."""
    game, at = trained(trial, make("spline-flow", "small", bins=32, rounds=1_000 if trial.quick else 4_000))
    found = cost(game, trial.data)
    x = trial.data.examples(found.n, "test").x.double()
    known = modes(trial.data.name)
    centres, sd = torch.from_numpy(known.centres).double(), known.sd
    log_p = -(x[:, None] - centres).square().sum(2) / (2 * sd**2) - x.shape[1] * math.log(sd * math.sqrt(2 * math.pi))
    truth = -(log_p.logsumexp(1) - math.log(len(centres))).mean()
    return Measured(found.value, float(truth), {"best round": at})


CHECKS = (
    Check(claim=CLAIM, quantity="nats of test points, less under the law they are drawn from", measure=measure,
          threshold=0.25, holds="below", data=("grid25",)),
)  # fmt: skip

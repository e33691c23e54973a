"""NICE: whether it gains over a normal law of full covariance.

Test images of digits, 17 grey levels that are stored as 8 bits, in bits per dimension by uniform dequantisation, less
their cost under a normal law of full covariance that was fitted to the training images, dequantised alike. Threshold 0.
"""

from adversaria.catalogue import make
from adversaria.claims.check import Check, Measured, Trial
from adversaria.claims.held import cost, trained
from adversaria.evaluation.likelihoods import FITTED
from adversaria.metrics.floors import closed_forms

CLAIM = "The likelihood of held-out images is above that of a Gaussian of full covariance."


def measure(trial: Trial) -> Measured:
    """Cost under nice, and under a normal law."""
    game, at = trained(trial, make("nice", "small", rounds=800 if trial.quick else 3_000))
    n = min(trial.data.size("train"), FITTED)
    found = cost(game, trial.data)
    train, test = trial.data.examples(n).x, trial.data.examples(found.n, "test").x
    return Measured(found.value, closed_forms(train, test, trial.data.spec)["gaussian"].value, {"best round": at})


CHECKS = (
    Check(claim=CLAIM, quantity="bits per dimension of test images, less under a normal law", measure=measure,
          threshold=0.0, holds="below", own="images"),
)  # fmt: skip

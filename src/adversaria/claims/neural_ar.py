"""Neural autoregression: what hidden units gain over logistic regressions of each number on those before it.

Test images of digits, black and white and drawn anew in training, under neural-ar and under fvsbn, in nats; both at
their presets `small`, from the same seed, for the same rounds, each where the validation split was likeliest.
Threshold 0.
"""

from adversaria.claims.check import Check, Measured, Trial
from adversaria.claims.held import against

CLAIM = "Held-out data are likelier than under logistic regressions of each number on those before it (Table 1)."


def measure(trial: Trial) -> Measured:
    """Cost under neural-ar, and under fvsbn."""
    return against(trial, "neural-ar", "fvsbn", rounds=600 if trial.quick else 2_000)


CHECKS = (
    Check(claim=CLAIM, quantity="nats of test images, less fvsbn's", measure=measure, threshold=0.0, holds="below",
          data=("digits-dynamic",)),
)  # fmt: skip

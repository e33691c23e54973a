"""NADE: what hidden units gain over a fully visible belief network.

Test images of digits, black and white and drawn anew in training, under nade and under fvsbn, in nats; both at their
presets `small`, from the same seed, for the same rounds, each where the validation split was likeliest. Published
costs are lower on six of eight small binary sets (Table 1); threshold 0.
"""

from adversaria.claims.check import Check, Measured, Trial
from adversaria.claims.held import against

CLAIM = "Held-out data are likelier than under a fully visible belief network, which has no hidden units (Table 1)."


def measure(trial: Trial) -> Measured:
    """Cost under nade, and under fvsbn."""
    return against(trial, "nade", "fvsbn", rounds=2_000 if trial.quick else 4_000)


CHECKS = (
    Check(claim=CLAIM, quantity="nats of test images, less fvsbn's", measure=measure, threshold=0.0, holds="below",
          data=("digits-dynamic",)),
)  # fmt: skip

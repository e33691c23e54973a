"""Glow: what it gains over RealNVP.

Bits per dimension of test images of digits by uniform dequantisation, less their cost under realnvp (Table 2: 3.35
against 3.49 on CIFAR-10); both at their presets `small`, from the same seed, for the same rounds, each where the
validation split was likeliest. Threshold 0. The half of the claim about fixed permutations isn't measured: there is no
such variant here.
"""

from adversaria.claims.check import Check, Measured, Trial
from adversaria.claims.held import against

CLAIM = "Bits per dimension are below those with channels in a fixed permutation, and below RealNVP's (Table 2)."


def measure(trial: Trial) -> Measured:
    """Cost under glow, and under realnvp."""
    return against(trial, "glow", "realnvp", rounds=400 if trial.quick else 2_000)


CHECKS = (
    Check(claim=CLAIM, quantity="bits per dimension of test images, less realnvp's", measure=measure, threshold=0.0,
          holds="below", own="images"),
)  # fmt: skip

"""Radial flow: what more layers gain.

Test points of two moons in nats, under 32 layers less under 2 (Figures 3 and 4 show 2 to 32, and each fits better than
the one before); both at the preset `small` but for their layers, from the same seed, for the same rounds, each where
the validation split was likeliest. Threshold 0.
"""

from adversaria.claims.check import Check, Measured, Trial
from adversaria.claims.held import against

CLAIM = "More layers fit better (Figure 3, 4)."


def measure(trial: Trial) -> Measured:
    """Cost under 32 layers, and under 2."""
    rounds = 600 if trial.quick else 3_000
    return against(trial, "radial", "radial", rounds, {"layers": 32}, {"layers": 2})


CHECKS = (
    Check(claim=CLAIM, quantity="nats of test points under 32 layers, less under 2", measure=measure, threshold=0.0,
          holds="below", data=("two-moons",), own="points"),
)  # fmt: skip

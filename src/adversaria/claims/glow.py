"""Glow: what it gains over RealNVP, and its convolutions over a fixed permutation.

Bits per dimension of test images of digits by uniform dequantisation, less their cost under realnvp (Table 2: 3.35
against 3.49 on CIFAR-10), and less those of glow with channels in a fixed permutation; all at their presets `small`,
from the same seed, for the same rounds, each where the validation split was likeliest. Threshold 0 for both.
"""

from adversaria.catalogue import make
from adversaria.claims.check import Check, Measured, Trial
from adversaria.claims.held import cost, trained

CLAIM = "Bits per dimension are below those with channels in a fixed permutation, and below RealNVP's (Table 2)."
REALNVP, FIXED = (
    "bits per dimension of test images, less realnvp's",
    "bits per dimension of test images, less with channels in a fixed permutation",
)


def measure(trial: Trial) -> dict[str, Measured]:
    """Three trainings."""
    rounds = 400 if trial.quick else 2_000
    recipes = (
        make("glow", "small", rounds=rounds),
        make("realnvp", "small", rounds=rounds),
        make("glow", "small", rounds=rounds, mixing="permutation"),
    )
    ours, realnvp, fixed = (cost(trained(trial, recipe)[0], trial.data).value for recipe in recipes)
    return {REALNVP: Measured(ours, realnvp), FIXED: Measured(ours, fixed)}


CHECKS = tuple(
    Check(claim=CLAIM, quantity=quantity, measure=measure, threshold=0.0, holds="below", own="images")
    for quantity in (REALNVP, FIXED)
)

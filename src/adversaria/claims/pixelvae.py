"""PixelVAE: what a decoder gains that draws pixels one after another.

Test images of digits, black and white and drawn anew in training, in nats by importance weighting of 128 codes, less
their cost under the vae at its preset `small` (Table 1: 79.02 against 87.41 for a convolutional VAE, MNIST); from the
same seed, for the same rounds, each where the validation split's bound was best. Threshold 0. That images are sharper,
and what upper codes hold, isn't measured.
"""

from adversaria.claims.check import Check, Measured, Trial
from adversaria.claims.held import against

CLAIM = "A better bound than the VAE of the same networks, and images sharper than its (Table 1, Section 4.1)."


def measure(trial: Trial) -> Measured:
    """Cost under pixelvae, and under vae."""
    return against(trial, "pixelvae", "vae", rounds=400 if trial.quick else 2_000)


CHECKS = (
    Check(claim=CLAIM, quantity="nats of test images, less the vae's", measure=measure, threshold=0.0, holds="below",
          data=("digits-dynamic",)),
)  # fmt: skip

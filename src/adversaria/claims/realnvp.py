"""RealNVP: whether codes are exact, and what it gains over NICE.

**Inverse**: test images, dequantised in the middle of their levels, to codes and back; the largest difference between
a pixel and what comes back, in units of images from -1 to 1. Threshold half a level of 256, 1/255: beyond it a pixel
would come back as another.

**Gain** (Table 1: 3.49 bits/dim against 4.48 on CIFAR-10): bits per dimension of test images of digits by uniform
dequantisation, less their cost under nice; both at their presets `small`, from the same seed, for the same rounds, each
where the validation split was likeliest. Threshold 0.
"""

from adversaria.catalogue import make
from adversaria.claims.check import Check, Measured, Trial
from adversaria.claims.held import cost, trained

CLAIM = "Samples and latent codes are exact inverses, and bits per dimension are below NICE's (Table 1)."
BACK = "largest difference of a pixel after the way to its code and back"
FEWER = "bits per dimension of test images, less nice's"


def measure(trial: Trial) -> dict[str, float | Measured]:
    """Both, from one training of each."""
    rounds = 400 if trial.quick else 2_000
    (game, at), (other, its) = (trained(trial, make(name, "small", rounds=rounds)) for name in ("realnvp", "nice"))
    x = trial.data.examples(min(trial.data.size("test"), 500), "test").x
    back = float((game.reconstruct(x) - x).abs().max())
    ours, nice = (cost(model, trial.data).value for model in (game, other))
    return {BACK: back, FEWER: Measured(ours, nice, {"best round": at, "the other's": its})}


CHECKS = (
    Check(claim=CLAIM, quantity=BACK, measure=measure, threshold=1 / 255, holds="below", own="images"),
    Check(claim=CLAIM, quantity=FEWER, measure=measure, threshold=0.0, holds="below", own="images"),
)

"""VAE with a planar posterior: what the flow gains over a factorised posterior, and more steps over few.

The bound on test images of digits, black and white and drawn anew in training, in nats (85.1 nats with 80
planar steps and 89.9 without, on MNIST); at the preset `small` but for the steps, from the same seed, for the same
rounds, each where the validation split's bound was best. Threshold 0 for 10 steps less none, and for 32 less 2.
"""

from adversaria.catalogue import make
from adversaria.claims.check import Check, Measured, Trial
from adversaria.claims.held import cost, trained

CLAIM = "A better bound than the factorised posterior's at the same networks, and better with more steps (Fig. 4)."
FLOW, MORE = "bound on test images in nats, 10 steps less none", "bound on test images in nats, 32 steps less 2"


def measure(trial: Trial) -> dict[str, Measured]:
    """Four trainings."""
    rounds = 600 if trial.quick else 3_000
    bounds = {
        steps: cost(trained(trial, make("vae-nf", "small", steps=steps, rounds=rounds))[0], trial.data)
        .details["bound_nats"]
        for steps in (0, 2, 10, 32)
    }  # fmt: skip
    return {FLOW: Measured(bounds[10], bounds[0]), MORE: Measured(bounds[32], bounds[2])}


CHECKS = tuple(
    Check(claim=CLAIM, quantity=quantity, measure=measure, threshold=0.0, holds="below", data=("digits-dynamic",))
    for quantity in (FLOW, MORE)
)

"""VAE: whether more latent variables help, and whether too many harm.

The bound on test images of digits, black and white and drawn anew in training, in nats (Figure 2: the bound rises from
3 latent variables on, and 200 don't overfit). At the preset `small` but for the number of latent variables, from the
same seed, for the same rounds, each where the validation split's bound was best.

**More help**: the cost with 16 less that with 2; threshold 0.
**Many don't harm**: the cost with 64 less that with 16; below 0.5 nats, a fiftieth of the whole.
"""

from adversaria.catalogue import make
from adversaria.claims.check import Check, Measured, Trial
from adversaria.claims.held import trained

CLAIM = "The bound on held-out data rises without overfitting as latent variables are added (Section 5, Figure 2)."
MORE, MANY = "nats of test images with 16 latent variables, less with 2", "nats with 64 latent variables, less with 16"


def measure(trial: Trial) -> dict[str, Measured]:
    """Three trainings; bounds of one draw of a code each, from the same seed."""
    rounds = 800 if trial.quick else 3_000
    x = trial.data.examples(min(trial.data.size("test"), 1_000), "test").x
    few, some, many = (
        -float(trained(trial, make("vae", "small", latent=latent, rounds=rounds))[0].bound(x, seed=0).mean())
        for latent in (2, 16, 64)
    )
    return {MORE: Measured(some, few), MANY: Measured(many, some)}


CHECKS = (
    Check(claim=CLAIM, quantity=MORE, measure=measure, threshold=0.0, holds="below", data=("digits-dynamic",)),
    Check(claim=CLAIM, quantity=MANY, measure=measure, threshold=0.5, holds="below", data=("digits-dynamic",)),
)

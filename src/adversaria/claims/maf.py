"""MAF: what a flow of autoregressive layers gains over one of them, and over RealNVP.

Test points of two moons in nats, under five layers less under one, which has normal conditionals, and less under
RealNVP (Table 1 has tables of real data); all at their presets `small`, from the same
seed, for the same rounds, each where the validation split was likeliest. Threshold 0 for both.
"""

from adversaria.catalogue import make
from adversaria.claims.check import Check, Measured, Trial
from adversaria.claims.held import cost, trained

CLAIM = (
    "Held-out data are likelier than under one autoregressive model with normal conditionals, and than under RealNVP "
    "(Table 1)."
)
ONE, COUPLED = "nats of test points, less one layer's", "nats of test points, less RealNVP's"


def measure(trial: Trial) -> dict[str, Measured]:
    """Three trainings."""
    rounds = 600 if trial.quick else 3_000
    recipes = (make("maf", "small", rounds=rounds), make("maf", "small", layers=1, rounds=rounds),
               make("realnvp", "small", rounds=rounds))  # fmt: skip
    ours, one, coupled = (cost(trained(trial, recipe)[0], trial.data).value for recipe in recipes)
    return {ONE: Measured(ours, one), COUPLED: Measured(ours, coupled)}


CHECKS = tuple(
    Check(
        claim=CLAIM, quantity=quantity, measure=measure, threshold=0.0, holds="below", data=("two-moons",), own="points"
    )
    for quantity in (ONE, COUPLED)
)

"""What two models with codes cost by their bounds and by their likelihoods, from one training of each."""

from adversaria.claims.check import Measured, Trial
from adversaria.claims.held import cost, trained
from adversaria.game import Recipe


def bound_and_weighted(trial: Trial, ours: Recipe, other: Recipe) -> tuple[Measured, Measured]:
    """The bound on test images, and their likelihood by importance weighting, in nats, each where the validation
    split's bound was best."""
    a, b = (cost(trained(trial, recipe)[0], trial.data) for recipe in (ours, other))
    return Measured(a.details["bound_nats"], b.details["bound_nats"]), Measured(a.value, b.value)

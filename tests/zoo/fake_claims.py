"""Checks of gan's claim that take milliseconds; `quick` and the seed decide what they measure."""

import os
import random
import signal

import torch

from adversaria import catalogue
from adversaria.claims.check import Check, Measured
from adversaria.errors import UserError

CLAIM = catalogue.find("gan").claims[0]


def number(trial):
    return 2.0 + 0.1 * trial.seed


def both(trial):
    return {"first": Measured(trial.seed + 1.0, against=0.5, facts={"kl": float("inf")}), "second": trial.seed < 2}


def drawn(trial):
    """Depends on torch's generator, on one thread, as training does."""
    torch.manual_seed(trial.seed)
    return float((torch.randn(300, 300) @ torch.randn(300, 300)).sum())


def failing(trial):
    if trial.seed == 1:
        raise UserError("broke\n  down")
    return 1.0 if trial.seed else float("nan")


def dying(trial):
    if trial.seed == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return 1.0


def on_data(trial):
    return float(trial.data.spec.size)


def check(measure, quantity=None, **changed):
    told = {"claim": CLAIM, "quantity": quantity or measure.__name__, "threshold": 0.0, "holds": "above", "seeds": 4}
    return Check(measure=measure, **{**told, "data": ("made up",), **changed})


CHECKS = (
    check(number, threshold=1.5),
    check(both, "first", threshold=0.0),
    check(both, "second", threshold=0.1),
    check(on_data, data=("digits", "ring8"), own="labelled images", threshold=60.0),
    check(random.Random, "needs more", data=(), own="labelled images", needs="MNIST"),
)

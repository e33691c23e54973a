"""HALI: what a reconstruction keeps from the lower level of codes, and what from the upper one alone.

x -> z1 -> x' is made from the lower level; z2 follows from z1 and adds nothing. x -> z1 -> z2 -> z1' -> x'' is made
from the upper one. **Pixels** (Section 4): squared error over the data's variance, 1 for the mean image; the upper
level's less the lower one's, threshold 0. **Class** (Section 4): the share that a classifier, trained on the data,
tells as the class in the label, threshold 0.5; a tenth by chance for ten classes.
"""

from typing import Any

import torch
from torch import Tensor

from adversaria.catalogue import make
from adversaria.claims.check import Check, Measured, Trial
from adversaria.claims.tools import told

CLOSE = "A reconstruction from z1 is close to x; one from z2 alone keeps the gist only (Section 4)."
CLASS = "Both keep the class of x more often than not (Section 4)."
ERROR = "squared error of pixels from z2 alone, less from z1"
LOWER, UPPER = "share told as the class in the label, from z1", "share told as the class in the label, from z2 alone"

SMALL: dict[str, Any] = {"latent": 16, "middle": 2, "width": 16, "hidden": 128, "discriminator": {"lr": 5e-4},
                         "generators": {"lr": 1e-3}}  # fmt: skip
"""With 2 channels z1 has fewer numbers than a picture of 8 pixels; with the recipe's 8 it has twice as many."""


def measure(trial: Trial) -> dict[str, Measured | float]:
    """Error and class of both reconstructions, of one training."""
    game = trial.play(make("hali", None, **SMALL, rounds=3_000 if trial.quick else 8_000))
    held = trial.data.examples(min(trial.data.size("test"), 2_000), "test")
    assert held.labels is not None
    truth, variance = held.labels, (held.x - held.x.mean(0)).square().mean()

    def made(upper: bool) -> Tensor:
        parts = [part.to(game.device) for part in held.x.split(500)]
        return torch.cat([(game.decode(game.encode(x, seed=0)) if upper else game.reconstruct(x, seed=0)).cpu()
                          for x in parts])  # fmt: skip

    lower, upper = made(upper=False), made(upper=True)
    near, far = (float((held.x - y).square().mean() / variance) for y in (lower, upper))
    kept = [float((told(y, trial.data) == truth).float().mean()) for y in (lower, upper)]
    return {ERROR: Measured(far, near), LOWER: kept[0], UPPER: kept[1]}


CHECKS = (
    Check(claim=CLOSE, quantity=ERROR, measure=measure, threshold=0.0, holds="above", own="labelled images"),
    Check(claim=CLASS, quantity=LOWER, measure=measure, threshold=0.5, holds="above", own="labelled images"),
    Check(claim=CLASS, quantity=UPPER, measure=measure, threshold=0.5, holds="above", own="labelled images"),
)

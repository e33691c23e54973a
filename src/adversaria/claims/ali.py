"""ALI: a reconstruction keeps the subject, and no mode of a toy mixture is lost.

**Subject** (Section 4.1: reconstructions differ from their inputs in style, and keep what is shown). The share of test
digits whose reconstruction G(E(x)) a classifier tells as the same class as the digit itself. Threshold 0.5; a
reconstruction that knows nothing of x agrees in a tenth.

**Mixture** (Section 4.4, Figure 8: a grid of 25 Gaussians). Modes in force, with a tenth of their even share of 10,000
samples within 0.5 of their centre, a quarter of the way to the next one. Threshold 22; Figure 8's GAN loses several.
"""

from typing import Any

from adversaria.catalogue import make as recipe
from adversaria.claims.check import Check, Measured, Trial
from adversaria.claims.tools import coverage, told

SUBJECT = "A reconstruction G(E(x)) keeps the subject of x, not its pixels (Section 4.1)."
MIXTURE = "On a toy mixture the joint is matched and no mode is lost (Section 4.4, Figure 8)."

SMALL: dict[str, Any] = {"latent": 8, "width": 16, "hidden": 128, "rounds": 2_000, "discriminator": {"lr": 5e-4},
                         "generators": {"lr": 1e-3}}  # fmt: skip
"""Reaches in 15 seconds what the defaults reach in 40."""
FALLING = {"lr": 1e-3, "schedule": "linear"}
POINTS: dict[str, Any] = {"latent": 2, "hidden": 128, "depth": 3, "batch": 128, "discriminator": FALLING,
                          "generators": FALLING, "parts": {"critic_norm": "none"}}  # fmt: skip


def keeps(trial: Trial) -> Measured:
    """The share of test examples whose reconstruction is told as their class; their pixels' error beside it."""
    game = trial.play(recipe("ali", **(SMALL if trial.quick else {"rounds": 4_000})))
    x = trial.data.examples(min(trial.data.size("test"), 2_000), "test").x
    y = game.reconstruct(x.to(game.device), seed=0).cpu()
    same = told(x, trial.data) == told(y, trial.data)
    error = float((x - y).square().mean() / (x - x.mean(0)).square().mean())
    return Measured(float(same.float().mean()), facts={"squared error over the data's variance": error})


def covers(trial: Trial) -> Measured:
    """Modes of the grid in force."""
    game = trial.play(recipe("ali", **POINTS, rounds=4_000 if trial.quick else 10_000))
    found = coverage(game.sample(10_000, seed=0), trial.data.name, sd=1 / 6)
    facts = {"share near a mode": found["high quality"], "KL from equal shares": found["KL"]}
    return Measured(found["modes in force"], facts=facts)


CHECKS = (
    Check(claim=SUBJECT, quantity="share of reconstructions told as the class of what they reconstruct", measure=keeps,
          threshold=0.5, holds="above", own="labelled images"),
    Check(claim=MIXTURE, quantity="modes of 25 in force", measure=covers, threshold=22.0, holds="above",
          data=("grid25",)),
)  # fmt: skip

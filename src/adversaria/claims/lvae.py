"""LVAE: what the ladder gains over the plain deep VAE.

Black and white digits, drawn anew in training; three stochastic layers of 16, 8 and 4 units, inferred as a ladder or
each from the one below, with the same warm-up, from the same seed, for the same rounds. The plain deep VAE isn't batch-
normalised; one that is, is told beside.

**Active units** (Figure 4): units of the two upper layers whose mean code varies over test images with more than 0.01,
as Burda et al. (2016) define it, with the noise of a mean of 64 draws taken off. Threshold half a unit for the
difference: none with either is not more with one.

**Likelihood** (Table 1): nats of test images by importance weighting of 128 codes. Threshold 0 for the difference.
"""

from typing import Any

import torch

from adversaria.catalogue import make
from adversaria.claims.check import Check, Measured, Trial
from adversaria.claims.held import cost, trained
from adversaria.game import Game

CLAIM = "More active units in upper layers than the plain deep VAE, and a better bound (Table 1, Figure 4)."
ACTIVE, FEWER = (
    "active units of the upper layers, less without the ladder",
    "nats of test images, less without the ladder",
)
DRAWS = 64


def measure(trial: Trial) -> dict[str, Measured]:
    """Both, from one training of each."""
    rounds = 1_000 if trial.quick else 4_000
    below = {"inference": "bottom-up"}
    kinds: list[dict[str, Any]] = [{}, {**below, "normed": False}, below]
    games = [trained(trial, make("lvae", "small", rounds=rounds, **kind))[0] for kind in kinds]
    lowest = make("lvae", "small").fields()["latents"][0]
    units = [active(trial, game, lowest) for game in games]
    nats = [cost(game, trial.data).value for game in games]
    return {
        ACTIVE: Measured(units[0], units[1], {"the normalised one's": units[2]}),
        FEWER: Measured(nats[0], nats[1], {"the normalised one's": nats[2]}),
    }


def active(trial: Trial, game: Game, lowest: int) -> float:
    """Units above the `lowest` layer's whose mean code varies over test images."""
    x = trial.data.examples(min(trial.data.size("test"), 500), "test").x
    z = torch.stack([game.ask("infer", x, seed=k)[0][:, lowest:] for k in range(DRAWS)])
    return float((z.mean(0).var(0) - z.var(0).mean(0) / DRAWS > 0.01).sum())


CHECKS = (
    Check(claim=CLAIM, quantity=ACTIVE, measure=measure, threshold=0.5, holds="above", data=("digits-dynamic",)),
    Check(claim=CLAIM, quantity=FEWER, measure=measure, threshold=0.0, holds="below", data=("digits-dynamic",)),
)

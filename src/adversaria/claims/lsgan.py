"""LSGAN: does it train without batch normalisation in the generator where DCGAN's loss fails?

The paper's first comparison (Section 4.2): batch normalisation is left out of the generator, Adam moves both players,
and everything else is the same for both losses. Here that is this recipe's networks, once with its own loss and once
with the non-saturating one, from the same seed. Measured is the energy distance between samples and held-out data,
which is 0 for one law; the claim is that the other loss ends further away.
"""

from typing import Any

from adversaria.catalogue import make
from adversaria.claims.check import Check, Measured, Trial
from adversaria.claims.tools import energy_distance

WITHOUT = "Without batch normalisation in the generator it trains where DCGAN's loss fails (Section 4.2, Figure 5)."


def left(trial: Trial, loss: str) -> float:
    """The energy distance after training."""
    changed: Any = {"width": 32, "rounds": 600} if trial.quick else {"width": 64, "rounds": 3_000}
    game = trial.play(make("lsgan", parts={"generator_norm": "none", "loss": loss}, **changed))
    held_out = trial.data.examples(min(1_000, trial.data.size("test")), "test")
    return energy_distance(game.sample(1_000, seed=0), held_out.x)


def measure(trial: Trial) -> Measured:
    """DCGAN's loss, against least squares."""
    return Measured(left(trial, "non-saturating"), against=left(trial, "own"))


CHECKS = (
    Check(claim=WITHOUT, quantity="energy distance with DCGAN's loss, minus with least squares", measure=measure,
          threshold=0.0, holds="above", own="images"),
)  # fmt: skip

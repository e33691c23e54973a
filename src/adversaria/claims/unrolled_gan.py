"""Unrolled GAN: with k = 5 the generator covers the ring of 8 Gaussians, with k = 0 it doesn't.

Figure 2's setting: rates of 1e-3 for the generator and 1e-4 for the discriminator (Appendix A), constant, and no
average over weights, which would hide that a generator hops from mode to mode. k = 0 is the same recipe from the same
seed. A mode is in force with a tenth of its even share of 5,000 samples within 0.3 of its centre, a fifth of the way to
the next one: the rounds are few, and the modes, of sd 0.02, not yet sharp. Threshold: 4 modes more than with k = 0;
the first seed had 8 against 0 or 1.
"""

from adversaria.catalogue import make as recipe
from adversaria.claims.check import Check, Measured, Trial
from adversaria.claims.tools import coverage

COVERS = "With k = 5 or more the generator covers the ring of 8 Gaussians where k = 0 hops between modes (Fig. 2)."


def measure(trial: Trial) -> Measured:
    """Modes in force with k = 5 and with k = 0."""
    found, facts = {}, {}
    for k in (5, 0):
        game = trial.play(recipe(
            "unrolled-gan", unroll=k, batch=128, rounds=1_000 if trial.quick else 3_000, average=0.0,
            generator={"schedule": "constant"}, discriminator={"lr": 1e-4, "schedule": "constant"},
        ))  # fmt: skip
        told = coverage(game.sample(5_000, seed=0), trial.data.name, sd=0.1)
        found[k], facts[f"KL from equal shares, k = {k}"] = told["modes in force"], told["KL"]
    return Measured(found[5], found[0], facts)


CHECKS = (
    Check(claim=COVERS, quantity="modes in force, k = 5 minus k = 0", measure=measure, threshold=4.0, holds="above",
          data=("ring8",)),
)  # fmt: skip

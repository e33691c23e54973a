"""R3GAN: does the modern recipe cover all modes?

Stacks (the paper: all 1,000 modes of stacked MNIST): 26,000 samples, their classes told by a
classifier for each channel, counted where they occur at all. The threshold is 990; a perfect sampler has 1,000.

Points: 10,000 samples of the ring of 8 or the grid of 25; a mode counts with a tenth of its even share of samples of
high quality. The share of modes must be 1 in every seed.
"""

from typing import Any

import torch

from adversaria.catalogue import make
from adversaria.claims.check import Check, Measured, Trial
from adversaria.claims.tools import modes_in_force
from adversaria.data.made import modes
from adversaria.evaluation.stacks import stack_classifier, stack_coverage

COVERS = "It covers all modes of stacked digits (Section 2)."
STACKS: Any = {"network": "resnet", "average": 0.99, "adam": {"lr": 1e-3, "schedule": "linear"}}
"""Of 8 pixels: WGAN-GP's residual networks are quicker there than the paper's, which are made for larger ones."""
POINTS: Any = {"latent": 2, "hidden": 128, "batch": 128, "gamma": 0.05, "average": 0.99,
               "adam": {"lr": 2e-3, "schedule": "linear"}}  # fmt: skip
"""What suits modes that are a hundredth as wide as the ring."""


def stacks(trial: Trial) -> Measured:
    """Modes of 1,000."""
    game = trial.play(make("r3gan", rounds=1_000 if trial.quick else 3_000, **STACKS))
    x = torch.cat([game.sample(2_000, seed=i).cpu() for i in range(13)])
    classifier = stack_classifier(trial.data)
    found = stack_coverage(images=x, classifier=classifier)
    told = {"KL": found["KL"].value, "accuracy on a channel": classifier.accuracy.value, "samples": len(x)}
    return Measured(found["modes"].value, facts=told)


def points(trial: Trial) -> bool:
    """Whether all modes are in force."""
    name = trial.data.name
    game = trial.play(make("r3gan", rounds=3_000 if trial.quick else 5_000, **POINTS))
    return modes_in_force(game.sample(10_000, seed=0), name) == len(modes(name).centres)


CHECKS = (
    Check(claim=COVERS, quantity="modes of 1,000", measure=stacks, threshold=990.0, holds="above",
          data=("stacked-digits",), seeds=3, quick_seeds=2),
    Check(claim=COVERS, quantity="all modes of the points are covered", measure=points, threshold=0.5, holds="above",
          data=("ring8", "grid25"), seeds=6, quick_seeds=6),
)  # fmt: skip

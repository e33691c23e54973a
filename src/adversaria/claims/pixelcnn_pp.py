"""PixelCNN++: what a mixture of logistics gains over a softmax of 256 levels.

Test images of digits, 17 grey levels that are stored as 8 bits; the same network at the preset `small` with a mixture
and with a softmax, from the same seed.

**Bits per dimension**, each where the validation split was likeliest, less those of the softmax. Each plays as many
rounds as fit into the same seconds of one core, 20 in a quick check and else 120, by a measurement before. Threshold 0.
Digits have gaps between their levels, which a softmax can learn and a smooth law can't: the data are hard on the claim.

**Seconds an epoch**, less those of the softmax, the fastest of three passes of each over the training images, taken
in turns. Threshold 0.
"""

import time

import torch

from adversaria.catalogue import make
from adversaria.claims.check import Check, Measured, Trial
from adversaria.claims.held import compared, rounds_within
from adversaria.game import Recipe, play

CLAIM = (
    "A softmax over levels has to be learned level by level; the mixture takes fewer bits in equal time (Section 3.3)."
)
BITS, SECONDS = (
    "bits per dimension of test images, less those of a softmax in equal time",
    "seconds of one core for an epoch, less those of a softmax",
)
TURNS = 3


def bits(trial: Trial) -> Measured:
    """Cost under a mixture, and under a softmax."""
    ours, other = (
        make("pixelcnn-pp", "small", mixture=mixture, rounds=rounds_within(
            make("pixelcnn-pp", "small", mixture=mixture), trial.data, 20.0 if trial.quick else 120.0))
        for mixture in (5, 0)
    )  # fmt: skip
    return compared(trial, ours, other)


def seconds(trial: Trial) -> Measured:
    """Of the fastest of a few epochs of each, taken in turns."""
    recipes = [make("pixelcnn-pp", "small", mixture=mixture) for mixture in (5, 0)]
    spent = [[epoch(trial, recipe) for recipe in recipes] for _ in range(TURNS)]
    ours, other = (min(column) for column in zip(*spent, strict=True))
    return Measured(ours, other)


def epoch(trial: Trial, recipe: Recipe) -> float:
    """Seconds of the processor for a pass over the training images."""
    torch.manual_seed(trial.seed)
    game = recipe.build(trial.data.spec)
    rounds = -(-trial.data.size("train") // recipe.batch)
    started = time.process_time()
    for _ in play(game.stage(), trial.data.batches(recipe.batch, seed=trial.seed), rounds=rounds):
        pass
    return time.process_time() - started


CHECKS = (
    Check(claim=CLAIM, quantity=BITS, measure=bits, threshold=0.0, holds="below", own="images"),
    Check(claim=CLAIM, quantity=SECONDS, measure=seconds, threshold=0.0, holds="below", own="images"),
)

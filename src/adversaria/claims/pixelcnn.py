"""PixelCNN: what a pixel sees, and what it gains over independent pixels.

**Sight** (1606.05328, Figure 1): after training on black and white digits each pixel of 32 test images is turned round,
and the laws of all others are compared, bit for bit. Pixels must not see themselves or later ones: threshold half a
pair for the number of pairs that do, 0 or more. Of the 2,016 pairs of a pixel and an earlier one, the number that isn't
seen is the blind spot's; threshold 1.

**Gain**: test images of digits, black and white and drawn anew in training, in nats, less their cost under independent
bits with add-one smoothing; threshold 0.
"""

import torch

from adversaria.catalogue import make
from adversaria.claims.check import Check, Measured, Trial
from adversaria.claims.held import cost, sight, trained
from adversaria.metrics.floors import closed_forms

SEES = "No pixel sees itself or a later one; a part of the earlier ones is never seen (1606.05328, Figure 1)."
GAIN = "Held-out images take fewer bits than under independent pixels."
AHEAD = "pairs of a pixel and one that isn't earlier, yet seen"
BLIND = "pairs of a pixel and an earlier one that is never seen"
FEWER = "nats of test images, less those under independent bits"


def measure(trial: Trial) -> dict[str, float | Measured]:
    """All three, from one training."""
    game, at = trained(trial, make("pixelcnn", "small", rounds=400 if trial.quick else 1_500))
    seen = sight(game, trial.data.examples(32, "test").x)
    earlier = torch.ones_like(seen).tril(-1)
    train, test = (trial.data.examples(trial.data.size(split), split).x for split in ("train", "test"))
    floor = closed_forms(train, test, trial.data.spec)["bernoulli"]
    return {
        AHEAD: float((seen & ~earlier).sum()), BLIND: float((earlier & ~seen).sum()),
        FEWER: Measured(cost(game, trial.data).value, floor.value, {"best round": at}),
    }  # fmt: skip


CHECKS = (
    Check(claim=SEES, quantity=AHEAD, measure=measure, threshold=0.5, holds="below", data=("digits-dynamic",)),
    Check(claim=SEES, quantity=BLIND, measure=measure, threshold=1.0, holds="above", data=("digits-dynamic",)),
    Check(claim=GAIN, quantity=FEWER, measure=measure, threshold=0.0, holds="below", data=("digits-dynamic",)),
)

"""Gated PixelCNN: what a pixel sees, what gates and stacks gain, and whether labels are obeyed.

**Sight** (Figure 1): after training on black and white digits each pixel of 32 test images is turned round, and the
laws of all others are compared, bit for bit; of the 2,016 pairs of a pixel and an earlier one all must be seen.
Threshold half a pair for the number that isn't.

**Gain** (Table 1: 3.03 bits/dim against 3.14 on CIFAR-10): test images of digits, black and white and drawn anew in
training, in nats, less their cost under pixelcnn; both at their presets `small`, from the same seed, for the same
rounds, each where the validation split was likeliest. Threshold 0.

**Labels** (Section 3.2): the share of 500 samples in which a classifier, trained on the data, reads the label that they
were given. Threshold 0.8 where chance is 0.1.
"""

import torch

from adversaria.catalogue import make
from adversaria.claims.check import Check, Measured, Trial
from adversaria.claims.held import cost, sight, trained
from adversaria.claims.tools import told

SEES = "Every pixel sees all earlier ones (Figure 1)."
GAIN = "Held-out images take fewer bits than under a PixelCNN (Table 1)."
LABELS = "Given the label, samples are of its class (Section 3.2)."
BLIND = "pairs of a pixel and an earlier one that is never seen"
FEWER = "nats of test images, less pixelcnn's"


def measure(trial: Trial) -> dict[str, float | Measured]:
    """Sight and gain, from one training of each."""
    rounds = 400 if trial.quick else 1_500
    (game, at), (other, its) = (
        trained(trial, make(name, "small", rounds=rounds)) for name in ("gated-pixelcnn", "pixelcnn")
    )
    seen = sight(game, trial.data.examples(32, "test").x)
    ours, plain = (cost(model, trial.data).value for model in (game, other))
    return {
        BLIND: float((torch.ones_like(seen).tril(-1) & ~seen).sum()),
        FEWER: Measured(ours, plain, {"best round": at, "the other's": its}),
    }


def labels(trial: Trial) -> float:
    """The share of samples that are read as their label."""
    rounds = 600 if trial.quick else 2_000
    game = trial.play(make("gated-pixelcnn", "small", conditional=True, rounds=rounds))
    given = torch.arange(500) % trial.data.spec.classes
    return float((told(game.sample(500, given, seed=0), trial.data) == given).float().mean())


CHECKS = (
    Check(claim=SEES, quantity=BLIND, measure=measure, threshold=0.5, holds="below", data=("digits-dynamic",)),
    Check(claim=GAIN, quantity=FEWER, measure=measure, threshold=0.0, holds="below", data=("digits-dynamic",)),
    Check(claim=LABELS, quantity="share of samples read as the label they were given", measure=labels, threshold=0.8,
          holds="above", data=("digits-static",)),
)  # fmt: skip

"""DCGAN: smooth interpolation, and arithmetic on codes.

**Interpolation** (Section 6.1: sudden transitions on the way from one code to another are a sign of memorisation). 64
straight paths between codes of the prior are cut in 50 steps each; the longest step between neighbouring images is
divided by the mean one. Beside it stands the same path as a memoriser would draw it, each image replaced by the nearest
training example: it stands still and jumps, at a ratio of 15 to 20. Threshold 3; the first seeds had 1.4.

**Arithmetic** (Section 6.3.2: smiling woman - neutral woman + neutral man = smiling man, of means of three codes). No
digit smiles, but their strokes are bold or thin, by the mean brightness of the image. For every two classes a and b,
"bold a - thin a + thin b" should be a bold b: the classifier sees b, and the image is brighter than halfway between
the thin and the bold quarter of b. Threshold 0.2, twice what a bold image of any class would have; the first seeds had
0.4. Beside it stands the control, two means of any a in place of its bold and thin one: it is never bold.
"""

from typing import Any

import torch
from torch import Tensor

from adversaria.catalogue import make as recipe
from adversaria.claims.check import Check, Measured, Trial
from adversaria.claims.tools import told
from adversaria.game import Game

SMOOTH = "Interpolation between two codes is smooth, with no sudden transition (Section 6.1)."
ADD = "Averages of codes add and subtract like concepts (Section 6.3.2)."
STEP = "longest step of a path between two codes over its mean step"
BOLD = "share of 'bold a - thin a + thin b' that is a bold b"
PATHS, STEPS, EXEMPLARS = 64, 50, 3


def measure(trial: Trial) -> dict[str, Measured]:
    """One training for both."""
    changed: dict[str, Any] = {"width": 32, "rounds": 600} if trial.quick else {"width": 64, "rounds": 3_000}
    game = trial.play(recipe("dcgan", **changed))
    return {STEP: step(trial, game), BOLD: bold(trial, game)}


def step(trial: Trial, game: Game) -> Measured:
    """The ratio of a path's longest step to its mean one; the memoriser's beside it."""
    a, b = game.latent(PATHS, seed=0), game.latent(PATHS, seed=1)
    t = torch.linspace(0, 1, STEPS + 1, device=a.device)
    paths = torch.stack([game.decode(a + s * (b - a)) for s in t], 1).flatten(2).cpu()
    train = trial.data.examples(min(trial.data.size(), 2_000), seed=0).x.flatten(1)
    copies = torch.stack([train[torch.cdist(path, train).argmin(1)] for path in paths])
    return Measured(ratio(paths), facts={"memoriser": ratio(copies)})


def ratio(paths: Tensor) -> float:
    """Mean over paths (n, steps + 1, d) of the longest step over the mean one; of those that move at all."""
    steps = (paths[:, 1:] - paths[:, :-1]).norm(dim=2)
    steps = steps[steps.sum(1) > 0]
    return float((steps.max(1).values / steps.mean(1)).mean())


def bold(trial: Trial, game: Game) -> Measured:
    """The share of ordered pairs of classes for which the sum comes out as it should; the control's beside it."""
    z = game.latent(4_000, seed=2)
    x = game.decode(z).cpu()
    labels, ink = told(x, trial.data), x.flatten(1).mean(1)
    means, middle = {}, {}
    for k in range(trial.data.spec.classes):
        own = torch.where(labels == k)[0]
        quarter = len(own) // 4
        if quarter >= EXEMPLARS:
            order = own[ink[own].argsort()]
            chosen = (order[-EXEMPLARS:], order[:EXEMPLARS], own[:EXEMPLARS], own[EXEMPLARS : 2 * EXEMPLARS])
            means[k] = [z[places].mean(0) for places in chosen]
            middle[k] = float(ink[order[:quarter]].mean() + ink[order[-quarter:]].mean()) / 2
    pairs = [(a, b) for a in means for b in means if a != b]
    right = {"sum": 0, "control": 0, "class": 0}
    for a, b in pairs:
        bold_a, thin_a, some, other = means[a]
        for name, code in (("sum", bold_a - thin_a + means[b][1]), ("control", some - other + means[b][1])):
            y = game.decode(code[None]).cpu()
            kept = int(told(y, trial.data)) == b
            right[name] += kept and float(y.mean()) > middle[b]
            right["class"] += kept and name == "sum"
    n = max(len(pairs), 1)
    facts = {"control": right["control"] / n, "told as b": right["class"] / n, "pairs": len(pairs)}
    return Measured(right["sum"] / n, facts=facts)


CHECKS = (
    Check(claim=SMOOTH, quantity=STEP, measure=measure, threshold=3.0, holds="below", own="labelled images",
          quick_seeds=4),
    Check(claim=ADD, quantity=BOLD, measure=measure, threshold=0.2, holds="above", own="labelled images",
          quick_seeds=4),
)  # fmt: skip

"""WGAN-GP: the critic's slope, and whether its loss tells the quality of samples.

**Slope** (Section 3: the penalty draws the norm of the critic's input gradient to 1 on lines between data and samples).
The mean norm at 2,000 points, each on a line between a test example and a sample. Threshold: 1 +- 0.1.

**Loss and quality** (Section 5.2, Figure 5: minus the critic's loss falls as samples get better). At 12 checkpoints,
evenly spaced after the first tenth, in which the critic is still finding its slope: the critic's estimate
E f(x) - E f(G(z)) on test examples and fresh samples, and the samples' energy distance to the same examples, in pixels.
Spearman's rank correlation of the two; threshold 0.5, with 0 where the loss tells nothing.
"""

import torch
from torch import Tensor

from adversaria.catalogue import make as recipe
from adversaria.claims.check import Check, Measured, Trial
from adversaria.claims.tools import energy_distance
from adversaria.game import Game, Round, seeded

SLOPE = "The critic's slope on the segments is near 1 (Section 3, Figure 1)."
LOSS = "The critic's loss falls as samples get better (Section 5.2, Figure 5)."
NORM = "mean slope of the critic on lines between test examples and samples"
RANK = "rank correlation of the critic's estimate with the energy distance, over checkpoints"
CHECKPOINTS = 12


def measure(trial: Trial) -> dict[str, Measured]:
    """One training for both."""
    rounds = 240 if trial.quick else 1_500
    every = 9 * rounds // (10 * CHECKPOINTS)
    seen: list[tuple[float, float]] = []

    def watch(game: Game, record: Round) -> None:
        if record.number > rounds // 10 and (rounds - record.number) % every == 0:
            seen.append(estimates(trial, game))

    game = trial.play(recipe("wgan-gp", width=32), rounds=rounds, watch=watch)
    critic, distance = torch.tensor(seen).T
    facts = {"estimate, first": seen[0][0], "estimate, last": seen[-1][0], "energy distance, first": seen[0][1],
             "energy distance, last": seen[-1][1]}  # fmt: skip
    return {NORM: Measured(slope(trial, game)), RANK: Measured(spearman(critic, distance), facts=facts)}


def estimates(trial: Trial, game: Game) -> tuple[float, float]:
    """The critic's estimate of the distance to test examples, and the energy distance to them."""
    x = trial.data.examples(min(trial.data.size("test"), 1_000), "test").x.to(game.device)
    with torch.no_grad(), seeded(trial.seed):
        y, f = game.abilities["sample"](len(x)), game.abilities["score"]
        return float(f(x).mean() - f(y).mean()), energy_distance(x, y)


def slope(trial: Trial, game: Game) -> float:
    """Mean norm of the critic's gradient on lines between test examples and samples."""
    n = 2_000
    data = trial.data.examples(min(trial.data.size("test"), n), "test").x.to(game.device)
    with seeded(trial.seed):
        x = data[torch.randint(len(data), (n,), device=data.device)]
        with torch.no_grad():
            y = game.abilities["sample"](n)
        u = torch.rand(n, *[1] * (x.ndim - 1), device=x.device)
    at = (u * x + (1 - u) * y).requires_grad_()
    (gradient,) = torch.autograd.grad(game.abilities["score"](at).sum(), at)
    return float(gradient.flatten(1).norm(dim=1).mean())


def spearman(x: Tensor, y: Tensor) -> float:
    """Spearman's rank correlation of values without ties."""
    ranks = torch.stack([x, y]).argsort(1).argsort(1).double()
    return float(torch.corrcoef(ranks)[0, 1])


CHECKS = (
    Check(claim=SLOPE, quantity=NORM, measure=measure, threshold=(0.9, 1.1), holds="within", own="images"),
    Check(claim=LOSS, quantity=RANK, measure=measure, threshold=0.5, holds="above", own="images"),
)

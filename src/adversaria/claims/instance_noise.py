"""Instance noise: does the generator keep a gradient between laws on disjoint sets?

Data lie on a circle of radius 1, and a fresh generator from a code of one number puts its samples on a curve near the
origin: two thin sets that don't meet. The generator stands still while the discriminator moves 1,000 times, with noise
of standard deviation 0.5 that isn't annealed, and without. Then the norm of the generator's gradient of E log(1 - D),
by its first value, is told in decades: how far it has fallen. The theorems say that it vanishes without noise (2.4) and
doesn't with it (3.2): it should have fallen by a decade more without.
"""

import math

import numpy as np
import torch

from adversaria.catalogue import make
from adversaria.claims.check import Check, Measured, Trial
from adversaria.data import load
from adversaria.game import Player, Stage, play
from adversaria.game.rounds import Indexed

MOVES = 1_000


def slope(player: Player, batches: Indexed) -> float:
    """Norm of the player's mean gradient over 20 batches."""
    own = player.parameters()
    total = [torch.zeros_like(p) for p in own]
    for i in range(20):
        loss = player.loss(player.objective(batches.at(MOVES + i)))
        torch._foreach_add_(total, list(torch.autograd.grad(loss, own)))
    return torch.stack(torch._foreach_norm(total)).norm().item() / 20


def fall(trial: Trial, noise: float) -> float:
    """log10 of the generator's gradient after the discriminator's moves alone, over that before."""
    angle = np.random.default_rng(trial.seed).uniform(0, 2 * np.pi, 4_000)
    data = load(np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32))
    recipe = make("instance-noise", latent=1, hidden=64, noise=noise, until=1e6, parts={"loss": "minimax"}, average=0.0,
                  adam={"lr": 2e-3})  # fmt: skip
    torch.manual_seed(trial.seed)
    game = recipe.build(data.spec)
    discriminator, generator = game.stage().players
    batches = data.batches(recipe.batch, seed=trial.seed)
    before = slope(generator, batches)
    for _ in play(Stage((discriminator,)), batches, rounds=MOVES):
        pass
    return math.log10(max(slope(generator, batches), 1e-30) / before)


def measure(trial: Trial) -> Measured:
    """Decades with noise, against without."""
    return Measured(fall(trial, 0.5), against=fall(trial, 0.0))


KEEPS = "Between laws on disjoint sets noise keeps the generator's gradient from vanishing (1701.04862, Theorem 3.2)."
DECADES = "log10 of the generator's gradient by its first value, with noise minus without"
CHECKS = (
    Check(claim=KEEPS, quantity=DECADES, measure=measure, threshold=1.0, holds="above", data=("parallel-lines",),
          seeds=10, quick_seeds=6),
)  # fmt: skip

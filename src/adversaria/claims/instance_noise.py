"""Instance noise: does the generator keep a gradient between laws on disjoint sets?

Data lie on two parallel lines, and a fresh generator from a code of one number puts its samples on a curve: two thin
sets that hardly meet. The generator stands still while the discriminator moves 500 times, with noise of standard
deviation 0.5 that isn't annealed, and without. Then the norm of the generator's gradient of E log(1 - D) is compared, in
decades: log10 with noise minus log10 without. The theorem says that it vanishes without (Theorem 2.4) and doesn't with
(Theorem 3.2); one decade is the threshold.
"""

import math

import torch

from adversaria.catalogue import make
from adversaria.claims.check import Check, Measured, Trial
from adversaria.data import load
from adversaria.game import Stage, play

MOVES = 500


def slope(trial: Trial, noise: float) -> float:
    """log10 of the norm of the generator's gradient after the discriminator's moves alone, over 20 batches."""
    data = load("parallel-lines")
    recipe = make("instance-noise", latent=1, noise=noise, until=1e6, parts={"loss": "minimax"}, average=0.0)
    torch.manual_seed(trial.seed)
    game = recipe.build(data.spec)
    discriminator, generator = game.stage().players
    batches = data.batches(recipe.batch, seed=trial.seed)
    for _ in play(Stage((discriminator,)), batches, rounds=MOVES):
        pass
    own = generator.parameters()
    total = [torch.zeros_like(p) for p in own]
    for i in range(20):
        loss = generator.loss(generator.objective(batches.at(MOVES + i)))
        torch._foreach_add_(total, list(torch.autograd.grad(loss, own)))
    return math.log10(max(torch.stack(torch._foreach_norm(total)).norm().item() / 20, 1e-30))


def measure(trial: Trial) -> Measured:
    """Decades with noise, against without."""
    return Measured(slope(trial, 0.5), against=slope(trial, 0.0))


CHECKS = (
    Check(
        claim="Between laws on disjoint sets noise keeps the generator's gradient from vanishing (1701.04862, Theorem 3.2).",
        quantity="log10 norm of the generator's gradient with noise, minus the same without", measure=measure,
        threshold=1.0, holds="above", data=("parallel-lines",), seeds=10, quick_seeds=6,
    ),
)  # fmt: skip

"""VQ-VAE: whether the codebook is used, and whether the prior is worth its training.

**Use**: the perplexity exp H of the codes of all test images, over K. Threshold 0.3: a codebook that has collapsed uses
a few of its codes, and an even use of all is 1.

**Prior** (Section 4.2): the energy distance, in pixels, of 1,000 samples to the test images, less that of images from
codes that are drawn cell by cell from their own frequencies in the training images. Threshold 0.
"""

import torch

from adversaria.catalogue import make
from adversaria.claims.check import Check, Measured, Trial
from adversaria.claims.tools import energy_distance
from adversaria.game import Game, seeded

USE = "Few of the codes are unused: the perplexity of their use is a large part of K."
PRIOR = "Samples from the prior look like data (Section 4.2)."
PART, NEARER = "perplexity of the codes' use, over K", "energy distance of samples, less that of independent codes"
N = 1_000


def measure(trial: Trial) -> dict[str, float | Measured]:
    """Both, from one training."""
    game = trial.play(make("vq-vae", "small", rounds=1_200 if trial.quick else 4_000))
    x = trial.data.examples(min(trial.data.size("test"), N), "test").x
    share = torch.bincount(game.ask("tokens", x).flatten(), minlength=game.codebook).double()
    share = share[share > 0] / share.sum()
    perplexity = float((-share * share.log()).sum().exp())
    apart = energy_distance(independent(trial, game), x)
    return {PART: perplexity / game.codebook, NEARER: Measured(energy_distance(game.sample(N, seed=0), x), apart)}


def independent(trial: Trial, game: Game) -> torch.Tensor:
    """Images of codes, each cell's from that cell of a training image of its own."""
    x = trial.data.examples(min(trial.data.size(), 5_000)).x
    codes = game.encode(x)
    cells = game.ask("tokens", x[:1])[0].numel()
    by_cell = codes.unflatten(1, (-1, cells))
    with seeded(trial.seed):
        rows = torch.randint(len(x), (N, cells))
    return game.decode(torch.stack([by_cell[rows[:, i], :, i] for i in range(cells)], 2).flatten(1))


CHECKS = (
    Check(claim=USE, quantity=PART, measure=measure, threshold=0.3, holds="above", own="images"),
    Check(claim=PRIOR, quantity=NEARER, measure=measure, threshold=0.0, holds="below", own="images"),
)

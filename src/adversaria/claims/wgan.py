"""WGAN: does the critic's estimate follow the samples' quality, and where do clipped weights lie?

Estimate: at 20 moments of a run the critic's E f(x) - E f(G(z)) on 1,000 held-out examples and as many samples, beside
the sliced Wasserstein distance of the same; their rank correlation (Figure 3 shows the curve beside sheets). With 20
moments a correlation of 0.5 is beyond chance (p = 0.025), so that is the threshold.

Clipping: the share of the critic's weights within 1% of -c or c at the end. Weights spread evenly over [-c, c] would
have 1% there; the paper that found it (Figure 1b) shows two spikes. A tenth is ten times an even spread's share.
"""

import torch
from scipy.stats import spearmanr

from adversaria.catalogue import make
from adversaria.claims.check import Answer, Check, Trial
from adversaria.game import Game, Round
from adversaria.metrics import sliced_wasserstein

EVERY = 20
ESTIMATE = "rank correlation of the critic's estimate with the sliced Wasserstein distance of the samples"
SHARE = "share of the critic's weights within 1% of -c or c"


def measure(trial: Trial) -> dict[str, Answer]:
    """Both, from one training."""
    recipe = make("wgan", "small", rounds=200 if trial.quick else 1_000)
    x = trial.data.examples(min(1_000, trial.data.size("train")), "train", seed=1).x.to(trial.device)
    estimates, distances = [], []

    def watch(game: Game, record: Round) -> None:
        if record.number % (recipe.rounds // EVERY) == 0:
            y = game.sample(len(x), seed=0)
            estimates.append((game.score(x).mean() - game.score(y).mean()).item())
            distances.append(sliced_wasserstein(real=x.flatten(1), generated=y.flatten(1), seed=0).value)

    game = trial.play(recipe, watch=watch)
    weights = torch.cat([p.detach().flatten() for p in game.networks["critic"].parameters()]).abs()
    return {
        ESTIMATE: float(spearmanr(estimates, distances).statistic),
        SHARE: (weights >= 0.99 * make("wgan").fields()["clip"]).double().mean().item(),
    }


CHECKS = (
    Check(
        claim="The critic's estimate falls as samples get better (Section 4.2, Figure 3).",
        quantity=ESTIMATE, measure=measure, threshold=0.5, holds="above", own="images",
    ),
    Check(
        claim="Clipped weights pile up at -c and c (1704.00028, Section 3 and Figure 1).",
        quantity=SHARE, measure=measure, threshold=0.1, holds="above", own="images",
    ),
)  # fmt: skip

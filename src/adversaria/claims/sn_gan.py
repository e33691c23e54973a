"""SN-GAN: are the layers' largest singular values 1 while it trains?

Every 20th round each weight of the discriminator, as it is used, is decomposed exactly. One power iteration a move lags
behind the weights, so that sigma isn't 1 to the last digit; the largest deviation over layers and moments should stay
below a tenth. Without normalisation the same layers have singular values of 2 to 10.
"""

import torch

from adversaria.catalogue import make
from adversaria.claims.check import Check, Measured, Trial
from adversaria.game import Game, Round


def spread(game: Game) -> float:
    """The largest |sigma - 1| of the discriminator's layers."""
    with torch.no_grad():
        weights = [m.weight.flatten(1) for m in game.networks["discriminator"].modules()
                   if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]  # fmt: skip
        return max(abs(torch.linalg.matrix_norm(w, 2).item() - 1) for w in weights)


def measure(trial: Trial) -> Measured:
    """The largest deviation over moments, after the first tenth of the rounds."""
    found: list[float] = []
    recipe = make("sn-gan", "small", rounds=200 if trial.quick else 1_000)

    def watch(game: Game, record: Round) -> None:
        if record.number % 20 == 0 and record.number > recipe.rounds // 10:
            found.append(spread(game))

    trial.play(recipe, watch=watch)
    return Measured(max(found), facts={"moments": len(found), "at the end": found[-1]})


CHECKS = (
    Check(
        claim="Every layer's largest singular value is 1 throughout training (Section 2.1).",
        quantity="largest |sigma - 1| over layers and moments", measure=measure, threshold=0.1, holds="below",
        own="images", seeds=6, quick_seeds=6,
    ),
)  # fmt: skip

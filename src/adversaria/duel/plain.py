"""The game of most adversarial recipes: a generator from codes against a discriminator of examples."""

from collections.abc import Callable
from typing import Protocol

from torch import Tensor, nn

from adversaria.duel.duel import Duel
from adversaria.duel.parts import Parts
from adversaria.game import Game, OptimizerSpec
from adversaria.objectives.losses import Loss


class Adversarial(Protocol):
    """The fields that adversarial recipes have in common."""

    @property
    def parts(self) -> Parts:
        """Techniques asked for."""
        ...

    @property
    def average(self) -> float:
        """Decay of the averaged generator."""
        ...

    @property
    def batch(self) -> int:
        """Examples a move."""
        ...

    @property
    def rounds(self) -> int:
        """Rounds of play."""
        ...


def contest(
    recipe: Adversarial, G: nn.Module, D: nn.Module, prior: Callable[[int], Tensor], *, loss: Loss,
    optimizers: tuple[OptimizerSpec, OptimizerSpec], parts: Parts | None = None, steps: int = 1,
    called: str = "discriminator",
) -> Game:  # fmt: skip
    """G(z), z from the prior, against D(x).

    Args:
        recipe: says parts, batch, rounds and the average that samples.
        G: from codes (n, k) to examples.
        D: from examples to logits (n,).
        prior: from n to codes (n, k).
        loss: both players' objective.
        optimizers: the discriminator's and the generator's.
        parts: in place of the recipe's, with its own hyperparameters among them.
        steps: the discriminator's moves a round.
        called: the discriminator's name.
    """
    duel = Duel(G, D, loss=loss, fake=lambda batch: (G(prior(len(batch))),), parts=parts or recipe.parts,
                batch=recipe.batch, rounds=recipe.rounds, called=(called, "generator"))  # fmt: skip
    return Game(
        stages=[duel.stage(*optimizers, steps=steps)],
        networks={"generator": G, called: D, **duel.networks},
        averages={"generator": recipe.average},
        sample=lambda n: G(prior(n)),
        latent=prior,
        decode=G,
        score=duel.score,
    )

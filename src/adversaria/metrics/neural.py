"""Distances between two laws by the best critic that training finds in a class."""

import math
import statistics
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from adversaria.data.spec import Batch
from adversaria.errors import UserError, at_least
from adversaria.game.game import seeded
from adversaria.game.optimizers import Adam
from adversaria.game.player import Player, Terms
from adversaria.game.referee import play
from adversaria.game.stage import Stage
from adversaria.metrics.estimate import Estimate
from adversaria.objectives.divergences import FDivergence
from adversaria.objectives.losses import Loss, Minimax, NonSaturating, Wasserstein
from adversaria.ops.penalties import clip_weights, gradient_penalty

Draw = Callable[[int], Tensor]
PARTS = 20
"""Parts of the examples that the value is measured on, whose spread is its standard error."""


def neural_distance(
    critic: nn.Module, real: Draw | Tensor, fake: Draw | Tensor, *, loss: Loss | FDivergence | None = None,
    slope: float = 0.0, clip: float = 0.0, rounds: int = 1_000, batch: int = 256, adam: Adam | None = None,
    n: int = 10_000, seed: int = 0,
) -> Estimate:  # fmt: skip
    """Trains a critic to tell two laws apart, and says how far it takes them to be.

        sup over f of the class of  -(sum of loss.discriminator(f(x), f(y)))

        Wasserstein           E f(x) - E f(y): the integral probability metric of the class; W1 where it is that of
                              slopes up to 1, which `slope` and `clip` only lean to
        Minimax, NonSaturating  2 JSD - 2 log 2 for all functions; `details["jsd"]` is the JSD in nats
        FDivergence           D_f for all functions

    What is found is a bound from below over the class, as far as training gets; `critic` is left as it was trained. The
    value is measured on fresh draws, or on all of the samples where they are given: then it is the distance of the
    samples.
    Nothing but the weights of `critic` decides the class: a bounded last layer makes its functions bounded.

    Nguyen et al. (2010), arXiv:0809.0863; Arjovsky et al. (2017), arXiv:1701.07875, Eq. 3; Arora et al. (2017),
    arXiv:1703.00573, Definition 2, who call it so.

    Args:
        critic: examples (n, *event) -> scores (n,) or (n, 1).
        real: draws n examples of P by torch's generator; or a sample of it.
        fake: the same of Q.
        loss: as above; Wasserstein without.
        slope: weight of the penalty on slopes above 1, between x and y. It is one-sided: on a line a critic that has
            begun with the wrong sign doesn't get past slope 0 under a penalty on slopes below 1.
        clip: every weight is held in [-clip, clip]; 0 for no limit.
        rounds: steps of the critic.
        batch: examples of each law in a step.
        adam: the optimiser; rate 1e-3 without.
        n: examples of each law that the value is measured on, for laws.
        seed: of all that is drawn here.

    Raises:
        UserError: where a size isn't positive, or the score isn't finite.
    """
    for name, value in (("rounds", rounds), ("batch", batch), ("n", n)):
        at_least(name, value, 1)
    loss = Wasserstein() if loss is None else loss
    draws = tuple(_drawing(side) for side in (real, fake))

    def objective(both: Batch) -> Terms:
        x, y = both.x.chunk(2)
        scores = critic(both.x).flatten().chunk(2)
        found = dict(loss.discriminator(*scores))
        return found | {"slope": slope * gradient_penalty(critic, x, y, one_sided=True)} if slope else found

    def pairs() -> Iterator[Batch]:
        while True:
            yield Batch(torch.cat([draw(batch).detach() for draw in draws]))

    after = (lambda: clip_weights(critic, clip)) if clip else None
    player = Player("critic", (critic,), objective, adam or Adam(lr=1e-3), after=after)
    with seeded(seed):
        for _ in play(Stage((player,)), pairs(), rounds=rounds):
            pass
        with torch.no_grad():
            x, y = (side if isinstance(side, Tensor) else side(n) for side in (real, fake))
            scores = [critic(side).flatten() for side in (x, y)]
        values = [_value(loss, *part) for part in zip(*(side.chunk(PARTS) for side in scores), strict=False)]
        whole = _value(loss, *scores)
    if not all(map(math.isfinite, [whole, *values])):
        raise UserError("the critic's value is not finite; lower the rate, or give it a slope or a clip")
    error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else math.nan
    details = {"jsd": whole / 2 + math.log(2)} if _logistic(loss) else {}
    how = {"loss": type(loss).__name__, "rounds": rounds, "batch": batch, "slope": slope, "clip": clip, "seed": seed}
    steep = "; its slopes are not held at 1" if isinstance(loss, Wasserstein) else ""
    return Estimate("neural distance", whole, error, len(x), "", how, True, details=details,
                    bias=f"the best critic that training found{steep}")  # fmt: skip


def _drawing(side: Draw | Tensor) -> Draw:
    if not isinstance(side, Tensor):
        return side
    return lambda n: side[torch.randint(len(side), (n,))]


def _logistic(loss: object) -> bool:
    return isinstance(loss, Minimax | NonSaturating)


def _value(loss: Loss | FDivergence, real: Tensor, fake: Tensor) -> float:
    return -sum(float(term) for term in loss.discriminator(real, fake).values())

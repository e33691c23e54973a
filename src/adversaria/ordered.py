"""Games of one player that goes number by number, with an exact likelihood."""

from typing import cast

from torch import Tensor, nn

from adversaria.data import Batch, DataSpec
from adversaria.distributions.alphabet import Alphabet, Discrete
from adversaria.game import Adam, Game, Player, Terms
from adversaria.nn.sampling import Numbers, Outputs, complete, fixed_point, law_of


def alphabet(spec: DataSpec, mixture: int = 0) -> Alphabet:
    """What the numbers of an example are.

    Args:
        spec: of discrete data.
        mixture: of images with more than two levels, logistics in a mixture; 0 for a softmax.
    """
    return Alphabet(cast(Discrete, spec.kind), spec.shape, spec.categories, mixture, spec.levels)


def ordered_game(network: nn.Module, numbers: Numbers, outputs: Outputs, adam: Adam, *, average: float = 0.0) -> Game:
    """Maximum likelihood of log p(x) = sum_i log p(x_i | x_<i); samples by `fixed_point`.

    Args:
        network: what the player owns.
        numbers: of an example, one after the other.
        outputs: from lines (n, d, ...) to (n, d, k), those for number i from the numbers before it.
        adam: the player's optimiser.
        average: decay of the averaged weights that are sampled and scored; 0 for none.
    """
    parameter = next(network.parameters())

    def log_prob(x: Tensor) -> Tensor:
        line = numbers.line(x)
        return numbers.log_prob(line, outputs(line)).sum(1)

    def nll(batch: Batch) -> Terms:
        return {"nll": -log_prob(batch.x).mean()}

    return Game(
        Player("model", (network,), nll, adam),
        networks={"model": network},
        averages={"model": average},
        sample=lambda n: numbers.whole(fixed_point(outputs, numbers, numbers.noise(n, parameter))[0]),
        log_prob=log_prob,
        complete=lambda x, known: complete(outputs, numbers, x, known, parameter),
        law=law_of(outputs, numbers),
    )

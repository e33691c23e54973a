"""Games of one player with exact likelihoods: of a flow, and of a model that goes number by number."""

import torch
from torch import Tensor, nn

from adversaria.data import Batch, DataSpec
from adversaria.distributions import log_normal
from adversaria.game import Adam, Game, Player, Terms
from adversaria.nn.flows import Flow
from adversaria.nn.sampling import Numbers, Outputs, fixed_point


def flow_game(flow: Flow, spec: DataSpec, adam: Adam, *, average: float = 0.0) -> Game:
    """Maximum likelihood of log p(x) = log N(z; 0, I) + log |det dz/dx| for z = flow(x).

    Args:
        flow: from points (n, d) to codes of the same shape.
        spec: of the data.
        adam: the player's optimiser.
        average: decay of the averaged weights that are sampled and scored; 0 for none.
    """
    parameter = next(flow.parameters())

    def log_prob(x: Tensor) -> Tensor:
        z, log_det = flow(x)
        return log_normal(z.float() if z.dtype in (torch.float16, torch.bfloat16) else z) + log_det

    def nll(batch: Batch) -> Terms:
        return {"nll": -log_prob(batch.x).mean()}

    def latent(n: int) -> Tensor:
        return torch.randn(n, *spec.shape, dtype=parameter.dtype, device=parameter.device)

    return Game(
        Player("model", (flow,), nll, adam),
        networks={"model": flow},
        averages={"model": average},
        sample=lambda n: flow.inverse(latent(n)),
        latent=latent,
        decode=flow.inverse,
        encode=lambda x: flow(x)[0],
        log_prob=log_prob,
    )


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
    )

"""The game of a flow: one player, exact likelihoods, codes as long as examples."""

import torch
from torch import Tensor

from adversaria.data import Batch, DataSpec
from adversaria.distributions import log_normal
from adversaria.game import Adam, Game, Player, Terms
from adversaria.nn.flows import Flow


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

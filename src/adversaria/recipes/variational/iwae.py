"""IWAE: a bound by k samples, which grows with k up to the likelihood itself.

    L_k = E log 1/k sum_i w_i,   w_i = p(x, h_i) / q(h_i | x),   h_i ~ q(h | x)              Eq. 8
    p(x, h) = p(h_L) .. p(h_1 | h_2) p(x | h_1),   q(h | x) = q(h_1 | x) .. q(h_L | h_{L-1})  Eq. 1, 2
    one player    max L_k;   grad L_k = E sum_i w~_i grad log w_i,   w~_i = w_i / sum_j w_j  Eq. 13, 14
    "dreg"        for q's weights  E sum_i w~_i^2 (d log w_i / d h_i) (d h_i / d phi)        1810.04152, Section 3

The doubly reparameterised gradient has the same mean and a signal that doesn't drown as k grows. What is told as the
bound is the one of a single sample, whatever k the player plays with.
"""

import math
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from adversaria.data import Batch, DataSpec
from adversaria.evidence import Drawn, Prior, latent_game
from adversaria.game import CHECKED, Adam, Count, Game, Player, Recipe, Reference, Terms
from adversaria.nn.backbones import Network, decoder, encoder, units
from adversaria.nn.chain import BottomUp, Generated
from adversaria.nn.normal_codes import moments
from adversaria.nn.observation import Law, Observation

REFERENCE = Reference(
    title="Importance Weighted Autoencoders",
    authors="Burda, Grosse, Salakhutdinov",
    year=2016,
    arxiv="1509.00519",
    venue="ICLR",
)
PRESETS = {
    "smoke": {"latents": (4, 3), "k": 3, "width": 4, "hidden": 16, "depth": 1, "batch": 8, "rounds": 4},
    "small": {"latents": (16,), "rounds": 1_500},
    "two-layers": {"latents": (32, 16)},
}
DEPARTURES = (
    "ELU; the paper's units are tanh.",
    "Adam at one rate; the paper's falls in eight stages over 3,280 epochs (Section 5).",
)
CLAIMS = ("The likelihood of held-out data grows with k, with one stochastic layer and with two (Table 1).",)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class IWAE(Recipe):
    """Importance weighted autoencoder."""

    k: Count = 5
    """Samples of the bound (Table 1: 1, 5, 50); with 1 it is the VAE."""
    latents: Annotated[tuple[Count, ...], Field(min_length=1)] = (32,)
    """Units of each stochastic layer, the lowest first (Section 5: 50, or 100 and 50)."""
    gradient: Literal["standard", "dreg"] = "standard"
    """Of q's weights: as it is, or doubly reparameterised (1810.04152)."""
    likelihood: Law = "auto"
    """Of images logistic or normal, both on the 256 levels; of points normal; of bits bernoulli."""
    network: Network = "mlp"
    """Between images and the first layer (Section 5: mlp)."""
    width: Count = 16
    """Channels at half the image's resolution, of other networks than mlp."""
    hidden: Count = 200
    """Units in a hidden layer (Section 5: 200, and 100 between stochastic layers)."""
    depth: Count = 2
    """Hidden layers (Section 5: 2)."""
    adam: Adam = Adam(lr=3e-3, clip=200.0, schedule="cosine")
    """For all networks (Section 5: 1e-3 to 1e-4, eps 1e-4)."""
    batch: Count = 100
    """Examples a round (Section 5: 20)."""
    rounds: Count = 3_000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        size: Any = {"width": self.width, "hidden": self.hidden, "depth": self.depth, "network": self.network,
                     "norm": "layer", "activation": units(spec.kind)}  # fmt: skip
        lowest = self.latents[0]
        first = encoder(spec.shape, 2 * lowest, **size)
        q = BottomUp(first, self.latents, self.hidden, self.depth)
        p = Generated(self.latents, self.hidden, self.depth)
        G = decoder(lowest, spec.shape, bounded=False, **size)
        observation = Observation(spec.kind, spec.shape, spec.levels, self.likelihood)

        def log_joint(x: Tensor, h: Tensor) -> Tensor:
            return observation.log_prob(x, G(h[:, :lowest])) + p.log_prob(h)

        def objective(batch: Batch) -> Terms:
            return {"bound": math.log(self.k) - self.log_weights(batch.x, q, log_joint).logsumexp(0).mean()}

        def infer(x: Tensor) -> Drawn:
            return q.draw(x)

        def posterior(x: Tensor) -> tuple[Tensor, Tensor]:
            return moments(q.steps[0](x))

        one = len(self.latents) == 1
        networks = {"inference": q, "prior": p, "decoder": G, "observation": observation}
        return latent_game(
            Player("model", tuple(networks.values()), objective, self.adam), networks,
            decoder=lambda h: G(h[:, :lowest]), observation=observation,
            prior=Prior(p.log_prob, lambda n: p.draw(n, like=G)), infer=infer,
            encode=lambda x: (posterior if one else infer)(x)[0], posterior=posterior if one else None,
        )  # fmt: skip

    def log_weights(self, x: Tensor, q: BottomUp, log_joint: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """log w_i, (k, n)."""
        h, log_q = q.draw(x, self.k)
        if self.gradient == "dreg":
            h = h * 1  # what log w sees of h, so that its gradient can be weighed on its way to h
            log_q = q.log_prob_held(x, h)
        log_w = (log_joint(x.repeat(self.k, *(1 for _ in x.shape[1:])), h) - log_q).view(self.k, len(x))
        if self.gradient == "dreg" and h.requires_grad:
            weight = log_w.detach().softmax(0).view(-1, 1)
            h.register_hook(lambda gradient: weight * gradient)
        return log_w

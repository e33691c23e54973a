"""VAE with a VampPrior: the prior is the mixture of the posteriors of K learned pseudo-inputs.

    p(z) = 1/K sum_k q(z | u_k)                                                              Eq. 9
    q(z | x) = N(mu(x), sigma(x)^2 I)
    one player    max  E_q [log p(x | z) + log p(z) - log q(z | x)],   u_k learned too       Eq. 3

The best prior for a given encoder is its average over the data, the aggregated posterior (Eq. 6); K pseudo-inputs stand
for them.
"""

import math
from typing import Any

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from adversaria.data import Batch, DataSpec
from adversaria.distributions import log_normal
from adversaria.evidence import Drawn, Prior, gaussian, latent_game
from adversaria.game import CHECKED, Adam, Count, Game, Player, Recipe, Reference, Terms
from adversaria.nn.backbones import Network, decoder, encoder, units
from adversaria.nn.observation import Law, Observation
from adversaria.nn.pseudo import PseudoInputs

REFERENCE = Reference(
    title="VAE with a VampPrior",
    authors="Tomczak, Welling",
    year=2018,
    arxiv="1705.07120",
    venue="AISTATS",
)
PRESETS = {
    "smoke": {"latent": 4, "width": 4, "hidden": 16, "depth": 1, "pseudo_inputs": 6, "batch": 8, "rounds": 4},
    "small": {"width": 16, "pseudo_inputs": 100, "rounds": 1_500},
}
DEPARTURES = (
    "One level of codes (Section 4 has two as well).",
    "Layers with ELU, and convolutions for images; the paper's are gated, without and with convolutions.",
    "The learning rate doesn't depend on validation (Section 5.1: early stopping), and the KL isn't annealed.",
)
CLAIMS = ("A better bound than with a standard normal prior at the same networks (Table 1).",)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class VampPriorVAE(Recipe):
    """Variational autoencoder whose prior is a mixture of posteriors of pseudo-inputs."""

    latent: Count = 16
    """Dimension of z (Section 5.1: 40)."""
    pseudo_inputs: Count = 200
    """K (Section 5.1: 500)."""
    likelihood: Law = "auto"
    """Of images logistic or normal, both on the 256 levels; of points normal; of bits bernoulli."""
    network: Network = "dcgan"
    """For images."""
    width: Count = 32
    """Channels at half the image's resolution."""
    hidden: Count = 256
    """Units in a hidden layer, for data that aren't images and for mlp (Section 5.1: 300)."""
    depth: Count = 2
    """Hidden layers, for the same (Section 5.1: 2)."""
    adam: Adam = Adam(lr=3e-3, clip=200.0, schedule="cosine")
    """For all networks (Section 5.1: 1e-4 to 5e-4)."""
    batch: Count = 100
    """Examples a round (Section 5.1: 100)."""
    rounds: Count = 3_000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        size: Any = {"width": self.width, "hidden": self.hidden, "depth": self.depth, "network": self.network,
                     "norm": "layer", "activation": units(spec.kind)}  # fmt: skip
        E = encoder(spec.shape, 2 * self.latent, **size)
        G = decoder(self.latent, spec.shape, bounded=False, **size)
        p = Observation(spec.kind, spec.shape, spec.levels, self.likelihood)
        u = PseudoInputs(self.pseudo_inputs, spec.kind, spec.shape)

        def posterior(x: Tensor) -> tuple[Tensor, Tensor]:
            mu, log_sigma = E(x).chunk(2, 1)
            return mu, log_sigma

        def log_prior(z: Tensor) -> Tensor:
            mu, log_sigma = posterior(u())
            n, K = len(z), self.pseudo_inputs
            each = log_normal(z.repeat_interleave(K, 0), mu.repeat(n, 1), log_sigma.repeat(n, 1))
            return each.view(n, K).logsumexp(1) - math.log(K)

        def draw(n: int) -> Tensor:
            mu, log_sigma = posterior(u())
            k = torch.randint(self.pseudo_inputs, (n,), device=mu.device)
            return gaussian(mu[k], log_sigma[k])[0]

        def infer(x: Tensor) -> Drawn:
            return gaussian(*posterior(x))

        def objective(batch: Batch) -> Terms:
            z, log_q = infer(batch.x)
            return {"distortion": -p.log_prob(batch.x, G(z)).mean(), "rate": (log_q - log_prior(z)).mean()}

        return latent_game(
            Player("model", (E, G, p, u), objective, self.adam),
            {"encoder": E, "decoder": G, "observation": p, "pseudo_inputs": u},
            decoder=G, observation=p, prior=Prior(log_prior, draw), infer=infer, encode=lambda x: posterior(x)[0],
        )  # fmt: skip

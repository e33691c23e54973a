"""VAE with an IAF posterior: autoregressive steps turn a factorised posterior into one with dependencies.

    z_0 = mu(x) + sigma(x) eps,   [m_t, s_t] = AutoregressiveNN_t(z_{t-1}, h(x))              Eq. 10
    z_t = sigmoid(s_t) z_{t-1} + (1 - sigmoid(s_t)) m_t                                       Eq. 14
    log q(z_T | x) = log N(z_0; mu, sigma^2) - sum_t sum_i log sigmoid(s_{t,i})               Eq. 11
    one player    max  E_q [log p(x | z_T) + log p(z_T) - log q(z_T | x)]

With no step this is the VAE, its KL estimated by one sample.
"""

from typing import Annotated, Any

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from adversaria.data import Batch, DataSpec
from adversaria.distributions import log_normal
from adversaria.game import CHECKED, Adam, Count, Game, Player, Recipe, Reference, Terms
from adversaria.nn.backbones import decoder, encoder
from adversaria.nn.iaf import IAF
from adversaria.nn.noise import normal
from adversaria.nn.observation import Observation

REFERENCE = Reference(
    title="Improved Variational Inference with Inverse Autoregressive Flow",
    authors="Kingma, Salimans, Jozefowicz, Chen, Sutskever, Welling",
    year=2016,
    arxiv="1606.04934",
    venue="NeurIPS",
)
PRESETS = {
    "smoke": {"latent": 4, "width": 4, "hidden": 16, "depth": 1, "flow_hidden": 16, "batch": 8, "rounds": 4},
    "small": {"width": 16, "rounds": 1_500},
}
DEPARTURES = (
    "One layer of latent variables over plain convolutions; the paper's image models are ResNets of many layers.",
    "Images have a discretised logistic likelihood with one scale a channel, as in the paper's Section 6.2.",
)
CLAIMS = ("A better bound than the factorised posterior at the same networks (Table 1).",)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class VAEIAF(Recipe):
    """Variational autoencoder with an inverse autoregressive flow posterior."""

    latent: Count = 16
    """Dimension of z (Section 6.1: 32)."""
    steps: Annotated[int, Field(ge=0)] = 4
    """T, autoregressive steps (Table 1: 2 to 8)."""
    flow_hidden: Count = 128
    """Units in the autoregressive networks (Table 1: 320 to 1920)."""
    context: Count = 32
    """Dimension of h(x)."""
    width: Count = 32
    """Channels at half the image's resolution."""
    hidden: Count = 256
    """Units in a hidden layer, for data that aren't images."""
    depth: Count = 2
    """Hidden layers, for data that aren't images."""
    adam: Adam = Adam(lr=1e-3, clip=200.0)
    """For all networks."""
    batch: Count = 100
    """Examples a round."""
    rounds: Count = 3_000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        size: Any = {"width": self.width, "hidden": self.hidden, "depth": self.depth}
        E = encoder(spec.shape, 2 * self.latent + self.context, norm="layer", **size)
        G = decoder(self.latent, spec.shape, norm="layer", bounded=False, **size)
        flow = IAF(self.latent, self.flow_hidden, self.context, self.steps)
        p = Observation(spec.kind, spec.shape, spec.levels)

        def infer(x: Tensor) -> tuple[Tensor, Tensor]:
            mu, log_sigma, h = E(x).split([self.latent, self.latent, self.context], 1)
            z_0 = mu + torch.exp(log_sigma) * torch.randn_like(mu)
            z_T, log_det = flow(z_0, h)
            return z_T, log_normal(z_0, mu, log_sigma) - log_det

        def parts(x: Tensor) -> tuple[Tensor, Tensor]:
            z, log_q = infer(x)
            return -p.log_prob(x, G(z)), log_q - log_normal(z)

        def bound(batch: Batch) -> Terms:
            distortion, rate = parts(batch.x)
            return {"distortion": distortion.mean(), "rate": rate.mean()}

        networks = {"encoder": E, "decoder": G, "observation": p}
        return Game(
            Player("model", (E, G, p, flow), bound, self.adam),
            networks={**networks, "flow": flow},
            sample=lambda n: p.show(G(normal(n, self.latent, like=G))),
            latent=lambda n: normal(n, self.latent, like=G),
            decode=lambda z: p.mean(G(z)),
            encode=lambda x: infer(x)[0],
            bound=lambda x: -torch.add(*parts(x)),
            infer=infer,
            likelihood=lambda x, z: p.log_prob(x, G(z)),
            prior=log_normal,
        )

"""VAE: an encoder learns the posterior of a latent variable model by the evidence lower bound.

    log p(x) >= ELBO(x) = E_q log p(x | z) - KL(q(z | x) || p(z))                            Eq. 3
    q(z | x) = N(mu(x), sigma(x)^2 I),   z = mu + sigma eps,   p(z) = N(0, I)                Eq. 9, 10
    one player    min  -E log p(x | z) + beta KL,   beta = 1 in the paper

The KL is in closed form (Appendix B); the first term takes one sample of z for each x.
"""

from typing import Any

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor

from adversaria.data import Batch, DataSpec
from adversaria.distributions import kl_from_standard, log_normal
from adversaria.game import CHECKED, Adam, Count, Game, Player, Recipe, Reference, Terms, Weight
from adversaria.nn.backbones import decoder, encoder
from adversaria.nn.noise import normal
from adversaria.nn.observation import Observation

REFERENCE = Reference(
    title="Auto-Encoding Variational Bayes",
    authors="Kingma, Welling",
    year=2014,
    arxiv="1312.6114",
    venue="ICLR",
)
PRESETS = {
    "smoke": {"latent": 4, "width": 4, "hidden": 16, "depth": 1, "batch": 8, "rounds": 4},
    "small": {"width": 16, "rounds": 1_500},
}
DEPARTURES = (
    "Convolutions for images; the paper has one hidden layer of 500 tanh units.",
    "Images have a discretised logistic likelihood, so that the bound is on 8-bit pixels; the paper's is Bernoulli.",
    "Adam; the paper uses Adagrad.",
)
CLAIMS = ("The bound on held-out data rises without overfitting as latent variables are added (Section 5, Figure 2).",)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class VAE(Recipe):
    """Variational autoencoder with a factorised normal posterior."""

    latent: Count = 16
    """Dimension of z."""
    beta: Weight = 1.0
    """Weight of the KL; 1 for the bound itself (Eq. 3)."""
    width: Count = 32
    """Channels at half the image's resolution."""
    hidden: Count = 256
    """Units in a hidden layer, for data that aren't images (Section 5: 200 to 500)."""
    depth: Count = 2
    """Hidden layers, for data that aren't images (Section 5: 1)."""
    adam: Adam = Adam(lr=1e-3, clip=200.0)
    """For both networks."""
    batch: Count = 100
    """M (Section 5)."""
    rounds: Count = 3_000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        size: Any = {"width": self.width, "hidden": self.hidden, "depth": self.depth}
        E = encoder(spec.shape, 2 * self.latent, norm="layer", **size)
        G = decoder(self.latent, spec.shape, norm="layer", bounded=False, **size)
        p = Observation(spec.kind, spec.shape, spec.levels)

        def posterior(x: Tensor) -> tuple[Tensor, Tensor]:
            mu, log_sigma = E(x).chunk(2, 1)
            return mu, log_sigma

        def infer(x: Tensor) -> tuple[Tensor, Tensor]:
            mu, log_sigma = posterior(x)
            z = mu + torch.exp(log_sigma) * torch.randn_like(mu)
            return z, log_normal(z, mu, log_sigma)

        def parts(x: Tensor) -> tuple[Tensor, Tensor]:
            mu, log_sigma = posterior(x)
            z = mu + torch.exp(log_sigma) * torch.randn_like(mu)
            return -p.log_prob(x, G(z)), kl_from_standard(mu, log_sigma).sum(1)

        def bound(batch: Batch) -> Terms:
            distortion, rate = parts(batch.x)
            return {"distortion": distortion.mean(), "rate": self.beta * rate.mean()}

        return Game(
            Player("model", (E, G, p), bound, self.adam),
            networks={"encoder": E, "decoder": G, "observation": p},
            sample=lambda n: p.show(G(normal(n, self.latent, like=G))),
            latent=lambda n: normal(n, self.latent, like=G),
            decode=lambda z: p.mean(G(z)),
            encode=lambda x: posterior(x)[0],
            bound=lambda x: -torch.add(*parts(x)),
            infer=infer,
            posterior=posterior,
            likelihood=lambda x, z: p.log_prob(x, G(z)),
            prior=log_normal,
        )

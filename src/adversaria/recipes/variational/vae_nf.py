"""VAE with a flow posterior: planar or radial steps bend a normal, by parameters that the encoder gives.

    z_0 = mu(x) + sigma(x) eps,   z_k = f_k(z_{k-1}; lambda_k(x))                            Eq. 6, Section 4.2
    planar f(z) = z + u h(w^T z + b),   radial f(z) = z + beta h(alpha, r) (z - z')          Eq. 10, 14
    log q(z_K | x) = log N(z_0; mu, sigma^2) - sum_k log |det df_k / dz_{k-1}|               Eq. 7
    one player    max  E_q [log p(x | z_K) + log p(z_K) - log q(z_K | x)]                    Eq. 15

With no step this is the VAE, its KL estimated by one sample. What keeps steps invertible is shifted from the paper's,
so that outputs of 0 are the identity.
"""

from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.nn.functional import softplus

from adversaria.data import Batch, DataSpec
from adversaria.distributions.precision import full
from adversaria.evidence import Drawn, gaussian, latent_game, standard
from adversaria.game import CHECKED, Adam, Count, Game, Player, Recipe, Reference, Terms
from adversaria.nn.backbones import Network, decoder, encoder, units
from adversaria.nn.observation import Law, Observation
from adversaria.ops.flows import SHIFT, planar, radial

REFERENCE = Reference(
    title="Variational Inference with Normalizing Flows",
    authors="Rezende, Mohamed",
    year=2015,
    arxiv="1505.05770",
    venue="ICML",
)
PRESETS = {
    "smoke": {"latent": 4, "width": 4, "hidden": 16, "depth": 1, "steps": 2, "batch": 8, "rounds": 4},
    "small": {"width": 16, "rounds": 1_500},
}
DEPARTURES = (
    "Convolutions for images; the paper has MLPs with maxout (here --network mlp, ELU).",
    "The likelihood isn't annealed (Eq. 20: by min(1, 0.01 + t / 10000)).",
)
CLAIMS = ("A better bound than the factorised posterior's at the same networks, and better with more steps (Fig. 4).",)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class VAENF(Recipe):
    """Variational autoencoder whose posterior is a planar or radial flow."""

    latent: Count = 16
    """Dimension of z (Section 6.2: 40)."""
    flow: Literal["planar", "radial"] = "planar"
    """Which steps."""
    steps: Annotated[int, Field(ge=0)] = 10
    """K (Section 6.2: 10 to 80)."""
    likelihood: Law = "auto"
    """Of images logistic or normal, both on the 256 levels; of points normal; of bits bernoulli."""
    network: Network = "dcgan"
    """For images."""
    width: Count = 32
    """Channels at half the image's resolution."""
    hidden: Count = 256
    """Units in a hidden layer, for data that aren't images and for mlp (Section 6: 400)."""
    depth: Count = 2
    """Hidden layers, for the same."""
    adam: Adam = Adam(lr=3e-3, clip=200.0, schedule="cosine")
    """For all networks (Section 6: RMSprop, 1e-5)."""
    batch: Count = 100
    """Examples a round (Section 6: 100)."""
    rounds: Count = 3_000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        size: Any = {"width": self.width, "hidden": self.hidden, "depth": self.depth, "network": self.network,
                     "norm": "layer", "activation": units(spec.kind)}  # fmt: skip
        d = self.latent
        each = 2 * d + 1 if self.flow == "planar" else d + 2
        E = encoder(spec.shape, 2 * d + self.steps * each, **size)
        G = decoder(d, spec.shape, bounded=False, **size)
        p, prior = Observation(spec.kind, spec.shape, spec.levels, self.likelihood), standard(d, G)

        def infer(x: Tensor) -> Drawn:
            mu, log_sigma, parameters = full(E(x)).split([d, d, self.steps * each], 1)
            z, log_q = gaussian(mu, log_sigma)
            for part in parameters.split(each, 1) if self.steps else ():
                z, log_det = self.step(z, part)
                log_q = log_q - log_det
            return z, log_q

        def objective(batch: Batch) -> Terms:
            z, log_q = infer(batch.x)
            return {"distortion": -p.log_prob(batch.x, G(z)).mean(), "rate": (log_q - prior.log_prob(z)).mean()}

        return latent_game(
            Player("model", (E, G, p), objective, self.adam), {"encoder": E, "decoder": G, "observation": p},
            decoder=G, observation=p, prior=prior, infer=infer, encode=lambda x: infer(x)[0],
        )  # fmt: skip

    def step(self, z: Tensor, part: Tensor) -> tuple[Tensor, Tensor]:
        d = self.latent
        if self.flow == "planar":
            w, u, b = part.split([d, d, 1], 1)
            return planar(z, w, u, b[:, 0], SHIFT)
        centre, a, b = part.split([d, 1, 1], 1)
        alpha = torch.exp(a[:, 0])
        return radial(z, centre, alpha, softplus(b[:, 0] + SHIFT) - alpha)

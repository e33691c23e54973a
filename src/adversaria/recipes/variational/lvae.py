"""Ladder VAE: layers of codes, inferred from above and below at once.

    p(x, z) = p(z_L) prod_i p(z_i | z_{i+1}) p(x | z_1),   all normal
    q(z_i | z_{i+1}, x) = N(mu, sigma^2):   sigma^-2 = sigma'^-2 + sigma_p^-2,
                          mu = sigma^2 (mu' sigma'^-2 + mu_p sigma_p^-2)
    (mu', sigma') from x by a path upwards without noise,   (mu_p, sigma_p) of p(z_i | z_{i+1})
    one player    max  E_q [log p(x | z) - w_t (log q(z | x) - log p(z))],   w_t rises to 1

Section 2; the path upwards is batch-normalised, which the paper finds as crucial as the warm-up. "bottom-up" is the
deep VAE, q(z_1 | x) prod_i q(z_{i+1} | z_i); where it isn't `normed`, its upper layers stay unused.
"""

from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from adversaria.data import Batch, DataSpec
from adversaria.evidence import Drawn, Prior, latent_game
from adversaria.game import CHECKED, Adam, Count, Game, Player, Recipe, Reference, Terms
from adversaria.nn.backbones import Network, decoder, encoder, units
from adversaria.nn.chain import BottomUp, Generated, Ladder
from adversaria.nn.observation import Law, Observation
from adversaria.nn.warm import Warm

REFERENCE = Reference(
    title="Ladder Variational Autoencoders",
    authors="Sønderby, Raiko, Maaløe, Sønderby, Winther",
    year=2016,
    arxiv="1602.02282",
    venue="NeurIPS",
)
PRESETS = {
    "smoke": {"latents": (4, 3, 2), "width": 4, "hidden": 16, "depth": 1, "batch": 8, "rounds": 4},
    "small": {"latents": (16, 8, 4), "hidden": 128, "rounds": 1_500},
}
DEPARTURES = (
    "Standard deviations are exp of a network's output, the paper's softplus; only d_i and means are normalised.",
    "All MLPs have the same width; the paper's halve from layer to layer, 512 to 64 units.",
)
CLAIMS = ("More active units in upper layers than the plain deep VAE, and a better bound (Table 1, Figure 4).",)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class LVAE(Recipe):
    """Ladder variational autoencoder."""

    latents: Annotated[tuple[Count, ...], Field(min_length=2)] = (32, 16, 8)
    """Units of each stochastic layer, the lowest first (Section 3: 64, 32, 16, 8, 4)."""
    inference: Literal["ladder", "bottom-up"] = "ladder"
    """How codes are inferred: as a ladder, or each layer from the one below."""
    normed: bool = True
    """Batch normalisation of the posterior's means, and of the ladder's d_i."""
    anneal: Annotated[int, Field(ge=0)] = 500
    """Rounds in which w_t rises from 0 to 1, the warm-up (Section 3: 200 epochs)."""
    likelihood: Law = "auto"
    """Of images logistic or normal, both on the 256 levels; of points normal; of bits bernoulli."""
    network: Network = "mlp"
    """Between images and the first layer (Section 3: mlp)."""
    width: Count = 16
    """Channels at half the image's resolution, of other networks than mlp."""
    hidden: Count = 256
    """Units in a hidden layer (Section 3: 512 to 64)."""
    depth: Count = 2
    """Hidden layers (Section 3: 2)."""
    adam: Adam = Adam(lr=3e-3, clip=200.0, schedule="cosine")
    """For all networks (Section 3: 1e-3)."""
    batch: Count = 100
    """Examples a round (Section 3: 256)."""
    rounds: Count = 3_000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        size: Any = {"width": self.width, "hidden": self.hidden, "depth": self.depth, "network": self.network,
                     "norm": "layer", "activation": units(spec.kind)}  # fmt: skip
        lowest = self.latents[0]
        p, w = Generated(self.latents, self.hidden, self.depth), Warm(self.anneal)
        G = decoder(lowest, spec.shape, bounded=False, **size)
        observation = Observation(spec.kind, spec.shape, spec.levels, self.likelihood)
        outputs = self.hidden if self.inference == "ladder" else 2 * lowest
        kind = Ladder if self.inference == "ladder" else BottomUp
        q = kind(encoder(spec.shape, outputs, **size), self.latents, self.hidden, self.depth, self.normed)

        def infer(x: Tensor) -> Drawn:
            return q.draw(x, p) if isinstance(q, Ladder) else q.draw(x)

        def objective(batch: Batch) -> Terms:
            z, log_q = infer(batch.x)
            distortion = -observation.log_prob(batch.x, G(z[:, :lowest]))
            return {"distortion": distortion.mean(), "rate": w() * (log_q - p.log_prob(z)).mean()}

        networks = {"inference": q, "prior": p, "decoder": G, "observation": observation}
        return latent_game(
            Player("model", tuple(networks.values()), objective, self.adam, after=w.count), {**networks, "warm": w},
            decoder=lambda z: G(z[:, :lowest]), observation=observation,
            prior=Prior(p.log_prob, lambda n: p.draw(n, like=G)), infer=infer, encode=lambda x: infer(x)[0],
        )  # fmt: skip

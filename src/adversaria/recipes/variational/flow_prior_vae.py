"""VAE with a flow prior: an autoregressive flow is learned as p(z), which the posterior then has to fit less.

    eps = f(z),   log p(z) = log N(eps; 0, I) + log |det df/dz|,   f autoregressive          Section 3.2
    q(z | x) = N(mu(x), sigma(x)^2 I)
    one player    max  E_q [log p(x | z) + log p(z) - log q(z | x)]                          Eq. 2

An inverse autoregressive flow of the posterior with the same f is the same model of x but for where f's depth lies
(Section 3.2): here it is in the decoder's path, there in the encoder's.
"""

from typing import Any

from pydantic.dataclasses import dataclass

from adversaria.data import Batch, DataSpec
from adversaria.distributions import log_normal
from adversaria.evidence import Prior, gaussian, latent_game
from adversaria.game import CHECKED, Adam, Count, Game, Player, Recipe, Reference, Terms
from adversaria.nn.backbones import Network, decoder, encoder, units
from adversaria.nn.flows import Autoregressive, Composite, Reversal
from adversaria.nn.noise import normal
from adversaria.nn.observation import Law, Observation

REFERENCE = Reference(
    title="Variational Lossy Autoencoder",
    authors="Chen, Kingma, Salimans, Duan, Dhariwal, Schulman, Sutskever, Abbeel",
    year=2017,
    arxiv="1611.02731",
    venue="ICLR",
)
PRESETS = {
    "smoke": {"latent": 4, "width": 4, "hidden": 16, "depth": 1, "flow_hidden": 16, "layers": 2, "batch": 8,
              "rounds": 4},
    "small": {"width": 16, "rounds": 1_500},
}  # fmt: skip
DEPARTURES = (
    "The decoder is factorised; the paper's is a PixelCNN of a small window (its lossy code isn't built here).",
    "The networks of f are MADE; the paper's (Section 3.2: PixelCNN over a spatial z).",
)
CLAIMS = ("A better bound than with a standard normal prior at the same networks (Table 1).",)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class FlowPriorVAE(Recipe):
    """Variational autoencoder whose prior is an autoregressive flow."""

    latent: Count = 16
    """Dimension of z."""
    layers: Count = 4
    """Autoregressive layers of f."""
    flow_hidden: Count = 128
    """Units of each of their two hidden layers."""
    likelihood: Law = "auto"
    """Of images logistic or normal, both on the 256 levels; of points normal; of bits bernoulli."""
    network: Network = "dcgan"
    """For images."""
    width: Count = 32
    """Channels at half the image's resolution."""
    hidden: Count = 256
    """Units in a hidden layer, for data that aren't images and for mlp."""
    depth: Count = 2
    """Hidden layers, for the same."""
    adam: Adam = Adam(lr=3e-3, clip=200.0, schedule="cosine")
    """For all networks."""
    batch: Count = 100
    """Examples a round."""
    rounds: Count = 3_000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        size: Any = {"width": self.width, "hidden": self.hidden, "depth": self.depth, "network": self.network,
                     "norm": "layer", "activation": units(spec.kind)}  # fmt: skip
        E = encoder(spec.shape, 2 * self.latent, **size)
        G = decoder(self.latent, spec.shape, bounded=False, **size)
        p = Observation(spec.kind, spec.shape, spec.levels, self.likelihood)
        layers = [part for _ in range(self.layers)
                  for part in (Autoregressive(self.latent, self.flow_hidden), Reversal())]  # fmt: skip
        f = Composite(layers)

        def log_prior(z):
            eps, log_det = f(z)
            return log_normal(eps) + log_det

        def infer(x):
            return gaussian(*E(x).chunk(2, 1))

        def objective(batch: Batch) -> Terms:
            z, log_q = infer(batch.x)
            return {"distortion": -p.log_prob(batch.x, G(z)).mean(), "rate": (log_q - log_prior(z)).mean()}

        prior = Prior(log_prior, lambda n: f.inverse(normal(n, self.latent, like=G)))
        return latent_game(
            Player("model", (E, G, p, f), objective, self.adam),
            {"encoder": E, "decoder": G, "observation": p, "prior": f},
            decoder=G, observation=p, prior=prior, infer=infer, encode=lambda x: E(x).chunk(2, 1)[0],
        )  # fmt: skip

"""VAE: an encoder learns the posterior of a latent variable model by the evidence lower bound.

    log p(x) >= ELBO(x) = E_q log p(x | z) - KL(q(z | x) || p(z))                            Eq. 3
    q(z | x) = N(mu(x), sigma(x)^2 I),   z = mu + sigma eps,   p(z) = N(0, I)                Eq. 9, 10
    one player    min  -E log p(x | z) + w_t beta sum_i max(lambda, E KL_i)

The paper has beta = w_t = 1 and lambda = 0, and so has the bound that is told whatever the player minimises. The KL of
each coordinate i is in closed form (Appendix B); the first term takes one sample of z for each x.
"""

from typing import Annotated, Any

from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from adversaria.data import Batch, DataSpec
from adversaria.distributions import kl_from_standard
from adversaria.distributions.precision import full
from adversaria.evidence import Drawn, gaussian, latent_game, standard
from adversaria.game import CHECKED, Adam, Count, Game, Player, Recipe, Reference, Terms, Weight
from adversaria.nn.backbones import Network, decoder, encoder, units
from adversaria.nn.observation import Law, Observation
from adversaria.nn.warm import Warm

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
    "Convolutions for images; the paper has one hidden layer of 500 tanh units (here --network mlp, ELU).",
    "Images have a discretised logistic likelihood, so that the bound is on 8-bit pixels; the paper's is Bernoulli, "
    "which is that of black and white images here.",
    "Adam; the paper uses Adagrad.",
)
CLAIMS = ("The bound on held-out data rises without overfitting as latent variables are added (Section 5, Figure 2).",)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class VAE(Recipe):
    """Variational autoencoder with a factorised normal posterior."""

    latent: Count = 16
    """Dimension of z."""
    beta: Weight = 1.0
    """Weight of the KL; 1 for the bound itself (Eq. 3), others as in Higgins et al. (2017)."""
    anneal: Annotated[int, Field(ge=0)] = 0
    """Rounds in which the KL's weight rises from 0 (1602.02282, warm-up)."""
    free_bits: Weight = 0.0
    """lambda: so many nats of each coordinate are free (1606.04934, Eq. 15)."""
    likelihood: Law = "auto"
    """Of images logistic or normal, both on the 256 levels; of points normal; of bits bernoulli."""
    network: Network = "dcgan"
    """For images."""
    width: Count = 32
    """Channels at half the image's resolution."""
    hidden: Count = 256
    """Units in a hidden layer, for data that aren't images and for mlp (Section 5: 200 to 500)."""
    depth: Count = 2
    """Hidden layers, for the same (Section 5: 1)."""
    adam: Adam = Adam(lr=3e-3, clip=200.0, schedule="cosine")
    """For both networks."""
    batch: Count = 100
    """M (Section 5)."""
    rounds: Count = 3_000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        size: Any = {"width": self.width, "hidden": self.hidden, "depth": self.depth, "network": self.network,
                     "norm": "layer", "activation": units(spec.kind)}  # fmt: skip
        E = encoder(spec.shape, 2 * self.latent, **size)
        G = decoder(self.latent, spec.shape, bounded=False, **size)
        p = Observation(spec.kind, spec.shape, spec.levels, self.likelihood)
        w, prior = Warm(self.anneal), standard(self.latent, G)

        def posterior(x: Tensor) -> tuple[Tensor, Tensor]:
            mu, log_sigma = full(E(x)).chunk(2, 1)
            return mu, log_sigma

        def infer(x: Tensor) -> Drawn:
            return gaussian(*posterior(x))

        def parts(x: Tensor) -> tuple[Tensor, Tensor]:
            mu, log_sigma = posterior(x)
            z, _ = gaussian(mu, log_sigma)
            return -p.log_prob(x, G(z)), kl_from_standard(mu, log_sigma)

        def objective(batch: Batch) -> Terms:
            distortion, kl = parts(batch.x)
            rate = kl.mean(0).clamp(min=self.free_bits).sum() if self.free_bits else kl.sum(1).mean()
            return {"distortion": distortion.mean(), "rate": w() * self.beta * rate}

        def bound(x: Tensor) -> Tensor:
            distortion, kl = parts(x)
            return -distortion - kl.sum(1)

        return latent_game(
            Player("model", (E, G, p), objective, self.adam, after=w.count),
            {"encoder": E, "decoder": G, "observation": p, "warm": w},
            decoder=G, observation=p, prior=prior, infer=infer, encode=lambda x: posterior(x)[0], posterior=posterior,
            bound=bound,
        )  # fmt: skip

"""VAE with an IAF posterior: autoregressive steps turn a factorised posterior into one with dependencies.

    z_0 = mu(x) + sigma(x) eps,   [m_t, s_t] = AutoregressiveNN_t(z_{t-1}, h(x))              Eq. 10
    z_t = sigmoid(s_t) z_{t-1} + (1 - sigmoid(s_t)) m_t                                       Eq. 14
    log q(z_T | x) = log N(z_0; mu, sigma^2) - sum_t sum_i log sigmoid(s_{t,i})               Eq. 11
    one player    max  E_q [log p(x | z_T) + log p(z_T) - log q(z_T | x)]

With no step this is the VAE, its KL estimated by one sample. With layers, z is a map in each block of a residual
network and all of it holds block by block, given the codes above (Section 6.2, Fig. 3).
"""

from typing import Annotated, Any

from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from adversaria.data import Batch, DataSpec
from adversaria.errors import UserError
from adversaria.evidence import Drawn, Prior, gaussian, latent_game, standard
from adversaria.game import CHECKED, Adam, Count, Game, Player, Recipe, Reference, Terms
from adversaria.nn.backbones import Network, decoder, encoder, units
from adversaria.nn.iaf import IAF
from adversaria.nn.observation import Law, Observation
from adversaria.nn.resnet_vae import Direction, ResNetVAE

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
    "resnet": {"layers": 4, "latent": 8, "steps": 1, "flow_hidden": 32},
}
DEPARTURES = (
    "One layer of latent variables over plain convolutions by default; the paper's image models are ResNets of many "
    "layers (--preset resnet), with weight normalisation and free bits.",
    "Images have a discretised logistic likelihood with one scale a channel, as in the paper's Section 6.2.",
)
CLAIMS = ("A better bound than the factorised posterior at the same networks (Table 1).",)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class VAEIAF(Recipe):
    """Variational autoencoder with an inverse autoregressive flow posterior."""

    layers: Annotated[int, Field(ge=0)] = 0
    """Layers of maps of codes in a residual network, for images (Section 6.2); 0 for one code of all."""
    inference: Direction = "top-down"
    """With layers: posteriors of each by x alone, bottom-up, or by x and the codes above it, top-down, as the paper's
    bidirectional inference (Fig. 3)."""
    latent: Count = 16
    """Dimension of z (Section 6.1: 32); with layers, channels of the maps."""
    steps: Annotated[int, Field(ge=0)] = 4
    """T, autoregressive steps (Table 1: 2 to 8); with layers, in each (Section 6.2: 1)."""
    flow_hidden: Count = 128
    """Units, or channels, in the autoregressive networks (Table 1: 320 to 1920)."""
    context: Count = 32
    """Dimension of h(x), without layers."""
    likelihood: Law = "auto"
    """Of images logistic or normal, both on the 256 levels; of points normal; of bits bernoulli."""
    network: Network = "dcgan"
    """For images, without layers."""
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
        if self.layers:
            return self.of_layers(spec)
        size: Any = {"width": self.width, "hidden": self.hidden, "depth": self.depth, "network": self.network,
                     "norm": "layer", "activation": units(spec.kind)}  # fmt: skip
        E = encoder(spec.shape, 2 * self.latent + self.context, **size)
        G = decoder(self.latent, spec.shape, bounded=False, **size)
        flow = IAF(self.latent, self.flow_hidden, self.context, self.steps)
        p, prior = Observation(spec.kind, spec.shape, spec.levels, self.likelihood), standard(self.latent, G)

        def infer(x: Tensor) -> Drawn:
            mu, log_sigma, h = E(x).split([self.latent, self.latent, self.context], 1)
            z_0, log_q = gaussian(mu, log_sigma)
            z_T, log_det = flow(z_0, h)
            return z_T, log_q - log_det

        def objective(batch: Batch) -> Terms:
            z, log_q = infer(batch.x)
            return {"distortion": -p.log_prob(batch.x, G(z)).mean(), "rate": (log_q - prior.log_prob(z)).mean()}

        return latent_game(
            Player("model", (E, G, p, flow), objective, self.adam),
            {"encoder": E, "decoder": G, "observation": p, "flow": flow},
            decoder=G, observation=p, prior=prior, infer=infer, encode=lambda x: infer(x)[0],
        )  # fmt: skip

    def of_layers(self, spec: DataSpec) -> Game:
        if spec.kind != "image":
            raise UserError(f"layers of maps are for images; these are {spec.kind} data: --layers 0")
        R = ResNetVAE(
            spec.shape, layers=self.layers, width=self.width, codes=self.latent, hidden=self.flow_hidden,
            steps=self.steps, direction=self.inference,
        )  # fmt: skip
        p = Observation(spec.kind, spec.shape, spec.levels, self.likelihood)

        def infer(x: Tensor) -> Drawn:
            down = R.infer(x)
            return down.z, down.log_q

        def objective(batch: Batch) -> Terms:
            down = R.infer(batch.x)
            rate = (down.log_q - down.log_p).mean()
            return {"distortion": -p.log_prob(batch.x, down.output).mean(), "rate": rate}

        return latent_game(
            Player("model", (R, p), objective, self.adam), {"model": R, "observation": p},
            decoder=lambda z: R.generate(z).output, observation=p,
            prior=Prior(lambda z: R.generate(z).log_p, lambda n: R.draw(n).z), infer=infer,
            encode=lambda x: R.infer(x).z,
        )  # fmt: skip

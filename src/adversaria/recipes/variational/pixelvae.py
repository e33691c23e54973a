"""PixelVAE: codes say what an image shows, and a PixelCNN of few layers draws its pixels.

    p(x | z_1) = prod_i p(x_i | x_<i, G(z_1)),   a gated PixelCNN given maps of the decoder       Section 3.1
    p(z_1 | z_2) = prod_j N(z_1j; mu, sigma^2),   of the z_1 before j, given maps of z_2          Section 3.2
    q(z | x) = q(z_1 | x) q(z_2 | x),   both normal                                                Section 3.2
    one player    max  E_q [log p(x | z_1) + log p(z_1 | z_2) + log p(z_2) - log q(z | x)]

With one level z_1 is a vector with a standard normal prior. What the PixelCNN can draw by itself isn't put into codes:
the fewer its layers, the more they hold.
"""

from typing import Annotated, Any

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from adversaria.data import Batch, DataSpec
from adversaria.distributions import log_normal
from adversaria.evidence import Drawn, Prior, gaussian, latent_game, standard
from adversaria.game import CHECKED, Adam, Count, Game, Player, Recipe, Reference, Terms
from adversaria.nn.backbones import decoder, encoder, units
from adversaria.nn.dcgan import start
from adversaria.nn.noise import normal
from adversaria.nn.observation import PixelwiseObservation
from adversaria.nn.spatial import OrderedMaps
from adversaria.nn.warm import Warm
from adversaria.ordered import alphabet

REFERENCE = Reference(
    title="PixelVAE: A Latent Variable Model for Natural Images",
    authors="Gulrajani, Kumar, Ahmed, Ali Taiga, Visin, Vazquez, Courville",
    year=2017,
    arxiv="1611.05013",
    venue="ICLR",
)
PRESETS = {
    "smoke": {"latent": 4, "maps": 4, "width": 4, "pixel_width": 6, "pixel_layers": 2, "levels": 2, "code_channels": 2,
              "batch": 8, "rounds": 4},
    "small": {"width": 16, "pixel_width": 32, "pixel_layers": 3, "rounds": 1_000},
    "two-levels": {"levels": 2},
}  # fmt: skip
DEPARTURES = (
    "The gated layers are given the decoder's maps before their gates; in the paper the maps join the pixels as input.",
    "Two levels at most, and the lower one's grid is a single size; Section 3.2 has three levels on larger images.",
    "No downsampling residual networks (Figure 4): DCGAN's convolutions with layer normalisation.",
)
CLAIMS = (
    "A better bound than the VAE of the same networks, and images sharper than its (Table 1, Section 4.1).",
    "Upper codes hold what an image shows, lower ones and pixels its detail (Section 4.2, Figure 6).",
)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class PixelVAE(Recipe):
    """Variational autoencoder with a PixelCNN as its decoder's last layers."""

    KINDS = ("image",)

    levels: Annotated[int, Field(ge=1, le=2)] = 1
    """Of codes."""
    latent: Count = 16
    """Dimension of the topmost code (Section 4.1: 64)."""
    code_channels: Count = 4
    """Of the lower level's maps of codes."""
    maps: Count = 16
    """Channels of the maps that a decoder gives a PixelCNN."""
    width: Count = 32
    """Channels of encoder and decoder at half the image's resolution."""
    pixel_width: Count = 32
    """Channels of a PixelCNN's stacks."""
    pixel_layers: Count = 4
    """Its gated layers (Section 4.1: 1 to 8)."""
    anneal: Annotated[int, Field(ge=0)] = 200
    """Rounds in which the KL's weight rises from 0; without, codes stay unused beside a PixelCNN."""
    adam: Adam = Adam(lr=3e-3, clip=200.0, schedule="cosine")
    """For all networks."""
    batch: Count = 64
    """Examples a round."""
    rounds: Count = 2_000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        size: Any = {"width": self.width, "hidden": 256, "depth": 2, "norm": "layer", "activation": units(spec.kind)}
        grid = (self.code_channels, *start(*spec.shape[1:]))
        lower = grid[0] * grid[1] * grid[2] if self.levels == 2 else 0
        E = encoder(spec.shape, 2 * (lower + self.latent), **size)
        G = decoder(lower or self.latent, (self.maps, *spec.shape[1:]), bounded=False, **size)
        p = PixelwiseObservation(alphabet(spec), spec.shape, self.maps, self.pixel_width, self.pixel_layers)
        networks = {"encoder": E, "decoder": G, "observation": p}
        prior = standard(self.latent, G)
        if lower:
            above = decoder(self.latent, (self.maps, *grid[1:]), bounded=False, **size)
            ordered = OrderedMaps(grid, self.maps, self.pixel_width, self.pixel_layers)
            networks |= {"above": above, "prior": ordered}
            prior = two_levels(above, ordered, lower, self.latent)
        w = Warm(self.anneal)

        def posterior(x: Tensor) -> tuple[Tensor, Tensor]:
            mu, log_sigma = E(x).chunk(2, 1)
            return mu, log_sigma

        def infer(x: Tensor) -> Drawn:
            return gaussian(*posterior(x))

        def maps_of(z: Tensor) -> Tensor:
            maps: Tensor = G(z[:, :lower] if lower else z)
            return maps

        def objective(batch: Batch) -> Terms:
            z, log_q = infer(batch.x)
            rate = (log_q - prior.log_prob(z)).mean()
            return {"distortion": -p.log_prob(batch.x, maps_of(z)).mean(), "rate": w() * rate}

        return latent_game(
            Player("model", tuple(networks.values()), objective, self.adam, after=w.count), {**networks, "warm": w},
            decoder=maps_of, observation=p, prior=prior, infer=infer, encode=lambda x: posterior(x)[0],
            posterior=None if lower else posterior,
        )  # fmt: skip


def two_levels(above: torch.nn.Module, ordered: OrderedMaps, lower: int, latent: int) -> Prior:
    """p(z_2) p(z_1 | z_2) over rows of z_1 and then z_2."""

    def log_prob(z: Tensor) -> Tensor:
        return log_normal(z[:, lower:]) + ordered.log_prob(z[:, :lower], above(z[:, lower:]))

    def draw(n: int) -> Tensor:
        top = normal(n, latent, like=above)
        return torch.cat([ordered.draw(above(top)), top], 1)

    return Prior(log_prob, draw)

"""VQ-VAE: an autoencoder whose codes come from a learned codebook, then an autoregressive prior over the codes.

    codes    z_q(x) = e_k,   k = argmin_j ||z_e(x) - e_j||_2                                             Eq. 1, 2
    stage 1  min  ||x - G(z_q)||^2 / (d var x) + beta ||z_e(x) - sg[e]||^2 / (d_e),   gradients of G's input go
             straight through to z_e; the codebook follows z_e by moving averages                        Eq. 3, 6 to 8
    stage 2  min  -E log p(k),   p a gated PixelCNN, or a transformer, over the grid of codes            Section 3.3

beta weighs a mean over vectors, so that it means the same at any batch size.
"""

from typing import Literal

from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.nn import functional as F

from adversaria.data import Batch, DataSpec
from adversaria.game import CHECKED, Adam, Count, Game, Player, Recipe, Reference, Stage, Terms, Weight
from adversaria.nn.codebook import Codebook
from adversaria.nn.pixelcnn import GatedPixelCNN
from adversaria.nn.transformer import GridTransformer
from adversaria.ops import straight_through

REFERENCE = Reference(
    title="Neural Discrete Representation Learning",
    authors="van den Oord, Vinyals, Kavukcuoglu",
    year=2017,
    arxiv="1711.00937",
    venue="NeurIPS",
)
PRESETS = {
    "smoke": {"codes": 8, "dim": 4, "width": 8, "prior_width": 8, "prior_layers": 2, "batch": 8, "rounds": 6},
    "small": {"codes": 64, "width": 32, "prior_width": 32, "rounds": 1_500},
}
DEPARTURES = (
    "Narrower networks than the paper's 256 channels, and one halving of the resolution below 16 pixels.",
    "Codes that fall out of use are set to vectors of the batch; the paper doesn't say what becomes of them.",
    "Moving averages (Appendix A.1) in place of Eq. 3's second term.",
)
CLAIMS = (
    "Few of the codes are unused: the perplexity of their use is a large part of K.",
    "Samples from the prior look like data (Section 4.2).",
)


class Block(nn.Module):
    """x + conv1x1(relu(conv3x3(relu(x))))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReLU(), nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """The same shape as `x`."""
        return x + self.layers(x)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class VQVAE(Recipe):
    """Vector-quantised autoencoder with an autoregressive prior."""

    KINDS = ("image",)

    codes: Count = 128
    """K, size of the codebook (Section 4.1: 512)."""
    dim: Count = 16
    """D, length of a code (Section 4.1: 64 and less)."""
    beta: Weight = 0.25
    """Weight of the commitment (Eq. 3)."""
    decay: Weight = 0.99
    """gamma, of the codebook's moving averages (Appendix A.1)."""
    revive: Weight = 0.05
    """A code used less than this part of an even share is replaced; 0 for never."""
    width: Count = 64
    """Channels of encoder and decoder (Section 4.1: 256)."""
    conditional: bool = False
    """Whether the prior is given the label."""
    prior_network: Literal["pixelcnn", "transformer"] = "pixelcnn"
    """What goes over the codes."""
    prior_width: Count = 64
    """Channels of the prior's stacks, or of the transformer."""
    prior_layers: Count = 6
    """Gated layers, or blocks, of the prior."""
    heads: Count = 4
    """Of the transformer's attention; they divide its width."""
    adam: Adam = Adam(lr=1e-3, schedule="cosine")
    """For the autoencoder (Section 4.1: 2e-4)."""
    prior: Adam = Adam(lr=1e-3, clip=1.0, schedule="cosine")
    """For the prior."""
    batch: Count = 128
    """Examples a round (Section 4.1)."""
    rounds: Count = 3_000
    """Rounds of both stages, half each."""

    def game(self, spec: DataSpec) -> Game:
        channels, height, width = spec.shape
        halvings, w = (2 if min(height, width) >= 16 else 1), self.width
        classes = self.labels_of(spec) if self.conditional else 0
        grid = (-(-height // 2**halvings), -(-width // 2**halvings))
        pad = (0, grid[1] * 2**halvings - width, 0, grid[0] * 2**halvings - height)
        down = [m for i in range(halvings) for m in (nn.ReLU(), nn.Conv2d(w if i else channels, w, 4, 2, 1))][1:]
        up = [m for i in range(halvings) for m in (
            nn.ReLU(), nn.ConvTranspose2d(w, w if i + 1 < halvings else channels, 4, 2, 1))]  # fmt: skip
        E = nn.Sequential(*down, Block(w), Block(w), nn.Conv2d(w, self.dim, 1))
        G = nn.Sequential(nn.Conv2d(self.dim, w, 3, padding=1), Block(w), Block(w), *up)
        Q = Codebook(self.codes, self.dim, self.decay, self.revive)
        P: GatedPixelCNN | GridTransformer = GatedPixelCNN(self.codes, self.prior_width, self.prior_layers, classes)
        if self.prior_network == "transformer":
            P = GridTransformer(self.codes, grid, self.prior_width, self.prior_layers, self.heads, classes)

        def encode(x: Tensor) -> Tensor:
            return E(F.pad(x, pad, mode="replicate"))

        def decode(z: Tensor) -> Tensor:
            return G(z)[:, :, :height, :width]

        def autoencode(batch: Batch) -> Terms:
            z = encode(batch.x)
            e, _ = Q(z)
            error = (decode(straight_through(e, z)) - batch.x).square().mean()
            variance = batch.x.var(correction=0).clamp_min(1e-6)
            return {"reconstruction": error / variance, "commitment": self.beta * (z - e).square().mean()}

        def codes_of(batch: Batch) -> Batch:
            return Batch(Q(encode(batch.x))[1], batch.labels)

        def prior(batch: Batch) -> Terms:
            logits = P(batch.x, batch.labels if classes else None)
            return {"nll": F.cross_entropy(logits, batch.x, reduction="sum") / len(batch)}

        def sample(given: int | Tensor) -> Tensor:
            k = P.sample(given, grid) if isinstance(given, int) else P.sample(len(given), grid, given)
            return decode(Q.look_up(k)).clamp(-1, 1)

        return Game(
            stages=[
                Stage((Player("autoencoder", (E, G), autoencode, self.adam, after=Q.update),), "codes"),
                Stage((Player("prior", (P,), prior, self.prior),), "prior", data=codes_of),
            ],
            networks={"encoder": E, "decoder": G, "codebook": Q, "prior": P},
            condition="label" if classes else None,
            sample=sample,
            encode=lambda x: Q.look_up(Q(encode(x))[1]).flatten(1),
            decode=lambda z: decode(z.unflatten(1, (self.dim, *grid))).clamp(-1, 1),
            tokens=lambda x: Q(encode(x))[1],
            codebook=self.codes,
        )

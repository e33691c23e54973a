"""VQ-VAE: an autoencoder whose codes come from a learned codebook, then an autoregressive prior over the codes.

    codes    z_q(x) = e_k,   k = argmin_j ||z_e(x) - e_j||_2                                             Eq. 1, 2
    stage 1  min  ||x - G(z_q)||^2 / (d var x) + beta ||z_e(x) - sg[e]||^2 / (d_e),   gradients of G's input go
             straight through to z_e; the codebook follows z_e by moving averages                        Eq. 3, 6 to 8
    stage 2  min  -E log p(k),   p a gated PixelCNN, or a transformer, over the grid of codes            Section 3.3

beta weighs a mean over vectors, so that it means the same at any batch size.
"""

from typing import Literal

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor
from torch.nn import functional as F

from adversaria.data import Batch, DataSpec
from adversaria.game import CHECKED, Adam, Count, Fraction, Game, Player, Recipe, Reference, Stage, Terms, Weight
from adversaria.nn.captions import CaptionedGrid, law_of_grid
from adversaria.nn.codebook import Codebook
from adversaria.nn.convolved import Convolved
from adversaria.nn.pixelcnn import GatedPixelCNN
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
    decay: Fraction = 0.99
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
        classes = self.labels_of(spec) if self.conditional else 0
        C = Convolved(spec.shape, self.dim, self.dim, self.width)
        Q = Codebook(self.codes, self.dim, self.decay, self.revive)
        P = self.over(C.grid, classes)

        def autoencode(batch: Batch) -> Terms:
            z = C.encode(batch.x)
            e, _ = Q(z)
            error = (C.decode(straight_through(e, z)) - batch.x).square().mean()
            variance = batch.x.var(correction=0).clamp_min(1e-6)
            return {"reconstruction": error / variance, "commitment": self.beta * (z - e).square().mean()}

        def codes_of(batch: Batch) -> Batch:
            return Batch(Q(C.encode(batch.x))[1], batch.labels)

        def prior(batch: Batch) -> Terms:
            logits = P(batch.x, batch.labels if classes else None)
            return {"nll": F.cross_entropy(logits, batch.x, reduction="sum") / len(batch)}

        def draw(given: int | Tensor) -> Tensor:
            return P.sample(given, C.grid) if isinstance(given, int) else P.sample(len(given), C.grid, given)

        return Game(
            stages=[
                Stage((Player("autoencoder", (C,), autoencode, self.adam, after=Q.update),), "codes"),
                Stage((Player("prior", (P,), prior, self.prior),), "prior", data=codes_of),
            ],
            networks={"encoder": C.down, "decoder": C.up, "codebook": Q, "prior": P},
            condition="label" if classes else None,
            sample=lambda given: C.decode(Q.look_up(draw(given))).clamp(-1, 1),
            encode=lambda x: Q.look_up(Q(C.encode(x))[1]).flatten(1),
            decode=lambda z: C.decode(z.unflatten(1, (self.dim, *C.grid))).clamp(-1, 1),
            tokens=lambda x: Q(C.encode(x))[1],
            draw_tokens=draw,
            token_law=lambda k, *labels: law_of_grid(P(k, *labels)),
            codebook=self.codes,
        )

    def over(self, grid: tuple[int, int], classes: int) -> GatedPixelCNN | CaptionedGrid:
        """The prior over a grid of codes."""
        if self.prior_network == "pixelcnn":
            return GatedPixelCNN(self.codes, self.prior_width, self.prior_layers, classes)
        words = torch.arange(classes)[:, None] if classes else None
        return CaptionedGrid(self.codes, grid, words, self.prior_width, self.prior_layers, self.heads)

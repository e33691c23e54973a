"""Gumbel VAE (discrete VAE): codes that are relaxed while they are learned, then a transformer over text and codes.

    z = softmax((log q(k | x) + g) / tau),   g_k = -log(-log u_k)                            1611.01144, Eq. 2
    stage 1  max  E log p(x | z) - beta sum_cells KL(q(k | x) || 1/K),   tau falls, beta rises 2102.12092, Eq. 1
    stage 2  max  E log p(k | text) + w log p(text),   k = argmax q(k | x)                   2102.12092, Section 2.2

"straight-through" shows the decoder the hard choice and gives its gradient to the soft one. A label's name is its text,
word for word: with data whose classes are captions the second stage draws what a caption says.
"""

import math
from typing import Annotated

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.nn import functional as F

from adversaria.data import Batch, DataSpec
from adversaria.game import CHECKED, Adam, Count, Game, Player, Recipe, Reference, Stage, Terms, Weight
from adversaria.nn.captions import CaptionedGrid, law_of_grid, vocabulary
from adversaria.nn.convolved import Convolved
from adversaria.nn.observation import Observation
from adversaria.nn.warm import Warm
from adversaria.ops import straight_through

REFERENCE = Reference(
    title="Categorical Reparameterization with Gumbel-Softmax", authors="Jang, Gu, Poole", year=2017,
    arxiv="1611.01144", venue="ICLR",
)  # fmt: skip
PRESETS = {
    "smoke": {"codes": 8, "width": 8, "prior_width": 8, "prior_layers": 1, "heads": 2, "batch": 8, "rounds": 6},
    "small": {"codes": 64, "width": 32, "prior_width": 48, "prior_layers": 3, "rounds": 2_000},
    "captions": {"conditional": True, "codes": 128, "width": 32, "beta": 0.3, "cooling": 2_000, "prior_width": 64,
                 "prior_layers": 3, "rounds": 6_000},
}  # fmt: skip
DEPARTURES = (
    "A grid of codes from convolutions, as in 2102.12092; Jang et al. have rows of categorical variables.",
    "beta doesn't rise by default: while it does, codes collapse on captioned-shapes (one trial).",
    "A discretised logistic likelihood; 2102.12092 has a logit-Laplace one (Appendix A.3).",
    "The text is given, and its likelihood weighs little; the transformer has no sparse attention.",
)
CLAIMS = (
    "Given a caption that no training image has, the second stage draws what it says (2102.12092, Figure 2).",
    "The temperature's fall closes the gap between soft and hard codes (Section 2.2).",
)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class GumbelVAE(Recipe):
    """Discrete VAE by the Gumbel-softmax, with a transformer over text and codes."""

    KINDS = ("image",)

    codes: Count = 128
    """K, categories of a cell (2102.12092: 8192)."""
    width: Count = 64
    """Channels of encoder and decoder."""
    beta: Weight = 1.0
    """Weight of the KL at its height (2102.12092, Section 2.1: 6.6)."""
    rise: Count = 1
    """Rounds in which beta rises from 0; 1 for its height from the start."""
    tau: Annotated[float, Field(gt=0)] = 2.0
    """Temperature at the start."""
    coldest: Annotated[float, Field(gt=0)] = 0.1
    """Temperature at the end of the fall (2102.12092, Section 2.1: 1/16)."""
    cooling: Count = 1_500
    """Rounds in which the temperature falls, by equal factors."""
    hard: bool = False
    """Straight-through: hard codes forwards, soft ones backwards."""
    conditional: bool = False
    """Whether codes are drawn given the label's text."""
    text: Weight = 0.125
    """w, weight of the text's likelihood (2102.12092, Section 2.2: 1/8)."""
    prior_width: Count = 96
    """Of the transformer."""
    prior_layers: Count = 4
    """Its blocks."""
    heads: Count = 4
    """Of its attention; they divide its width."""
    adam: Adam = Adam(lr=2e-3, clip=200.0, schedule="cosine")
    """For the autoencoder."""
    prior: Adam = Adam(lr=1e-3, clip=1.0, schedule="cosine", warmup=100)
    """For the transformer."""
    batch: Count = 64
    """Examples a round."""
    rounds: Count = 4_000
    """Rounds of both stages, half each."""

    def game(self, spec: DataSpec) -> Game:
        C = Convolved(spec.shape, self.codes, self.codes, self.width)
        p = Observation(spec.kind, spec.shape, spec.levels)
        beta, cold = Warm(self.rise), Warm(self.cooling)
        words = vocabulary(spec.class_names, self.labels_of(spec)) if self.conditional else None
        P = CaptionedGrid(self.codes, C.grid, words, self.prior_width, self.prior_layers, self.heads)

        def autoencode(batch: Batch) -> Terms:
            logits = C.encode(batch.x)
            log_q = logits.log_softmax(1)
            rate = (log_q.exp() * (log_q + math.log(self.codes))).flatten(1).sum(1)
            distortion = -p.log_prob(batch.x, C.decode(self.relaxed(logits, cold())))
            return {"distortion": distortion.mean(), "rate": self.beta * beta() * rate.mean()}

        def tokens(x: Tensor) -> Tensor:
            return C.encode(x).argmax(1)

        def codes_of(batch: Batch) -> Batch:
            return Batch(tokens(batch.x), batch.labels)

        def prior(batch: Batch) -> Terms:
            of_text, of_codes = P.nll(batch.x, batch.labels if self.conditional else None)
            return {"codes": of_codes, **({"text": self.text * of_text} if self.conditional else {})}

        def count() -> None:
            beta.count()
            cold.count()

        def show(k: Tensor) -> Tensor:
            return p.show(C.decode(one_hot(k, self.codes)))

        def draw(given: int | Tensor) -> Tensor:
            return P.sample(given, C.grid) if isinstance(given, int) else P.sample(len(given), C.grid, given)

        networks: dict[str, nn.Module] = {"codes": C, "observation": p, "beta": beta, "temperature": cold, "prior": P}
        first = Player("autoencoder", (C, p), autoencode, self.adam, after=count)
        second = Player("prior", (P,), prior, self.prior)
        return Game(
            stages=[Stage((first,), "codes"), Stage((second,), "prior", data=codes_of)],
            networks=networks,
            condition="label" if self.conditional else None,
            sample=lambda given: show(draw(given)),
            reconstruct=lambda x: show(tokens(x)),
            tokens=tokens,
            draw_tokens=draw,
            token_law=lambda k, *labels: law_of_grid(P(k, *labels)),
            codebook=self.codes,
        )

    def relaxed(self, logits: Tensor, fallen: Tensor) -> Tensor:
        """Soft choices (n, K, h, w), or hard ones with their gradient, at a temperature `fallen` from 0 to 1."""
        tau = self.tau * (self.coldest / self.tau) ** fallen
        u = torch.rand_like(logits).clamp(1e-10, 1 - 1e-7)
        z = ((logits - torch.log(-torch.log(u))) / tau).softmax(1)
        return straight_through(one_hot(z.argmax(1), self.codes), z) if self.hard else z


def one_hot(k: Tensor, codes: int) -> Tensor:
    """Codes (n, h, w) as indicators (n, codes, h, w)."""
    return F.one_hot(k, codes).movedim(-1, 1).to(torch.get_default_dtype())

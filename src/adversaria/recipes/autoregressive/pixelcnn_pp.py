"""PixelCNN++: whole pixels one after the other, each from a mixture of discretised logistics, over several resolutions.

    p(x) = prod_i p(x_i | x_<i),   x_i all colours of a pixel
    p(x_i | C) = sum_k w_k prod_c [sigmoid((x_c + 1/255 - m_c) / s_c) - sigmoid((x_c - 1/255 - m_c) / s_c)]       Eq. 2
    m_R = mu_R,   m_G = mu_G + a r,   m_B = mu_B + b r + c g                                                      Eq. 3
    one player    min  -E log p(x)

With `mixture` 0, for comparison, p(x_i | x_<i) is a softmax over the levels of a grey pixel (Section 3.3).
Two streams of gated residual layers, down through halved resolutions and up again, with shortcuts between (Section 2).
"""

from typing import Annotated, cast

from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from adversaria.data import DataSpec
from adversaria.distributions.alphabet import Alphabet
from adversaria.distributions.colours import ColourMixture
from adversaria.errors import UserError
from adversaria.game import CHECKED, Adam, Count, Fraction, Game, Recipe, Reference
from adversaria.nn.pixelcnn_pp import PixelCNNpp
from adversaria.ordered import alphabet, ordered_game

REFERENCE = Reference(
    title="PixelCNN++: Improving the PixelCNN with Discretized Logistic Mixture Likelihood and Other Modifications",
    authors="Salimans, Karpathy, Chen, Kingma",
    year=2017,
    arxiv="1701.05517",
    venue="ICLR",
)
PRESETS = {
    "smoke": {"width": 4, "layers": 1, "mixture": 2, "batch": 8, "rounds": 4},
    "small": {"width": 24, "layers": 1, "rounds": 800},
}
DEPARTURES = (
    "Narrower and fewer layers than the paper's 5 of 160 channels at each of three resolutions.",
    "One halving below 16 pixels; sizes that don't come out are padded, below and to the right.",
    "Weight normalisation without data-dependent initial values.",
)
CLAIMS = (
    "A softmax over levels has to be learned level by level; the mixture takes fewer bits in equal time (Section 3.3).",
)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class PixelCNNPP(Recipe):
    """PixelCNN++."""

    KINDS = ("image",)

    mixture: Annotated[int, Field(ge=0)] = 5
    """K, logistics in the mixture (Section 2.1: 5 to 10); 0 for a softmax over the levels of grey images, which the
    paper sets beside it (Section 3.3)."""
    width: Count = 32
    """Feature maps (Section 3.1: 160)."""
    layers: Count = 2
    """Residual layers at each resolution (Section 3.1: 5)."""
    dropout: Fraction = 0.0
    """Share of features dropped (Section 2.5: 0.5, without it 32 pixels of 50,000 images are learned by heart)."""
    average: Fraction = 0.99
    """Decay of the averaged weights that are sampled and scored (code of the paper: 0.9995)."""
    adam: Adam = Adam(lr=2e-3, clip=1.0, schedule="cosine")
    """For all weights."""
    batch: Count = 32
    """Examples a round."""
    rounds: Count = 2_000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        A = self.numbers(spec)
        levels = 1 if min(spec.shape[1:]) < 16 else 2
        P = PixelCNNpp(spec.shape[0], self.width, self.layers, levels, A.outputs, self.dropout)

        def outputs(line: Tensor) -> Tensor:
            return P(A.whole(line)).flatten(2).mT

        return ordered_game(P, A, outputs, self.adam, average=self.average)

    def numbers(self, spec: DataSpec) -> ColourMixture | Alphabet:
        if self.mixture:
            return ColourMixture(cast(tuple[int, int, int], spec.shape), self.mixture, spec.levels)
        if spec.shape[0] > 1:
            raise UserError(
                f"mixture is 0, a softmax for each pixel, and these images have {spec.shape[0]} colours; take grey "
                "images, or mixture above 0"
            )
        return alphabet(spec)

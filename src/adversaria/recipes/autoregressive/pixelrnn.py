"""PixelRNN: two-dimensional LSTMs read an image row by row or diagonal by diagonal and predict the next colour.

    p(x) = prod_i p(x_i,R | x_<i) p(x_i,G | x_<i, x_i,R) p(x_i,B | x_<i, x_i,R, x_i,G)                    Eq. 1, 2
    [o, f, i, g] = K_ss * h_before + K_is * x,   c = f c_before + i g,   h = o tanh(c)                       Eq. 3
    one player    min  -E log p(x),   a softmax over the levels

Row LSTMs see a triangle above each pixel, a diagonal BiLSTM all earlier ones but the last of the row above.
"""

from typing import Literal

from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from adversaria.data import DataSpec
from adversaria.game import CHECKED, Adam, Count, Game, Recipe, Reference
from adversaria.nn.pixelcnn import Leftward, MaskedConv2d
from adversaria.nn.pixelrnn import DiagonalBiLSTM, Residual, RowLSTM
from adversaria.ordered import alphabet, ordered_game

REFERENCE = Reference(
    title="Pixel Recurrent Neural Networks",
    authors="van den Oord, Kalchbrenner, Kavukcuoglu",
    year=2016,
    arxiv="1601.06759",
    venue="ICML",
)
PRESETS = {
    "smoke": {"units": 3, "layers": 1, "batch": 8, "rounds": 4},
    "small": {"units": 16, "layers": 2, "rounds": 600},
    "row": {"variant": "row"},
}
DEPARTURES = (
    "Adam; the paper has RMSProp.",
    "Fewer layers and units than the paper's 7 of 16 (MNIST) and 12 of 128 (CIFAR-10).",
)
CLAIMS = (
    "Held-out images take fewer bits than under a PixelCNN, and fewer with diagonals than with rows (Table 4, 5).",
)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class PixelRNN(Recipe):
    """PixelRNN with row or diagonal LSTMs."""

    KINDS = ("image",)

    variant: Literal["diagonal", "row"] = "diagonal"
    """What the LSTMs go along."""
    units: Count = 24
    """h, units of an LSTM; 2 h feature maps between (Section 5: 16 on MNIST, 128 on CIFAR-10)."""
    layers: Count = 3
    """LSTM layers (Section 5: 7 and 12)."""
    adam: Adam = Adam(lr=2e-3, clip=1.0, schedule="cosine")
    """For all weights."""
    batch: Count = 32
    """Examples a round (Section 5: 16)."""
    rounds: Count = 1_000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        A = alphabet(spec)
        C = spec.shape[0]
        h = -(-self.units // C) * C
        LSTM = RowLSTM if self.variant == "row" else DiagonalBiLSTM
        P = nn.Sequential(
            MaskedConv2d(C, 2 * h, 7, C, False),
            *(Residual(LSTM(2 * h, h, C), h, 2 * h, C) for _ in range(self.layers)),
            nn.ReLU(), Leftward(2 * h, 2 * h, 0, C, True), nn.ReLU(), Leftward(2 * h, C * A.outputs, 0, C, True),
        )  # fmt: skip

        def outputs(line: Tensor) -> Tensor:
            return P(A.whole(line)).permute(0, 2, 3, 1).reshape(len(line), A.size, -1)

        return ordered_game(P, A, outputs, self.adam)

"""PixelCNN: masked convolutions give every pixel a distribution over its levels from those above and to the left.

    p(x) = prod_i p(x_i,R | x_<i) p(x_i,G | x_<i, x_i,R) p(x_i,B | x_<i, x_i,R, x_i,G)                    Eq. 1, 2
    a mask A before, masks B within                                                                      Section 3.4
    one player    min  -E log p(x),   a softmax over the levels                                          Section 2.2

Pixels to the upper right beyond a diagonal are in a blind spot: no layer looks to the right of its own row. That of
`gated-pixelcnn` has none.
"""

from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from adversaria.data import DataSpec
from adversaria.game import CHECKED, Adam, Count, Game, Recipe, Reference
from adversaria.nn.pixelcnn import MaskedConv2d
from adversaria.ordered import alphabet, ordered_game

REFERENCE = Reference(
    title="Pixel Recurrent Neural Networks",
    authors="van den Oord, Kalchbrenner, Kavukcuoglu",
    year=2016,
    arxiv="1601.06759",
    venue="ICML",
)
PRESETS = {
    "smoke": {"width": 6, "layers": 1, "batch": 8, "rounds": 4},
    "small": {"width": 32, "layers": 5, "rounds": 1_000},
}
DEPARTURES = (
    "Adam; the paper has RMSProp.",
    "Fewer layers and narrower than the paper's 15 of 2 h = 256 channels.",
)
CLAIMS = (
    "No pixel sees itself or a later one; a part of the earlier ones is never seen (1606.05328, Figure 1).",
    "Held-out images take fewer bits than under independent pixels.",
)


class Residual(nn.Module):
    """x + 1x1, 3x3 and 1x1 masked convolutions (B), with half as many channels between (Figure 5)."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        half = width // 2 // groups * groups or groups
        self.layers = nn.Sequential(
            nn.ReLU(), MaskedConv2d(width, half, 1, groups, True),
            nn.ReLU(), MaskedConv2d(half, half, 3, groups, True),
            nn.ReLU(), MaskedConv2d(half, width, 1, groups, True),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return x + self.layers(x)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class PixelCNN(Recipe):
    """PixelCNN with a softmax over the levels of a pixel."""

    KINDS = ("image",)

    width: Count = 64
    """2 h, channels (Section 5: 256)."""
    layers: Count = 7
    """Residual blocks (Section 5: 15)."""
    adam: Adam = Adam(lr=1e-3, clip=1.0, schedule="cosine")
    """For all weights."""
    batch: Count = 32
    """Examples a round (Section 5: 16)."""
    rounds: Count = 2_000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        A = alphabet(spec)
        C = spec.shape[0]
        w = -(-self.width // C) * C
        P = nn.Sequential(
            MaskedConv2d(C, w, 7, C, False), *(Residual(w, C) for _ in range(self.layers)),
            nn.ReLU(), MaskedConv2d(w, w, 1, C, True), nn.ReLU(), MaskedConv2d(w, C * A.outputs, 1, C, True),
        )  # fmt: skip

        def outputs(line: Tensor) -> Tensor:
            return P(A.whole(line)).permute(0, 2, 3, 1).reshape(len(line), A.size, -1)

        return ordered_game(P, A, outputs, self.adam)

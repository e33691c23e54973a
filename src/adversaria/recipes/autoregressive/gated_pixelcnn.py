"""Gated PixelCNN: a stack for the rows above and one for the row itself, gated units, no blind spot.

y = tanh(W_f * x + V_f c) (.) sigmoid(W_g * x + V_g c)   in each layer, c the label                   Eq. 2, 4
p(x | c) = prod_i p(x_i | x_<i, c),   of a pixel first red, then green, then blue                     Eq. 1
one player    min  -E log p(x | c),   a softmax over the levels
"""

from pydantic.dataclasses import dataclass
from torch import Tensor

from adversaria.data import Batch, DataSpec
from adversaria.game import CHECKED, Adam, Count, Game, Player, Recipe, Reference, Terms
from adversaria.nn.pixelcnn import GatedStacks
from adversaria.nn.sampling import complete, law_of
from adversaria.ordered import alphabet

REFERENCE = Reference(
    title="Conditional Image Generation with PixelCNN Decoders",
    authors="van den Oord, Kalchbrenner, Vinyals, Espeholt, Graves, Kavukcuoglu",
    year=2016,
    arxiv="1606.05328",
    venue="NeurIPS",
)
PRESETS = {
    "smoke": {"width": 6, "layers": 2, "batch": 8, "rounds": 4},
    "small": {"width": 32, "layers": 5, "rounds": 1_000},
    "conditional": {"conditional": True},
}
DEPARTURES = (
    "Adam; the paper has RMSProp.",
    "Fewer layers and narrower than the paper's; kernels of 7 pixels before and 3 within.",
)
CLAIMS = (
    "Every pixel sees all earlier ones (Figure 1).",
    "Held-out images take fewer bits than under a PixelCNN (Table 1).",
    "Given the label, samples are of its class (Section 3.2).",
)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class GatedPixelCNN(Recipe):
    """Gated PixelCNN, of a label where `conditional`."""

    KINDS = ("image",)

    conditional: bool = False
    """Whether the model is given the label (Eq. 4)."""
    width: Count = 48
    """Channels of each stack."""
    layers: Count = 7
    """Gated layers."""
    adam: Adam = Adam(lr=2e-3, clip=1.0, schedule="cosine")
    """For all weights."""
    batch: Count = 32
    """Examples a round."""
    rounds: Count = 2_000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        A = alphabet(spec)
        C, height, width = spec.shape
        classes = self.labels_of(spec) if self.conditional else 0
        P = GatedStacks(C, -(-self.width // C) * C, self.layers, C * A.outputs, C, classes)

        def outputs(line: Tensor, labels: Tensor | None = None) -> Tensor:
            return P(A.whole(line), labels).permute(0, 2, 3, 1).reshape(len(line), A.size, -1)

        def log_prob(x: Tensor, labels: Tensor | None = None) -> Tensor:
            line = A.line(x)
            return A.log_prob(line, outputs(line, labels)).sum(1)

        def nll(batch: Batch) -> Terms:
            return {"nll": -log_prob(batch.x, batch.labels if classes else None).mean()}

        def sample(given: int | Tensor) -> Tensor:
            n, labels = (given, None) if isinstance(given, int) else (len(given), given)
            noise = A.noise(n, next(P.parameters()))
            return A.whole(P.draw(noise, (height, width), A.draw, lambda x: x[:, None], labels))

        return Game(
            Player("model", (P,), nll, self.adam),
            networks={"model": P},
            condition="label" if classes else None,
            sample=sample,
            log_prob=log_prob,
            complete=lambda x, known, *labels: complete(outputs, A, x, known, next(P.parameters()), *labels),
            law=law_of(outputs, A),
        )

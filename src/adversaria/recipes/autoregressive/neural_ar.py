"""Neural autoregressive model: a small network for each number, of those before it.

    p(x) = prod_i p(x_i | x_1 .. x_{i-1})
    h_i = tanh(c_i + V_i x_<i),   p(x_i | x_<i) from  b_i + U_i h_i + W_i x_<i                             Section 3
    one player    min  -E log p(x)

No weight is shared between numbers: d^2 H of them.
"""

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from adversaria.data import DataSpec
from adversaria.game import CHECKED, AdamW, Count, Game, Recipe, Reference
from adversaria.nn.made import MaskedLinear
from adversaria.ordered import alphabet, ordered_game

REFERENCE = Reference(
    title="Modeling High-Dimensional Discrete Data with Multi-Layer Neural Networks",
    authors="Bengio, Bengio",
    year=2000,
    venue="NIPS",
)
PRESETS = {
    "smoke": {"hidden": 3, "mixture": 2, "batch": 8, "rounds": 4},
    "small": {"rounds": 2_000},
}
DEPARTURES = (
    "Adam with decoupled weight decay, and no pruning of connections.",
    "Images of 256 levels, as mixtures of discretised logistics; the paper's data are categories.",
)
CLAIMS = ("Held-out data are likelier than under logistic regressions of each number on those before it (Table 1).",)


class Conditionals(nn.Module):
    """x (n, d a) -> (n, d, k), row i from x_<i through H units of its own and directly."""

    def __init__(self, size: int, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        before = torch.ones(size, size).tril(-1).repeat_interleave(inputs, 1)
        self.size, self.V = size, MaskedLinear(before.repeat_interleave(hidden, 0))
        self.W = MaskedLinear(before.repeat_interleave(outputs, 0))
        self.U = nn.Parameter(torch.randn(size, outputs, hidden) * 0.1 * hidden**-0.5)
        nn.init.zeros_(self.W.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (n, d, k)."""
        h = torch.tanh(self.V(x)).unflatten(1, (self.size, -1))
        return torch.einsum("ndh,dkh->ndk", h, self.U) + self.W(x).unflatten(1, (self.size, -1))


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class NeuralAR(Recipe):
    """A network for each conditional."""

    KINDS = ("image", "binary", "sequence")

    hidden: Count = 16
    """H, hidden units for each number."""
    mixture: Count = 3
    """Logistics in the mixture for each number of an image."""
    adam: AdamW = AdamW(lr=6e-3, decay=1e-2, schedule="linear")
    """For all weights."""
    batch: Count = 100
    """Examples a round."""
    rounds: Count = 3_000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        A = alphabet(spec, self.mixture)
        P = Conditionals(A.size, A.inputs, self.hidden, A.outputs)

        def outputs(line: Tensor) -> Tensor:
            return P(A.read(line).flatten(1))

        return ordered_game(P, A, outputs, self.adam)

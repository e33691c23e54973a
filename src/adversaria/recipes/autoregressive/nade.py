"""NADE: all conditionals share their weights, so that one more number costs one more column.

p(x) = prod_i p(x_i | x_1 .. x_{i-1})
h_i = sigmoid(a_i),   a_1 = c,   a_{i+1} = a_i + W_{:,i} x_i                                            Eq. 10, 11
p(x_i | x_<i) from  b_i + V_i h_i                                                                        Eq. 9
one player    min_{W, V, b, c}  -E log p(x)
"""

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from adversaria.data import Batch, DataSpec
from adversaria.distributions.alphabet import Alphabet
from adversaria.game import CHECKED, AdamW, Count, Game, Player, Recipe, Reference, Terms
from adversaria.nn.sampling import complete
from adversaria.nn.sweep import Sweep
from adversaria.ordered import alphabet

REFERENCE = Reference(
    title="The Neural Autoregressive Distribution Estimator",
    authors="Larochelle, Murray",
    year=2011,
    venue="AISTATS",
)
PRESETS = {
    "smoke": {"hidden": 8, "mixture": 2, "batch": 8, "rounds": 4},
    "small": {"hidden": 128, "rounds": 1_500},
}
DEPARTURES = (
    "Adam with decoupled weight decay; the paper has stochastic gradient descent with a falling rate.",
    "Images of 256 levels, as mixtures of discretised logistics; the paper's are binary.",
)
CLAIMS = ("Held-out data are likelier than under a fully visible belief network, which has no hidden units (Table 1).",)


class Conditionals(nn.Module):
    """Numbers as inputs (n, d, a) -> (n, d, k), row i from rows before i."""

    def __init__(self, size: int, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.W = nn.Parameter(torch.randn(size, inputs, hidden) * 0.5 * (size * inputs) ** -0.5)
        self.V = nn.Parameter(torch.randn(size, outputs, hidden) * 0.5 * hidden**-0.5)
        self.b, self.c = nn.Parameter(torch.zeros(size, outputs)), nn.Parameter(torch.zeros(hidden))

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (n, d, k), all rows at once."""
        y: Tensor = Sweep.apply(x, self.W, self.V, self.b, self.c)
        return y

    def row(self, x: Tensor, i: int) -> Tensor:
        """Row i of the outputs alone, (n, k)."""
        a = self.c + x[:, :i].flatten(1) @ self.W[:i].flatten(0, 1)
        return self.b[i] + torch.sigmoid(a) @ self.V[i].T

    def draw(self, alphabet: Alphabet, u: Tensor) -> Tensor:
        """Numbers (n, d) from noise (n, d, grains), each from the running a: d H operations an example."""
        line, a = alphabet.blank(len(u), u), self.c.expand(len(u), -1)
        for i in range(alphabet.size):
            line[:, i] = alphabet.draw(self.b[i] + torch.sigmoid(a) @ self.V[i].T, u[:, i])
            a = a + alphabet.read(line[:, i : i + 1])[:, 0] @ self.W[i]
        return line


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class NADE(Recipe):
    """Neural autoregressive distribution estimator."""

    KINDS = ("image", "binary", "sequence")

    hidden: Count = 256
    """H, hidden units (Section 6: 50 to 500)."""
    mixture: Count = 3
    """Logistics in the mixture for each number of an image."""
    adam: AdamW = AdamW(lr=1e-2, decay=1e-2, schedule="linear")
    """For all weights."""
    batch: Count = 100
    """Examples a round."""
    rounds: Count = 3_000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        A = alphabet(spec, self.mixture)
        P = Conditionals(A.size, A.inputs, self.hidden, A.outputs)

        def outputs(line: Tensor) -> Tensor:
            return P(A.read(line))

        def log_prob(x: Tensor) -> Tensor:
            line = A.line(x)
            return A.log_prob(line, outputs(line)).sum(1)

        def nll(batch: Batch) -> Terms:
            return {"nll": -log_prob(batch.x).mean()}

        def law(x: Tensor, at: int | None = None) -> Tensor:
            line = A.line(x)
            return A.law(line, outputs(line)) if at is None else A.law(line, P.row(A.read(line), at)[:, None])[:, 0]

        def sample(n: int) -> Tensor:
            return A.whole(P.draw(A, A.noise(n, P.c)))

        return Game(
            Player("model", (P,), nll, self.adam), networks={"model": P}, sample=sample, log_prob=log_prob,
            complete=lambda x, known: complete(outputs, A, x, known, P.c), law=law,
        )  # fmt: skip

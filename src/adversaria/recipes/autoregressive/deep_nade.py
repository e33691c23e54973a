"""DeepNADE: one deep network for all orders of the numbers; any of them can be asked for when others are known.

p(x | o) = prod_t p(x_{o_t} | x_{o_1} .. x_{o_{t-1}})
p(x_i | x_known) from row i of  f([x m, m]),   m = 1 for known numbers, 0 for the others                 Eq. 4, 5
one player    min  -E_x E_o E_t  d / (d - t + 1)  sum_{i not among o_1 .. o_{t-1}}  log p(x_i | x_{o_<t})      Eq. 3
an ensemble   p(x) = 1/K sum_k p(x | o_k)                                                          Section 4.2
"""

import math

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from adversaria.data import Batch, DataSpec
from adversaria.distributions.alphabet import Alphabet
from adversaria.game import CHECKED, AdamW, Count, Game, Player, Recipe, Reference, Terms
from adversaria.nn.sampling import seen_of
from adversaria.ordered import alphabet

REFERENCE = Reference(
    title="A Deep and Tractable Density Estimator",
    authors="Uria, Murray, Larochelle",
    year=2014,
    arxiv="1310.1757",
    venue="ICML",
)
PRESETS = {
    "smoke": {"hidden": 8, "depth": 1, "orders": 2, "mixture": 2, "batch": 8, "rounds": 4},
    "small": {"hidden": 256, "rounds": 2_000},
}
DEPARTURES = (
    "Adam with decoupled weight decay; the paper has stochastic gradient descent with momentum, and layer-wise "
    "pretraining.",
    "Images of 256 levels, as mixtures of discretised logistics; the paper's are binary.",
)
CLAIMS = (
    "The likelihood of held-out data rises with the number of orders in the ensemble (Table 1).",
    "Missing numbers are completed in any order (Section 6).",
)


class AnyOrder(nn.Module):
    """Known numbers (n, d, a) and what is known (n, d) -> (n, d, k), row i from the known numbers."""

    def __init__(self, size: int, inputs: int, hidden: int, depth: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Linear(size * (inputs + 1), hidden)
        self.deep = nn.Sequential(
            nn.ReLU(), *(m for _ in range(depth - 1) for m in (nn.Linear(hidden, hidden), nn.ReLU()))
        )
        self.V = nn.Parameter(torch.randn(size, outputs, hidden) * 0.5 * hidden**-0.5)
        self.b = nn.Parameter(torch.zeros(size, outputs))

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        """Outputs (n, d, k)."""
        h = self.deep(self.first(torch.cat([x * m[..., None], m[..., None]], 2).flatten(1)))
        return self.b + torch.einsum("nh,dkh->ndk", h, self.V)

    def score(self, numbers: Alphabet, line: Tensor, order: list[int]) -> Tensor:
        """log p (n,) of lines (n, d) in an order."""
        a, x = self.first.bias.expand(len(line), -1), numbers.read(line)
        total = torch.zeros_like(a[:, 0])
        for i in order:
            total = total + numbers.log_prob(line[:, i], self.ask(a, i))
            a = self.learn(a, x[:, i], i)
        return total

    def draw(self, numbers: Alphabet, line: Tensor, order: list[int], seen: Tensor | None = None) -> Tensor:
        """Lines (n, d) drawn in an order, which stay as they are where `seen` (d,)."""
        line, u = line.clone(), numbers.noise(len(line), self.b)
        a = self.first.bias.expand(len(line), -1)
        for i in order:
            if seen is None or not seen[i]:
                line[:, i] = numbers.draw(self.ask(a, i), u[:, i])
            a = self.learn(a, numbers.read(line[:, i : i + 1])[:, 0], i)
        return line

    def learn(self, a: Tensor, x: Tensor, i: int | list[int]) -> Tensor:
        """The first layer's sums (n, H) with number i, read as (n, a), known too; or with several, (n, numbers, a)."""
        columns = self.first.weight.unflatten(1, (len(self.b), -1))[:, i].flatten(1)
        return a + torch.cat([x, torch.ones_like(x[..., :1])], -1).flatten(1) @ columns.T

    def ask(self, a: Tensor, i: int) -> Tensor:
        """The outputs (n, k) for number i."""
        return self.b[i] + self.deep(a) @ self.V[i].T


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class DeepNADE(Recipe):
    """Order-agnostic deep NADE."""

    KINDS = ("image", "binary", "sequence")

    hidden: Count = 500
    """H, units of a hidden layer (Section 6: 500)."""
    depth: Count = 2
    """Hidden layers (Section 6: 1 to 3)."""
    orders: Count = 1
    """K, orders in the ensemble whose likelihood is told (Section 4.2: up to 128)."""
    mixture: Count = 3
    """Logistics in the mixture for each number of an image."""
    adam: AdamW = AdamW(lr=3e-3, decay=1e-2, schedule="linear")
    """For all weights."""
    batch: Count = 100
    """Examples a round (Section 6: 100)."""
    rounds: Count = 5_000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        A = alphabet(spec, self.mixture)
        d = A.size
        P = AnyOrder(d, A.inputs, self.hidden, self.depth, A.outputs)

        seeded = torch.Generator().manual_seed(0)
        orders = [torch.randperm(d, generator=seeded).tolist() for _ in range(self.orders)]

        def nll(batch: Batch) -> Terms:
            line = A.line(batch.x)
            known = torch.randint(d, (len(line), 1), device=line.device)  # t - 1 of them
            m = (torch.rand_like(line, dtype=P.b.dtype).argsort(1).argsort(1) < known).to(P.b.dtype)
            log_p = A.log_prob(line, P(A.read(line), m)) * (1 - m)
            return {"nll": -(d / (d - known[:, 0]) * log_p.sum(1)).mean()}

        def log_prob(x: Tensor) -> Tensor:
            log_p = torch.stack([P.score(A, A.line(x), order) for order in orders])
            return log_p.logsumexp(0) - math.log(self.orders)

        def law(x: Tensor, at: int | None = None) -> Tensor:
            read, asked = A.read(A.line(x)), range(d) if at is None else (at,)
            before = [orders[0][: orders[0].index(i)] for i in asked]
            a = [P.learn(P.first.bias.expand(len(x), -1), read[:, known], known) for known in before]
            told = A.law(read, torch.stack([P.ask(known, i) for known, i in zip(a, asked, strict=True)], 1))
            return told if at is None else told[:, 0]

        def complete(x: Tensor, known: Tensor) -> Tensor:
            seen = seen_of(A, known).cpu()
            order = torch.randperm(d)
            order = torch.cat([order[seen[order]], order[~seen[order]]])  # known first: none of the ensemble's orders
            return A.whole(P.draw(A, A.line(x), order.tolist(), seen))

        def sample(n: int) -> Tensor:
            shares = torch.randint(self.orders, (n,)).bincount(minlength=self.orders).tolist()
            lines = torch.cat([P.draw(A, A.blank(k, P.b), order) for k, order in zip(shares, orders, strict=True)])
            return A.whole(lines[torch.randperm(n)])

        one = self.orders == 1
        return Game(Player("model", (P,), nll, self.adam), networks={"model": P}, sample=sample, log_prob=log_prob,
                    complete=complete, law=law if one else None, order=orders[0] if one else ())  # fmt: skip

"""MADE: an autoencoder whose masked weights make output i a function of the inputs before i in an order.

p(x) = prod_i p(x_i | x_<i)
a unit of degree m sees units of degree m and less; the inputs' degrees are their places in the order, output i
sees units of degrees below i's                                                                     Eq. 8 to 12
one player    min  -E log p(x)
with K sets of masks, each with an order of its own, one at random in each round, layers add (U * M) 1, by which
units know their connections                                                                        Section 4.2, 4.3
and an ensemble of them    p(x) = 1/K sum_k p_k(x)
"""

import math
from functools import partial
from itertools import pairwise

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.nn import functional as F

from adversaria.data import Batch, DataSpec
from adversaria.game import CHECKED, AdamW, Count, Game, Player, Recipe, Reference, Terms
from adversaria.nn.sampling import candidates, chosen, fixed_point, law_of, seen_of
from adversaria.ordered import alphabet

REFERENCE = Reference(
    title="MADE: Masked Autoencoder for Distribution Estimation",
    authors="Germain, Gregor, Murray, Larochelle",
    year=2015,
    arxiv="1502.03509",
    venue="ICML",
)
PRESETS = {
    "smoke": {"hidden": 16, "mixture": 2, "batch": 8, "rounds": 4},
    "small": {"hidden": 256, "rounds": 1_500},
    "ensemble": {"masks": 16},
}
DEPARTURES = (
    "Adam with decoupled weight decay; the paper has Adagrad or Adadelta.",
    "Images of 256 levels, as mixtures of discretised logistics; the paper's are binary.",
)
CLAIMS = (
    "Probabilities of all states sum to 1 for every set of masks (Section 4).",
    "Held-out data are likelier than under a fully visible belief network (Table 2).",
)


class Masked(nn.Module):
    """Numbers as inputs (n, d, a) -> (n, d, outputs), under any of `masks` sets of masks."""

    def __init__(self, size: int, inputs: int, hidden: int, depth: int, outputs: int, masks: int) -> None:
        super().__init__()
        self.size, self.inputs, self.outputs = size, inputs, outputs
        widths = [size * inputs, *[hidden] * depth, size * outputs]
        layers = [nn.Linear(a, b) for a, b in pairwise(widths)]
        self.W, self.b = (nn.ParameterList(getattr(layer, n) for layer in layers) for n in ("weight", "bias"))
        self.direct = nn.Parameter(torch.zeros(widths[-1], widths[0]))
        told = widths if masks > 1 else []
        self.U = nn.ParameterList(nn.Parameter(torch.zeros(b, a)) for a, b in pairwise(told))
        draw = torch.Generator().manual_seed(0)
        for k in range(masks):
            degrees = [torch.arange(size) if masks == 1 else torch.randperm(size, generator=draw)]
            for _ in range(depth):  # no unit below the least degree that it could see (Section 4.2)
                least = 0 if len(degrees) == 1 else int(degrees[-1].min())
                degrees.append(torch.randint(least, max(size - 1, 1), (hidden,), generator=draw))
            for i, degree in enumerate(degrees):
                self.register_buffer(f"degrees_{k}_{i}", degree)

    def masked(self, k: int) -> tuple[list[Tensor], list[Tensor]]:
        """All weights under masks k, the direct ones last, not in place, as other masks leave others in; and what each
        layer adds for the connections that the masks leave it, (U * M) 1."""
        order, *degrees = (self.get_buffer(f"degrees_{k}_{i}") for i in range(len(self.W)))
        into, out = order.repeat_interleave(self.inputs), order.repeat_interleave(self.outputs)
        masks = [after[:, None] >= before for before, after in pairwise([into, *degrees])]
        masks += [out[:, None] > degrees[-1], out[:, None] > into]
        told = [(u * mask).sum(1) for u, mask in zip(self.U, masks, strict=False)]
        offsets = [b + u for b, u in zip(self.b, told, strict=True)] if told else list(self.b)
        return [w * mask for w, mask in zip((*self.W, self.direct), masks, strict=True)], offsets

    def forward(self, x: Tensor, masked: tuple[list[Tensor], list[Tensor]]) -> Tensor:
        """Outputs (n, d, outputs), those of a number from the numbers before it in the masks' order."""
        (*hidden, last, direct), offsets = masked
        h = x = x.flatten(1)
        for w, b in zip(hidden, offsets, strict=False):
            h = F.relu(F.linear(h, w, b))
        return (F.linear(h, last, offsets[-1]) + F.linear(x, direct)).unflatten(1, (self.size, self.outputs))


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class MADE(Recipe):
    """Masked autoencoder for distribution estimation."""

    KINDS = ("image", "binary", "sequence")

    hidden: Count = 500
    """Units of a hidden layer (Section 6.1: 500; on MNIST 8,000)."""
    depth: Count = 1
    """Hidden layers (Section 6: 1 and 2)."""
    masks: Count = 1
    """K, sets of masks; with one the order is the data's own (Section 6: 1 to 32)."""
    mixture: Count = 3
    """Logistics in the mixture for each number of an image."""
    adam: AdamW = AdamW(lr=3e-3, decay=1e-2, schedule="linear")
    """For all weights."""
    batch: Count = 100
    """Examples a round (Section 6: 100)."""
    rounds: Count = 3_000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        A = alphabet(spec, self.mixture)
        P = Masked(A.size, A.inputs, self.hidden, self.depth, A.outputs, self.masks)

        def outputs(line: Tensor, masked: tuple[list[Tensor], list[Tensor]]) -> Tensor:
            return P(A.read(line), masked)

        def one(line: Tensor, k: int) -> Tensor:
            return A.log_prob(line, outputs(line, P.masked(k))).sum(1)

        def nll(batch: Batch) -> Terms:
            return {"nll": -one(A.line(batch.x), int(torch.randint(self.masks, ()))).mean()}

        def log_prob(x: Tensor) -> Tensor:
            line = A.line(x)
            return torch.stack([one(line, k) for k in range(self.masks)]).logsumexp(0) - math.log(self.masks)

        def sample(n: int) -> Tensor:
            shares = torch.randint(self.masks, (n,)).bincount(minlength=self.masks).tolist()
            noise = A.noise(n, P.direct).split(shares)
            lines = [fixed_point(partial(outputs, masked=P.masked(k)), A, u)[0] for k, u in enumerate(noise)]
            return A.whole(torch.cat(lines)[torch.randperm(n)])

        def complete(x: Tensor, known: Tensor) -> Tensor:
            line, seen = A.line(x), seen_of(A, known)
            each = [candidates(partial(outputs, masked=P.masked(k)), A, line, seen, P.direct, 32)
                    for k in range(self.masks)]  # fmt: skip
            drawn, log_w = (torch.cat(parts, 1) for parts in zip(*each, strict=True))
            return A.whole(chosen(drawn, log_w))

        law = law_of(lambda line: outputs(line, P.masked(0)), A) if self.masks == 1 else None
        return Game(Player("model", (P,), nll, self.adam), networks={"model": P}, sample=sample, log_prob=log_prob,
                    complete=complete, law=law)  # fmt: skip

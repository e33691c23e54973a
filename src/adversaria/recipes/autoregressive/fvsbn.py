"""FVSBN: a fully visible sigmoid belief network, one logistic regression of each number on those before it.

    p(x) = prod_i p(x_i | x_1 .. x_{i-1})
    p(x_i = 1 | x_<i) = sigmoid(b_i + sum_{j < i} W_ij x_j)                                                Section 2
    one player    min_{W, b}  -E log p(x)

With more than two levels the same linear function gives logits, or a mixture of discretised logistics.
"""

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from adversaria.data import DataSpec
from adversaria.game import CHECKED, AdamW, Count, Game, Recipe, Reference
from adversaria.nn.made import MaskedLinear
from adversaria.ordered import alphabet, ordered_game

REFERENCE = Reference(
    title="Does the wake-sleep algorithm produce good density estimators?",
    authors="Frey, Hinton, Dayan",
    year=1996,
    venue="NIPS",
)
PRESETS = {
    "smoke": {"mixture": 2, "batch": 8, "rounds": 4},
    "small": {"rounds": 2_000},
}
DEPARTURES = (
    "Adam with decoupled weight decay; the paper has conjugate gradients and a penalty.",
    "Images of 256 levels, as mixtures of discretised logistics; the paper's are binary.",
)
CLAIMS = ("Probabilities of all states sum to 1, and held-out data are likelier than under independent numbers.",)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class FVSBN(Recipe):
    """Fully visible sigmoid belief network."""

    KINDS = ("image", "binary", "sequence")

    mixture: Count = 3
    """Logistics in the mixture for each number of an image."""
    adam: AdamW = AdamW(lr=3e-3, decay=1e-2, schedule="linear")
    """For weights and offsets."""
    batch: Count = 100
    """Examples a round."""
    rounds: Count = 3_000
    """Rounds of play."""

    def game(self, spec: DataSpec) -> Game:
        A = alphabet(spec, self.mixture)
        before = torch.ones(A.size, A.size).tril(-1)
        W = MaskedLinear(before.repeat_interleave(A.outputs, 0).repeat_interleave(A.inputs, 1))
        nn.init.zeros_(W.weight)

        def outputs(line: Tensor) -> Tensor:
            return W(A.read(line).flatten(1)).unflatten(1, (A.size, A.outputs))

        return ordered_game(W, A, outputs, self.adam)

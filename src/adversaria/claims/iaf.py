"""IAF: how many passes a sample takes.

While 100 points of eight dimensions are drawn from a fresh flow of five layers, calls of the layers' networks are
counted. Each layer's is needed once, and no more (Section 3); threshold one call for the mean over layers.
"""

import torch

from adversaria.catalogue import make
from adversaria.claims.check import Check, Trial
from adversaria.data import DataSpec
from adversaria.nn.made import MADE

CLAIM = "Samples come in one pass, however many coordinates there are (Section 3)."


def measure(trial: Trial) -> float:
    """Calls for each layer."""
    torch.manual_seed(trial.seed)
    game = make("iaf", layers=5).build(DataSpec("points", (8,)))
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    for net in game.modules():
        if isinstance(net, MADE):
            net.register_forward_hook(count)
    game.sample(100, seed=trial.seed)
    return calls / 5


CHECKS = (
    Check(claim=CLAIM, quantity="calls of a layer's network while points of eight dimensions are drawn",
          measure=measure, threshold=1.0, holds="below", data=("two-moons",)),
)  # fmt: skip

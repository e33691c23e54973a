"""Does a sample depend on the others in its batch?

    batch norm     (a - mean(batch)) / sd(batch)                                a sample's output is its batch's affair
    virtual        (a - mean(reference and itself)) / sd(reference and itself)  its own, given a reference batch

A DCGAN is trained with each of the two in its generator. Then one code is kept, the rest of its batch is drawn anew 50
times, and the generator runs as in training. Under virtual batch norm the sample must not change beyond rounding: by at
most 1e-5 of the pixels' range. Under batch norm its standard deviation over the batches, as a root mean square over
pixels, must be 100 times that or more, and it must be a visible share (1 %) of the sd over different codes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from adversaria.catalogue import make
from adversaria.claims.check import Trial
from adversaria.game import Game
from adversaria.lab.bench import Bench, Outcome, above, below
from adversaria.lab.figures import COLOURS, SIZE, labelled, sheet

SOURCES = ("000",)
MORE = ("Salimans et al. (2016), arXiv:1606.03498, Section 3.5",)
BATCHES, CODES, SHOWN = 50, 4, 12
ADAM = {"lr": 1e-3}


def run(bench: Bench) -> Outcome:
    rounds, sizes = bench.pick(150, 1_000), bench.pick([8, 32], [4, 8, 16, 32, 64, 128])
    shown: dict[str, Any] = {}

    def once(trial: Trial) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for norm in ("batch", "virtual"):
            parts = {"generator_norm": norm}
            game = trial.play(make("dcgan", width=16, batch=64, rounds=rounds, average=0.0, adam=ADAM, parts=parts))
            codes = game.latent(CODES, seed=1)
            outputs = {size: torch.stack([among(game, z, size) for z in codes]) for size in sizes}
            between = game.sample(500, seed=2).std(0).square().mean().sqrt()
            spread = {size: float(x.std(1).square().mean().sqrt()) for size, x in outputs.items()}
            found[norm] = {"spread": spread, "share": {size: v / float(between) for size, v in spread.items()}}
            if trial.seed == 0:
                shown[norm] = outputs[sizes[0]][:, :SHOWN].flatten(0, 1)
        return found

    runs = bench.each(once)
    still = [max(run["virtual"]["spread"].values()) for run in runs]
    moved = [min(run["batch"]["spread"].values()) for run in runs]
    return Outcome(
        (
            below("sd of a sample over its batch-mates, virtual batch norm, most of all sizes", still, 1e-5),
            above("the same, batch norm, least of all sizes", moved, 1e-3),
            above("the same over the sd between codes, batches of 64 or the largest below",
                  [run["batch"]["share"][min(64, sizes[-1])] for run in runs], 0.01),
        ),
        {"size": sizes, "shown": shown,
         **{norm: [list(run[norm]["share"].values()) for run in runs] for norm in ("batch", "virtual")}},
        "A row is one code among different batch-mates. Under batch norm the sample changes with them, the more the "
        "smaller the batch; under virtual batch norm it stays the same.",
    )  # fmt: skip


@torch.no_grad()
def among(game: Game, z: Tensor, size: int) -> Tensor:
    """The sample of code z among others, drawn anew for each of the batches, by the generator as it is in training."""
    G = game.networks["generator"].train()
    return torch.stack([G(torch.cat([z[None], game.abilities["latent"](size - 1)]))[0] for _ in range(BATCHES)])


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    figure.set_size_inches(SIZE[0], 5.2)
    grid = figure.add_gridspec(2, 2, height_ratios=(3, 2))
    axes = figure.add_subplot(grid[0, :])
    for i, norm in enumerate(("batch", "virtual")):
        runs = np.asarray(told[norm])
        label = f"{norm} norm" if norm == "batch" else "virtual batch norm"
        axes.plot(told["size"], np.median(runs, 0), "o-", color=COLOURS[i], label=label)
        place = figure.add_subplot(grid[1, i])
        sheet(place, told["shown"][norm], SHOWN)
        place.set_title(f"{label}: a code in batches of {told['size'][0]}")
    axes.set_xscale("log", base=2)
    labelled(axes, "examples in the batch", "sd over batch-mates / sd over codes")

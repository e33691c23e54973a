"""Which method still trains when its networks are badly chosen?

    {DCGAN, LSGAN, WGAN with clipping, WGAN-GP}  x  {architectures}      each method at its own recommended settings

Architectures: DCGAN's networks; a generator without batch norm and with as many channels in every layer (which images
below 16 pixels, of one such layer, have anyway); a generator of four layers of 512 ReLU units, from He's initial
weights; gates tanh(a) sigmoid(b) in both players; tanh in place of every ReLU; residual networks of 101 layers. All get
2,000 moves of the generator, the 101 layers 200; --tiny makes them 16 channels wide in place of 64. A cell's score is
the energy distance of its samples to held-out images, over that of uniform noise: 0 is perfect, 1 is noise. A cell
trains if its score is 0.1 or less.

At one architecture or more WGAN-GP must train and every other method must not, and none may train at more of them. A
quick run has few moves at higher rates and a corner, DCGAN and WGAN-GP at the first two: there WGAN-GP's worse score
must not be above DCGAN's.
"""

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import nn

from adversaria.catalogue import make
from adversaria.claims.check import Trial
from adversaria.claims.tools import energy_distance
from adversaria.game import Game
from adversaria.lab.bench import Bench, Outcome, above, below
from adversaria.lab.figures import SIZE, sheet

SOURCES = ("001",)
MORE = ("Gulrajani et al. (2017), arXiv:1704.00028, Section 5.1 and Figure 2",)
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "baseline": {}, "no norm, constant": {"generator_norm": "none", "generator_network": "constant"},
    "layers": {"generator_network": "mlp"}, "gates": {"network": "gated"}, "tanh": {"network": "tanh"},
    "101 layers": {"network": "resnet101"},
}  # fmt: skip
METHODS, TRAINS = ("dcgan", "lsgan", "wgan", "wgan-gp"), 0.1


def run(bench: Bench) -> Outcome:
    kinds = list(ARCHITECTURES)[: bench.pick(2, 6)]
    methods = bench.pick(("dcgan", "wgan-gp"), METHODS)
    width = 16 if bench.quick or bench.tiny else 64
    shown: dict[str, Any] = {}

    def once(trial: Trial) -> dict[str, dict[str, float]]:
        x = trial.data.examples(min(trial.data.size("test"), 500), "test").x
        torch.manual_seed(trial.seed)
        noise = energy_distance(x, 2 * torch.rand_like(x) - 1)
        scores: dict[str, dict[str, float]] = {method: {} for method in methods}
        for method, kind in product(methods, kinds):
            rounds, changed = (200 if kind == "101 layers" else 2_000), dict[str, Any](batch=64)
            if bench.quick:
                rounds, changed = (100 if method == "wgan-gp" else 300), {"batch": 32, "adam": {"lr": 3e-3}}
            recipe = make(method, width=width, average=0.0, parts=ARCHITECTURES[kind], rounds=rounds, **changed)
            game = trial.play(recipe, prepare=he if kind == "layers" else None)
            y = game.sample(len(x), seed=0).cpu()
            scores[method][kind] = energy_distance(x, y) / noise
            if trial.seed == 0:
                shown[f"{method}, {kind}"] = y[:12]
        return scores

    runs = bench.each(once)
    scores = {method: {kind: [run[method][kind] for run in runs] for kind in kinds} for method in methods}
    if bench.quick:
        worse = [max(run["wgan-gp"].values()) - max(run["dcgan"].values()) for run in runs]
        findings = [below("WGAN-GP's worse score less DCGAN's", worse, 0.0, "of noise")]
    else:
        alone, more = [float(len(lead(run)[0])) for run in runs], [float(lead(run)[2]) for run in runs]
        findings = [
            above("architectures at which WGAN-GP trains and no other method does", alone, 1.0),
            above("architectures at which it trains, less those of the best other method", more, 0.0),
        ]
    medians = {method: {kind: float(np.median(v)) for kind, v in row.items()} for method, row in scores.items()}
    own, their = (", ".join(sorted(kinds)) or "none" for kinds in lead(medians)[:2])
    return Outcome(
        tuple(findings),
        {"methods": methods, "architectures": kinds, "samples": shown, "scores": scores},
        "A column is a method, a row an architecture. The number over a sheet is its median score: 0 is perfect, 1 is "
        f"noise. By it WGAN-GP alone trains at: {own}. It does not, and another does, at: {their}.",
    )  # fmt: skip


def lead(scores: Mapping[str, Mapping[str, float]]) -> tuple[set[str], set[str], int]:
    """Where WGAN-GP alone trains, where others do and it doesn't, and at how many more it trains than any other."""
    able = {method: {kind for kind, score in row.items() if score <= TRAINS} for method, row in scores.items()}
    own, others = able.pop("wgan-gp"), list(able.values())
    return own.difference(*others), set.union(*others) - own, len(own) - max(map(len, others))


def he(game: Game) -> Game:
    """He's initial weights: through four of PyTorch's own, fresh samples are nearly equal."""
    for layer in game.networks["generator"].modules():
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    return game


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    methods, kinds = told["methods"], told["architectures"]
    figure.set_size_inches(SIZE[0], 1.3 * len(kinds) + 0.3)
    grid = np.atleast_2d(figure.subplots(len(kinds), len(methods)))
    for i, kind in enumerate(kinds):
        for j, method in enumerate(methods):
            axes = grid[i, j]
            sheet(axes, told["samples"][f"{method}, {kind}"], 6)
            axes.set_title(f"{method}: {np.median(told['scores'][method][kind]):.2f}")
            if j == 0:
                axes.set_ylabel(kind)

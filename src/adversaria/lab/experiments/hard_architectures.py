"""Which method still trains when its networks are badly chosen?

    {DCGAN, LSGAN, WGAN with clipping, WGAN-GP}  x  {architectures}      each method at its own recommended settings

Architectures: DCGAN's networks; no batch norm in the generator; layers instead of convolutions; gates
tanh(a) sigmoid(b) in both players; tanh in place of every activation; residual networks of 101 layers. All are narrow.
A cell's score is the energy distance of its samples to held-out images, over that of uniform noise: 0 is perfect, 1 is
noise. WGAN-GP's worst cell must be 0.15 or less (quick: 0.5, after few rounds at higher rates) and must not be worse
than the best other method's worst cell by more than 0.02 (quick, in a 2 x 2 corner: 0.2).

Not said exactly: constant filters go with no field of a recipe, and the network of layers is that of both players; the
paper changes the generator alone.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import nn

from adversaria.catalogue import make
from adversaria.claims.check import Trial
from adversaria.claims.tools import energy_distance
from adversaria.game import Game
from adversaria.lab.bench import Bench, Outcome, below
from adversaria.lab.figures import SIZE, sheet

SOURCES = ("001",)
MORE = ("Gulrajani et al. (2017), arXiv:1704.00028, Section 5.1 and Figure 2",)
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "baseline": {}, "no batch norm": {"generator_norm": "none"}, "layers": {"network": "mlp"},
    "gates": {"network": "gated"}, "tanh": {}, "101 layers": {"network": "resnet101"},
}  # fmt: skip
METHODS = ("dcgan", "lsgan", "wgan", "wgan-gp")


def run(bench: Bench) -> Outcome:
    kinds = bench.pick(["baseline", "tanh"], list(ARCHITECTURES))
    methods = bench.pick(["dcgan", "wgan-gp"], list(METHODS))
    shown: dict[str, Any] = {}

    def once(trial: Trial) -> dict[str, dict[str, float]]:
        x = trial.data.examples(min(trial.data.size("test"), 500), "test").x
        torch.manual_seed(trial.seed)
        noise = energy_distance(x, 2 * torch.rand_like(x) - 1)
        scores: dict[str, dict[str, float]] = {}
        for method in methods:
            scores[method] = {}
            for kind in kinds:
                rounds = {"wgan": 400, "wgan-gp": 400}.get(method, 1_200)
                if bench.quick:
                    quick: dict[str, Any] = {"rounds": rounds // 4, "batch": 32, "adam": {"lr": 3e-3}}
                    recipe = make(method, width=16, average=0.0, parts=ARCHITECTURES[kind], **quick)
                else:
                    recipe = make(method, width=16, average=0.0, parts=ARCHITECTURES[kind], rounds=rounds)
                game = trial.play(recipe, prepare=tanh_everywhere if kind == "tanh" else None)
                y = game.sample(len(x), seed=0).cpu()
                scores[method][kind] = energy_distance(x, y) / noise
                if trial.seed == 0:
                    shown[f"{method}, {kind}"] = y[:12]
        return scores

    runs = bench.each(once)
    worst = {method: [max(run[method].values()) for run in runs] for method in methods}
    others = [min(worst[method][i] for method in methods if method != "wgan-gp") for i in range(len(runs))]
    return Outcome(
        (
            below("WGAN-GP's worst cell", worst["wgan-gp"], bench.pick(0.5, 0.15), "of noise"),
            below("the same, less the best other method's worst cell",
                  [a - b for a, b in zip(worst["wgan-gp"], others, strict=True)], bench.pick(0.2, 0.02), "of noise"),
        ),
        {"methods": methods, "architectures": kinds, "samples": shown,
         "scores": {method: {kind: [run[method][kind] for run in runs] for kind in kinds} for method in methods}},
        "A column is a method, a row an architecture. The number over a sheet is its score: 0 is perfect, 1 is noise.",
    )  # fmt: skip


def tanh_everywhere(game: Game) -> Game:
    """Both players' activations become tanh."""
    for module in game.networks.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.ReLU | nn.LeakyReLU):
                setattr(module, name, nn.Tanh())
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

"""How much of what a large discriminator finds on samples is true of the laws they come from?

    d_F(P_n, Q_n)  against  d_F(P, Q),     P_n and Q_n: n draws of each;   F grows, -1 <= f <= 1
    P = Q:  d_F(P, Q) = 0 for every F, while d_F(P_n, Q_n) -> 2 TV = 2 once F tells any two sets of points apart

Both laws are normal in 16 dimensions, so that the truth is 0. Networks of one hidden layer that end in tanh are trained
to tell n draws from n others. On the smallest n the largest class must find 1.5 or more of 2; on the largest n the
smallest class must find 0.3 or less. At every n a larger class must find at least as much, to within 0.1. On fresh
draws the same critics must find 0 to within 0.1: what they found is not there.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import nn

from adversaria.claims.check import Trial
from adversaria.game import Adam
from adversaria.lab.bench import Bench, Outcome, above, below
from adversaria.lab.figures import COLOURS, curve, labelled, panels
from adversaria.metrics import neural_distance
from adversaria.nn.mlp import MLPReader

SOURCES = ("002",)
MORE = ("Arora et al. (2017), arXiv:1703.00573",)
D = 16


def run(bench: Bench) -> Outcome:
    sizes = bench.pick([64, 4_096], [64, 256, 1_024, 4_096])
    widths = bench.pick([2, 128], [2, 16, 128])
    rounds = bench.pick(300, 1_500)

    def once(trial: Trial) -> dict[str, list[list[float]]]:
        found: dict[str, list[list[float]]] = {"samples": [], "laws": []}
        fresh = torch.Generator().manual_seed(1_000 + trial.seed)
        for hidden in widths:
            rows: tuple[list[float], list[float]] = ([], [])
            for n in sizes:
                torch.manual_seed(trial.seed)
                x, y, f = torch.randn(n, D), torch.randn(n, D), nn.Sequential(MLPReader(D, 1, hidden, 1), nn.Tanh())
                adam = Adam(lr=1e-2, schedule="linear")
                rows[0].append(neural_distance(f, x, y, rounds=rounds, batch=128, adam=adam, seed=trial.seed).value)
                with torch.no_grad():
                    new = f(torch.randn(40_000, D, generator=fresh)).chunk(2)
                rows[1].append(float(new[0].mean() - new[1].mean()))
            found["samples"].append(rows[0])
            found["laws"].append(rows[1])
        return found

    runs = bench.each(once)
    samples, laws = (np.array([run[name] for run in runs]) for name in ("samples", "laws"))
    return Outcome(
        (
            above("largest class on the fewest draws", list(samples[:, -1, 0]), 1.5),
            below("smallest class on the most draws", list(samples[:, 0, -1]), 0.3),
            above("least gain from the next larger class", list(np.diff(samples, axis=1).min((1, 2))), -0.1),
            below("most that a trained critic finds on fresh draws", list(np.abs(laws).max((1, 2))), 0.1),
        ),
        {"n": sizes, "hidden": widths, "samples": samples, "laws": laws},
        "The truth is 0. The larger the class, the more draws it takes until what it finds on samples comes near it.",
    )


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    on_samples, on_laws = panels(figure, 2, sharey=True)
    for axes, name, title in ((on_samples, "samples", "on the draws it learned from"),
                              (on_laws, "laws", "on fresh draws")):  # fmt: skip
        for i, hidden in enumerate(told["hidden"]):
            curve(axes, told["n"], np.asarray(told[name])[:, i], f"{hidden} hidden units", COLOURS[i], marker="o")
        axes.axhline(0, color=COLOURS[7], linestyle="dashed", label="truth")
        axes.set(xscale="log", ylim=(-0.15, 2.1))
        labelled(axes, "draws n of each law", "E f(x) - E f(y)", title)
    on_laws.set_ylabel("")

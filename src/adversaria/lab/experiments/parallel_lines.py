"""How far apart are two parallel segments, and does the distance say which way to go?

    P: (0, u),   Q_theta: (theta, u),   u uniform on [0, 1]
    W1(P, Q_theta) = |theta|,   JSD = log 2,   KL = infinity,   TV = 1   for theta != 0,   all 0 at theta = 0

The closed forms beside three estimates: the exact cheapest pairing of two samples, a critic whose slope is held below 1
by a penalty, and a discriminator's Jensen-Shannon divergence. The critic's gradient in theta is that of W1, sign theta,
wherever theta is; the discriminator's value is log 2 and flat. The critic must be within 5 % of |theta|.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from adversaria.claims.check import Trial
from adversaria.game import Adam
from adversaria.lab.bench import Bench, Outcome, below, near
from adversaria.lab.figures import COLOURS, curve, labelled, panels
from adversaria.metrics import neural_distance, wasserstein
from adversaria.nn.mlp import MLPReader
from adversaria.objectives.losses import Minimax

SOURCES = ("000", "001", "004")
MORE = ("Arjovsky, Chintala and Bottou (2017), arXiv:1701.07875, Example 1 and Figure 1",)
SLIP = (
    "001 and 004 leave out the factors 1/2 in the Jensen-Shannon divergence; its value on disjoint supports is log 2 "
    "with them, 2 log 2 without."
)


def at(theta: float, n: int) -> Tensor:
    return torch.stack([torch.full((n,), theta), torch.rand(n)], 1)


def run(bench: Bench) -> Outcome:
    thetas = bench.pick([-1.0, 0.25], [-1.0, -0.5, -0.25, 0.25, 0.5, 1.0])
    rounds = bench.pick(250, 1_000)

    def once(trial: Trial) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {"critic": [], "pairing": [], "slope": [], "JSD": []}
        for theta in thetas:
            torch.manual_seed(trial.seed)
            f, D = MLPReader(2, 1, 32, 2), MLPReader(2, 1, 32, 2)
            both = (lambda n: at(0.0, n), lambda n, theta=theta: at(theta, n))
            found["critic"].append(neural_distance(f, *both, slope=50, rounds=rounds, seed=trial.seed).value)
            judged = neural_distance(D, *both, loss=Minimax(), rounds=rounds, adam=Adam(lr=5e-3), seed=trial.seed)
            found["JSD"].append(judged.details["jsd"])
            found["pairing"].append(wasserstein(real=at(0.0, 400), generated=at(theta, 400), p=1).value)
            y = at(theta, 1_000).requires_grad_()
            (slopes,) = torch.autograd.grad(-f(y).sum(), y)
            found["slope"].append(float(slopes[:, 0].mean()) * math.copysign(1, theta))
        return found

    runs = bench.each(once)
    W = np.abs(thetas)
    worst = [float(np.max(np.abs(np.array(run["critic"]) / W - 1))) for run in runs]
    return Outcome(
        (
            below("largest relative error of the critic's W1", worst, 0.05),
            below("largest relative error of the cheapest pairing of 400 points",
                  [float(np.max(np.abs(np.array(run["pairing"]) / W - 1))) for run in runs], 0.05),
            near("least gradient of the critic's W1 in |theta|", [min(run["slope"]) for run in runs], 1.0, 0.1,
                 exact="by derivative"),
            near("least of the discriminators' JSD", [min(run["JSD"]) for run in runs], math.log(2),
                 bench.pick(0.05, 0.02), "nats", "log 2"),
        ),
        {"theta": thetas, **{name: [run[name] for run in runs] for name in runs[0]}},
        "The Wasserstein distance falls on the way to theta = 0, and its slope is 1 on either side. JSD and TV are as "
        "high near the goal as far from it: their gradient is 0, and at the goal itself they are 0.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    values, slopes = panels(figure, 2)
    line = np.linspace(-1.1, 1.1, 201)
    values.plot(line, np.abs(line), color=COLOURS[0], label="W1 = |theta|")
    for colour, height, style, label in ((1, math.log(2), "-", "JSD = log 2"), (3, 1.0, ":", "TV = 1")):
        values.plot(line, np.where(np.abs(line) < 1e-9, np.nan, height), style, color=COLOURS[colour], label=label)
        values.plot(0, 0, ".", color=COLOURS[colour])
    for name, colour, mark in (("critic", 0, "o"), ("pairing", 5, "x"), ("JSD", 1, "s")):
        label = {"critic": "W1 by a critic", "pairing": "W1 of samples", "JSD": "JSD by a discriminator"}[name]
        curve(values, told["theta"], told[name], label, COLOURS[colour], marker=mark, linestyle="none")
    values.set_ylim(-0.05, 2.1)
    labelled(values, "theta", "distance (W1: length, JSD: nats)", legend=False)
    values.legend(loc="upper center", ncols=2)
    slopes.plot(line, np.ones_like(line), color=COLOURS[0], label="W1")
    slopes.plot(line, np.zeros_like(line), color=COLOURS[1], label="JSD, TV")
    curve(slopes, told["theta"], told["slope"], "by a critic", COLOURS[0], marker="o", linestyle="none")
    labelled(slopes, "theta", "gradient in |theta|")

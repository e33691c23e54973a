"""Does the Wasserstein distance follow a generator's parameters smoothly, and does the Jensen-Shannon divergence?

    |W1(pi, p_s) - W1(pi, p_t)| <= W1(p_s, p_t) <= E |G_s(z) - G_t(z)|      continuous, since G is
    dW1 / dt = sum_ij T_ij d/dt |x_i - G_t(z_j)|,  T the cheapest plan        almost everywhere
    JSD(pi, p_t) = log 2 where two curves meet in no more than points, 0 where they are one

A network from one number to the plane draws a curve. The data are its own samples at t = 0; its parameters are moved
along a random line by t. W1 is exact for samples, by assignment. Its change from one t to the next must never pass
the bound above, and its finite difference must be the plan's derivative within 5 % of the greatest slope, at the
median over t. The JSD jumps: a discriminator must find at least log 2 - 0.1 at |t| = 1, where curves are apart but for
crossings, and at most 0.02 at t = 0. For the samples' own laws it is exact by enumeration: log 2 for t other than 0.
"""

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.func import functional_call

from adversaria.claims.check import Trial
from adversaria.distributions import optimal_plan
from adversaria.game import Adam
from adversaria.lab.bench import Bench, Outcome, above, below
from adversaria.lab.figures import COLOURS, curve, labelled, panels
from adversaria.metrics import neural_distance, wasserstein
from adversaria.nn.mlp import MLP, MLPReader
from adversaria.objectives.losses import Minimax

SOURCES = ("000", "004")
MORE = ("Arjovsky, Chintala and Bottou (2017), arXiv:1701.07875",)
SLIP = "004 leaves out the factors 1/2 in the Jensen-Shannon divergence; it is log 2 on disjoint supports with them."


def run(bench: Bench) -> Outcome:
    line = torch.linspace(-1.5, 1.5, bench.pick(31, 121)).tolist()
    judged = bench.pick([-1.0, 0.0, 1.0], [-1.5, -1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0, 1.5])
    rounds, count = bench.pick((300, 80), (2_000, 200))

    def once(trial: Trial) -> dict[str, Any]:
        torch.manual_seed(trial.seed)
        G = MLP(1, 2, 32, 2, nn.Tanh)
        at = {name: 2.5 * p.detach() for name, p in G.named_parameters()}  # a curve some units long
        way = {name: 0.5 * p.std() * torch.randn_like(p) if p.numel() > 2 else torch.randn_like(p)
               for name, p in at.items()}  # fmt: skip

        def generated(z: Tensor, t: float | Tensor) -> Tensor:
            moved: Tensor = functional_call(G, {name: p + t * way[name] for name, p in at.items()}, (z,))
            return moved

        z = torch.randn(count, 1)
        x = generated(z, 0.0)
        samples = [generated(z, t) for t in line]
        W = [wasserstein(real=x, generated=y, repeats=1).value for y in samples]
        bound = [float((a - b).norm(dim=1).mean()) for a, b in pairwise(samples)]
        excess = max(abs(b - a) - most for (a, b), most in zip(pairwise(W), bound, strict=True))
        slopes, differences = [], []
        for t in bench.pick([-1.03, -0.37, 0.41, 0.93], [-1.4 + 0.13 * k for k in range(22)]):
            variable = torch.tensor(t, requires_grad=True)
            cost = torch.cdist(x, generated(z, variable))
            even = torch.full((count,), 1 / count)
            plan = optimal_plan(even, even, cost.detach()).plan
            slopes.append(torch.autograd.grad((plan * cost).sum(), variable)[0].item())
            ends = [wasserstein(real=x, generated=generated(z, t + h), repeats=1).value for h in (-1e-2, 1e-2)]
            differences.append((ends[1] - ends[0]) / 2e-2)
        miss = np.abs(np.subtract(slopes, differences))
        found: dict[str, Any] = {"W": W, "excess": excess, "miss": float(np.median(miss) / np.max(np.abs(slopes)))}
        found["JSD"] = []
        for t in judged:
            D = MLPReader(2, 1, 64, 2)
            laws = (lambda n: generated(torch.randn(n, 1), 0.0), lambda n, t=t: generated(torch.randn(n, 1), t))
            told = neural_distance(D, *laws, loss=Minimax(), rounds=rounds, batch=512,
                                   adam=Adam(lr=5e-3, schedule="cosine"), seed=trial.seed)  # fmt: skip
            found["JSD"].append(told.details["jsd"])
        found["curves"] = [generated(torch.linspace(-2.5, 2.5, 200)[:, None], t).tolist() for t in (0.0, 0.5, 1.0)]
        return found

    runs = bench.each(once)
    ends = [judged.index(-1.0), judged.index(1.0)]
    return Outcome(
        (
            below("largest change of W1 less its bound E |G_s - G_t|", [run["excess"] for run in runs], 1e-6),
            below("plan's derivative of W1 against differences, median miss over the greatest slope",
                  [run["miss"] for run in runs], 0.05),
            above("JSD by a discriminator at |t| = 1, the lesser", [min(run["JSD"][i] for i in ends) for run in runs],
                  math.log(2) - 0.1, "nats"),
            below("JSD by a discriminator at t = 0", [run["JSD"][judged.index(0.0)] for run in runs], 0.02, "nats"),
        ),
        {"t": line, "W": [run["W"] for run in runs], "judged": judged, "JSD": [run["JSD"] for run in runs],
         "curves": runs[0]["curves"]},
        "W1 goes down to 0 and up again without a jump. The Jensen-Shannon divergence is log 2 wherever the curves "
        "differ and drops to 0 at one point; a trained discriminator misses some of it where they almost touch.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    plane, values = panels(figure, 2)
    for points, t, colour in zip(told["curves"], (0, 0.5, 1), (6, 5, 0), strict=True):
        plane.plot(
            *np.asarray(points).T, lw=2, color=COLOURS[colour], label=f"t = {t:g}" + (": data" if t == 0 else "")
        )
    labelled(plane, "first number", "second number", "what the generator draws")
    curve(values, told["t"], told["W"], "W1 of samples", COLOURS[0])
    values.axhline(math.log(2), color=COLOURS[1], linestyle="dashed", label="JSD: log 2, and 0 at t = 0")
    values.plot(0, 0, "o", mfc="none", color=COLOURS[1])
    curve(values, told["judged"], told["JSD"], "JSD by a discriminator", COLOURS[1], marker="s", ms=4, linestyle="none")
    values.set_ylim(-0.05, 1.6 * max(math.log(2), float(np.max(told["W"]))))
    labelled(values, "t, along a line of parameters", "W1 (length), JSD (nats)")

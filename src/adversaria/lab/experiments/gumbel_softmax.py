"""What does the Gumbel-softmax's temperature trade for what?

    z = softmax((theta + g) / tau),   g Gumbel noise;   f(z) = |W z - x|^2,   theta three logits
    exact gradient   d/dtheta sum_k softmax(theta)_k f(e_k)          by enumeration
    relaxed one      d/dtheta f(z), a draw;   its mean  d/dtheta integral f(softmax(s / tau)) p(s - theta) ds

A draw's gradient must be that of central differences under the same noise to 1e-6. Its mean is had by quadrature over
two differences of noise (p is their logistic density); the mean of draws must lie within 5 standard errors of it. It
isn't the exact gradient. As tau falls, choices are decided but for a strip as wide as tau: the bias falls like tau, the
gradient in the strip and its variance rise like 1/tau. So from tau = 0.2 to 0.1 the bias must halve, within 0.15 for
what is of higher order; from 1, far from small, to 0.1 it must fall to a quarter and the variance rise threefold at
least, and variance must fall with every step of tau.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from adversaria.catalogue import make
from adversaria.claims.check import Trial
from adversaria.distributions import rectangle
from adversaria.game import seeded
from adversaria.lab.bench import Bench, Outcome, above, below, near
from adversaria.lab.figures import COLOURS, SIZE, curve, labelled

SOURCES = ("003",)
MORE = ("Jang, Gu and Poole (2017), arXiv:1611.01144, Section 2.2", "Maddison, Mnih and Teh (2017), arXiv:1611.00712")
TAUS, SHOWN = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0], [0.1, 1.0, 5.0]


def soft(theta: Tensor, tau: float, n: int = 1, hard: bool = False) -> Tensor:
    """Draws (n, K) of the library's gumbel-vae; theta is (K,) or (n, K)."""
    recipe: Any = make("gumbel-vae", tau=tau, coldest=tau, hard=hard, codes=theta.shape[-1])
    return recipe.relaxed(theta.expand(n, -1)[:, :, None, None], torch.zeros(()))[:, :, 0, 0]


def run(bench: Bench) -> Outcome:
    n = bench.pick(50_000, 400_000)
    grid = rectangle((-22.0, 22.0), (-22.0, 22.0), panels=bench.pick(28, 60))
    s = torch.nn.functional.pad(grid.points, (0, 1))  # the third noise is counted as 0

    def once(trial: Trial) -> dict[str, Any]:
        torch.manual_seed(trial.seed)
        theta, W, x = torch.randn(3).double(), torch.randn(8, 3).double(), torch.randn(8).double()

        def f(z: Tensor) -> Tensor:
            return (z @ W.T - x).square().sum(-1)

        def one_draw(at: Tensor) -> Tensor:
            with seeded(0):
                return f(soft(at, 0.5)).sum()

        def slope(value: Tensor, at: Tensor) -> Tensor:
            return torch.autograd.grad(value, at)[0]

        def mean(tau: float, at: Tensor) -> Tensor:
            """E f(z) by quadrature: the differences of noise have density 2 e^(-a - b) / (1 + e^-a + e^-b)^3."""
            away = s[:, :2] - (at[:2] - at[2])
            log_p = math.log(2) - away.sum(1) - 3 * torch.nn.functional.pad(-away, (0, 1)).logsumexp(1)
            return (grid.weights * f((s / tau).softmax(1)) * log_p.exp()).sum()

        at = theta.clone().requires_grad_()
        exact = slope((at.softmax(0) * f(torch.eye(3).double())).sum(), at)
        found: dict[str, Any] = {"bias": [], "straight": [], "variance": [], "apart": [], "draws": []}
        for tau in TAUS:
            expected, rows = slope(mean(tau, at), at), theta.repeat(n, 1).requires_grad_()
            each, hard = (slope(f(soft(rows, tau, n, hard)).sum(), rows) for hard in (False, True))
            found["bias"].append(float((expected - exact).norm()) / float(exact.norm()))
            found["straight"].append(float((hard.mean(0) - exact).norm()) / float(exact.norm()))
            found["variance"].append(float(each.var(0).sum()) / float(exact.square().sum()))
            found["apart"].append(float(((each.mean(0) - expected) / each.std(0)).abs().max()) * n**0.5)
            found["draws"] += [soft(theta, tau, 1_500).float()] if tau in SHOWN else []
        there = torch.stack([(one_draw(theta + d) - one_draw(theta - d)) / 2e-5 for d in 1e-5 * torch.eye(3)])
        known = slope(one_draw(at), at)
        return found | {"smooth": float((known - there).abs().max() / known.abs().max())}

    runs = bench.each(once)
    bias, variance = (np.array([found[name] for found in runs]).T for name in ("bias", "variance"))
    tenth, fifth, one = bias[[TAUS.index(tau) for tau in (0.1, 0.2, 1.0)]]
    return Outcome(
        (
            below("largest relative error of a draw's gradient, by differences", [f["smooth"] for f in runs], 1e-6),
            below("largest distance of draws' mean gradient from quadrature", [max(f["apart"]) for f in runs], 5.0,
                  "standard errors"),
            above("bias at tau = 1, over the exact gradient", list(one), 0.05),
            below("bias at tau = 0.1 over that at tau = 1", list(tenth / one), 0.25),
            near("bias at tau = 0.1 over that at tau = 0.2", list(tenth / fifth), 0.5, 0.15),
            above("variance at tau = 0.1 over that at tau = 1", list(variance[0] / variance[3]), 3.0),
            below("largest ratio of the variance at a tau to that at the tau before",
                  list((variance[1:] / variance[:-1]).max(0)), 1.0),
        ),
        {"tau": TAUS, "draws": runs[0]["draws"]}
        | {name: [found[name] for found in runs] for name in ("bias", "straight", "variance")},
        "Towards cold temperatures the gradient's bias falls and its variance rises. Below, draws for three "
        "temperatures: in the corners when cold, where they are almost categories, near the middle when hot.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    figure.set_size_inches(SIZE[0], 1.75 * SIZE[1])
    axes = figure.subplot_mosaic("xxxyyy;aabbcc", height_ratios=(1.3, 1))
    curve(axes["x"], told["tau"], told["bias"], "soft, by quadrature", COLOURS[0], marker="o")
    curve(axes["x"], told["tau"], told["straight"], "straight-through, by draws", COLOURS[1], marker="s")
    curve(axes["y"], told["tau"], told["variance"], "soft", COLOURS[0], marker="o")
    axes["x"].set(xscale="log", ylim=(0, 1.35 * np.max([told["bias"], told["straight"]])))  # room for the legend
    axes["y"].set(xscale="log", yscale="log")
    labelled(axes["x"], "temperature tau", "|bias| / |exact gradient|")
    labelled(axes["y"], "temperature tau", "variance / |exact gradient|^2", legend=False)
    corners = np.array([[0, 0], [1, 0], [0.5, math.sqrt(0.75)]])
    for name, tau, z in zip("abc", SHOWN, told["draws"], strict=True):
        axes[name].fill(*corners.T, facecolor="none", edgecolor=COLOURS[7])
        axes[name].plot(*(np.asarray(z) @ corners).T, ".", color=COLOURS[0], markersize=2, alpha=0.4)
        axes[name].set(title=f"draws of z, tau = {tau:g}", aspect="equal")
        axes[name].axis("off")

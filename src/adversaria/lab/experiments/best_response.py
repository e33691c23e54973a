"""Does it converge when each player answers the other as well as it can, and what makes it converge?

    min_x max_y  x y   on [-1, 1]^2,   equilibrium (0, 0)
    best response       x <- -sign y,   y <- sign x
    gradient play       |w|^2 grows by 1 + lr^2 a round where both move at once, and neither grows nor dies in turns
    extragradient       |w|^2 shrinks by 1 - lr^2 + lr^4 a round;   the optimistic step shrinks it too

The library's players and rules on this game; nothing is random. Best responses are gradient steps so long that they
end at the border of the square. They must stay sqrt 2 away for ever, on a cycle of four, and the mean of the points
passed must go to 0. Simultaneous and extragradient play must have the factors above, to 1e-6 of their logarithm; play
in turns must stay between half and twice its first distance while its running mean ends below 0.05. Extragradient and
optimistic play themselves must end below 0.05. The mean of the outward spiral is drawn too: at a constant rate it is
no cure.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import nn

from adversaria.game import SGD, Player, Stage, alternating, extragradient, optimistic, play, simultaneous
from adversaria.game.rules import Rule
from adversaria.lab.bench import Bench, Outcome, above, below, near
from adversaria.lab.figures import COLOURS, labelled, panels

SOURCES = ("002",)
MORE = ("Gidel et al. (2019), arXiv:1802.10551, Section 3", "Daskalakis et al. (2018), arXiv:1711.00141")
START, RATE = (0.6, 0.8), 0.2


def path(rule: Rule, rate: float, rounds: int, border: bool = False) -> np.ndarray:
    """The points passed (rounds + 1, 2)."""
    x, y = (nn.ParameterList([nn.Parameter(torch.tensor(v).double())]) for v in START)
    after = [lambda own=own: own[0].clamp_(-1, 1) for own in (x, y)] if border else [None, None]
    players = (
        Player("x", (x,), lambda _: {"value": x[0] * y[0]}, SGD(lr=rate), after=after[0]),
        Player("y", (y,), lambda _: {"value": -x[0] * y[0]}, SGD(lr=rate), after=after[1]),
    )
    points = [START]
    for _ in play(Stage(players, rule=rule), [torch.zeros(1, 1)], rounds=rounds):
        points.append((x[0].item(), y[0].item()))
    return np.array(points)


def run(bench: Bench) -> Outcome:
    T = bench.pick(300, 1_000)
    paths = {
        "best response": path(simultaneous, 1e9, T, border=True),
        "simultaneous": path(simultaneous, RATE, T),
        "in turns": path(alternating, RATE, T),
        "extragradient": path(extragradient, RATE, T),
        "optimistic": path(optimistic, RATE, T),
    }
    means = {name: np.cumsum(points, 0) / np.arange(1, T + 2)[:, None] for name, points in paths.items()}
    far = {name: np.linalg.norm(points, axis=1) for name, points in paths.items()}
    near_mean = {name: np.linalg.norm(points, axis=1) for name, points in means.items()}
    growth = {name: 2 * math.log(far[name][-1] / far[name][0]) / T for name in ("simultaneous", "extragradient")}
    best = paths["best response"][1:]
    return Outcome(
        (
            near("best response: least distance from the equilibrium", float(far["best response"][1:].min()), 2**0.5,
                 1e-9, exact="sqrt 2"),
            below("best response: largest change after four rounds", float(np.abs(best[4:] - best[:-4]).max()), 0.0),
            below("best response: distance of the mean", near_mean["best response"][-1], 0.05),
            near("simultaneous: growth of log |w|^2 a round", growth["simultaneous"], math.log1p(RATE**2), 1e-6,
                 exact="log(1 + lr^2)"),
            above("in turns: least distance over the first", float(far["in turns"].min() / far["in turns"][0]), 0.5),
            below("in turns: largest distance over the first", float(far["in turns"].max() / far["in turns"][0]), 2.0),
            below("in turns: distance of the mean", near_mean["in turns"][-1], 0.05),
            near("extragradient: growth of log |w|^2 a round", growth["extragradient"],
                 math.log(1 - RATE**2 + RATE**4), 1e-6, exact="log(1 - lr^2 + lr^4)"),
            below("extragradient: last distance", far["extragradient"][-1], 0.05),
            below("optimistic: last distance", far["optimistic"][-1], 0.05),
        ),
        {"paths": {name: points[:61] for name, points in paths.items()}, "distance": far, "mean": near_mean},
        "Best responses jump round the corners and steps taken at once spiral out; steps in turns go round for ever. "
        "The means of the cycles reach the equilibrium; extragradient and optimistic steps get there themselves.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    plane, distances = panels(figure, 2)
    figure.set_size_inches(8.6, 3.9)
    looks = {"best response": (1, "."), "simultaneous": (3, ""), "in turns": (4, ""), "extragradient": (0, ""),
             "optimistic": (2, "")}  # fmt: skip
    for name, (colour, mark) in looks.items():
        points, far = np.asarray(told["paths"][name]), np.asarray(told["distance"][name])
        dashes = "--" if name == "optimistic" else "-"
        plane.plot(points[:, 0], points[:, 1], color=COLOURS[colour], marker=mark, linestyle=dashes, lw=1.1)
        distances.plot(far, color=COLOURS[colour], linestyle=dashes, label=name)
        if name in ("best response", "in turns", "simultaneous"):
            mean = np.asarray(told["mean"][name])
            distances.plot(mean, color=COLOURS[colour], linestyle=":", lw=1, label=f"its mean ({name})")
    plane.plot(*START, "o", color=COLOURS[6], ms=5)
    plane.plot(0, 0, "+", color=COLOURS[6], ms=12, mew=2)
    plane.set(xlim=(-2, 2), ylim=(-2, 2), aspect="equal")
    labelled(plane, "x", "y", "60 rounds from the dot")
    distances.set(yscale="log", ylim=(1e-4, 1e5), xlim=(0, 300))
    labelled(distances, "round", "distance from the equilibrium")
    distances.legend(fontsize=6.5, loc="upper center", ncols=2)

"""Does a penalty on the distance from the mean of one's own past find an equilibrium that gradient play circles?

    min_x max_y  (f(x) - 1) (y - 1),   f(x) = x for x < 0, x^2 for x >= 0,   equilibrium (1, 1)
    each player pays besides   w || theta - 1/t sum_i theta_i ||^2

Both players move at once by plain gradient steps, from four starts round the equilibrium; the library keeps the mean
of past parameters. Without the penalty the orbits must not come nearer: in the last tenth of the play, at least nine
tenths of the distance at the start is kept at the median over starts. With it at most a tenth may be left, for every
start.

Near the equilibrium f' = 2, and plain play turns by 2 a unit of time (1 / rate rounds). The mean moves ever more
slowly, so the approach is a power of time, not an exponential: solving the linear equations for a slow mean gives t^-k
with k = 1 / (1 + w^2). A heavy penalty is slow (w = 1: the root of time), so w is 0.25 here, where k = 0.94. The
measured power late in the play must be that within 0.1.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from adversaria.data import Batch
from adversaria.duel.state import History
from adversaria.game import SGD, Player, Stage, Terms, play, simultaneous
from adversaria.lab.bench import Bench, Outcome, above, below, near
from adversaria.lab.figures import COLOURS, curve, labelled, panels

SOURCES = ("000",)
MORE = ("Salimans et al. (2016), arXiv:1606.03498, Section 3.3",)
RATE, WEIGHT, RADIUS = 0.02, 0.25, 0.6
ANGLES = np.pi * np.arange(4) / 2


def f(x: Tensor) -> Tensor:
    return torch.where(x < 0, x, x.square())


def orbit(start: tuple[float, float], weight: float, rounds: int) -> np.ndarray:
    """The points passed (rounds + 1, 2)."""
    x, y = (nn.ParameterList([nn.Parameter(torch.tensor(v).double())]) for v in start)
    past_x, past_y = History(x), History(y)

    def value() -> Tensor:
        return (f(x[0]) - 1) * (y[0] - 1)

    def of_x(_: Batch) -> Terms:
        return {"value": value(), "history": weight * past_x()}

    def of_y(_: Batch) -> Terms:
        return {"value": -value(), "history": weight * past_y()}

    players = (Player("x", (x,), of_x, SGD(lr=RATE), after=past_x.update),
               Player("y", (y,), of_y, SGD(lr=RATE), after=past_y.update))  # fmt: skip
    points = [start]
    for _ in play(Stage(players, rule=simultaneous), [torch.zeros(1, 1)], rounds=rounds):
        points.append((x[0].item(), y[0].item()))
    return np.array(points)


def run(bench: Bench) -> Outcome:
    rounds = bench.pick(1_000, 2_000)
    starts = [(1 + RADIUS * float(np.cos(a)), 1 + RADIUS * float(np.sin(a))) for a in ANGLES[:: bench.pick(2, 1)]]
    found = {name: [orbit(start, w, rounds) for start in starts] for name, w in (("without", 0.0), ("with", WEIGHT))}
    far = {name: np.array([np.linalg.norm(points - 1, axis=1) for points in paths]) for name, paths in found.items()}
    left = {name: d[:, -rounds // 10 :] / RADIUS for name, d in far.items()}
    late = rounds * 7 // 10  # by then the fast motion round the mean, which dies as exp(-2 w t), is gone
    power = float(np.log(far["with"][:, late] / far["with"][:, rounds]).mean() / np.log(rounds / late))
    return Outcome(
        (
            above("without: least share of the distance in the last tenth, median over starts",
                  float(np.median(left["without"].min(1))), 0.9),
            below("with: largest share in the last tenth, of all starts", float(left["with"].max()), 0.1),
            near("with: power of time with which the distance falls, mean over starts", power, 1 / (1 + WEIGHT**2), 0.1,
                 exact="by the linearised game"),
        ),
        {"paths": {name: [points[:: max(1, rounds // 800)] for points in paths[:1]] for name, paths in found.items()},
         "round": np.arange(rounds + 1)[::10], "far": {name: d[:, ::10] for name, d in far.items()}},
        "Plain gradient play goes round the equilibrium and out. With the penalty the same start is drawn in.",
    )  # fmt: skip


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    plane, distances = panels(figure, 2)
    figure.set_size_inches(7.6, 3.5)
    for name, colour in (("without", COLOURS[1]), ("with", COLOURS[0])):
        points = np.asarray(told["paths"][name][0])
        plane.plot(
            points[:, 0],
            points[:, 1],
            color=colour,
            lw=1.2,
            zorder=3 if name == "with" else 2,
            label=f"{name} the penalty",
        )
        curve(distances, told["round"], told["far"][name], f"{name} the penalty", colour)
    plane.plot(*np.asarray(told["paths"]["with"][0])[0], "o", color=COLOURS[6], ms=5)
    plane.plot(1, 1, "+", color=COLOURS[6], ms=12, mew=2)
    plane.set(xlim=(-0.2, 3), ylim=(-0.8, 3.4))
    labelled(plane, "x", "y", "from the dot; + is the equilibrium")
    distances.set(yscale="log")
    labelled(distances, "round", "distance from (1, 1)", "all starts")

"""Can a discriminator with m parameters be fooled by a generator that knows no more than about m points?

    d_F(P, Q_k) = sup_{f in F} E_P f - E_{Q_k} f,    Q_k uniform on k draws from P,   -1 <= f <= 1
    d_F(P, Q_k) <= epsilon   once   k >= C m log(m / epsilon) / epsilon^2,   however many draws from P there are

P is normal in 32 dimensions, F are networks of one hidden layer that end in tanh, with m parameters; two sizes. The
most that d_F could be is 2. A critic is trained on draws from P that are new in every step. At k = 64 m it must find
less than epsilon = 0.2, at k = m / 4 at least four times as much (the law's square root says 16), and at one k the
larger class must find more by 0.02. Four times as many steps, each with new data, must not find more than 0.1 more at
k = 64 m: more data do not help. Yet Q_k is far from P: the mean way from a new draw to the nearest of the k points, a
bound from below on W1, must be half of the way between two draws or more.
"""

from collections.abc import Mapping
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from adversaria.claims.check import Trial
from adversaria.game import Adam
from adversaria.lab.bench import Bench, Outcome, above, below
from adversaria.lab.figures import COLOURS, curve, labelled, panels
from adversaria.metrics import neural_distance
from adversaria.nn.mlp import MLPReader

SOURCES = ("002",)
MORE = ("Arora et al. (2017), arXiv:1703.00573",)
D, EPSILON, HIDDEN = 32, 0.2, (4, 16)


def run(bench: Bench) -> Outcome:
    times = bench.pick([0.25, 4, 64], [0.25, 1, 4, 16, 64])
    rounds = bench.pick(250, 1_500)

    def once(trial: Trial) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for hidden in HIDDEN:
            m = sum(p.numel() for p in critic(hidden).parameters())
            values = [distance(trial, hidden, round(t * m), rounds) for t in times]
            found[str(hidden)] = {"m": m, "values": values}
        small, large = (found[str(hidden)] for hidden in HIDDEN)
        k = round(times[-1] * small["m"])
        found["common"] = distance(trial, HIDDEN[1], k, rounds) - small["values"][-1]
        found["more"] = distance(trial, HIDDEN[0], k, 4 * rounds) - small["values"][-1]
        torch.manual_seed(trial.seed)
        nearest = torch.cdist(torch.randn(500, D), torch.randn(round(times[-1] * large["m"]), D)).min(1).values
        apart = (torch.randn(2_000, D) - torch.randn(2_000, D)).norm(dim=1)
        found["far"] = float(nearest.mean() / apart.mean())
        return found

    runs = bench.each(once)
    last = [max(run[str(h)]["values"][-1] for h in HIDDEN) for run in runs]
    fall = [min(run[str(h)]["values"][0] / max(run[str(h)]["values"][-1], 1e-6) for h in HIDDEN) for run in runs]
    return Outcome(
        (
            below("neural distance from P to 64 m of its points, larger of two classes", last, EPSILON),
            above("the same to m / 4 points, over that", fall, 4.0),
            above("larger class less smaller class, at one k", [run["common"] for run in runs], 0.02),
            below("found more with four times the data", [run["more"] for run in runs], 0.1),
            above("way to the nearest of 64 m points, over that between two draws", [run["far"] for run in runs], 0.5),
        ),
        {
            "k over m": times,
            "m": [runs[0][str(h)]["m"] for h in HIDDEN],
            "distance": [[run[str(h)]["values"] for run in runs] for h in HIDDEN],
        },
        "For both sizes of discriminator the distance that it finds falls as k passes a multiple of its number of "
        "parameters: a generator that repeats a few thousand points passes for the whole law.",
    )


def critic(hidden: int) -> nn.Module:
    """A function between -1 and 1."""
    return nn.Sequential(MLPReader(D, 1, hidden, 1), nn.Tanh())


def distance(trial: Trial, hidden: int, k: int, rounds: int) -> float:
    """From P to uniform on k of its points."""
    torch.manual_seed(trial.seed)
    points, f = torch.randn(k, D), critic(hidden)

    def truth(n: int) -> Tensor:
        return torch.randn(n, D)

    def repeated(n: int) -> Tensor:
        return points[torch.randint(k, (n,))]

    adam = Adam(lr=1e-2, schedule="linear")
    return neural_distance(f, truth, repeated, rounds=rounds, batch=256, adam=adam, n=20_000, seed=trial.seed).value


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    relative, absolute = panels(figure, 2, sharey=True)
    for i, (m, runs) in enumerate(zip(told["m"], told["distance"], strict=True)):
        for axes, unit in ((relative, 1), (absolute, m)):
            curve(axes, [t * unit for t in told["k over m"]], runs, f"m = {m}", COLOURS[i], marker="o")
    for axes, x in ((relative, "points k of the generator, over m"), (absolute, "points k of the generator")):
        axes.axhline(EPSILON, color=COLOURS[7], linestyle="dashed", label="epsilon")
        axes.set(xscale="log", yscale="log")
        labelled(axes, x, "neural distance (of 2 at most)")
    absolute.set_ylabel("")

"""What does a critic lose when its slope is bounded by clipping its weights?

    clipped      w <- clip(w, -c, c) after each step        f is K-Lipschitz for some K that nobody knows
    penalised    + lambda E max(0, |grad f| - 1)^2          f has slopes of about 1 at most

The generator stands still at data plus N(0, I) noise. Capacity: over its 99 % largest slope K at data and samples, a
critic's value is a bound from below on W1 by a critic of slope 1. On each of three sets the clipped critic's bound must
be at most 2/3 (quick: 0.8) of the penalised one's. Depth: in critics of 12 hidden layers on the Swiss roll the gradient
of the critic's value in each layer's output is taken after training. From the last layer to the first it must change by
2 decades or more for each c of 0.1, 0.01 and 0.001 (it explodes or vanishes), by less than 1 under the penalty.
Weights: a tenth of the clipped ones or more must lie within 1 % of -c or c; an even spread has 1 %.
"""

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from adversaria.claims.check import Trial
from adversaria.data.made import draw as made
from adversaria.game import Adam
from adversaria.lab.bench import Bench, Outcome, above, below
from adversaria.lab.figures import COLOURS, field, labelled, level_sets, panels
from adversaria.metrics import neural_distance
from adversaria.nn.mlp import MLPReader
from adversaria.objectives.losses import Wasserstein

SOURCES = ("001",)
MORE = ("Gulrajani et al. (2017), arXiv:1704.00028, Section 3 and Figure 1",)
SETS, DEPTH, C = ("ring8", "grid25", "swiss-roll"), 12, 0.1
WAYS: dict[str, dict[str, Any]] = {"clipped": {"clip": C}, "penalised": {"slope": 10.0}}
CLIPS: dict[str, dict[str, Any]] = {f"c = {c}": {"clip": c} for c in (0.1, 0.01, 0.001)}
DEEP = CLIPS | {"penalty": WAYS["penalised"]}


def run(bench: Bench) -> Outcome:
    rounds, rate = bench.pick(150, 2_000), bench.pick(3e-3, 1e-3)
    fields: dict[str, dict[str, Any]] = {name: {} for name in SETS}

    def once(trial: Trial) -> dict[str, Any]:
        found: dict[str, Any] = {"bound": {}, "profile": {}}
        for name in SETS:
            real, fake = sides(name, trial.seed)
            for way, held in WAYS.items():
                torch.manual_seed(trial.seed)
                f = MLPReader(2, 1, 64, 3)
                adam = Adam(lr=rate)
                value = neural_distance(f, real, fake, rounds=rounds, adam=adam, seed=trial.seed, **held).value
                found["bound"][name, way] = value / steepest(f, torch.cat([real(1_000), fake(1_000)]))
                if trial.seed == 0:
                    points = made(name, 400, 0)[0]
                    fields[name][way] = field(f, 1.4 * float(np.abs(points).max())) | {"points": points}
                if name == "swiss-roll":
                    found[way] = torch.cat([p.detach().flatten() for p in f.parameters()])
        for way, held in DEEP.items():  # on the last of the sets
            torch.manual_seed(trial.seed)
            f = MLPReader(2, 1, 128, DEPTH)
            neural_distance(f, real, fake, rounds=bench.pick(40, 500), batch=64, n=1_000, seed=trial.seed,
                            adam=Adam(lr=bench.pick(5e-3, 1e-3)), **held)  # fmt: skip
            found["profile"][way] = profile(f, real(500), fake(500))
        return found

    runs = bench.each(once)
    share = [max(run["bound"][name, "clipped"] / run["bound"][name, "penalised"] for name in SETS) for run in runs]
    ends = {way: [(run["profile"][way][0], run["profile"][way][-1]) for run in runs] for way in DEEP}
    change = {way: [abs(float(np.log10(first / last))) for first, last in pairs] for way, pairs in ends.items()}
    return Outcome(
        (
            below("clipped critic's bound on W1 over the penalised one's, most", share, bench.pick(0.8, 2 / 3)),
            *(above(f"change of the gradient over 12 layers, {way}", change[way], 2.0, "decades") for way in CLIPS),
            below("change of the gradient over 12 layers, penalty", change["penalty"], 1.0, "decades"),
            above("share of the clipped weights within 1 % of -c or c",
                  [float((run["clipped"].abs() > 0.99 * C).double().mean()) for run in runs], 0.1),
        ),
        {"fields": fields, "weights": {way: runs[0][way] for way in WAYS},
         "profile": {way: [run["profile"][way] for run in runs] for way in DEEP}},
        "The clipped critic's level sets are plain and miss the modes; the penalised one's follow the data. Through 12 "
        "layers gradients explode or vanish under clipping, and clipped weights pile up at both ends.",
    )  # fmt: skip


def sides(name: str, seed: int) -> tuple[Any, Any]:
    """Draws of the data, and of the data with noise."""
    points = torch.from_numpy(made(name, 10_000, seed)[0])
    return (real := lambda n: points[torch.randint(len(points), (n,))]), lambda n: real(n) + torch.randn(n, 2)


def steepest(f: nn.Module, x: Tensor) -> float:
    """The slope that 99 % of the points have at most."""
    return float(torch.autograd.grad(f(x.requires_grad_()).sum(), x)[0].norm(dim=1).quantile(0.99))


def profile(f: MLPReader, x: Tensor, y: Tensor) -> list[float]:
    """The norm of the gradient of the critic's value in each hidden layer's output, from the first to the last."""
    h, outputs = torch.cat([x, y]), list[Tensor]()
    for layer in f.body.children():
        h = layer(h)
        outputs += [h] * isinstance(layer, nn.Linear)
    loss = torch.stack(list(Wasserstein().discriminator(*f.head(h).flatten().chunk(2)).values())).sum()
    return [max(float(g.norm()), 1e-38) for g in torch.autograd.grad(loss, outputs)]


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    *planes, depth, clipped, free = panels(figure, 3, rows=3)
    for axes, (way, name) in zip(planes, product(WAYS, SETS), strict=True):
        level_sets(axes, told["fields"][name][way])
        axes.plot(*np.asarray(told["fields"][name][way]["points"]).T, ".", color=COLOURS[1], markersize=1.5)
        axes.set(xticks=[], yticks=[], title=f"{name}, {way}")
    for way, runs in told["profile"].items():
        depth.plot(range(1, DEPTH + 1), np.median(np.asarray(runs), 0), label=way)
    depth.set(yscale="log", ylim=(1e-20, None))
    labelled(depth, "hidden layer", "gradient norm", "12 layers, Swiss roll")
    for axes, (way, weights) in zip((clipped, free), told["weights"].items(), strict=True):
        axes.hist(np.asarray(weights), bins=60, color=COLOURS[0])
        labelled(axes, "weight", "number of weights", f"weights, {way}")

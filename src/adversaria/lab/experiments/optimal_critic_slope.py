"""Where has the best critic slope 1, and which way does it point?

    x ~ P, y ~ Q coupled by the cheapest plan,   x_t = t x + (1 - t) y
    grad f*(x_t) = (x - y) / |x - y|             for the optimal critic of slope 1

Two samples: points of a ring of 8 Gaussians, and points of one Gaussian in its middle. Linear programming gives the
cheapest plan between them, exactly. A critic is trained on the same points under a penalty on slopes above 1 alone:
nothing asks it for a slope of 1 anywhere. On the lines that the plan draws, its mean slope must be 1 +- 0.1 and the
mean cosine of its gradient and the line's direction 0.95 or more (quick: 0.15 and 0.9). On lines between pairs drawn at
random the cosine must be smaller by 0.2 or more, and the critic's value must be within 5 % (10 %) of W1.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from adversaria.claims.check import Trial
from adversaria.distributions import optimal_plan
from adversaria.game import Adam
from adversaria.lab.bench import Bench, Outcome, above, near
from adversaria.lab.figures import COLOURS, field, labelled, level_sets, panels
from adversaria.metrics import neural_distance
from adversaria.nn.mlp import MLPReader

SOURCES = ("001",)
MORE = ("Gulrajani et al. (2017), arXiv:1704.00028",)
N = 96


def run(bench: Bench) -> Outcome:
    def once(trial: Trial) -> dict[str, Any]:
        torch.manual_seed(trial.seed)
        P, Q = trial.data.examples(N, "train", seed=trial.seed).x, 0.8 * torch.randn(N, 2)
        found = optimal_plan(torch.full((N,), 1 / N), torch.full((N,), 1 / N), torch.cdist(P, Q))
        i, j = torch.where(found.plan > 0.5 / N)
        f = MLPReader(2, 1, 128, 2)
        adam = Adam(lr=bench.pick(4e-3, 2e-3), betas=(0.0, 0.9), schedule="linear")
        value = neural_distance(f, P, Q, slope=bench.pick(20, 50), rounds=bench.pick(700, 4_000), adam=adam,
                                seed=trial.seed).value  # fmt: skip
        slope, cosine, at = looked(f, P[i], Q[j])
        random = looked(f, P[torch.randint(N, (N,))], Q[torch.randint(N, (N,))])
        return {"value": value / found.cost, "slope": slope, "cosine": cosine, "random": random[1], "points": at,
                "ends": (P[i], Q[j]), "field": field(f, 2.4)}  # fmt: skip

    runs = bench.each(once, "ring8")
    slopes, cosines = ([float(run[name].mean()) for run in runs] for name in ("slope", "cosine"))
    gap = [float(run["cosine"].mean() - run["random"].mean()) for run in runs]
    return Outcome(
        (
            near("mean slope of the critic on lines of the cheapest plan", slopes, 1.0, bench.pick(0.15, 0.1),
                 exact="plan by linear programming"),
            above("mean cosine of its gradient and the line", cosines, bench.pick(0.9, 0.95)),
            above("the same, less that on lines between random pairs", gap, 0.2),
            near("critic's value over W1", [run["value"] for run in runs], 1.0, bench.pick(0.1, 0.05),
                 exact="by linear programming"),
        ),
        {name: runs[0][name] for name in ("slope", "cosine", "random", "ends", "field")},
        "The critic climbs along the lines of the cheapest plan, one unit a unit of way. Lines between random pairs "
        "go in other directions than its gradient.",
    )  # fmt: skip


def looked(f: nn.Module, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Slopes, and cosines with the lines from y to x, at a place on each line that is drawn uniformly; these places."""
    at = torch.lerp(y, x, torch.rand(len(x), 1)).requires_grad_()
    (slopes,) = torch.autograd.grad(f(at).sum(), at)
    return slopes.norm(dim=1), cosine_similarity(slopes, x - y), at.detach()


def draw(figure: Figure, told: Mapping[str, Any]) -> None:
    plane, slopes, cosines = panels(figure, 3, width_ratios=(1.3, 1, 1))
    level_sets(plane, told["field"])
    x, y = (np.asarray(side) for side in told["ends"])
    plane.plot(np.stack([x[:, 0], y[:, 0]]), np.stack([x[:, 1], y[:, 1]]), color=COLOURS[7], linewidth=0.5)
    plane.plot(*x.T, ".", color=COLOURS[1], markersize=3)
    plane.plot(*y.T, ".", color=COLOURS[0], markersize=3)
    labelled(plane, "", "", "cheapest plan, level sets of the critic")
    slopes.hist(np.asarray(told["slope"]), bins=[k / 20 for k in range(33)], color=COLOURS[0])
    slopes.axvline(1, color=COLOURS[1], label="theory")
    labelled(slopes, "slope on lines of the plan", "points", "how steep")
    bins = [k / 16 for k in range(-16, 17)]
    cosines.hist(np.asarray(told["cosine"]), bins=bins, color=COLOURS[0], label="plan")
    cosines.hist(np.asarray(told["random"]), bins=bins, color=COLOURS[4], alpha=0.6, label="random pairs")
    labelled(cosines, "cosine with the line", "points", "which way")
